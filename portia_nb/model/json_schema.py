"""Check plain JSON against a JSON schema, and say each thing that is wrong in one sentence.

Models and MCP servers name their shapes in JSON schema (draft 2020-12). This is the part of it that
such schemas use; it looks nothing up outside the schema, and a keyword that it doesn't know is
passed over, as the standard asks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard, cast

MAX_DEPTH = 100
MAX_VIOLATIONS = 20
# A pattern comes from outside; Python's engine has no time limit, so long text isn't matched.
MAX_PATTERN_TEXT = 10_000

Schema = Mapping[str, Any] | bool


def schema_violations(value: Any, schema: Schema) -> list[str]:
    """Return what is wrong with `value` under `schema`, one sentence each, at most 20.

    Args:
        value: plain JSON: None, bool, int, float, str, list, dict with string keys.
        schema: a JSON schema; references are resolved within it (`#/$defs/…`).

    >>> shape = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    >>> schema_violations({"city": "Oslo"}, shape)
    []
    >>> schema_violations({"city": 7}, shape)
    ['city: 7 is not a string']
    """
    found: list[str] = []
    for violation in _check(value, schema, _Place("", schema, 0)):
        found.append(violation)
        if len(found) == MAX_VIOLATIONS:
            break
    return found


def fits(value: Any, schema: Schema) -> bool:
    """Say whether `value` fits `schema`."""
    return next(_check(value, schema, _Place("", schema, 0)), None) is None


def resolve_reference(schema: Mapping[str, Any], root: Schema) -> Schema | None:
    """Return what the `$ref` of `schema` points at within `root`, None where that is nowhere."""
    path = schema["$ref"]
    if not isinstance(path, str) or not path.startswith("#"):
        return None
    found: Any = root
    for part in path.removeprefix("#").split("/")[1:]:
        part = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = cast("Mapping[str, Any]", found)[part]
    return cast("Schema", found)


class _Place:
    """Where in the value the check is, and the schema that references are resolved in."""

    __slots__ = ("depth", "path", "root")

    def __init__(self, path: str, root: Schema, depth: int) -> None:
        self.path = path
        self.root = root
        self.depth = depth

    def at(self, part: str | int) -> _Place:
        step = f"[{part}]" if isinstance(part, int) else f".{part}" if self.path else part
        return _Place(self.path + step, self.root, self.depth + 1)

    def same(self) -> _Place:
        return _Place(self.path, self.root, self.depth + 1)

    def says(self, what: str) -> str:
        return f"{self.path or 'the value'}: {what}"


def _check(value: Any, schema: Schema, place: _Place) -> Iterator[str]:
    if schema is True:
        return
    if not isinstance(schema, Mapping):
        yield place.says(f"nothing is allowed here, found {_shown(value)}")
        return
    if place.depth > MAX_DEPTH:
        yield place.says(f"nested more than {MAX_DEPTH} levels deep")
        return
    if "$ref" in schema:
        target = resolve_reference(schema, place.root)
        if target is None:
            yield place.says(f"the schema's reference {schema['$ref']!r} points nowhere")
            return
        yield from _check(value, target, place.same())
    wrong_type = _check_type(value, schema, place)
    if wrong_type is not None:
        yield wrong_type
        return
    yield from _check_literals(value, schema, place)
    yield from _check_combinations(value, schema, place)
    if isinstance(value, str):
        yield from _check_string(value, schema, place)
    elif _is_number(value):
        yield from _check_number(value, schema, place)
    elif isinstance(value, list):
        yield from _check_array(cast("list[Any]", value), schema, place)
    elif isinstance(value, dict):
        yield from _check_object(cast("dict[str, Any]", value), schema, place)


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "integer": _is_integer,
    "number": _is_number,
    "string": lambda v: isinstance(v, str),
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}
_ARTICLE = {"null": "null", "integer": "an integer", "array": "an array", "object": "an object"}


def _check_type(value: Any, schema: Mapping[str, Any], place: _Place) -> str | None:
    wanted = schema.get("type")
    if wanted is None:
        return None
    names: list[str] = [wanted] if isinstance(wanted, str) else list(wanted)
    if any(_TYPES.get(name, lambda _: True)(value) for name in names):
        return None
    worded = " or ".join(_ARTICLE.get(name, f"a {name}") for name in names)
    return place.says(f"{_shown(value)} is not {worded}")


def _check_literals(value: Any, schema: Mapping[str, Any], place: _Place) -> Iterator[str]:
    if "const" in schema and not _equal(value, schema["const"]):
        yield place.says(f"{_shown(value)} is not {_shown(schema['const'])}")
    if "enum" in schema and not any(_equal(value, each) for each in schema["enum"]):
        allowed = ", ".join(_shown(each) for each in schema["enum"][:10])
        yield place.says(f"{_shown(value)} is none of {allowed}")


def _equal(left: Any, right: Any) -> bool:
    # In JSON true is not 1, though Python says so.
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _check_combinations(value: Any, schema: Mapping[str, Any], place: _Place) -> Iterator[str]:
    for part in schema.get("allOf", ()):
        yield from _check(value, part, place.same())
    for keyword in ("anyOf", "oneOf"):
        if keyword not in schema:
            continue
        failures = [list(_check(value, part, place.same())) for part in schema[keyword]]
        fitting = sum(not failure for failure in failures)
        if fitting == 0:
            # The alternative that came nearest says most about what to mend.
            yield from min(failures, key=len, default=[place.says("no alternative is allowed")])
        elif fitting > 1 and keyword == "oneOf":
            yield place.says(f"{_shown(value)} fits {fitting} alternatives, one is allowed")
    if "not" in schema and not list(_check(value, schema["not"], place.same())):
        yield place.says(f"{_shown(value)} is what is not allowed")


def _check_string(value: str, schema: Mapping[str, Any], place: _Place) -> Iterator[str]:
    if len(value) < schema.get("minLength", 0):
        yield place.says(f"{_shown(value)} has fewer than {schema['minLength']} characters")
    if len(value) > schema.get("maxLength", math.inf):
        yield place.says(f"{_shown(value)} has more than {schema['maxLength']} characters")
    pattern = schema.get("pattern")
    if isinstance(pattern, str) and len(value) <= MAX_PATTERN_TEXT:
        try:
            matches = re.search(pattern, value) is not None
        except re.error:
            # ECMAScript's syntax isn't Python's: what can't be read isn't held against the value.
            matches = True
        if not matches:
            yield place.says(f"{_shown(value)} doesn't match {pattern!r}")


_LIMITS: tuple[tuple[str, Callable[[Any, Any], bool], str], ...] = (
    ("minimum", lambda v, limit: v >= limit, "below"),
    ("maximum", lambda v, limit: v <= limit, "above"),
    ("exclusiveMinimum", lambda v, limit: v > limit, "not above"),
    ("exclusiveMaximum", lambda v, limit: v < limit, "not below"),
)


def _check_number(value: int | float, schema: Mapping[str, Any], place: _Place) -> Iterator[str]:
    for keyword, holds, wording in _LIMITS:
        if _is_number(schema.get(keyword)) and not holds(value, schema[keyword]):
            yield place.says(f"{_shown(value)} is {wording} {schema[keyword]}")
    step = schema.get("multipleOf")
    if _is_number(step) and step > 0:
        ratio = value / step
        if not math.isclose(ratio, round(ratio), rel_tol=1e-9, abs_tol=1e-9):
            yield place.says(f"{_shown(value)} is not a multiple of {step}")


def _check_array(value: list[Any], schema: Mapping[str, Any], place: _Place) -> Iterator[str]:
    if len(value) < schema.get("minItems", 0):
        yield place.says(f"has {len(value)} items, at least {schema['minItems']} are needed")
    if len(value) > schema.get("maxItems", math.inf):
        yield place.says(f"has {len(value)} items, at most {schema['maxItems']} are allowed")
    if schema.get("uniqueItems") and any(
        _equal(item, other) for n, item in enumerate(value) for other in value[:n]
    ):
        yield place.says("holds the same item twice")
    first: list[Schema] = schema.get("prefixItems", [])
    for index, (item, part) in enumerate(zip(value, first, strict=False)):
        yield from _check(item, part, place.at(index))
    for index, item in enumerate(value[len(first) :], start=len(first)):
        yield from _check(item, schema.get("items", True), place.at(index))


def _check_object(value: dict[str, Any], schema: Mapping[str, Any], place: _Place) -> Iterator[str]:
    properties: Mapping[str, Schema] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield place.says(f"{name!r} is missing")
    if len(value) < schema.get("minProperties", 0):
        yield place.says(f"has {len(value)} keys, at least {schema['minProperties']} are needed")
    if len(value) > schema.get("maxProperties", math.inf):
        yield place.says(f"has {len(value)} keys, at most {schema['maxProperties']} are allowed")
    for name, item in value.items():
        if "propertyNames" in schema:
            yield from _check(name, schema["propertyNames"], place.at(name))
        if name in properties:
            yield from _check(item, properties[name], place.at(name))
        elif schema.get("additionalProperties", True) is False:
            allowed = ", ".join(repr(each) for each in list(properties)[:10]) or "none"
            yield place.says(f"{name!r} is not allowed; allowed: {allowed}")
        else:
            yield from _check(item, schema.get("additionalProperties", True), place.at(name))


def _shown(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 80 else text[:79] + "…"
