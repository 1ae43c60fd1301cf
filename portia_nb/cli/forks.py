"""The commands that run parts of a run again, and compare runs: `fork`, `retry`, `diff`."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from portia_nb.drawing.text import short_text
from portia_nb.model.plain import to_plain_json
from portia_nb.session.again import step_to_change
from portia_nb.session.finding import find_run_id
from portia_nb.session.set_edits import read_edits, step_named, with_arguments

from .goals import Start, plan_named
from .status import COMPLETE
from .terminal import Terminal
from .wiring import open_portia, pairs

if TYPE_CHECKING:
    from portia_nb.session.forking import Fork


def fork(args: argparse.Namespace, terminal: Terminal) -> int:
    """Run a step of a run again in a new run, and what depends on it."""
    portia = open_portia(args, terminal, all_tools=True)
    run_id = find_run_id(portia.store, args.run)
    fields, edits = read_edits(_values(args), args.step, "fork")
    worked_out = portia.work_out_fork(
        run_id,
        step_named(args.step),
        plan=None if args.plan is None else plan_named(portia, args.plan),
        inputs=pairs("--input", args.input) or None,
        edits=edits,
        **fields,
    )
    words = ["fork", run_id, *([] if args.step is None else [args.step])]
    words += [] if args.plan is None else ["--plan", args.plan]
    return _start(args, terminal, Start(args, terminal, portia), worked_out, words)


def retry(args: argparse.Namespace, terminal: Terminal) -> int:
    """Try the failed step of a run again."""
    portia = open_portia(args, terminal, all_tools=True)
    run_id = find_run_id(portia.store, args.run)
    failed = portia.failed_step(run_id, step_named(args.step))
    start = Start(args, terminal, portia)
    fields = with_arguments(_values(args))
    if not fields:
        return start.resume(run_id)
    args.input = []
    worked_out = portia.work_out_fork(run_id, step_to_change(failed, fields), **fields)
    return _start(args, terminal, start, worked_out, ["fork", run_id, failed])


def diff(args: argparse.Namespace, terminal: Terminal) -> int:
    """Compare two runs."""
    portia = open_portia(args, terminal)
    runs = [find_run_id(portia.store, word) for word in (args.run, args.other) if word is not None]
    found = portia.compare(*runs)
    if terminal.as_json:
        terminal.give_json(json.dumps(to_plain_json(found)))
    else:
        terminal.give(str(found))
    return COMPLETE


def _start(
    args: argparse.Namespace, terminal: Terminal, start: Start, worked_out: Fork, words: list[str]
) -> int:
    reused, again = len(worked_out.reused), worked_out.again
    outputs = "1 output is" if reused == 1 else f"{reused} outputs are"
    anew = f"; runs again: {short_text(', '.join(again), 300)}" if again else ""
    terminal.say(f"fork of {worked_out.forked_from}: {outputs} reused{anew}")
    words += [word for each in args.set for word in ("--set", each)]
    return start.fork(worked_out, words=words)


def _values(args: argparse.Namespace) -> dict[str, Any]:
    return {name: _value(text) for name, text in pairs("--set", args.set).items()}


def _value(text: str) -> Any:
    """Return the JSON that `text` is, else itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
