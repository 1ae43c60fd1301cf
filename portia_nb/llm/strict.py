"""Make a JSON schema fit for the wire, and bring the reply back under the schema that was meant.

Strict structured outputs (OpenAI's, and those who follow them) know a part of JSON schema only:
every object closed, every property required, few keywords. `schema_for_wire` says as much of a
schema as fits into that; what is left out is checked by us on the reply.
Source: https://platform.openai.com/docs/guides/structured-outputs, "Supported schemas".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from portia_nb.model.json_schema import fits, resolve_reference

MAX_DEPTH = 10
MAX_PROPERTIES = 5000
MAX_ENUM_VALUES = 1000

KEPT = frozenset(
    {"type", "description", "title", "enum", "const", "anyOf", "$ref", "$defs", "properties",
     "required", "additionalProperties", "items", "pattern", "format", "multipleOf", "minimum",
     "maximum", "exclusiveMinimum", "exclusiveMaximum", "minItems", "maxItems"}
)  # fmt: skip
FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
# Left out of the schema, these are told in the description instead.
TOLD = ("default", "examples", "minLength", "maxLength", "pattern", "format", "minimum", "maximum",
        "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems",
        "uniqueItems")  # fmt: skip
REMOVABLE = frozenset(
    {"pattern", "format", "multipleOf", "minimum", "maximum", "exclusiveMinimum",
     "exclusiveMaximum", "minItems", "maxItems", "title", "const"}
)  # fmt: skip
"""Keywords that a schema can lose on the wire without losing its shape."""


@dataclass(frozen=True, slots=True)
class WireSchema:
    """A schema as it is sent."""

    schema: dict[str, Any]
    is_strict: bool
    """The provider may be asked to hold to it; else it is advice, and our check decides."""


class _NotStrict(Exception):
    """The schema says something that strict outputs can't."""


def schema_for_wire(
    schema: Mapping[str, Any], removed: frozenset[str] = frozenset(), *, strict: bool = True
) -> WireSchema:
    """Return `schema` as strict outputs want it, or nearly as it is where that can't be.

    Optional properties become required ones that may be null; `bring_back` drops those nulls.

    Args:
        schema: JSON schema with an object at its root.
        removed: further keywords that this provider refuses.
        strict: False sends the schema as it is, less what is `removed`.

    >>> shape = {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}}
    >>> schema_for_wire(shape).schema["properties"]["n"]
    {'type': ['integer', 'null'], 'description': '(default: 1)'}
    """
    if strict:
        try:
            return WireSchema(_Maker(schema, removed).make(), is_strict=True)
        except _NotStrict:
            pass
    loose = cast("dict[str, Any]", _without(dict(schema), removed))
    loose.setdefault("type", "object")
    if loose["type"] == "object":
        loose.setdefault("properties", {})
    return WireSchema(loose, is_strict=False)


def bring_back(value: Any, schema: Any, root: Any = None) -> Any:
    """Drop nulls from `value` that stand for optional properties left out.

    Args:
        value: what came back for `schema_for_wire(schema)`.
        schema: the schema that was asked for.
        root: where references are resolved; None is `schema`.

    >>> shape = {"type": "object", "properties": {"n": {"type": "integer"}}}
    >>> bring_back({"n": None}, shape)
    {}
    """
    root = schema if root is None else root
    schema = _follow(schema, root)
    if not isinstance(value, list | dict):
        return value
    for keyword in ("anyOf", "oneOf", "allOf"):
        for part in schema.get(keyword, ()):
            attempt = bring_back(value, part, root)
            if keyword == "allOf" or fits(attempt, _with_root(part, root)):
                value = attempt
                if keyword != "allOf":
                    break
    if isinstance(value, list):
        items = schema.get("items", {})
        return [bring_back(item, items, root) for item in cast("list[Any]", value)]
    found = cast("dict[str, Any]", value)
    properties = cast("dict[str, Any]", schema.get("properties", {}))
    kept: dict[str, Any] = {}
    for name, item in found.items():
        if name in properties:
            wanted = properties[name]
            is_left_out = item is None and name not in schema.get("required", ())
            if is_left_out and not _allows_null(wanted, root):
                continue
            item = bring_back(item, wanted, root)
        kept[name] = item
    return kept


def _allows_null(schema: Any, root: Any) -> bool:
    kind = cast("Mapping[str, Any]", schema).get("type") if isinstance(schema, Mapping) else None
    if isinstance(kind, str) and kind != "null":
        return False  # said without the checker, which takes a second to import
    return fits(None, _with_root(schema, root))


def _with_root(schema: Any, root: Any) -> Any:
    """Return `schema` such that its references find the definitions of `root`."""
    if not isinstance(schema, Mapping) or not isinstance(root, Mapping):
        return schema
    shared = {key: root[key] for key in ("$defs", "definitions") if key in root}
    return {**shared, **schema}


def _follow(schema: Any, root: Any) -> dict[str, Any]:
    for _ in range(MAX_DEPTH):
        if not isinstance(schema, Mapping):
            return {}
        if "$ref" not in schema:
            return dict(cast("Mapping[str, Any]", schema))
        schema = resolve_reference(cast("Mapping[str, Any]", schema), root)
    return {}


# Their keys are names chosen by the schema's author, not keywords.
_NAMED = frozenset({"properties", "$defs", "definitions", "patternProperties"})
_LITERAL = frozenset({"enum", "const", "default", "examples", "required"})


def _without(schema: Any, removed: frozenset[str]) -> Any:
    """Return a copy of `schema` that doesn't use the keywords `removed`."""
    if isinstance(schema, list):
        return [_without(part, removed) for part in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {}
    for key, value in cast("dict[str, Any]", schema).items():
        if key in removed:
            continue
        if key in _NAMED and isinstance(value, dict):
            parts = cast("dict[str, Any]", value)
            kept[key] = {name: _without(part, removed) for name, part in parts.items()}
        else:
            kept[key] = value if key in _LITERAL else _without(value, removed)
    return kept


class _Maker:
    """Builds the strict form of one schema."""

    def __init__(self, root: Mapping[str, Any], removed: frozenset[str]) -> None:
        self.root = root
        self.removed = removed
        self.properties = 0
        self.enum_values = 0

    def make(self) -> dict[str, Any]:
        if self.root.get("type", "object") != "object" or "anyOf" in self.root:
            raise _NotStrict("the root must be a plain object")
        made = self.strict({"type": "object", **self.root}, 0)
        for key in ("$defs", "definitions"):
            parts = self.root.get(key, {})
            if parts:
                made[key] = {name: self.strict(part, 1) for name, part in parts.items()}
        if self.properties > MAX_PROPERTIES or self.enum_values > MAX_ENUM_VALUES:
            raise _NotStrict("too large")
        return made

    def strict(self, schema: Any, depth: int) -> dict[str, Any]:
        if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
            raise _NotStrict("any value, or too deep")
        schema = dict(cast("Mapping[str, Any]", schema))
        if "$ref" in schema:
            return self._reference(schema)
        schema = _merged(schema)
        types = schema.get("type")
        if "anyOf" in schema and types is None:
            parts = [self.strict(part, depth) for part in schema["anyOf"]]
            return self._described(schema, {"anyOf": parts})
        if types is None:
            types = schema["type"] = _types_of_literals(schema)
        made = {
            key: value
            for key, value in schema.items()
            if key in KEPT - {"$defs", "anyOf"} and key not in self.removed
        }
        if "format" in made and made["format"] not in FORMATS:
            del made["format"]
        self.enum_values += len(schema.get("enum", ()))
        if "object" in (types if isinstance(types, list) else [types]):
            self._close(schema, made, depth + 1)
        if "array" in (types if isinstance(types, list) else [types]):
            if "prefixItems" in schema:
                raise _NotStrict("items by position")
            made["items"] = self.strict(schema.get("items"), depth + 1)
        return self._described(schema, made)

    def _close(self, schema: dict[str, Any], made: dict[str, Any], depth: int) -> None:
        """Close an object and require all of its properties, the optional ones as nullable."""
        if schema.get("additionalProperties", False) is not False or depth > MAX_DEPTH:
            raise _NotStrict("an open object, or too deep")
        if "patternProperties" in schema:
            raise _NotStrict("an open object")
        properties = cast("dict[str, Any]", schema.get("properties", {}))
        if not properties and "properties" not in schema and depth > 1:
            raise _NotStrict("an open object")
        self.properties += len(properties)
        required = schema.get("required", ())
        closed: dict[str, Any] = {}
        for name, part in properties.items():
            strict = self.strict(part, depth)
            needs_null = name not in required and not _allows_null(part, self.root)
            closed[name] = _nullable(strict) if needs_null else strict
        made["properties"] = closed
        made["required"] = list(closed)
        made["additionalProperties"] = False

    def _reference(self, schema: dict[str, Any]) -> dict[str, Any]:
        if resolve_reference(schema, self.root) is None:
            raise _NotStrict("a reference that points nowhere")
        alone = {"$ref": schema["$ref"]}
        described = self._described(schema, {})
        # A reference may have no siblings; an alternative of one may.
        return {"anyOf": [alone], **described} if described else alone

    def _described(self, schema: Mapping[str, Any], made: dict[str, Any]) -> dict[str, Any]:
        """Tell in the description what the schema can't say on the wire."""
        told = [
            f"{key}: {schema[key]!r}"
            for key in TOLD
            if key in schema and key not in made and schema[key] is not None
        ]
        words = [str(schema["description"])] if schema.get("description") else []
        if told:
            words.append(f"({', '.join(told)})")
        return {**made, "description": " ".join(words)} if words else made


def _merged(schema: dict[str, Any]) -> dict[str, Any]:
    """Word `oneOf` as `anyOf` and take a single `allOf` into the schema itself."""
    if "oneOf" in schema and "anyOf" not in schema:
        schema["anyOf"] = schema.pop("oneOf")
    parts = schema.get("allOf")
    if isinstance(parts, list) and len(cast("list[Any]", parts)) == 1:
        only = cast("list[Any]", schema.pop("allOf"))[0]
        if not isinstance(only, Mapping) or "$ref" in only:
            raise _NotStrict("a reference within allOf")
        schema = {**cast("Mapping[str, Any]", only), **schema}
    if {"allOf", "oneOf", "not", "if"} & schema.keys():
        raise _NotStrict("a combination")
    return schema


def _types_of_literals(schema: dict[str, Any]) -> list[str]:
    """Return the types of the values that `schema` lists: strict outputs want them said."""
    literals = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else ())]
    types = {_TYPE_NAMES.get(type(literal)) for literal in literals}
    if not types or None in types:
        raise _NotStrict("any value")
    return sorted(name for name in types if name is not None)


_TYPE_NAMES: Mapping[type, str] = {
    str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null",
}  # fmt: skip


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    types = schema.get("type")
    if types is not None and "enum" not in schema and "const" not in schema:
        listed = types if isinstance(types, list) else [types]
        return {**schema, "type": [*listed, "null"]}
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    return {"anyOf": [schema, {"type": "null"}]}
