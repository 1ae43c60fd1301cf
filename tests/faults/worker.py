"""Does trials of one row in a process of its own: ``python -m tests.faults.worker R7``.

A line ``NUMBER`` on standard input asks for a trial; a line of JSON on standard output tells what
came of it. Whatever the trial itself prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from typing import Any

from .row import Row, rows


def outcome(row: Row, number: int) -> dict[str, Any]:
    """Do a trial, and return what came of it as JSON."""
    began = time.monotonic()
    facts: dict[str, float] = {}
    failure: str | None = None
    try:
        facts = dict(row.run(number))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        traceback.print_exc()
        text = " ".join(str(error).split())
        failure = f"{type(error).__name__}: {text[:500]}"
    return {
        "trial": number,
        "cases": row.cases(number),
        "facts": facts,
        "failure": failure,
        "seconds": round(time.monotonic() - began, 3),
    }


def main(wanted: str) -> None:
    """Answer trial by trial until standard input ends."""
    (row,) = [row for row in rows() if row.id == wanted]
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            answers.write(json.dumps(outcome(row, int(line))) + "\n")
            answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
