"""Give a step another name: whatever refers to it follows, in its body and in those around it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from portia_nb.model.composite import AnyStep, ConditionalStep, LoopStep
from portia_nb.model.reference import Argument, with_step_names
from portia_nb.model.steps import Variable

from .renaming import renamed

_TOLD = re.compile(r"\$(\w+)")


def plain_name(name: Any) -> str:
    """Return `name` as text without ``$`` and blanks around it.

    >>> plain_name(" $sky")
    'sky'
    """
    return str(name).strip().removeprefix("$")


def with_names(
    steps: Sequence[AnyStep], old: AnyStep, update: Mapping[str, str]
) -> tuple[AnyStep, ...]:
    """Return `steps` with another name and output of one of them, or of one in their bodies.

    Args:
        steps: all that can name each other: a plan's, or an inner plan's.
        old: the step itself, one of them or in them.
        update: its new ``name`` and ``output``.
    """
    # Its name goes last: a step answers to that before it answers to its output's.
    names = {plain_name(old.output): plain_name(update["output"]), old.name: update["name"]}
    return tuple(_rewritten(step, old, update, names) for step in steps)


def _rewritten(
    step: AnyStep, old: AnyStep, update: Mapping[str, str], names: Mapping[str, str]
) -> AnyStep:
    def name_of(name: str | int) -> Any:
        return names.get(str(name).removeprefix("$"), name)

    def change(argument: Argument) -> Argument:
        return with_step_names(argument, name_of)

    new: AnyStep = _with_texts(renamed(step, step.after, name_of), step, names)
    if step is old:
        new = new.model_copy(update=dict(update))
    match new:
        case ConditionalStep():
            branches = tuple(
                branch.model_copy(
                    update={
                        "condition": branch.condition and branch.condition.changed(change),
                        "steps": tuple(_rewritten(s, old, update, names) for s in branch.steps),
                    }
                )
                for branch in new.branches
            )
            return new.model_copy(update={"branches": branches})
        case LoopStep():
            return new.model_copy(
                update={
                    "over": new.over and change(new.over),
                    "while_": new.while_ and new.while_.changed(change),
                    "do_while_": new.do_while_ and new.do_while_.changed(change),
                    "steps": tuple(_rewritten(s, old, update, names) for s in new.steps),
                }
            )
        case _:
            return new  # an inner plan's steps see other names


def _with_texts(new: AnyStep, old: AnyStep, names: Mapping[str, str]) -> AnyStep:
    """Let inputs that are a name alone, and sentences that speak of ``$old``, have the new name."""
    update: dict[str, Any] = {"inputs": tuple(_variable(v, names) for v in new.inputs)}
    for field in ("task", "condition"):
        text = getattr(new, field)
        if text and text == getattr(old, field) and "$" in text:
            update[field] = _TOLD.sub(lambda m: "$" + names.get(m[1], m[1]), text)
    return new.model_copy(update=update)


def _variable(variable: Variable, names: Mapping[str, str]) -> Variable:
    plain = variable.name.removeprefix("$")
    if variable.value is not None or plain not in names:
        return variable
    return variable.model_copy(update={"name": f"${names[plain]}"})
