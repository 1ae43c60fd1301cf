"""N14: answers that must have a shape are read as meant, or refused with what would do."""

import datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from portia_nb.errors import InvalidAnswer
from portia_nb.model.answer_shape import asked_schema, hint_of, kind_of, limits, read_shaped
from portia_nb.model.callables import SchemaRef
from portia_nb.model.clarification import CustomClarification, InputClarification


class Person(BaseModel):
    name: str
    age: int


Few = Annotated[int, Field(ge=1, le=9)]
Colours = list[Literal["red", "blue"]]


def schema_of(given: Any) -> dict[str, Any]:
    return SchemaRef.of(given).json_schema


@pytest.mark.parametrize(
    ("given", "typed", "meant"),
    [
        (int, " 3 ", 3),
        (int, 3.0, 3),
        (int | None, "4", 4),
        (Few, "9", 9),
        (float, "2.5", 2.5),
        (float, "7", 7),
        (bool, "Yes", True),
        (bool, False, False),
        (datetime.date, "2026-02-28", "2026-02-28"),
        (datetime.date, datetime.date(2026, 2, 28), "2026-02-28"),
        (datetime.time, "09:30", "09:30:00"),
        (datetime.datetime, "2026-02-28T09:30", "2026-02-28T09:30:00"),
        (list[str], "a, b", ["a", "b"]),
        (list[str], "one, still one\ntwo\n", ["one, still one", "two"]),
        (list[int], "[1, 2]", [1, 2]),
        (list[int], ("1", 2), [1, 2]),
        (Colours, ["red"], ["red"]),
        (Person, '{"name": "Ada", "age": 36}', {"name": "Ada", "age": 36}),
        (list[Person], [{"name": "Ada", "age": 36}], [{"name": "Ada", "age": 36}]),
        ({"type": "string", "pattern": "^[A-Z]{4}$"}, "AMZN", "AMZN"),
    ],
)
def test_text_is_read_as_the_value_that_it_stands_for(given: Any, typed: Any, meant: Any):
    assert read_shaped(typed, schema_of(given)) == meant
    assert type(read_shaped(typed, schema_of(given))) is type(meant)


@pytest.mark.parametrize(
    ("given", "typed", "says"),
    [
        (int, "many", "write a whole number, such as 3"),
        (int, "3.5", "write a whole number"),
        (int, True, "write a whole number"),
        (float, "nan", "write a number"),
        (Few, "0", "0 won't do: it must be at least 1"),
        (Few, "12", "12 won't do: it must be at most 9"),
        ({"type": "number", "exclusiveMinimum": 0}, "0", "must be more than 0"),
        (bool, "perhaps", "answer yes or no"),
        (datetime.date, "2026-02-30", "write a date, such as"),
        (datetime.time, "9 o'clock", "write a time of day"),
        (list[int], "1, x", "'x': write a whole number"),
        (list[Few], "1, 12", "'12': 12 won't do: it must be at most 9"),
        (Annotated[list[str], Field(min_length=2)], "a", "at least 2 items, not 1"),
        (Annotated[str, Field(max_length=1)], "ab", "at most 1 character, not 2"),
        (Colours, ["green"], "'green' is not offered: choose among 'red', 'blue'"),
        (Person, '{"name": "Ada"}', "'age' is missing"),
        (Person, "{", "write JSON"),
        (list[Person], [{"name": "Ada"}], "'age' is missing"),
        ({"type": "string", "pattern": "^[A-Z]{4}$"}, "amzn", "doesn't match"),
        ({"type": "string", "minLength": 1}, 5, "write text"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would_do(given: Any, typed: Any, says: str):
    with pytest.raises(ValueError) as caught:
        read_shaped(typed, schema_of(given))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("given", "kind", "hint", "bounds"),
    [
        (Few, "integer", "a whole number, 1 to 9", {"min": 1, "max": 9}),
        (bool, "boolean", "yes or no", {}),
        (datetime.datetime, "datetime", "a date and a time", {}),
        (list[float], "list", "a list, separated by commas", {}),
        (Colours, "several", "", {"options": ["red", "blue"]}),
        (Person | None, "json", 'JSON, such as {"name": "text", "age": 3}', {}),
        (dict[str, int], "json", "JSON", {}),
        (str, "text", "", {}),
    ],
)
def test_each_shape_has_its_field(given: Any, kind: str, hint: str, bounds: dict[str, Any]):
    schema = schema_of(given)
    assert (kind_of(schema), hint_of(schema), limits(schema)) == (kind, hint, bounds)


def test_an_argument_that_takes_any_text_needs_no_schema():
    root = {
        "properties": {
            "free": {"type": "string", "description": "Any."},
            "any": {},
            "who": {"$ref": "#/$defs/Person"},
            "few": {"type": "integer"},
        },
        "$defs": {"Person": {"type": "object", "properties": {"age": {"type": "integer"}}}},
    }
    found = {name: asked_schema(shape, root) for name, shape in root["properties"].items()}
    assert found["free"] is None and found["any"] is None and asked_schema(True, root) is None
    assert found["few"] == {"type": "integer"}
    assert found["who"] is not None and kind_of(found["who"]) == "json"
    with pytest.raises(ValueError, match="age"):
        read_shaped({"age": "old"}, found["who"])


@pytest.mark.parametrize("kind", [InputClarification, CustomClarification])
def test_a_question_with_a_schema_takes_only_what_fits(kind: type[InputClarification]):
    question = kind(user_guidance="How many?", answer_schema={"type": "integer"})
    assert question.answered("3").response == 3
    with pytest.raises(InvalidAnswer, match="whole number"):
        question.answered("many")
    assert "answer_schema" not in kind(user_guidance="?").model_dump()
