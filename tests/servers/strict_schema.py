"""Check a JSON schema against the rules of strict structured outputs, as OpenAI documents them.

Source: https://platform.openai.com/docs/guides/structured-outputs (section "Supported schemas").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_PROPERTIES = 5000
MAX_DEPTH = 10
MAX_NAME_CHARACTERS = 120_000
MAX_ENUM_VALUES = 1000
MAX_LARGE_ENUM_CHARACTERS = 15_000
LARGE_ENUM = 250

TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}
FORMATS = {
    "date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid",
}  # fmt: skip
ANYWHERE = {"type", "description", "title", "enum", "const", "anyOf", "$ref"}
FOR_TYPE = {
    "string": {"pattern", "format"},
    "number": {"multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "integer": {"multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "array": {"items", "minItems", "maxItems"},
    "object": {"properties", "required", "additionalProperties"},
    "boolean": set[str](),
    "null": set[str](),
}
ONLY_AT_ROOT = {"$defs", "definitions"}


@dataclass
class _Walk:
    """What is counted over the whole schema."""

    root: dict[str, Any]
    properties: int = 0
    enum_values: int = 0
    name_characters: int = 0
    seen_refs: set[str] = field(default_factory=set)


def strict_schema_violations(schema: Any) -> list[str]:
    """Return one sentence for each rule that `schema` breaks; none for a schema that is fine."""
    if not isinstance(schema, dict):
        return [f"schema must be a JSON schema object, got {type(schema).__name__}"]
    found: list[str] = []
    if schema.get("type") != "object":
        found.append(f"() schema must have type 'object' at the root, got {schema.get('type')!r}")
    if "anyOf" in schema:
        found.append("() anyOf is not permitted at the root")
    walk = _Walk(schema)
    for key in ONLY_AT_ROOT & schema.keys():
        for name, definition in schema[key].items():
            walk.name_characters += len(name)
            found += _check(definition, f"{key}.{name}", 1, walk)
    found += _check(schema, "", 0, walk, is_root=True)
    if walk.properties > MAX_PROPERTIES:
        found.append(f"{walk.properties} properties in all, at most {MAX_PROPERTIES} are allowed")
    if walk.enum_values > MAX_ENUM_VALUES:
        found.append(f"{walk.enum_values} enum values in all, at most {MAX_ENUM_VALUES}")
    if walk.name_characters > MAX_NAME_CHARACTERS:
        found.append(f"{walk.name_characters} characters of names, at most {MAX_NAME_CHARACTERS}")
    return found


def _check(
    schema: Any, where: str, depth: int, walk: _Walk, *, is_root: bool = False
) -> Iterator[str]:
    if not isinstance(schema, dict):
        yield f"({where}) {schema!r} is not a schema object"
        return
    if "$ref" in schema:
        yield from _check_ref(schema, where, depth, walk)
        return
    types = schema.get("type", [])
    types = types if isinstance(types, list) else [types]
    if not types and "anyOf" not in schema:
        yield f"({where}) schema must have a 'type' key"
    for unknown in [name for name in types if name not in TYPES]:
        yield f"({where}) {unknown!r} is not a type"
    allowed = ANYWHERE.union(*(FOR_TYPE.get(name, set()) for name in types if name in TYPES))
    allowed |= ONLY_AT_ROOT if is_root else set()
    for key in sorted(schema.keys() - allowed):
        yield f"({where}) '{key}' is not permitted"
    if schema.get("format") is not None and schema["format"] not in FORMATS:
        yield f"({where}) format {schema['format']!r} is not supported"
    if "enum" in schema:
        yield from _check_enum(schema["enum"], where, walk)
    for index, option in enumerate(schema.get("anyOf", [])):
        yield from _check(option, f"{where}.anyOf[{index}]", depth, walk)
    if "object" in types:
        yield from _check_object(schema, where, depth + 1, walk)
    if "array" in types:
        if "items" not in schema:
            yield f"({where}) array schema missing items"
        else:
            yield from _too_deep(where, depth + 1)
            yield from _check(schema["items"], f"{where}[]", depth + 1, walk)


def _check_ref(schema: dict[str, Any], where: str, depth: int, walk: _Walk) -> Iterator[str]:
    if extra := sorted(schema.keys() - {"$ref"}):
        yield f"({where}) $ref cannot have keywords {extra}"
    ref = schema["$ref"]
    if ref == "#":
        return
    key, _, name = str(ref).removeprefix("#/").partition("/")
    target = walk.root.get(key, {}).get(name) if key in ONLY_AT_ROOT else None
    if target is None:
        yield f"({where}) reference {ref!r} can't be resolved"
    elif ref not in walk.seen_refs:
        # Nesting counts through references; a recursive one is followed once.
        walk.seen_refs.add(ref)
        counted = _Walk(walk.root, seen_refs=walk.seen_refs)
        yield from (each for each in _check(target, where, depth, counted) if "nesting" in each)
        walk.seen_refs.discard(ref)


def _check_enum(values: Any, where: str, walk: _Walk) -> Iterator[str]:
    if not isinstance(values, list) or not values:
        yield f"({where}) enum must be a non-empty list"
        return
    characters = sum(len(value) for value in values if isinstance(value, str))
    walk.enum_values += len(values)
    walk.name_characters += characters
    if len(values) > LARGE_ENUM and characters > MAX_LARGE_ENUM_CHARACTERS:
        yield f"({where}) enum of {len(values)} values has {characters} characters"


def _check_object(schema: dict[str, Any], where: str, depth: int, walk: _Walk) -> Iterator[str]:
    yield from _too_deep(where, depth)
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        yield f"({where}) properties must be an object"
        return
    if schema.get("additionalProperties") is not False:
        yield f"({where}) 'additionalProperties' is required to be supplied and to be false"
    required = schema.get("required", [])
    if sorted(required) != sorted(properties):
        yield (
            f"({where}) 'required' must list every key in properties: "
            f"required {sorted(required)}, properties {sorted(properties)}"
        )
    walk.properties += len(properties)
    for name, value in properties.items():
        walk.name_characters += len(name)
        yield from _check(value, f"{where}.{name}", depth, walk)


def _too_deep(where: str, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        yield f"({where}) nesting is {depth} levels deep, at most {MAX_DEPTH} are allowed"
