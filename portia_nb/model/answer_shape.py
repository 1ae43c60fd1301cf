"""Answers that must have a shape: what a form can ask for, and what was meant by what came back.

A shape is a JSON schema. People write text: here it is read as the number, date or list that the
schema asks for, and what doesn't fit is refused in a sentence that a person can act on.
"""

from __future__ import annotations

import datetime
import json
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Literal

from .json_schema import resolve_reference, schema_violations

FieldKind = Literal[
    "text", "number", "integer", "boolean", "date", "time", "datetime", "list", "several", "json"
]
"""What a person fills in; ``several`` is any number of given options."""

YES = frozenset({"yes", "y", "true", "ok", "1"})
NO = frozenset({"no", "n", "false", "0"})

_MAX_REFERENCES = 8
_FORMATS: dict[str, FieldKind] = {"date": "date", "time": "time", "date-time": "datetime"}
_PLAIN: dict[str, FieldKind] = {
    "string": "text",
    "number": "number",
    "integer": "integer",
    "boolean": "boolean",
}
_NEEDED: dict[FieldKind, str] = {
    "number": "write a number, such as 2.5",
    "integer": "write a whole number, such as 3",
    "boolean": "answer yes or no",
    "date": "write a date, such as 2026-05-17",
    "time": "write a time of day, such as 09:30",
    "datetime": "write a date and a time, such as 2026-05-17 09:30",
    "list": "write a list, one item on each line",
    "several": "choose among the options",
    "json": 'write JSON, such as {"name": "value"}',
}
_EXAMPLES: dict[FieldKind, Any] = {
    "text": "text",
    "number": 2.5,
    "integer": 3,
    "boolean": True,
    "date": "2026-05-17",
    "time": "09:30",
    "datetime": "2026-05-17T09:30",
    "list": [],
    "several": [],
}
_MAX_EXAMPLE_FIELDS = 8
_MAX_EXAMPLE_CHARS = 200
_ANNOTATIONS = frozenset({"type", "title", "description", "default", "examples", "format", "$defs"})
_BOUNDS: dict[str, tuple[Callable[[Any, Any], bool], str]] = {
    "minimum": (operator.lt, "at least"),
    "maximum": (operator.gt, "at most"),
    "exclusiveMinimum": (operator.le, "more than"),
    "exclusiveMaximum": (operator.ge, "less than"),
}
"""By keyword: when a number is past the bound, and what it must be instead."""
_COUNTED: dict[FieldKind, tuple[str, str, str]] = {
    "text": ("minLength", "maxLength", "character"),
    "list": ("minItems", "maxItems", "item"),
    "several": ("minItems", "maxItems", "option"),
}

Schema = Mapping[str, Any]


def settled(schema: Schema) -> Schema:
    """Return the part of `schema` that says what the answer is: past references and null.

    >>> settled({"anyOf": [{"type": "integer"}, {"type": "null"}]})
    {'type': 'integer'}
    """
    found = schema
    for _ in range(_MAX_REFERENCES):
        if "$ref" in found:
            target = resolve_reference(found, schema)
            if not isinstance(target, Mapping):
                return {}
            found = _with_definitions(target, schema)
            continue
        kinds = found.get("anyOf")
        real = [k for k in kinds if k != {"type": "null"}] if isinstance(kinds, list) else []
        if len(real) != 1 or not isinstance(real[0], Mapping):
            break
        found = _with_definitions(real[0], schema)
    return found


def _with_definitions(part: Schema, root: Schema) -> Schema:
    """Return a part of `root` with what its references point at."""
    return {**part, "$defs": root["$defs"]} if "$defs" in root else part


def kind_of(schema: Schema) -> FieldKind:
    """Return which field asks for a value of `schema`.

    >>> kind_of({"type": "string", "format": "date"}), kind_of({"type": "object"})
    ('date', 'json')
    """
    shape = settled(schema)
    kind = shape.get("type")
    if kind == "string":
        return _FORMATS.get(str(shape.get("format")), "text")
    if kind == "array":
        items = _items(shape)
        if isinstance(items.get("enum"), list):
            return "several"
        return "list" if kind_of(items) in _PLAIN.values() else "json"
    return _PLAIN.get(str(kind), "json" if shape else "text")


def asked_schema(schema: Schema | bool, root: Schema) -> dict[str, Any] | None:
    """Return the schema that a question about an argument needs, None where any text will do.

    Args:
        schema: that of the argument.
        root: that of all the arguments, which holds the ``$defs``.
    """
    if not isinstance(schema, Mapping):  # true, which anything fits
        return None
    whole = dict(_with_definitions(schema, root) if "$ref" in json.dumps(schema) else schema)
    shape = settled(whole)
    if not shape or (kind_of(whole) == "text" and not shape.keys() - _ANNOTATIONS):
        return None
    if shape.get("type") is None and not shape.keys() & {"properties", "enum", "anyOf", "oneOf"}:
        return None
    return whole


def read_shaped(response: Any, schema: Schema) -> Any:
    """Return `response` as a value of `schema`, plain JSON; text is read as what it stands for.

    Dates and times stay ISO text. A list may come as JSON, as lines, or separated by commas.

    Raises:
        ValueError: it doesn't fit; the message says what does.

    >>> read_shaped("3", {"type": "integer"}), read_shaped("a, b", {"type": "array"})
    (3, ['a', 'b'])
    >>> read_shaped("many", {"type": "integer"})
    Traceback (most recent call last):
        ...
    ValueError: write a whole number, such as 3
    """
    kind, shape = kind_of(schema), settled(schema)
    value = _read(response, kind, shape)
    if (problem := _out_of_bounds(value, kind, shape)) is not None:
        raise ValueError(problem)
    known = _ANNOTATIONS | {*_BOUNDS, *_COUNTED.get(kind, ())}
    if kind in ("list", "several"):
        known |= {"items"}  # each item was read by it
    if shape.keys() - known:
        wrong = schema_violations(value, schema)
        if wrong:
            raise ValueError("; ".join(each.removeprefix("the value: ") for each in wrong[:3]))
    return value


def limits(schema: Schema) -> dict[str, Any]:
    """Return what a form can tell a browser of the bounds: ``min``, ``max``, ``options``.

    >>> limits({"type": "integer", "minimum": 1})
    {'min': 1}
    """
    shape = settled(schema)
    found = {"min": shape.get("minimum"), "max": shape.get("maximum")}
    if kind_of(schema) == "several":
        found["options"] = list(_items(shape)["enum"])
    return {name: value for name, value in found.items() if value is not None}


def hint_of(schema: Schema) -> str:
    """Return in words what the answer must be; empty where any text will do.

    >>> hint_of({"type": "integer", "minimum": 1, "maximum": 9})
    'a whole number, 1 to 9'
    >>> hint_of({"type": "object", "properties": {"city": {"type": "string"}}})
    'JSON, such as {"city": "text"}'
    """
    kind, shape = kind_of(schema), settled(schema)
    words = {
        "number": "a number",
        "integer": "a whole number",
        "date": "a date",
        "time": "a time of day",
        "datetime": "a date and a time",
        "boolean": "yes or no",
        "list": "a list, separated by commas",
        "json": _json_hint(shape),
    }.get(kind, "")
    low, high = shape.get("minimum"), shape.get("maximum")
    if low is not None and high is not None:
        return f"{words}, {low} to {high}"
    if low is not None:
        return f"{words}, at least {low}"
    return f"{words}, at most {high}" if high is not None else words


def _json_hint(shape: Schema) -> str:
    """Return that JSON is asked for, with an example where the fields are known and few."""
    fields = shape.get("properties")
    if not isinstance(fields, Mapping) or not 0 < len(fields) <= _MAX_EXAMPLE_FIELDS:
        return "JSON"
    example = {
        str(name): _example(_with_definitions(field, shape) if isinstance(field, Mapping) else {})
        for name, field in fields.items()
    }
    text = json.dumps(example)
    return f"JSON, such as {text}" if len(text) <= _MAX_EXAMPLE_CHARS else "JSON"


def _example(schema: Schema) -> Any:
    if "default" in schema:
        return schema["default"]
    if isinstance(options := settled(schema).get("enum"), list) and options:
        return options[0]
    return _EXAMPLES.get(kind_of(schema), {})


def _items(shape: Schema) -> Schema:
    items = shape.get("items")
    if not isinstance(items, Mapping):
        return {"type": "string"}
    return settled(_with_definitions(items, shape))


def _read(response: Any, kind: FieldKind, shape: Schema) -> Any:
    match kind:
        case "number" | "integer":
            return _number(response, kind)
        case "boolean":
            return read_yes_no(response)
        case "date" | "time" | "datetime":
            return _moment(response, kind)
        case "list":
            return [_item(each, _items(shape)) for each in _listed(response, kind)]
        case "several":
            return [_option(each, _items(shape)["enum"]) for each in _listed(response, kind)]
        case "json":
            return _json(response)
        case _:
            if not isinstance(response, str):
                raise ValueError("write text")
            return response


def _number(response: Any, kind: FieldKind) -> int | float:
    for read in (int, float):
        try:
            value = read(response.strip()) if isinstance(response, str) else response
            if isinstance(value, bool) or not math.isfinite(value):
                break
            if kind == "number" or value == int(value):
                return int(value) if kind == "integer" else value
        except (TypeError, ValueError, OverflowError):
            continue
    raise ValueError(_NEEDED[kind])


def read_yes_no(response: Any) -> bool:
    """Return the yes or no that `response` says.

    Raises:
        ValueError: neither.
    """
    if isinstance(response, bool):
        return response
    plain = response.strip().lower() if isinstance(response, str) else ""
    if plain in YES or plain in NO:
        return plain in YES
    raise ValueError(_NEEDED["boolean"])


def _moment(response: Any, kind: FieldKind) -> str:
    classes = {"date": datetime.date, "time": datetime.time, "datetime": datetime.datetime}
    wanted = classes[kind]
    if type(response) is wanted:
        return response.isoformat()
    try:
        return wanted.fromisoformat(response.strip()).isoformat()
    except (AttributeError, ValueError):
        raise ValueError(_NEEDED[kind]) from None


def _listed(response: Any, kind: FieldKind) -> list[Any]:
    if isinstance(response, list | tuple | set | frozenset):
        return list(response)
    if not isinstance(response, str):
        raise ValueError(_NEEDED[kind])
    text = response.strip()
    if text.startswith("["):
        found = _json(text)
        if isinstance(found, list):
            return found
    parts = text.splitlines() if "\n" in text else text.split(",")
    return [part.strip() for part in parts if part.strip()]


def _item(item: Any, schema: Schema) -> Any:
    try:
        return read_shaped(item, schema)
    except ValueError as error:
        raise ValueError(f"{item!r}: {error}") from None


def _option(item: Any, options: list[Any]) -> Any:
    for option in options:
        if option == item or (isinstance(item, str) and str(option) == item):
            return option
    raise ValueError(f"{item!r} is not offered: choose among {', '.join(map(repr, options[:20]))}")


def _json(response: Any) -> Any:
    if not isinstance(response, str):
        return response
    try:
        return json.loads(response)
    except ValueError as error:
        raise ValueError(f"{_NEEDED['json']}: {error}") from None


def _out_of_bounds(value: Any, kind: FieldKind, shape: Schema) -> str | None:
    """Say in plain words which bound is passed; None: none is."""
    if kind in ("number", "integer"):
        for name, (is_past, words) in _BOUNDS.items():
            bound = shape.get(name)
            if isinstance(bound, int | float) and is_past(value, bound):
                return f"{value} won't do: it must be {words} {bound}"
    elif kind in _COUNTED:
        low_name, high_name, unit = _COUNTED[kind]
        low, high = shape.get(low_name), shape.get(high_name)
        bound, words = (low, "at least") if _is_less(len(value), low) else (high, "at most")
        if _is_less(len(value), low) or _is_less(high, len(value)):
            return f"{words} {bound} {unit}{'' if bound == 1 else 's'}, not {len(value)}"
    return None


def _is_less(one: Any, other: Any) -> bool:
    return isinstance(one, int) and isinstance(other, int) and one < other
