import pytest

from portia_nb.model.json_schema import fits, schema_violations

TREE = {
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
            "required": ["name"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/Node",
}

FITTING = [
    (3, {"type": "integer"}),
    (3.0, {"type": "integer"}),
    (None, {"type": ["string", "null"]}),
    ("a", {"anyOf": [{"type": "string"}, {"type": "null"}]}),
    ("a", {"enum": ["a", 1]}),
    ({}, {"type": "object"}),
    ([1, 2], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
    (["a", 1, 2], {"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}),
    ({"name": "a", "children": [{"name": "b"}]}, TREE),
    (0.3, {"multipleOf": 0.1}),
    ("ab", {"pattern": "^a"}),
    ("ab", {"pattern": "(?<broken"}),
    ({"a": 1}, {"additionalProperties": {"type": "integer"}}),
    (1, True),
    (1, {"x-unknown": 1}),
]
NOT_FITTING = [
    (True, {"type": "integer"}, "True is not an integer"),
    (3.5, {"type": "integer"}, "is not an integer"),
    (True, {"enum": [1]}, "is none of"),
    ("b", {"const": "a"}, "'b' is not 'a'"),
    ({}, {"required": ["x"]}, "'x' is missing"),
    ({"y": 1}, {"properties": {"x": True}, "additionalProperties": False}, "'y' is not allowed"),
    ({"a": "b"}, {"additionalProperties": {"type": "integer"}}, "a: 'b' is not an integer"),
    ([1, "a"], {"items": {"type": "integer"}}, "[1]: 'a' is not an integer"),
    ([1, 1], {"uniqueItems": True}, "non-unique"),
    ([], {"minItems": 1}, "non-empty"),
    ([1, 2], {"maxItems": 1}, "too long"),
    ("a", {"minLength": 2}, "too short"),
    ("abc", {"maxLength": 2}, "too long"),
    ("b", {"pattern": "^a"}, "doesn't match"),
    (1, {"minimum": 2}, "less than the minimum"),
    (3, {"maximum": 2}, "greater than the maximum"),
    (2, {"exclusiveMinimum": 2}, "less than or equal to"),
    (2, {"exclusiveMaximum": 2}, "greater than or equal to"),
    (3, {"multipleOf": 2}, "not a multiple"),
    (1, {"not": {"type": "integer"}}, "should not be valid"),
    (1, {"oneOf": [{"type": "integer"}, {"minimum": 0}]}, "valid under each of"),
    (1, {"allOf": [{"type": "integer"}, {"minimum": 2}]}, "less than the minimum"),
    (1, {"anyOf": [{"type": "string"}, {"type": "null"}]}, "is not a string"),
    ({"name": "a", "children": [{"title": "b"}]}, TREE, "children[0]: 'name' is missing"),
    (1, {"$ref": "#/$defs/Nowhere"}, "points nowhere"),
    (1, {"$ref": "https://example.org/schema.json"}, "points nowhere"),
    (1, False, "nothing is allowed"),
    ({"toolong": 1}, {"propertyNames": {"maxLength": 3}}, "too long"),
]


@pytest.mark.parametrize(("value", "schema"), FITTING)
def test_what_fits_has_no_violations(value, schema):
    assert schema_violations(value, schema) == []
    assert fits(value, schema)


@pytest.mark.parametrize(("value", "schema", "says"), NOT_FITTING)
def test_what_does_not_fit_is_said_in_words(value, schema, says):
    violations = schema_violations(value, schema)
    assert says in violations[0]
    assert not fits(value, schema)


def test_a_schema_that_refers_to_itself_for_ever_ends_in_a_violation():
    assert "too deep" in schema_violations(1, {"$ref": "#"})[0]


def test_at_most_twenty_violations_are_listed():
    assert len(schema_violations(["a"] * 1000, {"items": {"type": "integer"}})) == 20


def test_of_alternatives_the_one_that_came_nearest_is_spoken_of():
    city = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    query = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    closed = [{**shape, "additionalProperties": False} for shape in (city, query)]
    assert schema_violations({"query": 7}, {"anyOf": closed}) == ["query: 7 is not a string"]


def test_no_reference_is_fetched(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    assert "points nowhere" in schema_violations(1, {"$ref": "http://127.0.0.1:9/x.json"})[0]
