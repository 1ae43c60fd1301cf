"""The JSON schema of a planner's reply, with each tool's own arguments in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from portia_nb.model.json_schema import resolve_reference
from portia_nb.model.plan import LLM_TOOL_ID
from portia_nb.tools.base import Tool

# Half of what strict outputs allow (https://platform.openai.com/docs/guides/structured-outputs):
# the client adds to a schema on its way.
MAX_PROPERTIES = 2_500
MAX_ENUM_VALUES = 500
MAX_NAME_CHARS = 60_000
# Five levels stand above an argument's value, ten are allowed in all.
MAX_DEPTH = 3
MAX_PARTS = 1_000
MAX_REFERENCES = 20

_TEXT: Mapping[str, Any] = {"type": "string"}
_NULL: Mapping[str, Any] = {"type": "null"}
# Strict outputs know no optional properties: what may be left out comes as null.
_TEXT_OR_NULL: Mapping[str, Any] = {"type": ["string", "null"]}
_PLAIN_TYPES = {"string", "number", "integer", "boolean", "null"}


@dataclass(frozen=True, slots=True)
class ReplySchema:
    """The schema, and which tools it holds no arguments of."""

    schema: dict[str, Any]
    untyped: frozenset[str]
    """Ids of tools whose arguments come as JSON text, for us to check."""


class _Untypable(Exception):
    """The schema says something that strict outputs can't hold to."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a tool's schema we are."""

    root: Mapping[str, Any]
    depth: int = 0
    references: int = 0
    """How many were followed to get here."""
    budget: Iterator[int] = field(default_factory=lambda: iter(range(MAX_PARTS)))
    """Shared by all places of one argument: a few definitions can stand for any number of parts."""

    def deeper(self) -> _Place:
        return replace(self, depth=self.depth + 1)


def reply_schema(tools: Sequence[Tool[Any]], *, has_inputs: bool) -> ReplySchema:
    """Return the schema of a plan over `tools`.

    Each tool is one alternative of `args`; each of its arguments a literal of its own type, or a
    reference. A tool whose schema strict outputs can't hold to gives its arguments as JSON text,
    and where all together are too large, every tool does.

    Args:
        tools: what may be planned with.
        has_inputs: whether the plan has inputs that arguments can refer to.
    """
    typed: dict[str, dict[str, Any]] = {}
    for tool in tools:
        try:
            typed[tool.id] = _alternative(tool)
        except _Untypable:
            continue
    if _is_too_large(typed, len(tools)):
        typed = {}
    return ReplySchema(
        _whole(typed, tools, has_inputs=has_inputs), frozenset(t.id for t in tools) - typed.keys()
    )


def _whole(
    typed: Mapping[str, dict[str, Any]], tools: Sequence[Tool[Any]], *, has_inputs: bool
) -> dict[str, Any]:
    alternatives = [alternative for alternative in typed.values() if alternative["properties"]]
    if len(typed) < len(tools):
        about = "For a tool with args_schema: an object of arguments as JSON text."
        alternatives.append(_object({"args_json": {**_TEXT, "description": about}}))
    named = _object({"name": _TEXT, "description": _TEXT}, required=("name", "description"))
    step: dict[str, Any] = {
        "task": _TEXT,
        "inputs": {"type": "array", "items": named},
        "tool_id": {"type": "string", "enum": [*(t.id for t in tools), LLM_TOOL_ID]},
        "output": _TEXT,
    }
    required = tuple(step)
    if alternatives:
        step["args"] = {"anyOf": [*alternatives, _NULL]}
    step["condition"] = _TEXT_OR_NULL
    steps = {"type": ["array", "null"], "items": _object(step, required=required)}
    schema = _object({"steps": steps, "error": _TEXT_OR_NULL})
    if any(alternative["properties"] for alternative in typed.values()):
        schema["$defs"] = _definitions(has_inputs=has_inputs)
    return schema


def _definitions(*, has_inputs: bool) -> dict[str, Any]:
    step = _object({"step": _TEXT, "path": _TEXT_OR_NULL}, required=("step",))
    given = _object({"input": _TEXT, "path": _TEXT_OR_NULL}, required=("input",))
    reference = {"anyOf": [step, given]} if has_inputs else step
    part = {"anyOf": [_TEXT, {"$ref": "#/$defs/ref"}]}
    parts = _object({"parts": {"type": "array", "items": part}}, required=("parts",))
    return {"ref": reference, "text": {"anyOf": [{"$ref": "#/$defs/ref"}, parts]}}


def _alternative(tool: Tool[Any]) -> dict[str, Any]:
    """Return the schema of one tool's arguments, none of which must be bound.

    Raises:
        _Untypable: strict outputs can't hold to it.
    """
    root = tool.json_schema()
    if root.get("additionalProperties", False) is not False:
        raise _Untypable
    properties: Mapping[str, Any] = root.get("properties", {})
    return {
        **_object({n: _bound(p, root) for n, p in properties.items()}),
        "title": tool.id,
    }


def _bound(schema: Any, root: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of one argument: a literal of its type, or a reference."""
    literals = _literals(schema, _Place(root))
    takes_text = any(literal.get("type") == "string" for literal in literals)
    alternatives: list[Mapping[str, Any]] = [
        # An object is wrapped, so that no literal can look like a reference.
        _object({"value": each}, required=("value",)) if each.get("type") == "object" else each
        for each in literals
        if each != _NULL
    ]
    alternatives.append({"$ref": "#/$defs/text" if takes_text else "#/$defs/ref"})
    alternatives.append(_NULL)  # left open
    about = schema.get("description")
    return {"anyOf": alternatives, **({"description": about} if about else {})}


def _literals(schema: Any, place: _Place) -> list[dict[str, Any]]:
    """Return the alternatives of a schema, each with one type, without what we check ourselves."""
    if not isinstance(schema, Mapping) or place.depth > MAX_DEPTH:
        raise _Untypable
    if next(place.budget, None) is None:
        raise _Untypable
    if "$ref" in schema:
        if place.references == MAX_REFERENCES:  # a definition may hold itself
            raise _Untypable
        target = resolve_reference(schema, place.root)
        return _literals(target, replace(place, references=place.references + 1))
    if {"allOf", "not", "if", "patternProperties", "prefixItems"} & schema.keys():
        raise _Untypable
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return [each for part in schema[keyword] for each in _literals(part, place)]
    match schema.get("type"):
        case list() as types if set(types) <= _PLAIN_TYPES:
            return [{"type": name, **_listed_values(schema, name)} for name in types]
        case "object":
            return [_closed(schema, place)]
        case "array" if "items" in schema:
            return [{"type": "array", "items": _one(schema["items"], place.deeper())}]
        case str() as name if name in _PLAIN_TYPES:
            return [{"type": name, **_listed_values(schema, name)}]
        case _:
            raise _Untypable


def _one(schema: Any, place: _Place) -> dict[str, Any]:
    literals = _literals(schema, place)
    one = literals[0] if len(literals) == 1 else {"anyOf": literals}
    about = schema.get("description")
    return {**one, "description": about} if about else one


def _closed(schema: Mapping[str, Any], place: _Place) -> dict[str, Any]:
    properties = schema.get("properties")
    if not properties or schema.get("additionalProperties", False) is not False:
        raise _Untypable
    return _object(
        {name: _one(part, place.deeper()) for name, part in properties.items()},
        required=tuple(schema.get("required", ())),
    )


_PYTHON = {"string": str, "number": (int, float), "integer": int, "boolean": bool}


def _listed_values(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values is None or name not in _PYTHON:
        return {}
    return {"enum": [value for value in values if isinstance(value, _PYTHON[name])]}


def _object(properties: Mapping[str, Any], *, required: Sequence[str] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _is_too_large(typed: Mapping[str, dict[str, Any]], tool_count: int) -> bool:
    counts = [0, tool_count, 0]
    for alternative in typed.values():
        _count(alternative, counts)
    return counts[0] > MAX_PROPERTIES or counts[1] > MAX_ENUM_VALUES or counts[2] > MAX_NAME_CHARS


def _count(schema: Any, counts: list[int]) -> None:
    """Add up properties, values of enums, and the characters of both."""
    if isinstance(schema, list):
        for part in schema:
            _count(part, counts)
    if not isinstance(schema, dict):
        return
    values = [str(value) for value in schema.get("enum", ())]
    names = list(schema.get("properties", ()))
    counts[0] += len(names)
    counts[1] += len(values)
    counts[2] += sum(map(len, values)) + sum(map(len, names))
    for key in ("anyOf", "items"):
        _count(schema.get(key), counts)
    for part in schema.get("properties", {}).values():
        _count(part, counts)
