"""A program that does very many steps in one process, and measures itself on the way.

``python -m tests.faults.soak FOLDER STEPS`` prints a line of JSON for each tenth of the steps.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from portia_nb import Config, PlanBuilderV2, Portia, StepOutput
from portia_nb.model.plan import Plan

CHAIN, WIDE = 100, 100
TENTHS = 10


def plan() -> Plan:
    """Return a plan of a chain of steps and as many beside each other; each output has 1 kB."""
    builder = PlanBuilderV2("soak")
    for number in range(CHAIN):
        read = {"before": StepOutput(f"c{number - 1}")} if number else {"before": ""}
        builder.function_step(function=work, args=read, step_name=f"c{number}")
    for number in range(WIDE):
        builder.function_step(
            function=work, args={"before": "x"}, step_name=f"w{number}", side_effect=False
        )
    return builder.build()


def work(before: str) -> str:
    """Do next to nothing."""
    return f"{len(before)}".ljust(1_000, ".")


def resident() -> int:
    """Return the bytes that this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def measured(folder: Path, steps: int) -> dict[str, Any]:
    """Return what this process takes."""
    gc.collect()
    log = folder / "journal.sqlite-wal"
    return {
        "steps": steps,
        "resident": resident(),
        "log": log.stat().st_size if log.exists() else 0,
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": threading.active_count(),
    }


def main(folder: str, steps: str) -> None:
    """Run the plan again and again."""
    portia = Portia(Config(store=folder), tools=[])
    made = plan()
    runs = max(TENTHS, int(steps) // (CHAIN + WIDE))
    for number in range(1, runs + 1):
        run = portia.run_plan(made)
        assert run.state == "COMPLETE", run
        if number % (runs // TENTHS) == 0:
            facts = measured(Path(folder), number * (CHAIN + WIDE))
            sys.stdout.write(json.dumps(facts) + "\n")
    assert portia.store.check().is_ok
    portia.store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
