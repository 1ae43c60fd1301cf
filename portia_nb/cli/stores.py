"""The commands of `portia-nb store`: where runs are kept, whether they are whole, and upkeep."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portia_nb.errors import InvalidOption, StorageError
from portia_nb.session.finding import find_run_id
from portia_nb.session.history import state_called
from portia_nb.session.map_kept import map_named
from portia_nb.storage.history import RunFilter
from portia_nb.storage.place import is_there

from .status import COMPLETE, FAILED
from .terminal import Terminal
from .wiring import open_portia

if TYPE_CHECKING:
    from portia_nb.session.portia import Portia
    from portia_nb.storage.reports import CheckReport, ImportReport
    from portia_nb.storage.store import Store

LINES, PAGE = "lines", "portia"
"""Layouts of an export: all of a run as JSON lines; or the reference SDK's documents."""


def store(args: argparse.Namespace, terminal: Terminal) -> int:
    """Do one of the actions on the store that the options ask for."""
    portia = open_portia(args, terminal)
    try:
        return _ACTIONS[args.action](args, terminal, portia)
    finally:
        portia.store.close()


def _refuse_nothing(kept: Store) -> None:
    """Refuse to work on a store that isn't there: an export of it would pass for a copy of all."""
    path = getattr(kept, "path", None)
    if path is not None and not is_there(path):
        raise StorageError(
            f"{path} isn't there: no run is kept in {path.parent}. Go to the project's folder, or "
            "say with --store where runs are kept",
            path=path,
        )


def _path(args: argparse.Namespace, terminal: Terminal, portia: Portia) -> int:
    folder = getattr(portia.store, "folder", None)
    terminal.give("memory" if folder is None else str(folder))
    return COMPLETE


def _forget(args: argparse.Namespace, terminal: Terminal, portia: Portia) -> int:
    if args.run is None:
        raise InvalidOption("which run? `portia-nb runs` lists them", option="run")
    map_id = map_named(portia.store, args.run)
    found = map_id or find_run_id(portia.store, args.run)
    portia.forget(found, force=args.force)
    terminal.say(f"{'map' if map_id else 'run'} {found} is forgotten")
    return COMPLETE


def _check(args: argparse.Namespace, terminal: Terminal, portia: Portia) -> int:
    report = portia.store.check()
    if args.json:
        terminal.give_json(json.dumps(_check_facts(report)))
    else:
        terminal.give(str(report))
    if not report.is_ok:
        terminal.say("What can still be read is saved by: portia-nb store export TARGET --salvage")
    return COMPLETE if report.is_ok else FAILED


def _check_facts(report: CheckReport) -> dict[str, Any]:
    return {
        "where": report.where,
        "ok": report.is_ok,
        "plans": report.plans,
        "runs": report.runs,
        "events": report.events,
        "large_values": report.large_values,
        "findings": [{"what": f.what, "run": f.run_id} for f in report.findings],
        "affected_runs": list(report.affected_runs),
        "unused": [str(path) for path in report.unused],
    }


def _vacuum(args: argparse.Namespace, terminal: Terminal, portia: Portia) -> int:
    _refuse_nothing(portia.store)
    terminal.say(str(portia.store.vacuum(force=args.force)))
    return COMPLETE


def _prune(args: argparse.Namespace, terminal: Terminal, portia: Portia) -> int:
    _refuse_nothing(portia.store)
    report = portia.store.prune(
        args.older_than,
        states=[state_called(word) for word in args.state] or None,
        dry_run=args.dry_run,
        force=args.force,
    )
    if args.json:
        facts = {
            "dry_run": report.is_dry,
            "runs": [row.run_id for row in report.runs],
            "spared": [{"run": row.run_id, "why": why} for row, why in report.spared],
        }
        terminal.give_json(json.dumps(facts))
        return COMPLETE
    if report.is_dry and report.runs:
        terminal.give("\n".join(f"{row.run_id}  {row.state.value}" for row in report.runs))
    terminal.say(str(report))
    return COMPLETE


def _export(args: argparse.Namespace, terminal: Terminal, portia: Portia) -> int:
    if args.target is None:
        raise InvalidOption("to which file or folder? - writes to standard output", option="target")
    _refuse_nothing(portia.store)
    if args.layout == PAGE:
        if args.runs or args.salvage:
            raise InvalidOption(f"--layout {PAGE} exports all that is whole", option="--layout")
        return _exchanged(portia.storage.export_folder(args.target), "exported", args, terminal)
    runs = [_run_ids(portia.store, each, args.salvage) for each in args.runs]
    run_ids = [each for some in runs for each in some] or None
    if args.target == "-":
        for line in portia.store.export_lines(run_ids=run_ids, salvage=args.salvage):
            sys.stdout.write(line + "\n")
        return COMPLETE
    report = portia.store.export_to(
        Path(args.target), run_ids=run_ids, salvage=args.salvage, overwrite=args.force
    )
    terminal.say(str(report))
    return FAILED if report.lost else COMPLETE


def _run_ids(kept: Store, typed: str, salvage: bool) -> list[str]:
    """Return the run that is meant; of a map, its record and the runs of its rows."""
    try:
        map_id = map_named(kept, typed)
        if map_id is None:
            return [find_run_id(kept, typed)]
        return [map_id, *(row.run_id for row in kept.list_runs(RunFilter(map_id=map_id)))]
    except StorageError:
        if not salvage:
            raise
        return [typed]  # nothing can be listed any more: the id has to be whole


def _import(args: argparse.Namespace, terminal: Terminal, portia: Portia) -> int:
    if args.source is None:
        raise InvalidOption("from which file or folder?", option="source")
    source = Path(args.source)
    if (args.layout or _layout_of(source)) == PAGE:
        return _exchanged(portia.storage.import_folder(source), "imported", args, terminal)
    report = _imported(portia.store, source, approvals=args.approvals)
    terminal.say(str(report))
    return FAILED if report.refused else COMPLETE


def _imported(kept: Store, source: Path, *, approvals: bool) -> ImportReport:
    if not source.exists():
        raise StorageError(f"{source} isn't there: nothing was imported", path=source)
    return kept.import_from(source, approvals=approvals)


def _layout_of(source: Path) -> str:
    """Tell which layout a file or folder has: its files' names say it."""
    if source.is_dir() and any(source.glob("*.jsonl")):
        return LINES
    return PAGE if source.is_dir() or not source.suffix else LINES


def _exchanged(done: Any, verb: str, args: argparse.Namespace, terminal: Terminal) -> int:
    """Tell what was exchanged with a folder of the reference SDK's documents."""
    place = f"from {args.source}" if verb == "imported" else f"to {args.target}"
    for problem in done.problems:
        terminal.say(f"left out: {problem}")
    known = f"; {done.known} were here already" if done.known else ""
    terminal.say(f"{done.plans} plans and {done.runs} runs {verb} {place}{known}")
    return FAILED if done.problems else COMPLETE


_ACTIONS: Mapping[str, Callable[[argparse.Namespace, Terminal, Portia], int]] = {
    "path": _path,
    "check": _check,
    "export": _export,
    "import": _import,
    "prune": _prune,
    "vacuum": _vacuum,
    "forget": _forget,
}
