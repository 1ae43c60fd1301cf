"""From a plan, and how far a run of it has got, to a picture."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from portia_nb.errors import StepNotFoundError
from portia_nb.model.plan import AnyStep, Plan
from portia_nb.model.reference import StepOutput
from portia_nb.model.run import Run

from .picture import Card, Line, LineKind, Picture, ShownState

KIND_NOTES = {
    "llm": "model",
    "tool": "tool",
    "agent": "agent",
    "function": "function",
    "user_verify": "asks you to confirm",
    "user_input": "asks you",
}


def plan_picture(
    plan: Plan,
    states: Mapping[str, ShownState] | None = None,
    *,
    places: Collection[str] | None = None,
) -> Picture:
    """Return the picture of a plan: one card a step, in plan order, and why each waits.

    Args:
        plan: any plan, also one that no check has passed; references to nowhere draw no line.
        states: how steps stand, by name; a step without a state is waiting.
        places: names of steps that keep their place, as the executor orders them; None means
            those of which the plan itself says so: `side_effect=True`, or a question.
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
    return Picture(cards, _lines(plan, places), ids=ids)


def shown_states(run: Run) -> dict[str, ShownState]:
    """Return how each top-level step of a run stands, by name, for `plan_picture`."""
    states: dict[str, ShownState] = {}
    for step in run.plan.steps:
        record = run.steps.get(step.name)
        if record is not None:
            states[step.name] = "uncertain" if record.uncertain else record.state.value
    return states


def note_of(step: AnyStep) -> str:
    """Return the second line of a step's card: its tool or function, else its kind in words."""
    if step.kind == "function":
        return f"{step.function.name}()"
    if step.kind in ("tool", "agent") and step.tool_id:
        return step.tool_id
    return KIND_NOTES.get(step.kind, step.kind)


def keeps_place(step: AnyStep) -> bool:
    """Tell whether the plan itself says that a step keeps its place among the others."""
    return step.side_effect is True or step.kind in ("user_verify", "user_input")


def waits_for(plan: Plan) -> list[dict[int, LineKind]]:
    """Return for each step the indexes of the steps that it names, and whether it reads them."""
    table: list[dict[int, LineKind]] = []
    for index, step in enumerate(plan.steps):
        named: list[tuple[str | int, LineKind]] = [(name, "after") for name in step.after]
        named += [(r.step, "data") for r in step.references() if isinstance(r, StepOutput)]
        waits: dict[int, LineKind] = {}
        for name, kind in named:
            try:
                other = plan.index_of(name)
            except StepNotFoundError:
                # A plan input, or a fault that the plan's check reports: nothing to draw.
                continue
            if other != index:
                waits[other] = kind
        table.append(dict(sorted(waits.items())))
    return table


def _lines(plan: Plan, places: Collection[str] | None) -> tuple[Line, ...]:
    waits = waits_for(plan)
    lines = [
        Line(f"n{other}", f"n{index}", kind)
        for index, named in enumerate(waits)
        for other, kind in named.items()
    ]
    kept = {
        index
        for index, step in enumerate(plan.steps)
        if (keeps_place(step) if places is None else step.name in places)
    }
    for other, index in _place_pairs(waits, kept):
        lines.append(Line(f"n{other}", f"n{index}", "place"))
    return tuple(lines)


def _place_pairs(waits: list[dict[int, LineKind]], kept: set[int]) -> list[tuple[int, int]]:
    """Return which earlier steps each step waits for by place alone, without what follows anyway.

    A kept step waits for all before it, and all after it wait for it; drawn is only what no other
    line already says. `before[i]` is the set of all steps that come before i, as the bits of an int.
    """
    pairs: list[tuple[int, int]] = []
    before: list[int] = []
    last_kept: int | None = None
    for index, named in enumerate(waits):
        seen = 0
        for other in named:
            # A line from a later step closes a cycle; the plan's check reports it.
            if other < index:
                seen |= before[other] | 1 << other
        first = 0 if last_kept is None else last_kept
        wanted = range(index - 1, first - 1, -1) if index in kept else [last_kept]
        for other in wanted:
            if other is not None and other >= 0 and not seen >> other & 1:
                pairs.append((other, index))
                seen |= before[other] | 1 << other
        before.append(seen)
        if index in kept:
            last_kept = index
    return pairs
