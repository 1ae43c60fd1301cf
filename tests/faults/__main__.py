"""Run the fault table at full count: ``python -m tests.faults [--fresh] [R7 R9 …]``.

Exit status 1 where a row does not hold, 130 where Ctrl-C stopped it; the same command goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys

from . import report
from .crew import Crew
from .progress import Progress, this_commit
from .row import Row, rows

PATIENCE = 10
"""Failures of one row after which the rest of it is left undone."""


def chosen(wanted: list[str]) -> list[Row]:
    """Return the rows with these ids, every row where none is named."""
    found = rows()
    unknown = set(wanted) - {row.id for row in found}
    if unknown:
        names = " ".join(row.id for row in found)
        raise SystemExit(f"no row {', '.join(sorted(unknown))}; the rows: {names}")
    return [row for row in found if not wanted or row.id in wanted]


def run(row: Row, *, fresh: bool) -> Progress:
    """Do what is left of a row; each trial is kept as it ends, and ten failures end the row."""
    progress, commit = Progress.of(row, fresh=fresh), this_commit()
    if row.later:
        return progress
    live = sys.stderr.isatty()
    with contextlib.closing(Crew(row, progress.left).outcomes()) as outcomes:
        while len(progress.failures) < PATIENCE and (outcome := next(outcomes, None)) is not None:
            progress.add(outcome, commit)
            if outcome["failure"] is not None:
                sys.stderr.write(f"{row.id} trial {outcome['trial']}: {outcome['failure']}\n")
            if live:
                sys.stderr.write(f"\r\033[K{row.id} {len(progress.outcomes)} of {row.trials}\r")
                sys.stderr.flush()
    return progress


def main(arguments: list[str]) -> int:
    """Print a line a row as each ends, and keep them in `docs/reliability.md`."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("rows", nargs="*", help="which rows, such as R7; without: every row")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs did")
    asked = parser.parse_args(arguments)
    # A shell lets what it starts in the background ignore SIGINT, and `kill` sends SIGTERM.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    failed = 0
    for row in chosen(asked.rows):
        try:
            progress = run(row, fresh=asked.fresh)
        except KeyboardInterrupt:
            progress = Progress.of(row)
            sys.stdout.write(f"{progress}\nstopped; the same command goes on from here\n")
            return 130
        sys.stdout.write(f"{progress}\n")
        sys.stdout.flush()
        for failure in progress.failures[:10]:
            sys.stdout.write(f"     {failure}\n")
        report.write([progress])
        failed += progress.verdict not in ("holds", "later")
    sys.stdout.write(f"{failed} rows do not hold\n" if failed else "all hold\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
