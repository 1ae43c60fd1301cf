"""Where two plans differ, by content: which steps, which bodies, which inputs of inner plans."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

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


class PlanChange(NamedTuple):
    """What a person would say was changed at one place of a plan."""

    place: str
    """The step, after those that hold it, as in ``each/sky``; ``""``: the plan itself."""
    change: Literal["added", "removed", "edited"]
    fields: tuple[str, ...] = ()
    """Of an edited step: what differs in it, with ``args.city`` for one argument."""


def plan_changes(old: Plan, new: Plan) -> tuple[PlanChange, ...]:
    """Return what was changed from `old` to `new`, in the order of `new`; what is gone comes last.

    Unlike in `difference`, all that a step says counts: how often it is tried, too.

    >>> old = Plan(steps=[{"task": "a", "output": "$a"}, {"task": "b", "output": "$b"}])
    >>> new = Plan(steps=[{"task": "A", "output": "$a"}, {"task": "c", "output": "$c"}])
    >>> [tuple(change) for change in plan_changes(old, new)]
    [('a', 'edited', ('task',)), ('c', 'added', ()), ('b', 'removed', ())]
    """
    before, after = dict(_each(old.steps)), dict(_each(new.steps))
    itself = _changed_fields(_plan_itself(old), _plan_itself(new))
    if [place for place in before if place in after] != [p for p in after if p in before]:
        itself = (*itself, "order")
    found = [PlanChange("", "edited", itself)] if itself else []
    for place, step in after.items():
        was = before.get(place)
        if was is None:
            found.append(PlanChange(place, "added"))
        elif was is not step and (fields := _changed_fields(_says(was), _says(step))):
            found.append(PlanChange(place, "edited", fields))
    return (*found, *(PlanChange(place, "removed") for place in before if place not in after))


def each_place(plan: Plan) -> tuple[str, ...]:
    """Return the places of all steps of a plan, those in bodies after what holds them."""
    return tuple(place for place, _ in _each(plan.steps))


def _plan_itself(plan: Plan) -> dict[str, Any]:
    data = plan.model_dump(
        mode="json", include={"plan_inputs", "structured_output_schema", "summarize"}
    )
    return {**data, "query": plan.plan_context.query}


def _says(step: AnyStep) -> dict[str, Any]:
    """Return all that a step says, and of the steps in it their names."""
    data = {"kind": step.kind, **_own(step, without=())}
    if held := _names(step):
        data["steps"] = held
    return data


def _changed_fields(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of what differs; of arguments, each one."""
    found: list[str] = []
    for name in dict.fromkeys((*new, *old)):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        if name == "args" and isinstance(was, dict) and isinstance(now, dict):
            found += (f"args.{key}" for key in {**now, **was} if was.get(key) != now.get(key))
        else:
            found.append(name)
    return tuple(found)


def _each(steps: Sequence[AnyStep], prefix: str = "") -> Iterator[tuple[str, AnyStep]]:
    for step in steps:
        yield prefix + step.name, step
        for body in bodies(step):
            yield from _each(body, f"{prefix}{step.name}/")


def _own(step: AnyStep, without: Sequence[str] | None = None) -> dict[str, Any]:
    """Return what a step itself says, without the steps in it, nor what only says how it is run."""
    data = step.model_dump(mode="json")
    if isinstance(step, ConditionalStep):
        data["branches"] = [
            None if branch.condition is None else branch.condition.model_dump(mode="json")
            for branch in step.branches
        ]
    if without is None:
        without = (*_HOW_NOT_WHAT, *(("args",) if step.kind == "sub_plan" else ()))
    for name in ("steps", *without):
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
