import pytest
from hypothesis import given, settings, strategies as st

from portia_nb.llm.strict import bring_back, schema_for_wire
from portia_nb.model.json_schema import fits
from tests.servers.strict_schema import strict_schema_violations

LEAVES = st.sampled_from(
    [
        {"type": "string", "minLength": 1},
        {"type": "string", "format": "uri", "default": "x"},
        {"type": "string", "pattern": "^a"},
        {"type": "integer", "minimum": 0, "default": 3},
        {"type": "number", "multipleOf": 0.5},
        {"type": "boolean", "title": "Flag"},
        {"enum": ["a", "b"]},
        {"enum": [1, "b", None]},
        {"const": "fixed", "description": "Always this."},
        {"type": ["string", "null"]},
        {"$ref": "#/$defs/Node"},
        {"$ref": "#/$defs/Node", "description": "A node."},
        {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        {"allOf": [{"type": "integer"}], "description": "One."},
        {"oneOf": [{"type": "integer"}, {"type": "string"}]},
        {},
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "array"},
        {"type": "array", "prefixItems": [{"type": "string"}]},
        {"not": {"type": "null"}},
    ]
)
NODE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
    },
    "required": ["name"],
}


def objects(parts):
    def made(properties, required):
        names = sorted(properties)
        kept = [name for name, is_required in zip(names, required, strict=False) if is_required]
        return {"type": "object", "properties": properties, "required": kept}

    properties = st.dictionaries(st.sampled_from("abcd"), parts, max_size=4)
    return st.builds(made, properties, st.lists(st.booleans(), min_size=4, max_size=4))


SCHEMAS = objects(
    st.recursive(
        LEAVES,
        lambda parts: st.one_of(
            objects(parts),
            st.builds(lambda items: {"type": "array", "items": items, "minItems": 0}, parts),
        ),
        max_leaves=6,
    )
).map(lambda schema: {**schema, "$defs": {"Node": NODE}})


@given(SCHEMAS)
@settings(max_examples=120, deadline=None)
def test_a_schema_made_strict_obeys_the_rules_of_strict_outputs(schema):
    wire = schema_for_wire(schema)
    if wire.is_strict:
        assert strict_schema_violations(wire.schema) == []
    assert wire.schema["type"] == "object"


def value_of(schema, root, *, whole):
    """Return a value that fits the wire's schema, every optional property null or given."""
    if "$ref" in schema:
        return value_of(root["$defs"]["Node"], root, whole=False)
    if "anyOf" in schema:
        last = {"type": "null"} in schema["anyOf"]
        return None if last and not whole else value_of(schema["anyOf"][0], root, whole=whole)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if "null" in types and not whole:
        return None
    match types[0]:
        case "object":
            parts = schema.get("properties", {})
            return {name: value_of(part, root, whole=whole) for name, part in parts.items()}
        case "array":
            return [value_of(schema["items"], root, whole=whole)] if "items" in schema else []
        case "string":
            return "ab"
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return 2


@given(SCHEMAS, st.booleans())
@settings(max_examples=120, deadline=None)
def test_what_fits_on_the_wire_fits_the_schema_that_was_meant_once_brought_back(schema, whole):
    wire = schema_for_wire(schema)
    if wire.is_strict:
        value = value_of(wire.schema, wire.schema, whole=whole)
        assert fits(value, wire.schema)
        assert fits(bring_back(value, schema), schema)


LOOSE = {
    "any value": {"properties": {"a": {}}},
    "an open object": {"properties": {"a": {"type": "object", "additionalProperties": True}}},
    "too deep": {
        "properties": {
            "a": {"$ref": "#/$defs/A"},
        },
        "$defs": {"A": {"not": {}}},
    },
    "alternatives at the root": {"anyOf": [{"type": "object"}]},
}


@pytest.mark.parametrize("schema", LOOSE.values(), ids=LOOSE)
def test_what_strict_outputs_cannot_say_is_sent_loosely(schema):
    wire = schema_for_wire({"type": "object", **schema})
    assert not wire.is_strict
    assert schema.items() <= wire.schema.items()


def test_a_removed_keyword_is_gone_but_a_property_of_that_name_stays():
    shape = {
        "type": "object",
        "properties": {"pattern": {"type": "string", "pattern": "^a"}, "any": {}},
        "required": ["pattern"],
    }
    loose = schema_for_wire(shape, frozenset({"pattern"}))
    assert loose.schema["properties"]["pattern"] == {"type": "string"}
    assert loose.schema["required"] == ["pattern"]


def test_a_null_that_was_meant_stays():
    shape = {
        "type": "object",
        "properties": {"a": {"type": ["string", "null"]}, "b": {"type": "string"}},
    }
    assert bring_back({"a": None, "b": None}, shape) == {"a": None}


def test_nulls_inside_lists_and_alternatives_are_dropped():
    part = {"type": "object", "properties": {"n": {"type": "integer"}}}
    shape = {
        "type": "object",
        "properties": {"parts": {"anyOf": [{"type": "array", "items": part}, {"type": "null"}]}},
        "required": ["parts"],
    }
    assert bring_back({"parts": [{"n": None}, {"n": 1}]}, shape) == {"parts": [{}, {"n": 1}]}


def test_what_may_be_left_out_may_be_null_on_the_wire():
    shape = {
        "type": "object",
        "properties": {
            "a": {"type": "string"},
            "b": {"enum": ["x"]},
            "c": {"$ref": "#/$defs/Node"},
            "d": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        },
        "$defs": {"Node": NODE},
    }
    wire = schema_for_wire(shape)
    nothing = dict.fromkeys("abcd")
    assert wire.is_strict
    assert fits(nothing, wire.schema)
    assert bring_back(nothing, shape) == {}
