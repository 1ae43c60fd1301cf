"""A program that runs a plan with one very large output, and says what that took.

``python -m tests.faults.sizes KIND FOLDER`` prints a line of JSON; ``… KIND FOLDER again`` opens
the run that is there in a process that never had the value.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from portia_nb import Config, PlanBuilderV2, Portia, StepOutput
from portia_nb.model.codecs import Unkept
from portia_nb.session.opening import open_run

MB = 2**20


def text(mb: int) -> Any:
    return "x" * (mb * MB)


def raw(mb: int) -> Any:
    return bytes(mb * MB)


def items(mb: int) -> Any:
    return [f"item {number}" for number in range(mb * 10_000)]


def table(mb: int) -> Any:
    return {f"key {number}": number * 1.5 for number in range(mb * 10_000)}


def deep(mb: int) -> Any:
    value: Any = "bottom"
    for _ in range(mb * 100):
        value = [value]
    return value


def lazy(mb: int) -> Any:
    def parts() -> Iterator[str]:
        for _ in range(mb * 10):
            yield "x" * MB

    return parts()


KINDS = {each.__name__: each for each in (text, raw, items, table, deep, lazy)}


def size_of(value: Any) -> int:
    """Return the bytes that a value takes in memory, about."""
    if isinstance(value, dict):
        return sys.getsizeof(value) + sum(map(size_of, value)) + sum(map(size_of, value.values()))
    if isinstance(value, list) and len(value) > 1:
        return sys.getsizeof(value) + sum(map(size_of, value))
    return sys.getsizeof(value)


def peak() -> int:
    """Return the most bytes that this process has had in memory."""
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage tells is at least what the parent had when it started this.
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main(kind: str, folder: str, mb: str, again: str = "") -> None:
    """Run the plan, or open the run that is kept."""
    portia = Portia(Config(store=folder), tools=[])
    small = PlanBuilderV2("warm up").function_step(function=lambda: 1, step_name="n").build()
    if again:
        run = open_run(portia.store, portia.store.find_runs()[0].run_id)
        value = run.snapshot().outputs["made"].value
        told = "unkept" if type(value) is Unkept else str(value == KINDS[kind](int(mb)))
        sys.stdout.write(json.dumps({"value": told}) + "\n")
        return
    portia.run_plan(small)
    from portia_nb.notebook.static_record import run_bundle

    def make() -> Any:
        return KINDS[kind](int(mb))

    plan = (
        PlanBuilderV2("make something large")
        .function_step(function=make, step_name="made")
        .function_step(
            function=lambda made: type(made).__name__,
            args={"made": StepOutput("made")},
            step_name="type",
        )
        .build()
    )
    before = peak()
    done = portia.run_plan(plan)
    grown = peak() - before
    run = open_run(portia.store, done.id, plan)
    bundle = run_bundle(run)
    portia.store.close()
    facts = {
        "state": done.state.value,
        "type": done.outputs["type"].value,
        "grown": grown,
        "payload": 0 if kind == "lazy" else size_of(done.outputs["made"].value),
        "shown": {mime: len(json.dumps(data)) for mime, data in bundle.items()},
        "journal": (Path(folder) / "journal.sqlite").stat().st_size,
    }
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
