"""Put the steps of one plan among those of another."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from portia_nb.model.plan import AnyStep, LoopStep, Plan, PlanInput
from portia_nb.model.reference import (
    Argument,
    Input,
    Reference,
    StepOutput,
    Value,
    to_argument,
    with_references,
)

from .clauses import ElseIf, EndIf, EndLoop, Entry, If, Loop, flat, step_of
from .given import json_only
from .renaming import changed

S = TypeVar("S", bound=AnyStep)

_DEFAULT_NAME = re.compile(r"step_\d+")
_DEFAULT_OUTPUT = re.compile(r"\$step_\d+_output")


def embedded(
    plan: Plan, first: int, input_values: Mapping[str, Any] | None
) -> tuple[list[Entry], list[PlanInput]]:
    """Return the entries of a plan's steps as they stand in another plan, and the inputs they need.

    Steps that were named by their index are named by their new one, and what refers to them
    follows.

    Args:
        plan: what is put in.
        first: index that its first step gets.
        input_values: values of its inputs by name: a literal becomes the input's default, a
            reference takes its place.

    Raises:
        ValueError: `input_values` names an input that the plan hasn't got, or gives a list or text
            with references in it: give the reference itself.
    """
    inputs, places = _inputs(plan, input_values)
    entries = [entry for step in plan.steps for entry in flat(step)]
    mover = _Mover(plan, entries, first, places)
    return [mover.move(entry, index) for index, entry in enumerate(entries, first)], inputs


class _Mover:
    """Moves entries to where they stand in another plan."""

    def __init__(
        self, plan: Plan, entries: Sequence[Entry], first: int, places: Mapping[str, Reference]
    ) -> None:
        self._plan = plan
        self._places = places
        self._names: dict[str, str] = {}
        for index, entry in enumerate(entries, first):
            if (step := step_of(entry)) is not None:
                name = _new_name(step, index)
                self._names[step.name] = self._names[step.output.removeprefix("$")] = name

    def move(self, entry: Entry, index: int) -> Entry:
        """Return `entry` as it stands at `index`."""
        match entry.what:
            case If(step, condition):
                what: Any = If(self._step(step, index), condition.changed(self._argument))
            case ElseIf(condition):
                what = ElseIf(condition and condition.changed(self._argument))
            case Loop(step):
                what = Loop(_with_rounds_changed(self._step(step, index), self._argument))
            case EndIf() | EndLoop():
                what = entry.what
            case step:
                what = self._step(step, index)
        return Entry(what, tuple(self._name(str(name)) for name in entry.after))

    def _step(self, step: S, index: int) -> S:
        moved = changed(_explicit(step, self._plan), self._argument)
        default = _DEFAULT_OUTPUT.fullmatch(moved.output)
        output = f"$step_{index}_output" if default else moved.output
        return moved.model_copy(update={"name": _new_name(step, index), "output": output})

    def _argument(self, argument: Argument) -> Argument:
        return with_references(argument, self._reference)

    def _reference(self, found: Reference) -> Reference:
        if isinstance(found, StepOutput):
            return replace(found, step=self._name(str(found.step)))
        place = self._places.get(found.name.removeprefix("$"))
        if place is None:
            return found
        return replace(place, path=".".join(p for p in (place.path, found.path) if p) or None)

    def _name(self, name: str) -> str:
        return self._names.get(name, self._names.get(name.removeprefix("$"), name))


def _inputs(
    plan: Plan, input_values: Mapping[str, Any] | None
) -> tuple[list[PlanInput], dict[str, Reference]]:
    """Return the inputs that stay inputs, and what takes the place of the others."""
    values = {name.removeprefix("$"): value for name, value in (input_values or {}).items()}
    known = [given.name.removeprefix("$") for given in plan.plan_inputs]
    if unknown := [name for name in values if name not in known]:
        raise ValueError(
            f"the plan takes no input {unknown[0]!r}; its inputs: {', '.join(known) or 'none'}"
        )
    inputs: list[PlanInput] = []
    places: dict[str, Reference] = {}
    for name, given in zip(known, plan.plan_inputs, strict=True):
        if name not in values:
            inputs.append(given.model_copy(update={"name": name}))
            continue
        match to_argument(values[name]):
            case Value(value):
                default = json_only(value, "an input's value")
                inputs.append(given.model_copy(update={"name": name, "value": default}))
            case StepOutput() | Input() as reference:
                places[name] = reference
            case _:
                raise ValueError(
                    f"the value of input {name!r} mixes references with other things: give a "
                    "literal or one reference, or embed the plan with add_sub_plan"
                )
    return inputs, places


def _new_name(step: AnyStep, index: int) -> str:
    return f"step_{index}" if _DEFAULT_NAME.fullmatch(step.name) else step.name


def _explicit(step: S, plan: Plan) -> S:
    """Return `step` with a value for each input that refers by its name alone."""

    def value(name: str) -> Reference:
        is_step = plan.names.find(name) is not None
        return StepOutput(name.removeprefix("$")) if is_step else Input(name.removeprefix("$"))

    inputs = tuple(
        v if v.value is not None else v.model_copy(update={"value": value(v.name)})
        for v in step.inputs
    )
    return step.model_copy(update={"inputs": inputs})


def _with_rounds_changed(step: LoopStep, change: Callable[[Argument], Argument]) -> LoopStep:
    return step.model_copy(
        update={
            "over": step.over and change(step.over),
            "while_": step.while_ and step.while_.changed(change),
            "do_while_": step.do_while_ and step.do_while_.changed(change),
        }
    )
