"""A process that resumes runs when it is told to: ``python -m tests.faults.racer FOLDER``.

Each line of standard input is a run's id; each answer is a line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from portia_nb import Config, PlanBuilderV2, Portia, StepOutput
from portia_nb.errors import PortiaBaseError, ToolHardError
from portia_nb.model.plan import Plan


def note(folder: Path, name: str) -> None:
    """Leave a line."""
    line = os.open(folder / "calls.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(line, f"{name} {os.getpid()}\n".encode())
    os.close(line)


def plan_of(folder: Path) -> Plan:
    """Return a plan that fails in its second step, until it may pass, and then waits there."""

    def first() -> int:
        note(folder, "first")
        return 1

    def second(before: int) -> int:
        if not (folder / "may pass").exists():
            raise ToolHardError("not yet")
        note(folder, "second")
        while not (folder / "go on").exists():
            time.sleep(0.005)
        return before + 1

    def third(before: int) -> int:
        note(folder, "third")
        return before + 1

    return (
        PlanBuilderV2("a race")
        .function_step(function=first, step_name="first")
        .function_step(function=second, args={"before": StepOutput("first")}, step_name="second")
        .function_step(function=third, args={"before": StepOutput("second")}, step_name="third")
        .build()
    )


def portia_of(folder: Path) -> Portia:
    """Return a Portia that keeps its runs in `folder`."""
    return Portia(Config(store=str(folder / "store")), tools=[])


def main(folder: str) -> None:
    """Resume each run that is named."""
    portia, plan = portia_of(Path(folder)), plan_of(Path(folder))
    portia.store.find_runs()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        try:
            run = portia.resume(plan_run_id=line.strip(), plan=plan)
            answer = {
                "state": run.state.value,
                "final": run.final_output and run.final_output.value,
            }
        except PortiaBaseError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
