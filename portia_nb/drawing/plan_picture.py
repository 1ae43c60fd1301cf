"""From a plan, and how far a run of it has got, to a picture."""

from __future__ import annotations

from collections.abc import Mapping

from portia_nb.errors import StepNotFoundError
from portia_nb.model.order import (
    Waits,
    effective_side_effect,
    find_step,
    named_by,
    step_index,
    waits,
)
from portia_nb.model.plan import AnyStep, Plan
from portia_nb.model.reference import StepOutput
from portia_nb.model.run import Run

from .picture import Card, Line, Picture, ShownState

KIND_NOTES = {
    "llm": "model",
    "tool": "tool",
    "agent": "agent",
    "function": "function",
    "user_verify": "asks yes or no",
    "user_input": "asks you",
}


def plan_picture(
    plan: Plan,
    states: Mapping[str, ShownState] | None = None,
    *,
    order: Mapping[str, Waits] | None = None,
) -> Picture:
    """Return the picture of a plan: one card a step, in plan order, and why each waits.

    Args:
        plan: any plan, also one that no check has passed; references to nowhere draw no line.
        states: how steps stand, by name; a step without a state is waiting.
        order: what each step waits for, from `portia_nb.model.order.waits`; None means as far as
            the plan itself says it (`plain_waits`).
    """
    states = states or {}
    ids = {step.name: f"n{index}" for index, step in enumerate(plan.steps)}
    cards = tuple(
        Card(
            id=f"n{index}",
            name=step.name,
            note=note_of(step),
            state=states.get(step.name, "waiting"),
            task=step.task,
        )
        for index, step in enumerate(plan.steps)
    )
    return Picture(cards, _lines(plan, plain_waits(plan) if order is None else order, ids), ids=ids)


def shown_states(run: Run) -> dict[str, ShownState]:
    """Return how each top-level step of a run stands, by name, for `plan_picture`."""
    states: dict[str, ShownState] = {}
    for step in run.plan.steps:
        record = run.steps.get(step.name)
        if record is not None:
            # Once a person has said what became of the call, the step's own ending counts.
            open_call = record.uncertain and record.state.value not in ("done", "failed", "skipped")
            states[step.name] = "uncertain" if open_call else record.state.value
    return states


def note_of(step: AnyStep) -> str:
    """Return the second line of a step's card: its tool or function, else its kind in words."""
    if step.kind == "function":
        return f"{step.function.name}()"
    if step.kind in ("tool", "agent") and step.tool_id:
        return step.tool_id
    return KIND_NOTES.get(step.kind, step.kind)


def plain_waits(plan: Plan) -> dict[str, Waits]:
    """Return what each step waits for as far as the plan itself says it.

    Tools and functions that declare nothing in the plan are taken to keep no place, and names of
    no step are passed over: a plan that no check has passed can be drawn too.
    """
    try:
        return waits(
            plan, lambda step: effective_side_effect(step, None), assume_side_effects=False
        )
    except StepNotFoundError:
        index, names = step_index(plan.steps), [step.name for step in plan.steps]
        table: dict[str, Waits] = {}
        for step in plan.steps:
            found = {find_step(name, index, len(names)) for name in named_by(step)}
            data = tuple(names[place] for place in sorted(found - {None}))  # type: ignore[type-var]
            table[step.name] = Waits(data, ())
        return table


def _lines(plan: Plan, order: Mapping[str, Waits], ids: Mapping[str, str]) -> tuple[Line, ...]:
    lines: list[Line] = []
    for step in plan.steps:
        here = ids[step.name]
        read = {
            str(reference.step).removeprefix("$")
            for reference in step.references()
            if isinstance(reference, StepOutput)
        }
        after = {name.removeprefix("$") for name in step.after} - read
        needed = order.get(step.name, Waits((), ()))
        lines += [
            Line(ids[name], here, "after" if name in after else "data")
            for name in needed.data
            if name in ids
        ]
        lines += [Line(ids[name], here, "place") for name in needed.place if name in ids]
    return tuple(lines)
