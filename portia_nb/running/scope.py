"""Resolve a step's arguments against a run: references are looked up once, as data.

What a reference brings is never read again for further references, and nothing here formats a
template or calls anything that belongs to the data.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from portia_nb.errors import PlanError, ValueNotKept
from portia_nb.model import codecs
from portia_nb.model.order import find_step, step_index
from portia_nb.model.plan import AnyStep, Variable
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
from portia_nb.model.run import Run, StepState


class Scope:
    """What the steps of one run can see: the run's inputs, and outputs of steps that are done."""

    def __init__(self, run: Run) -> None:
        """Look things up in `run`, as it stands when asked."""
        self._run = run
        self._names = step_index(run.plan.steps)

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
        name = variable.name.removeprefix("$")
        if find_step(variable.name, self._names, len(self._run.plan.steps)) is not None:
            return self.resolve(StepOutput(variable.name))
        return self.resolve(Input(name))

    def _step_output(self, reference: StepOutput) -> Any:
        step = self._step(reference.step)
        record = self._run.steps.get(step.name)
        if record is not None and record.state is StepState.SKIPPED:
            return [] if reference.full else None
        if record is None or record.state is not StepState.DONE:
            raise PlanError(
                f"{show(reference)} is not there: step {step.name!r} has put out nothing",
                step=step.name,
            )
        if isinstance(record.value, codecs.Unkept):
            raise ValueNotKept(
                f"the output of step {step.name!r} ({record.value.type_name}) could not be kept "
                "and is gone with its process: run the step again",
                step=step.name,
            )
        value = walk(record.value, reference.path, f"the output of step {step.name!r}")
        return [value] if reference.full else value

    def _step(self, name: str | int) -> AnyStep:
        steps = self._run.plan.steps
        place = find_step(name, self._names, len(steps))
        return self._run.plan.step(name) if place is None else steps[place]

    def _input(self, name: str) -> Any:
        plain = name.removeprefix("$")
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


def walk(value: Any, path: str | None, what: str) -> Any:
    """Return what `path` leads to inside `value`: fields, keys and indexes, joined by dots.

    Args:
        value: data.
        path: such as ``"items.0.name"``; None or ``""`` is `value` itself.
        what: what `value` is, for the message.

    Raises:
        PlanError: the path leads nowhere; the message says how far it went and what is there.

    >>> walk({"items": [{"name": "a"}]}, "items.0.name", "it")
    'a'
    """
    if not path:
        return value
    been: list[str] = []
    for part in path.split("."):
        try:
            value = _enter(value, part)
        except (LookupError, ValueError) as error:
            where = f"{what} at {'.'.join(been)!r}" if been else what
            raise PlanError(
                f"{where} has no {part!r}: {error.args[0] if error.args else error}", path=path
            ) from None
        been.append(part)
    return value


def _enter(value: Any, part: str) -> Any:
    """Take one step into `value`; only data is entered, never an attribute that isn't a field."""
    match value:
        case Mapping():
            if part in value:
                return value[part]
            if _is_index(part) and int(part) in value:
                return value[int(part)]
            raise LookupError("its keys are " + _few(value))
        case BaseModel():
            fields = type(value).model_fields
            if part in fields or part in (value.model_extra or {}):
                return getattr(value, part)
            raise LookupError(f"the fields of {type(value).__name__} are " + _few(fields))
        case str() | bytes():
            raise LookupError("it is text, which has no parts")
        case Sequence():
            return _enter_sequence(value, part)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [f.name for f in dataclasses.fields(value)]
            if part in names:
                return getattr(value, part)
            raise LookupError(f"the fields of {type(value).__name__} are " + _few(names))
        case _:
            return _enter_table(value, part)


def _enter_sequence(value: Sequence[Any], part: str) -> Any:
    """Take one step into a list or a tuple: by index, or in a named tuple by field."""
    fields = getattr(value, "_fields", ()) if isinstance(value, tuple) else ()
    if part in fields:
        return value[fields.index(part)]
    if not _is_index(part):
        raise LookupError(f"it is a list of {len(value)}, entered by index")
    if not -len(value) <= int(part) < len(value):
        raise LookupError(f"it is a list of {len(value)}")
    return value[int(part)]


def _enter_table(value: Any, part: str) -> Any:
    """Take one step into a DataFrame (a column), a Series (a label) or an array (an index)."""
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        if part in value.columns:
            return value[part]
        raise LookupError("its columns are " + _few(value.columns))
    if pandas is not None and isinstance(value, pandas.Series):
        if part in value.index:
            return value.loc[part]
        if _is_index(part) and -len(value) <= int(part) < len(value):
            return value.iloc[int(part)]
        raise LookupError(f"it is a series of {len(value)}")
    if numpy is not None and isinstance(value, numpy.ndarray) and _is_index(part):
        return value[int(part)]
    raise LookupError(f"it is a {type(value).__name__}, which can't be entered")


def _is_index(part: str) -> bool:
    return part.removeprefix("-").isdecimal() and part.isascii()


def _few(names: Any) -> str:
    shown = [str(name)[:40] for name in list(names)[:12]]
    return (", ".join(shown) or "none") + (", …" if len(names) > 12 else "")
