"""Where two plans differ, by content: which steps, which bodies, which inputs of inner plans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from portia_nb.model.composite import bodies
from portia_nb.model.plan import AnyStep, ConditionalStep, Plan, SubPlanStep

_HOW_NOT_WHAT = ("retries", "timeout_s", "cache")
"""Fields that change how a step is executed, and never what it puts out."""


class Difference(NamedTuple):
    """What differs in the second of two plans, by the place of the step."""

    steps: frozenset[str]
    """Steps that are new, or say something else themselves."""
    bodies: frozenset[str]
    """Steps that hold others: other ones than before, or in another order."""
    inputs: frozenset[str]
    """Inputs of inner plans that are given something else: the step's place, ``/`` and the name."""
    gone: frozenset[str]
    """Steps that the second plan hasn't got."""


def difference(old: Plan, new: Plan) -> Difference:
    """Return where `new` differs from `old`; a function whose source changed counts.

    How often a step is tried, how long it may take and whether it uses the cache don't count.

    >>> old = Plan(steps=[{"task": "a", "output": "$a"}, {"task": "b", "output": "$b"}])
    >>> new = Plan(steps=[{"task": "A", "output": "$a"}, {"task": "c", "output": "$c"}])
    >>> found = difference(old, new)
    >>> sorted(found.steps), sorted(found.gone)
    (['a', 'c'], ['b'])
    """
    before, after = dict(_each(old.steps)), dict(_each(new.steps))
    steps: set[str] = set()
    changed_bodies: set[str] = set()
    inputs: set[str] = set()
    for place, step in after.items():
        was = before.get(place)
        if was is step:
            continue
        if was is None or was.kind != step.kind:
            steps.add(place)
            continue
        if isinstance(step, SubPlanStep) and isinstance(was, SubPlanStep):
            inputs.update(f"{place}/{name}" for name in _changed_inputs(was, step))
        if _own(step) != _own(was):
            steps.add(place)
        if _names(step) != _names(was):
            changed_bodies.add(place)
    return Difference(
        frozenset(steps),
        frozenset(changed_bodies),
        frozenset(inputs),
        frozenset(before.keys() - after.keys()),
    )


def _each(steps: Sequence[AnyStep], prefix: str = "") -> Iterator[tuple[str, AnyStep]]:
    for step in steps:
        yield prefix + step.name, step
        for body in bodies(step):
            yield from _each(body, f"{prefix}{step.name}/")


def _own(step: AnyStep) -> dict[str, Any]:
    """Return what a step itself says, without the steps in it."""
    data = step.model_dump(mode="json")
    if isinstance(step, ConditionalStep):
        data["branches"] = [
            None if branch.condition is None else branch.condition.model_dump(mode="json")
            for branch in step.branches
        ]
    for name in (*_HOW_NOT_WHAT, "steps", *(("args",) if step.kind == "sub_plan" else ())):
        data.pop(name, None)
    return data


def _names(step: AnyStep) -> list[list[str]]:
    return [[held.name for held in body] for body in bodies(step)]


def _changed_inputs(old: SubPlanStep, new: SubPlanStep) -> Iterator[str]:
    before, after = (step.model_dump(mode="json").get("args", {}) for step in (old, new))
    defaults = [{i.name: i.model_dump(mode="json") for i in s.plan_inputs} for s in (old, new)]
    for name in {*before, *after, *defaults[0], *defaults[1]}:
        if before.get(name) != after.get(name) or defaults[0].get(name) != defaults[1].get(name):
            yield name.removeprefix("$")
