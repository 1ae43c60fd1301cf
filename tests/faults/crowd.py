"""Many runs at once whose steps are programs, in a process that tests kill.

``python -m tests.faults.crowd FOLDER RUNS STEPS`` starts each run, or goes on with it, and prints
the outputs of all runs as JSON when they are complete. The programs themselves write down that
they were called: ``RUN STEP`` in FOLDER's ``calls.txt``.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from pathlib import Path

from portia_nb import Config, PlanBuilderV2, PlanRun, Portia, StepOutput, arun_program, tool
from portia_nb.model.plan import Plan

# The folder is an argument, so that whoever looks for what is left over finds these processes.
SCRIPT = 'echo "$2 $3" >> "$1/calls.txt"; sleep 0.05; printf %s "$2 $3 $4" | cksum'


def plan_of(folder: Path, number: int, steps: int) -> Plan:
    """Return the plan of one run: a chain of programs."""

    @tool
    async def program(place: int, before: str) -> str:
        """Call the program."""
        words = ["sh", "-c", SCRIPT, "sh", str(folder), str(number), str(place), before]
        return (await arun_program(words)).output.strip()

    builder = PlanBuilderV2(f"run {number}")
    for place in range(steps):
        args = {"place": place, "before": StepOutput(f"s{place - 1}") if place else ""}
        builder.invoke_tool_step(tool=program(), args=args, step_name=f"s{place}")
    return builder.build()


def digest(outputs: list[str]) -> str:
    """Return one text for the outputs of a run."""
    return hashlib.sha256(" ".join(outputs).encode()).hexdigest()


async def all_runs(folder: Path, runs: int, steps: int) -> list[str]:
    """Run or resume every run at once, and return what each put out."""
    portia = Portia(Config(store=str(folder / "store")), tools=[])
    found = {row.query: row.run_id for row in portia.store.find_runs()}

    async def one(number: int) -> PlanRun:
        plan = plan_of(folder, number, steps)
        if (run_id := found.get(f"run {number}")) is not None:
            return await portia.aresume(plan_run_id=run_id, plan=plan)
        return await portia.arun_plan(plan)

    ended = await asyncio.gather(*(one(number) for number in range(runs)))
    assert [run.state.value for run in ended] == ["COMPLETE"] * runs, [run.error for run in ended]
    return [digest([o.value for o in run.outputs.step_outputs.values()]) for run in ended]


def main(folder: str, runs: str, steps: str) -> None:
    """Say ``ready``, run everything, and print what came out."""
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdout.write(json.dumps(asyncio.run(all_runs(Path(folder), int(runs), int(steps)))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
