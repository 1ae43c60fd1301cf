"""The steps of a snapshot of a run as rows: how each stands, what it put out, why it failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .events import ErrorRecord
from .refusal import refused_by
from .rounds import place_of
from .stretches import StepTimes

if TYPE_CHECKING:
    from .snapshot import PlanRun

COLUMNS = ("step", "state", "output", "value", "summary", "reused", "seconds", "error")


@dataclass(frozen=True, slots=True)
class StepsKnown:
    """What a snapshot knows of the steps beside their outputs; nothing where it was loaded."""

    places: tuple[str, ...] = ()
    """The steps' places in the plan, such as ``each_city/sky``; in the order of the plan."""
    times: tuple[StepTimes, ...] = ()
    errors: Mapping[str, ErrorRecord] = field(default_factory=dict[str, ErrorRecord])
    """Of steps that stand as failed, by their paths."""


def step_rows(run: PlanRun, known: StepsKnown) -> list[dict[str, Any]]:
    """Return a row for each step, by `COLUMNS`, in the order of the plan.

    Of a step in a loop, the last round counts. A snapshot that was loaded from JSON knows of the
    steps that have put something out, and of the one that it failed in.
    """
    outputs = {name: output for output, name in run.outputs.step_names.items()}
    if not known.places:
        outputs |= {output.removeprefix("$"): output for output in run.outputs.step_outputs}
    errors = dict(known.errors)
    if run.error is not None and run.error.step:
        errors.setdefault(run.error.step, run.error)
    last = {place_of(each.path): each for each in known.times}
    places = known.places or tuple(dict.fromkeys([*outputs, *errors]))
    return [
        _row(run, name, outputs.get(name), last.get(place), errors)
        for place in places
        for name in (place.rpartition("/")[2],)
    ]


def _row(
    run: PlanRun,
    name: str,
    output: str | None,
    times: StepTimes | None,
    errors: Mapping[str, ErrorRecord],
) -> dict[str, Any]:
    found = run.outputs.step_outputs.get(output or "")
    path = name if times is None else times.path
    error = errors.get(path)
    state = times.state if times else "failed" if error else "done" if found else "waiting"
    if error is not None and refused_by(error, run.outputs.clarifications):
        state = "stopped"
    return {
        "step": name,
        "state": state,
        "output": output,
        "value": None if found is None else found.value,
        "summary": None if found is None else found.summary,
        "reused": output in run.reused,
        "seconds": _seconds(times),
        "error": None if error is None else f"{error.type}: {error.message}",
    }


def _seconds(times: StepTimes | None) -> float | None:
    if times is None:
        return None
    worked = [s.end - s.start for s in times.stretches if s.kind == "ran" and s.end]
    return sum(worked) if worked else None
