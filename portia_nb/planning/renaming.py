"""Replace the steps that a step refers to, everywhere in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from portia_nb.model.plan import AnyStep, Variable
from portia_nb.model.reference import Argument, StepOutput, show, with_step_names

S = TypeVar("S", bound=AnyStep)

_ARGUMENTS = ("task_parts", "message", "options")
_SHOWN_AS_TASK = ("task_parts", "message")


def renamed(step: S, after: Sequence[str | int], name_of: Callable[[str | int], str]) -> S:
    """Return `step` with each step that it refers to replaced by ``name_of(step)``, and so `after`.

    The text that shows a reference follows; what the step was bound to (tool, model) stays. Of a
    step that holds steps neither its body nor its conditions change.
    """
    changes = _changes(step, lambda argument: with_step_names(argument, name_of))
    changes["inputs"] = _each_once([_renamed_variable(v, name_of) for v in step.inputs])
    changes["after"] = tuple(name_of(other) for other in after)
    return step.model_copy(update=changes)


def changed(step: S, change: Callable[[Argument], Argument]) -> S:
    """Return `step` with ``change`` applied to each of its arguments, inputs included.

    As with `renamed`, the text that shows them follows, and bodies and conditions stay.
    """
    changes = _changes(step, change)
    changes["inputs"] = tuple(_changed_variable(v, change) for v in step.inputs)
    return step.model_copy(update=changes)


def _changes(step: AnyStep, change: Callable[[Argument], Argument]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for field in _ARGUMENTS:
        argument = getattr(step, field, None)
        if argument is not None:
            changes[field] = change(argument)
            if field in _SHOWN_AS_TASK:
                changes["task"] = show(changes[field])
    if args := getattr(step, "args", None):
        changes["args"] = {name: change(value) for name, value in args.items()}
    return changes


def _each_once(variables: list[Variable]) -> tuple[Variable, ...]:
    """Drop repeats: two ways of naming one step have become one."""
    kept: list[Variable] = []
    for variable in variables:
        if variable not in kept:
            kept.append(variable)
    return tuple(kept)


def _changed_variable(variable: Variable, change: Callable[[Argument], Argument]) -> Variable:
    if variable.value is None:
        return variable
    after = change(variable.value)
    # One that is called by what it refers to goes on being so.
    name = show(after) if variable.name == show(variable.value) else variable.name
    return variable.model_copy(update={"value": after, "name": name})


def _renamed_variable(variable: Variable, name_of: Callable[[str | int], str]) -> Variable:
    """Rename in a variable; one that is just a step's output needs no value beside its name."""
    match variable.value:
        case None:
            return variable
        case StepOutput() as before:
            after = with_step_names(before, name_of)
            assert isinstance(after, StepOutput)
            if variable.name != show(before):
                return variable.model_copy(update={"value": after})
            is_plain = after.path is None and not after.full
            return Variable(
                name=show(after),
                description=variable.description,
                value=None if is_plain else after,
            )
        case argument:
            return variable.model_copy(update={"value": with_step_names(argument, name_of)})
