"""Resolve a step's arguments against a run: references are looked up once, as data.

What a reference brings is never read again for further references, and nothing here formats a
template or calls anything that belongs to the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from portia_nb.errors import PlanError, StepNotFoundError, ValueNotKept
from portia_nb.model import codecs
from portia_nb.model.plan import AnyStep, LoopStep, Variable
from portia_nb.model.reference import (
    Argument,
    DictOf,
    Input,
    ListOf,
    Parts,
    StepOutput,
    Value,
    show,
)
from portia_nb.model.rounds import loops_around, records_in_rounds
from portia_nb.model.run import Run, StepRecord, StepState
from portia_nb.model.tree import Namespace, Place

from .walk import walk


class Round(NamedTuple):
    """The round of a loop that a step runs in."""

    number: int
    """From 0."""
    item: Any
    items: Sequence[Any]
    """All items of a for-each; of another loop the numbers of its rounds so far."""


class Scope:
    """What a step of a run can see: inputs, outputs of steps that are done, and its rounds' items.

    Frozen: `at`, `in_round` and `in_plan` return others.
    """

    __slots__ = ("_base", "_inputs", "_names", "_position", "_rounds", "_run")

    def __init__(
        self,
        run: Run,
        names: Namespace | None = None,
        *,
        base: str = "",
        inputs: Mapping[str, Any] | None = None,
        rounds: Mapping[str, Round] | None = None,
        position: int = 0,
    ) -> None:
        """Look things up in `run`, as it stands when asked.

        Args:
            run: its state.
            names: the steps that can be named; None: those of the run's plan.
            base: path of the inner plan that they belong to, with its ``/``.
            inputs: the inner plan's inputs by name; None: the run's.
            rounds: the rounds around the step, by the loop's name.
            position: the step's own place in reading order.
        """
        self._run = run
        self._names = run.plan.names if names is None else names
        self._base = base
        self._inputs = inputs
        self._rounds: Mapping[str, Round] = rounds or {}
        self._position = position

    def at(self, position: int) -> Scope:
        """Return what the step in this place sees."""
        return Scope(
            self._run,
            self._names,
            base=self._base,
            inputs=self._inputs,
            rounds=self._rounds,
            position=position,
        )

    def in_round(self, loop: str, given: Round) -> Scope:
        """Return what is seen in this round of a loop."""
        return Scope(
            self._run,
            self._names,
            base=self._base,
            inputs=self._inputs,
            rounds={**self._rounds, loop: given},
            position=self._position,
        )

    def in_plan(self, names: Namespace, base: str, inputs: Mapping[str, Any]) -> Scope:
        """Return what the steps of an inner plan see."""
        return Scope(self._run, names, base=base, inputs=inputs)

    @property
    def names(self) -> Namespace:
        """The steps that can be named."""
        return self._names

    @property
    def is_in_loop(self) -> bool:
        """True in a loop of this plan, where a later step means the round before."""
        return bool(self._rounds)

    def resolve(self, argument: Argument) -> Any:
        """Return the value that `argument` stands for.

        Raises:
            PlanError: it refers to something that isn't there, with what is.
            ValueNotKept: it refers to a value that could not be kept.
        """
        match argument:
            case Value(value):
                return value
            case StepOutput():
                return self._step_output(argument)
            case Input(name, path):
                return walk(self._input(name), path, f"input {name!r}")
            case Parts(parts):
                return "".join(
                    p if isinstance(p, str) else codecs.to_text(self.resolve(p)) for p in parts
                )
            case ListOf(items):
                return [self.resolve(item) for item in items]
            case DictOf(entries):
                return {key: self.resolve(entry) for key, entry in entries.items()}

    def inputs_of(self, step: AnyStep) -> dict[str, Any]:
        """Return the values of a step's declared inputs by their names, in order."""
        return {variable.name: self._variable(variable) for variable in step.inputs}

    def _variable(self, variable: Variable) -> Any:
        if variable.value is not None:
            return self.resolve(variable.value)
        if self._names.find(variable.name) is not None:
            return self.resolve(StepOutput(variable.name))
        return self.resolve(Input(variable.name.removeprefix("$")))

    def _step_output(self, reference: StepOutput) -> Any:
        place = self._names.find(reference.step)
        if place is None:
            known = ", ".join(place.step.name for place in self._names.places[:50])
            raise StepNotFoundError(
                f"{show(reference)} is not there: no step {reference.step!r}; the steps: {known}",
                step=reference.step,
            )
        name = place.step.name
        what = f"the output of step {name!r}"
        if (around := self._rounds.get(name)) is not None:
            values = around.items[: around.number + 1] if reference.full else around.item
            return walk(list(values) if reference.full else values, reference.path, what)
        if reference.full:
            return [walk(v, reference.path, what) for v in self._all_values(place)]
        return walk(self._value(place, reference), reference.path, what)

    def _value(self, place: Place, reference: StepOutput) -> Any:
        """Return the output that a step has for the reader, None where it didn't run."""
        if not place.around:
            record = self._run.steps.get(self._base + place.step.name)
            if record is not None and record.state is StepState.DONE:
                return _kept(record, place.step.name)
        fixed = {loop.name for loop in loops_around(place)} & self._rounds.keys()
        loops = [loop.name for loop in loops_around(place)]
        numbers = {name: self._rounds[name].number for name in loops if name in fixed}
        if len(fixed) < len(loops):
            # Seen from outside its loop: what it put out last.
            records = self._records(place, numbers, newest_first=True)
            found = next((r for r in records if r.state is StepState.DONE), None)
            return None if found is None else _kept(found, place.step.name)
        if loops and place.position >= self._position:
            # Itself or a later step: what it put out in the round before.
            numbers[loops[-1]] -= 1
            if numbers[loops[-1]] < 0:
                return None
        record = self._run.steps.get(place.path(numbers, self._base))
        if record is not None and record.state is StepState.DONE:
            return _kept(record, place.step.name)
        if record is not None and record.state is StepState.SKIPPED:
            return None
        if place.around and self._has_passed(place, numbers):
            return None
        raise PlanError(
            f"{show(reference)} is not there: step {place.step.name!r} has put out nothing",
            step=place.step.name,
        )

    def _all_values(self, place: Place) -> list[Any]:
        """Return all that a step put out in its loop, in this round of the loops around that."""
        loops = [loop.name for loop in loops_around(place)]
        numbers = {name: self._rounds[name].number for name in loops if name in self._rounds}
        if loops and loops[-1] in numbers:
            del numbers[loops[-1]]
        records = list(self._records(place, numbers))
        if isinstance(place.step, LoopStep):
            records = [
                found
                for record in records
                for number in range(self._run.rounds.get(record.path, 0))
                if (found := self._run.steps.get(f"{record.path}[{number}]"))
            ]
        name = place.step.name
        return [_kept(record, name) for record in records if record.state is StepState.DONE]

    def _records(
        self, place: Place, numbers: Mapping[str, int], *, newest_first: bool = False
    ) -> Iterator[StepRecord]:
        return records_in_rounds(
            self._run,
            self._names,
            place,
            numbers,
            base=self._base,
            newest_first=newest_first,
        )

    def _has_passed(self, place: Place, numbers: Mapping[str, int]) -> bool:
        """Tell whether a step that holds `place` has ended without running it."""
        for depth, holder in enumerate(place.around):
            path = place._replace(step=holder, around=place.around[:depth]).path(
                numbers, self._base
            )
            record = self._run.steps.get(path)
            if record is not None and record.state in (StepState.DONE, StepState.SKIPPED):
                return True
            if record is not None and record.branch not in (None, place.bodies[depth]):
                return True
        return False

    def _input(self, name: str) -> Any:
        plain = name.removeprefix("$")
        if self._inputs is not None:
            if plain in self._inputs:
                return self._inputs[plain]
            known = ", ".join(self._inputs) or "none"
            raise PlanError(f"the inner plan was given no input {plain!r}; its inputs: {known}")
        if plain in self._run.inputs:
            value = self._run.inputs[plain]
            if isinstance(value, codecs.Unkept):
                raise ValueNotKept(
                    f"input {plain!r} ({value.type_name}) could not be kept and is gone with its "
                    "process: start a new run with it"
                )
            return value
        declared = self._run.plan.input_named(plain)
        if declared is not None and declared.value is not None:
            return declared.value
        known = ", ".join(i.name for i in self._run.plan.plan_inputs) or "none"
        raise PlanError(f"no input {plain!r} was given to this run; the plan's inputs: {known}")


def _kept(record: StepRecord, name: str) -> Any:
    if isinstance(record.value, codecs.Unkept):
        raise ValueNotKept(
            f"the output of step {name!r} ({record.value.type_name}) could not be kept "
            f"and is gone with its process: portia.fork(run, {name!r}) makes it again",
            step=name,
        )
    return record.value
