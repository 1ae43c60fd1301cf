"""A plan of many steps, each of which leaves a line, run as a program that tests kill.

``python -m tests.faults.chain FOLDER SEED STEPS`` runs the plan of that seed to its end, or goes on
with the run that FOLDER's store holds. Last it prints the state and the outputs' sha256.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import sys
import time
from pathlib import Path

from portia_nb import Config, PlanBuilderV2, PlanRun, Portia, StepOutput, tool
from portia_nb.model.plan import Plan


def references(seed: int, steps: int) -> list[list[int]]:
    """Return which earlier steps each step reads, by place."""
    rng = random.Random(seed)
    counts = [min(place, rng.randint(0, 3)) for place in range(steps)]
    return [sorted(rng.sample(range(place), count)) for place, count in enumerate(counts)]


def value_of(place: int, read: list[str]) -> str:
    """Return what the step at `place` puts out for the values that it reads."""
    return hashlib.sha256(f"{place} {' '.join(read)}".encode()).hexdigest()[:12]


def expected(seed: int, steps: int) -> str:
    """Return the sha256 that the program prints, worked out without running any plan."""
    values: list[str] = []
    for place, sources in enumerate(references(seed, steps)):
        values.append(value_of(place, [values[source] for source in sources]))
    return digest(values, values[-1])


def digest(outputs: list[str], final: str | None) -> str:
    """Return the sha256 of a run's outputs, in plan order, and its final output."""
    return hashlib.sha256(json.dumps([outputs, final]).encode()).hexdigest()


def note(folder: Path, place: int) -> None:
    """Leave a line, in one write: a killed process leaves whole lines."""
    line = os.open(folder / "calls.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(line, f"s{place}\n".encode())
    os.close(line)


def calls(folder: Path) -> list[str]:
    """Return the steps that were called, in order."""
    path = folder / "calls.txt"
    return path.read_text().split() if path.exists() else []


def plan_of(folder: Path, seed: int, steps: int, work_s: float = 0.0) -> Plan:
    """Return the plan: functions, coroutine functions and tools in turn, none declared harmless."""

    def work(place: int, read: list[str]) -> str:
        note(folder, place)
        if work_s:
            time.sleep(work_s)
        return value_of(place, read)

    async def work_async(place: int, read: list[str]) -> str:
        note(folder, place)
        await asyncio.sleep(work_s)
        return value_of(place, read)

    @tool
    def part(place: int, read: list[str]) -> str:
        """Do one part of the work."""
        return work(place, read)

    builder = PlanBuilderV2(f"work in {steps} steps")
    for place, sources in enumerate(references(seed, steps)):
        args = {"place": place, "read": [StepOutput(f"s{source}") for source in sources]}
        match (place + seed) % 3:
            case 0:
                builder.invoke_tool_step(tool=part(), args=args, step_name=f"s{place}")
            case 1:
                builder.function_step(function=work, args=args, step_name=f"s{place}")
            case _:
                builder.function_step(function=work_async, args=args, step_name=f"s{place}")
    return builder.build()


def run_or_resume(folder: Path, seed: int, steps: int) -> PlanRun:
    """Run the plan, or go on with the run that is there."""
    portia = Portia(Config(store=str(folder / "store")), tools=[])
    plan = plan_of(folder, seed, steps)
    found = portia.store.find_runs()
    return portia.resume(plan_run_id=found[0].run_id, plan=plan) if found else portia.run_plan(plan)


def main(folder: str, seed: str, steps: str) -> None:
    """Run to the end and tell what came out."""
    run = run_or_resume(Path(folder), int(seed), int(steps))
    outputs = [output.value for output in run.outputs.step_outputs.values()]
    final = None if run.final_output is None else run.final_output.value
    sys.stdout.write(f"{run.state.value} {digest(outputs, final)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
