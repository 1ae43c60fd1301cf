"""`Tool`: description, arguments, names on the wire, and the context it is given."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from portia_nb.config import Config
from portia_nb.errors import InvalidToolDescriptionError, ToolSoftError
from portia_nb.tools.base import MAX_DESCRIPTION_CHARS, NoArguments, Tool, to_tool, wire_name
from portia_nb.tools.context import ToolRunContext
from portia_nb.tools.decorator import tool


class Ask(BaseModel):
    city: str = Field(min_length=1)
    days: int = Field(default=1, ge=1)


class Forecast(Tool[str]):
    id: str = "forecast"
    name: str = "Forecast"
    description: str = "Tells the weather of coming days."
    args_schema: type[BaseModel] = Ask
    output_schema: tuple[str, str] = ("str", "A sentence.")

    def run(self, ctx: ToolRunContext, city: str, days: int = 1) -> str:
        return f"{city} {days}"


def make(**fields: Any) -> Tool[Any]:
    return Forecast(**fields)


@pytest.mark.parametrize("tool_id", ["a", "mcp:server:tool", "a-b_c.d", "größe", "with space"])
def test_an_id_may_be_any_text_on_one_line(tool_id: str) -> None:
    assert make(id=tool_id).id == tool_id


@pytest.mark.parametrize("tool_id", ["", "  ", "a,b", "a\nb", "a\x1b[31m", "a\u202eb"])
def test_an_id_with_a_comma_or_control_character_is_refused(tool_id: str) -> None:
    with pytest.raises(InvalidToolDescriptionError, match="no comma"):
        make(id=tool_id)


def test_description_and_schema_may_have_16384_characters_together() -> None:
    room = MAX_DESCRIPTION_CHARS - len(
        '{"properties": {}, "type": "object"}'
    )  # the least that a schema needs
    with pytest.raises(InvalidToolDescriptionError, match="16,384 are allowed"):
        make(description="x" * room)
    used = _size(make(description=""))
    longest = MAX_DESCRIPTION_CHARS - used
    assert make(description="x" * longest).description
    with pytest.raises(InvalidToolDescriptionError, match="'forecast'"):
        make(description="x" * (longest + 1))


def _size(made: Tool[Any]) -> int:
    import json

    return len(made.description) + len(json.dumps(made.json_schema(), ensure_ascii=False))


def test_a_misspelt_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="side_efect"):
        make(side_efect=True)


@pytest.mark.parametrize("fields", [{"retries": -1}, {"timeout_s": 0}, {"loop": "other"}])
def test_a_setting_out_of_range_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make(**fields)


def test_run_and_args_schema_must_name_the_same_arguments() -> None:
    class Wrong(Forecast):
        def run(self, ctx: ToolRunContext, town: str) -> str:  # type: ignore[override]
            return town

    class Open(Forecast):
        def run(self, ctx: ToolRunContext, **arguments: Any) -> str:
            return str(arguments)

    class Neither(Tool[str]):
        id: str = "neither"
        name: str = "Neither"
        description: str = "Does nothing."

    with pytest.raises(InvalidToolDescriptionError, match=r"run takes town.*has city, days"):
        Wrong()
    assert Open()
    with pytest.raises(InvalidToolDescriptionError, match="neither run nor arun"):
        Neither()


@pytest.mark.parametrize(
    ("raw", "parsed"),
    [
        ({"city": "Oslo"}, {"city": "Oslo", "days": 1}),
        ({"city": "Oslo", "days": 3}, {"city": "Oslo", "days": 3}),
        ({"city": "{{ x }} {0}", "days": "3"}, {"city": "{{ x }} {0}", "days": 3}),
    ],
)
def test_arguments_are_checked_and_defaults_filled_in(
    raw: dict[str, Any], parsed: dict[str, Any]
) -> None:
    assert make().parse_arguments(raw) == parsed


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    ("raw", "problems"),
    [
        ({}, ["argument 'city' is missing"]),
        ({"city": 5}, ["argument 'city' is 5: input should be a valid string"]),
        ({"city": None}, ["argument 'city' is None: input should be a valid string"]),
        (
            {"city": "x", "days": 0},
            ["argument 'days' is 0: input should be greater than or equal to 1"],
        ),
        ({"city": "x", "day": 1}, ["'day' is not an argument: did you mean 'days'?"]),
        ({"city": "x", "zzz": 1}, ["'zzz' is not an argument: it takes city, days"]),
        (
            {"city": "x", "days": "y" * 500},
            [
                f"argument 'days' is '{'y' * 78}…: input should be a valid integer, unable to "
                "parse string as an integer"
            ],
        ),
        (
            {"city": Unshowable()},
            ["argument 'city' is a Unshowable: input should be a valid string"],
        ),
        (
            {"town": "x", "days": "y"},
            [
                "'town' is not an argument: it takes city, days",
                "argument 'city' is missing",
                "argument 'days' is 'y': input should be a valid integer, unable to parse string "
                "as an integer",
            ],
        ),
    ],
)
def test_wrong_arguments_are_named_with_what_was_found_and_what_is_right(
    raw: dict[str, Any], problems: list[str]
) -> None:
    assert make().argument_problems(raw) == problems
    with pytest.raises(ToolSoftError, match="'forecast'") as caught:
        make().parse_arguments(raw)
    assert caught.value.facts["problems"] == tuple(problems)
    assert all(problem in str(caught.value) for problem in problems)


def test_arguments_whose_values_are_not_known_yet_are_checked_by_name_only() -> None:
    made = make()
    assert made.argument_problems({"days": 2}, unknown=["city"]) == []
    assert made.argument_problems({"days": 0}, unknown=["city"]) != []
    assert made.argument_problems({}, unknown=["days"]) == ["argument 'city' is missing"]
    assert made.argument_problems({"city": "x"}, unknown=["dayz"]) == [
        "'dayz' is not an argument: did you mean 'days'?"
    ]


def test_a_schema_that_allows_extra_arguments_passes_them_on() -> None:
    class Loose(BaseModel):
        model_config = ConfigDict(extra="allow")
        n: int

    class Taker(Tool[Any]):
        id: str = "taker"
        name: str = "Taker"
        description: str = "Takes all."
        args_schema: type[BaseModel] = Loose

        def run(self, ctx: ToolRunContext, **arguments: Any) -> Any:
            return arguments

    assert Taker().parse_arguments({"n": "1", "more": [2]}) == {"n": 1, "more": [2]}
    assert Taker().json_schema()["additionalProperties"] is True


def test_a_tool_without_arguments_needs_no_schema() -> None:
    class Now(Tool[float]):
        id: str = "now"
        name: str = "Now"
        description: str = "Tells the time."

        async def arun(self, ctx: ToolRunContext) -> float:
            return 0.0

    assert Now().args_schema is NoArguments
    assert Now().is_async
    assert Now().json_schema()["properties"] == {}
    assert Now().parse_arguments({}) == {}


@pytest.mark.parametrize("tool_id", ["calculator_tool", "a-B_9", "x" * 64])
def test_a_plain_id_is_its_own_name_on_the_wire(tool_id: str) -> None:
    assert wire_name(tool_id) == tool_id


def test_ids_that_differ_never_share_a_name_on_the_wire() -> None:
    ids = [
        "mcp:a:b",
        "mcp_a_b",
        "mcp:a_b",
        "mcp a b",
        "größe",
        "日本",
        "本日",
        "x" * 65,
        "x" * 66,
        ":",
    ]
    assert len({wire_name(each) for each in ids}) == len(ids)


@given(st.text(min_size=1, max_size=200))
def test_every_id_has_a_name_that_apis_take(tool_id: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", wire_name(tool_id))


def test_the_spec_for_a_model_holds_name_description_and_schema() -> None:
    spec = make(id="mcp:weather:forecast").to_spec()
    assert spec.name.startswith("mcp_weather_forecast_")
    assert spec.description == "Tells the weather of coming days."
    assert spec.parameters["required"] == ["city"]


def test_an_instance_a_class_and_a_decorated_function_are_tools() -> None:
    @tool
    def decorated() -> None:
        """Do nothing."""

    made = make()
    assert to_tool(made) is made
    assert to_tool(Forecast).id == "forecast"
    assert to_tool(decorated).id == "decorated"


@pytest.mark.parametrize(
    ("given_tool", "words"),
    [
        (print, "decorate it with @tool"),
        (lambda: 1, "decorate it with @tool"),
        ("search_tool", "'search_tool' is no tool"),
        (None, "None is no tool"),
        (BaseModel, "is no tool"),
        (Tool, "give the instance instead of the class"),
    ],
)
def test_what_is_no_tool_is_refused_with_a_hint(given_tool: Any, words: str) -> None:
    with pytest.raises(InvalidToolDescriptionError) as caught:
        to_tool(given_tool)
    assert words in str(caught.value)


def test_a_context_is_read_only_and_reads_the_run_only_when_asked() -> None:
    asked: list[int] = []

    def snapshot() -> Any:
        asked.append(1)
        return "the run"

    context = ToolRunContext(config=Config(), plan_run=snapshot, attempt=2, idempotency_key="k")
    assert (context.attempt, context.idempotency_key, context.clarifications) == (2, "k", ())
    assert asked == []
    assert context.plan_run == "the run"
    assert asked == [1]
    assert ToolRunContext(config=Config(), plan_run=None).plan_run is None
    with pytest.raises(AttributeError, match="read-only"):
        context.attempt = 3
    with pytest.raises(AttributeError, match="read-only"):
        del context.attempt


def test_a_context_is_cheap_to_make() -> None:
    config = Config()
    started = time.thread_time()
    for _ in range(10_000):
        ToolRunContext(config=config, step="a", attempt=1)
    assert (time.thread_time() - started) / 10_000 < 50e-6
