"""From a plan, and how far a run of it has got, to a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from portia_nb.errors import StepNotFoundError
from portia_nb.model.composite import bodies, composite_task
from portia_nb.model.order import (
    Waits,
    effective_side_effect,
    find_step,
    named_by,
    step_index,
    waits,
)
from portia_nb.model.plan import AnyStep, ConditionalStep, LoopStep, Plan, tools_text
from portia_nb.model.reference import StepOutput
from portia_nb.model.refusal import was_refused
from portia_nb.model.rounds import latest_records
from portia_nb.model.run import Run

from .picture import Card, Frame, Line, Picture, ShownState

KIND_NOTES = {
    "llm": "model",
    "tool": "tool",
    "agent": "agent",
    "function": "function",
    "user_verify": "asks yes or no",
    "user_input": "asks you",
    "exit": "ends the run",
    "sub_plan": "plan",
}


def plan_picture(
    plan: Plan,
    states: Mapping[str, ShownState] | None = None,
    *,
    order: Mapping[str, Waits] | None = None,
) -> Picture:
    """Return the picture of a plan: a card a step, in plan order, and why each waits.

    A step that holds steps is a frame around them.

    Args:
        plan: any plan, also one that no check has passed; references to nowhere draw no line.
        states: how steps stand, by place (`shown_states`); a step without one is waiting.
        order: what each step waits for, from `portia_nb.model.order.waits`; None means as far as
            the plan itself says it (`plain_waits`).
    """
    drawing = _Drawing(states or {}, plain_waits(plan) if order is None else order)
    drawing.body(plan.steps, "", None)
    return Picture(
        tuple(drawing.cards), tuple(drawing.lines), tuple(drawing.frames), ids=drawing.ids
    )


class _Drawing:
    """Puts one picture together."""

    def __init__(self, states: Mapping[str, ShownState], order: Mapping[str, Waits]) -> None:
        self.cards: list[Card] = []
        self.frames: list[Frame] = []
        self.lines: list[Line] = []
        self.ids: dict[str, str] = {}
        self._states = states
        self._order = order

    def body(self, steps: Sequence[AnyStep], prefix: str, frame: str | None) -> None:
        """Draw the steps of one body, which stand in `frame`, and the lines between them."""
        for step in steps:
            self._step(step, prefix + step.name, frame)
        for step in steps:
            self._lines(step, prefix)

    def _step(self, step: AnyStep, place: str, frame: str | None) -> None:
        state = self._states.get(place, "waiting")
        if not any(bodies(step)):
            name = self.ids[place] = f"n{len(self.cards)}"
            self.cards.append(Card(name, step.name, note_of(step), state, step.task, frame))
            return
        name = self.ids[place] = f"f{len(self.frames)}"
        self.frames.append(Frame(name, step.name, note_of(step), state, frame))
        held = bodies(step)
        for number, body in enumerate(held):
            inside = name
            if isinstance(step, ConditionalStep) and len(held) > 1 and body:
                inside = f"f{len(self.frames)}"
                passed = all(self._states.get(f"{place}/{s.name}") == "skipped" for s in body)
                self.frames.append(
                    Frame(
                        inside,
                        _branch_title(step, number),
                        state="skipped" if passed else state,
                        parent=name,
                    )
                )
            self.body(body, f"{place}/", inside)

    def _lines(self, step: AnyStep, prefix: str) -> None:
        here = self.ids[prefix + step.name]
        read = {
            str(reference.step).removeprefix("$")
            for reference in step.references()
            if isinstance(reference, StepOutput)
        }
        after = {name.removeprefix("$") for name in step.after} - read
        needed = self._order.get(prefix + step.name, Waits((), ()))
        for name in needed.data:
            if (other := self.ids.get(prefix + name)) is not None:
                self.lines.append(Line(other, here, "after" if name in after else "data"))
        for name in needed.place:
            if (other := self.ids.get(prefix + name)) is not None:
                self.lines.append(Line(other, here, "place"))


def _branch_title(step: ConditionalStep, number: int) -> str:
    condition = step.branches[number].condition
    if condition is None:
        return "else"
    return f"{'else if' if number else 'if'} {condition.text()}"


def shown_states(run: Run) -> dict[str, ShownState]:
    """Return how each step of a run stands, by its place, for `plan_picture`."""
    states: dict[str, ShownState] = {}
    for place, record in latest_records(run).items():
        # Once a person has said what became of the call, the step's own ending counts.
        open_call = record.uncertain and record.state.value not in ("done", "failed", "skipped")
        under_way = record.state.value == "running"
        is_stopped = was_refused(run, record) or (run.has_died and under_way)
        seen = "stopped" if is_stopped else record.state.value
        states[place] = "uncertain" if open_call else seen
    return states


def note_of(step: AnyStep) -> str:
    """Return the second line of a step's card: its tool or function, else its kind in words."""
    if step.kind == "function":
        return f"{step.function.name}()"
    if isinstance(step, ConditionalStep | LoopStep):
        return composite_task(step)
    if step.kind in ("tool", "agent", "react") and (tools := tools_text(step)):
        return tools
    return KIND_NOTES.get(step.kind, step.kind)


def kind_of(step: AnyStep) -> str:
    """Return what stands beside a step whose task is shown too: as `note_of`, said once."""
    return step.kind if isinstance(step, ConditionalStep | LoopStep) else note_of(step)


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
