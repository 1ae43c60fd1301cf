"""A plan that was read from JSON, with the functions of another where they are the same."""

from __future__ import annotations

from typing import Any

from portia_nb.model.callables import FunctionRef, SchemaRef
from portia_nb.model.composite import each_step, functions_of
from portia_nb.model.plan import Plan


def with_functions_of(plan: Plan, other: Plan) -> Plan:
    """Return `plan`, its functions and shapes taken from `other` where the two have the same."""
    functions = {
        (ref.name, ref.source_sha256): ref.call
        for step in each_step(other.steps)
        for ref in functions_of(step)
    }
    shapes = [step.output_schema for step in each_step(other.steps)]
    kinds = {ref.name: ref for ref in (*shapes, other.structured_output_schema) if ref is not None}
    for step in each_step(plan.steps):
        for ref in functions_of(step):
            _bind(ref, "_call", functions.get((ref.name, ref.source_sha256)))
        _bind_shape(step.output_schema, kinds)
    _bind_shape(plan.structured_output_schema, kinds)
    return plan


def _bind_shape(ref: SchemaRef | None, kinds: dict[str, SchemaRef]) -> None:
    if ref is not None and (same := kinds.get(ref.name)) is not None and same == ref:
        _bind(ref, "_type", same.type)


def _bind(ref: FunctionRef | SchemaRef, name: str, value: Any) -> None:
    setattr(ref, name, value)
