"""Answers held to a shape: how a schema travels, and what a model is told that doesn't meet it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from portia_nb.errors import InvalidAgentOutputError
from portia_nb.model import codecs
from portia_nb.model.callables import SchemaRef
from portia_nb.model.json_schema import schema_violations
from portia_nb.model.language import DataAnswer, Message, ModelReply, ModelRequest

TRIES = 3
"""Replies that may fail a check before whoever asks gives up."""


async def ask_until_it_fits(
    ask: Callable[[ModelRequest], Awaitable[ModelReply]],
    request: ModelRequest,
    schema: SchemaRef,
    *,
    model: str,
    **facts: Any,
) -> Any:
    """Ask for data under `schema`, sending a misfit back with what is wrong, `TRIES` in all.

    Args:
        ask: asks the model once.
        request: what is asked; its `answer` is made here.
        schema: the shape.
        model: the model's name, for the error.
        facts: further facts of the error.

    Raises:
        InvalidAgentOutputError: no reply fitted; the message says what the last one got wrong.
    """
    request = replace(request, answer=DataAnswer(wire_name(schema.name), root_object(schema)))
    problem = ""
    for _ in range(TRIES):
        reply = await ask(request)
        try:
            return fit(reply.data["value"] if is_wrapped(schema) else reply.data, schema)
        except ValueError as error:
            problem = str(error)
            request = replace(
                request,
                messages=(
                    *request.messages,
                    Message("assistant", json.dumps(reply.data)),
                    Message("user", f"That doesn't fit: {problem} Answer again."),
                ),
            )
    raise InvalidAgentOutputError(
        f"{model} gave {TRIES} answers that don't fit {schema.name}; the last one: {problem}",
        model=model,
        **facts,
    )


def fit(value: Any, schema: SchemaRef) -> Any:
    """Return `value` as `schema` wants it.

    Raises:
        ValueError: it doesn't fit; the message says where and why.
    """
    is_text = isinstance(value, str) and schema.json_schema.get("type") in ("object", "array")
    if schema.type is None:
        value = codecs.loads(value) if is_text else value
        violations = schema_violations(codecs.to_plain_json(value), schema.json_schema)
        if violations:
            raise ValueError("; ".join(violations))
        return value
    adapter: TypeAdapter[Any] = TypeAdapter(schema.type)
    try:
        if is_text:
            return adapter.validate_json(value)
        return adapter.validate_python(value)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, found['loc'])) or 'the value'}: {found['msg']}"
            for found in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        raise ValueError("; ".join(problems[:5])) from None


def is_wrapped(schema: SchemaRef) -> bool:
    """Tell whether a schema isn't an object at its root, so that it travels inside one."""
    return schema.json_schema.get("type") != "object" and "$ref" not in schema.json_schema


def root_object(schema: SchemaRef) -> dict[str, Any]:
    """Return the JSON schema with an object at its root, as providers demand."""
    if not is_wrapped(schema):
        return schema.json_schema
    inner = dict(schema.json_schema)
    definitions = inner.pop("$defs", None)
    return {
        "type": "object",
        "properties": {"value": inner},
        "required": ["value"],
        "additionalProperties": False,
        **({"$defs": definitions} if definitions else {}),
    }


def wire_name(name: str) -> str:
    """Return `name` with the characters that every provider takes, 64 at most."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name)[:64].strip("_") or "output"
