"""The command `map`: a plan for each row of a file; and maps where other commands name them."""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from portia_nb.errors import InputsMissing, InvalidOption
from portia_nb.session.answering import read_answers_file
from portia_nb.session.map_approval import question_of_map
from portia_nb.session.map_export import csv_text, rows_as_json
from portia_nb.session.map_files import read_rows_file
from portia_nb.session.map_kept import map_named, open_map
from portia_nb.session.map_options import MapOptions
from portia_nb.session.map_progress import progress_text
from portia_nb.session.map_shown import text_of

from . import outcome
from .attending import BEAT_S, STOP_TIME_S, Interrupts
from .goals import Start, plan_named
from .settings import again
from .status import COMPLETE, FAILED, INTERRUPTED, WAITING
from .terminal import Terminal
from .wiring import is_kept, open_portia, pairs

if TYPE_CHECKING:
    from portia_nb.session.live_map import LiveMap
    from portia_nb.session.map_result import PlanMap
    from portia_nb.session.portia import Portia

SPOKEN_S = 5.0
"""Seconds between two lines about how far a map has got."""


def map_rows(args: argparse.Namespace, terminal: Terminal) -> int:
    """Run a plan for each row of a file, or go on with a map."""
    portia = open_portia(args, terminal, all_tools=True)
    if (map_id := map_named(portia.store, args.plan)) is not None:
        if args.rows is not None:
            raise InvalidOption(
                f"{map_id} is a map, which has its rows: leave out {args.rows}", option="ROWS"
            )
        return resume_map(args, terminal, portia, map_id)
    if args.rows is None:
        raise InvalidOption("name the file of the rows: map PLAN ROWS", option="ROWS")
    if args.plan == "-" and args.rows == "-":
        raise InvalidOption("only one of PLAN and ROWS can be standard input", option="ROWS")
    plan = plan_named(portia, args.plan)
    rows = read_rows_file(args.rows)
    options = MapOptions(
        inputs=dict(pairs("--column", args.column)) or None,
        plan_run_inputs=dict(pairs("--input", args.input)) or None,
        limit=args.limit,
        max_parallel=args.parallel,
        reuse=False if args.again else True if args.reuse else None,
        answers=_answers(args),
    )
    words = ["map", args.plan, args.rows]
    words += [word for each in args.column for word in ("--column", each)]
    words += [] if args.limit is None else ["--limit", str(args.limit)]
    try:
        return _map(args, terminal, portia, plan, rows, options, words)
    except InputsMissing as error:
        missing = error.facts.get("missing")
        name = missing[0] if isinstance(missing, tuple) and missing else "NAME"
        said = str(error).partition(": name the column")[0]
        raise InvalidOption(
            f"{said}: name the column, --column {name}=COLUMN, or give one value for all rows, "
            f"--input {name}=VALUE",
            option="ROWS",
        ) from error


def resume_map(args: argparse.Namespace, terminal: Terminal, portia: Portia, map_id: str) -> int:
    """Go on with a map, and return the exit status."""
    kept = open_map(portia, map_id)
    if kept.is_complete:
        terminal.say(f"every row of {map_id} is done already")
        return _end(args, terminal, portia, kept)
    options = MapOptions(answers=_answers(args), take_over=getattr(args, "take_over", False))
    return _map(args, terminal, portia, map_id, None, options, ["map", map_id])


def show_map(terminal: Terminal, made: PlanMap) -> int:
    """Show a map that is kept."""
    if terminal.as_json:
        _give_json(terminal, made)
    else:
        terminal.give(text_of(made))
    return COMPLETE


def _answers(args: argparse.Namespace) -> dict[str, Any] | None:
    from_file = read_answers_file(args.answers) if args.answers else {}
    return {**from_file, **pairs("--answer", args.answer)} or None


def _map(
    args: argparse.Namespace,
    terminal: Terminal,
    portia: Portia,
    plan: Any,
    rows: Any,
    options: MapOptions,
    words: list[str],
) -> int:
    parts = portia._parts  # pyright: ignore[reportPrivateUsage]
    if (asked := question_of_map(parts, plan, rows, options)) is not None:
        start = Start(args, terminal, portia)
        kept = start.approve(asked.plan, asked.text, asked.calls, words, for_rows=True)
        options = replace(options, first=tuple(kept))
    live = portia.start_map(plan, rows, options)
    terminal.say((f"map {live.id}, {len(live.rows):,} rows", "dim"))
    if not _attend(terminal, live):
        terminal.say(("■ left", "yellow"), f"  map {live.id}, in the midst of a row")
        _say_next(args, terminal, portia, live.id)
        return INTERRUPTED
    live.done.result()
    made = portia.result_of(live, options)
    status = _end(args, terminal, portia, made)
    portia.store.close()
    return status


def _attend(terminal: Terminal, live: LiveMap) -> bool:
    """Return once a map has ended; false where it was interrupted and left before."""
    leave_at: float | None = None
    spoken = time.monotonic()
    try:
        with Interrupts() as interrupts:
            while not live.done.done():
                wait([live.done], BEAT_S)
                now = time.monotonic()
                if interrupts.count and leave_at is None:
                    leave_at = now + STOP_TIME_S
                    live.stop("interrupted")
                    terminal.say(("■ stopping; again Ctrl-C to leave at once", "yellow"))
                if leave_at is not None and now > leave_at:
                    break
                if now - spoken > SPOKEN_S:
                    spoken = now
                    terminal.say((progress_text(live).partition("\n")[0], "dim"))
    except KeyboardInterrupt:
        live.stop("interrupted")
    return live.done.done()


def _end(args: argparse.Namespace, terminal: Terminal, portia: Portia, made: PlanMap) -> int:
    """Print the table, say how it ended and what goes on, and return the exit status."""
    if terminal.as_json:
        _give_json(terminal, made)
    else:
        terminal.give(csv_text(list(rows_as_json(made))).removesuffix("\n"))
    terminal.say(text_of(made))
    if made.is_complete:
        return COMPLETE
    _say_next(args, terminal, portia, made.id)
    if "stopped" in made.state:
        return INTERRUPTED
    return WAITING if made.waiting else FAILED


def _say_next(args: argparse.Namespace, terminal: Terminal, portia: Portia, map_id: str) -> None:
    if not is_kept(portia.config):
        terminal.say("maps in memory end with this process: with --store FOLDER one can go on")
        return
    terminal.say(f"to go on: {outcome.command('map', map_id, *again(args))}")


def _give_json(terminal: Terminal, made: PlanMap) -> None:
    document = {
        "id": made.id,
        "plan_id": str(made.plan.id),
        "state": made.state,
        "total": made.total,
        "rows": list(rows_as_json(made)),
    }
    terminal.give_json(json.dumps(document, allow_nan=False))
