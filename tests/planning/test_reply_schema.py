"""The schema of a plan: each tool's own arguments, within the limits of strict outputs."""

import json
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model

from portia_nb.llm.strict import schema_for_wire
from portia_nb.model.json_schema import fits
from portia_nb.planning.reply_schema import reply_schema
from portia_nb.tools.base import Tool
from portia_nb.tools.examples import example_tools, open_source_tools
from tests.planning.answers import planned
from tests.servers.strict_schema import strict_schema_violations


class AnyTool(Tool[Any]):
    name: str = "Any"
    description: str = "Takes anything."

    def run(self, ctx, **arguments):
        return arguments


def tool_of(arguments: type[BaseModel], tool_id: str = "t") -> Tool[Any]:
    return AnyTool(id=tool_id, args_schema=arguments)


def tool_taking(kind: Any, tool_id: str = "t") -> Tool[Any]:
    return tool_of(create_model("Arguments", x=(kind, ...)), tool_id)


class Point(BaseModel):
    x: float
    y: float


class Route(BaseModel):
    stops: list[Point]
    label: str | None = None


class Step(BaseModel):
    step: str
    path: str | None = None


class Tree(BaseModel):
    children: list["Tree"]


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


def allows(tool: Tool[Any], **args: Any) -> bool:
    schema = reply_schema([tool], has_inputs=True).schema
    return fits({"steps": [planned("s", "t", args=args)]}, schema)


@pytest.mark.parametrize("has_inputs", [True, False])
@pytest.mark.parametrize("tools", [[], example_tools(), open_source_tools()])
def test_the_schema_of_the_built_in_tools_is_strict(tools, has_inputs):
    made = reply_schema(tools, has_inputs=has_inputs)
    wire = schema_for_wire(made.schema)
    assert wire.is_strict
    assert strict_schema_violations(wire.schema) == []
    assert made.untyped == frozenset()


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (str, ["a", {"parts": ["a", {"step": "s"}]}], [5, ["a"]]),
        (int, [5], ["a", 1.5, {"parts": ["a"]}]),
        (float, [5, 1.5], ["a"]),
        (bool, [True], [1, "a"]),
        (list[str], [["a"], []], [[1], "a"]),
        (Literal["a", "b"], ["a"], ["c"]),
        (int | str, [1, "a"], [1.5]),
        (str | None, ["a"], [1]),
        (Point, [{"value": {"x": 1, "y": 2}}], [{"x": 1, "y": 2}, {"value": {"x": "a", "y": 2}}]),
        (list[Point], [[{"x": 1, "y": 2}]], [[{"x": 1}], {"value": [{"x": 1, "y": 2}]}]),
        (Route, [{"value": {"stops": [{"x": 1, "y": 2}]}}], [{"value": {"stops": "a"}}]),
        (Step, [{"value": {"step": "a"}}], [{"step": 5}]),
    ],
)
def test_an_argument_is_a_literal_of_its_type_or_a_reference(kind, good, bad):
    tool = tool_taking(kind)
    references = [{"step": "$s"}, {"step": "s", "path": "a.0"}, {"input": "$i"}]
    for value in [*good, *references]:
        assert allows(tool, x=value), value
    for value in [*bad, {"step": "s", "extra": 1}, {"template": "{{x}}"}]:
        assert not allows(tool, x=value), value
    assert allows(tool)  # left open
    assert allows(tool, x=None)
    assert not allows(tool, y=1)
    wire = schema_for_wire(reply_schema([tool], has_inputs=True).schema)
    assert strict_schema_violations(wire.schema) == []


def test_without_plan_inputs_none_can_be_referred_to():
    schema = reply_schema([tool_taking(str)], has_inputs=False).schema
    assert not fits({"steps": [planned("s", "t", args={"x": {"input": "i"}})]}, schema)


@pytest.mark.parametrize("arguments", [
    create_model("A", x=(dict[str, Any], ...)), create_model("A", x=(Any, ...)),
    create_model("A", x=(Tree, ...)), create_model("A", x=(tuple[int, str], ...)), Open,
])  # fmt: skip
def test_what_strict_outputs_cannot_say_comes_as_json_text(arguments):
    odd, plain = tool_of(arguments, "odd"), tool_taking(int, "plain")
    made = reply_schema([odd, plain], has_inputs=False)
    assert made.untyped == {"odd"}
    assert fits({"steps": [planned("s", "odd", args={"args_json": "{}"})]}, made.schema)
    assert fits({"steps": [planned("s", "plain", args={"x": 1})]}, made.schema)
    wire = schema_for_wire(made.schema)
    assert wire.is_strict
    assert strict_schema_violations(wire.schema) == []


@pytest.mark.parametrize("kind", [
    Literal[tuple(f"choice {i}" for i in range(600))],
    Literal[tuple("x" * 900 + str(i) for i in range(80))],
])  # fmt: skip
def test_what_is_too_large_for_a_provider_comes_as_json_text(kind):
    tools = [AnyTool.model_construct(id="t", args_schema=create_model("A", x=(kind, ...)),
                                     description="d"), tool_taking(int, "u")]  # fmt: skip
    tools[0]._schema = None
    made = reply_schema(tools, has_inputs=False)
    assert made.untyped == {"t", "u"}
    assert strict_schema_violations(schema_for_wire(made.schema).schema) == []


class Odd(AnyTool):
    definitions: dict[str, Any]

    def json_schema(self):
        return {
            "type": "object",
            "properties": {"x": {"$ref": "#/$defs/d0"}},
            "$defs": self.definitions,
        }


def refer(*names):
    return {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in names]}


@pytest.mark.parametrize("definitions", [
    {f"d{i}": refer(f"d{i + 1}", f"d{i + 1}") for i in range(60)},
    {**{f"d{i}": refer(*[f"d{i + 1}"] * 40) for i in range(3)}, "d3": {"type": "string"}},
    {f"d{i}": refer(f"d{i + 1}") for i in range(5_000)},
    {"d0": refer("d0")}, {"d0": {"$ref": "#/$defs/d0"}}, {"d0": {"$ref": "#/$defs/d9"}}, {},
], ids=["doubling", "forty", "long", "circle", "self", "dangling", "missing"])  # fmt: skip
def test_definitions_that_have_no_end_do_not_stop_planning(definitions):
    tool = Odd.model_construct(id="t", definitions=definitions)
    assert reply_schema([tool], has_inputs=False).untyped == {"t"}


def test_many_tools_that_are_too_large_together_all_come_as_json_text():
    wide = create_model("A", **{f"field_{n}": (int, ...) for n in range(100)})
    tools = [tool_of(wide, f"tool_{i}") for i in range(30)]
    assert reply_schema(tools[:20], has_inputs=False).untyped == frozenset()
    assert reply_schema(tools, has_inputs=False).untyped == {tool.id for tool in tools}


def test_two_hundred_tools_are_typed_within_the_limits():
    tools = [tool_of(create_model("A", **{f"a{n}": (str, ...) for n in range(6)}), f"tool_{i}")
             for i in range(200)]  # fmt: skip
    made = reply_schema(tools, has_inputs=True)
    assert made.untyped == frozenset()
    wire = schema_for_wire(made.schema)
    assert wire.is_strict
    assert strict_schema_violations(wire.schema) == []


def test_a_tool_without_arguments_needs_none():
    made = reply_schema([tool_of(create_model("A"))], has_inputs=False)
    assert fits({"steps": [planned("s", "t")]}, made.schema)
    assert "$defs" not in made.schema


def test_descriptions_of_arguments_are_kept_and_limits_are_left_to_the_check():
    kind = create_model("A", x=(str, Field(description="where", max_length=3, pattern="a+")))
    text = json.dumps(reply_schema([tool_of(kind)], has_inputs=False).schema)
    assert "where" in text
    assert "maxLength" not in text
    assert "pattern" not in text


@pytest.mark.parametrize("reply", [
    {}, {"error": "no"}, {"steps": []}, {"steps": [planned("a")]},
    {"steps": [planned("a", condition="it rains")]}, {"steps": None, "error": "no"},
    {"steps": [planned("a", condition=None, args=None)], "error": None},
])  # fmt: skip
def test_what_need_not_be_said_may_be_left_out(reply):
    assert fits(reply, reply_schema(example_tools(), has_inputs=False).schema)


@pytest.mark.parametrize("step", [
    planned("a", "rocket"), planned("a", surprise=1), {"task": "t"}, planned("a", args=5),
    planned("a", "search_tool", args={"query": "x"}), planned("a", inputs=[]) | {"inputs": ["$b"]},
])  # fmt: skip
def test_other_steps_do_not_fit(step):
    assert not fits({"steps": [step]}, reply_schema(example_tools(), has_inputs=False).schema)
