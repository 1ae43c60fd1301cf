"""Plans and steps written out: each noun as the call of its class that makes it."""

from __future__ import annotations

from typing import Any

from portia_nb.model.callables import FunctionRef, SchemaRef
from portia_nb.model.reference import DictOf, Input, ListOf, Parts, StepOutput, Value
from portia_nb.model.steps import Frozen

from .carrying import Luggage
from .literals import call, literal, noun


def write_out(value: Any, luggage: Luggage) -> str:
    """Return an expression that makes `value`: a noun of the plan, or a field of one.

    Args:
        value: a step, a branch, a condition, an input, or what such a thing holds.
        luggage: gets the functions and shapes that it needs.
    """
    match value:
        case FunctionRef():
            name = luggage.function(value)
            return f"FunctionRef.of({name})"
        case SchemaRef():
            code = luggage.schema(value)
            return code if code.startswith("SchemaRef(") else f"SchemaRef.of({code})"
        case Value() | StepOutput() | Input() | Parts() | ListOf() | DictOf():
            return noun(value)
        case Frozen():
            words = {
                key: write_out(given, luggage)
                for key in type(value).model_fields
                if (given := getattr(value, key)) != _default(value, key)
            }
            return call(type(value).__name__, words)
        case tuple() if any(isinstance(each, Frozen) for each in value):
            return f"({', '.join(write_out(each, luggage) for each in value)},)"
        case dict():
            shown = (f"{literal(key)}: {write_out(each, luggage)}" for key, each in value.items())
            return f"{{{', '.join(shown)}}}"
        case _:
            return literal(value)


def _default(value: Frozen, key: str) -> Any:
    field = type(value).model_fields[key]
    return ... if field.is_required() else field.get_default(call_default_factory=True)
