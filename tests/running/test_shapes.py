"""Outputs in the shape that a schema asks for: of each kind of step, of runs, mended or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field

from portia_nb import LocalDataValue, PlanBuilderV2, tool
from portia_nb.model.callables import SchemaRef
from portia_nb.model.language import DataAnswer, ModelReply, ToolCall
from portia_nb.running.shaped import TRIES, fit
from tests.planning.answers import Answering

from .stage import Stage


class Sky(BaseModel):
    city: str
    degrees: int = Field(ge=-90)


AS_DICT = {"city": "Oslo", "degrees": "7"}
OSLO = Sky(city="Oslo", degrees=7)
TEXT = "Seven degrees in Oslo."


def _report(how: str) -> Any:
    return {"dict": AS_DICT, "model": OSLO, "json": '{"city": "Oslo", "degrees": 7}'}.get(how, TEXT)


@tool(side_effect=False)
def report(how: str) -> Any:
    """Tell of the sky, in one way or another."""
    return _report(how)


def _chosen(how: str) -> ModelReply:
    return ModelReply(tool_calls=(ToolCall("1", "report", {"how": how}),), model="test/model")


BUILDS: dict[str, Callable[[PlanBuilderV2, str], Any]] = {
    "function": lambda b, how: b.function_step(
        function=lambda: _report(how), output_schema=Sky, side_effect=False
    ),
    "tool": lambda b, how: b.invoke_tool_step(tool=report, args={"how": how}, output_schema=Sky),
    "agent": lambda b, how: b.single_tool_agent_step(tool=report, task="?", output_schema=Sky),
    "final": lambda b, how: b.invoke_tool_step(tool=report, args={"how": how}).final_output(Sky),
    "sub_plan": lambda b, how: b.add_sub_plan(
        PlanBuilderV2("inside").invoke_tool_step(tool=report, args={"how": how})
        .final_output(Sky).build()
    ),
}  # fmt: skip


def _stage(kind: str, how: str, *answers: Any) -> tuple[Stage, Answering]:
    model = Answering(*([_chosen(how)] if kind == "agent" else []), *answers)
    return Stage(BUILDS[kind](PlanBuilderV2(), how).build(), model=model), model


@pytest.mark.parametrize("kind", BUILDS)
@pytest.mark.parametrize("how", ["dict", "model", "json"])
async def test_what_fits_is_taken_without_a_model_call(kind: str, how: str) -> None:
    stage, model = _stage(kind, how)
    run = await stage.run()
    assert run.final_output is not None and run.final_output.value == OSLO, run.error
    assert len(model.requests) == (kind == "agent")


@pytest.mark.parametrize("kind", BUILDS)
async def test_what_does_not_fit_is_restated_by_a_model_and_mended(kind: str) -> None:
    stage, model = _stage(kind, "text", {"city": "Oslo", "degrees": -273}, AS_DICT)
    run = await stage.run()
    assert run.final_output is not None and run.final_output.value == OSLO, run.error
    asked = [r for r in model.requests if isinstance(r.answer, DataAnswer)]
    assert len(asked) == 2
    assert TEXT in asked[0].messages[-1].content
    assert "degrees" in asked[1].messages[-1].content, "told what was wrong"


@pytest.mark.parametrize("kind", BUILDS)
async def test_what_never_fits_fails_with_the_last_problem(kind: str) -> None:
    stage, _ = _stage(kind, "text", *[{"city": "Oslo", "degrees": -273}] * TRIES)
    run = await stage.run()
    assert run.state == "FAILED" and run.error is not None
    assert run.error.type == "InvalidAgentOutputError"
    assert f"{TRIES} answers that don't fit Sky" in run.error.message
    assert "degrees" in run.error.message


async def test_a_model_step_answers_in_its_shape_at_once() -> None:
    model = Answering({"value": [1, "x"]}, {"value": [1, 2]})
    plan = PlanBuilderV2().llm_step(task="Count", output_schema=list[int]).build()
    run = await Stage(plan, model=model).run()
    assert run.final_output is not None and run.final_output.value == [1, 2]
    assert "Input should be a valid integer" in model.requests[1].messages[-1].content


SCHEMA = {
    "title": "Sky",
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
}


def test_json_text_fits_a_json_schema_as_it_fits_a_class() -> None:
    text = '{"city": "Oslo", "degrees": 7}'
    assert fit(text, SchemaRef.of(SCHEMA)) == {"city": "Oslo", "degrees": 7}
    assert fit(text, SchemaRef.of(Sky)) == OSLO
    assert fit("[1]", SchemaRef.of({"type": "array", "items": {"type": "integer"}})) == [1]
    assert fit('"[1]"', SchemaRef.of({"type": "string"})) == '"[1]"', "text that is wanted stays"
    for bad in ("no JSON", '{"city": "Oslo"}', "[1]"):
        with pytest.raises(ValueError, match=r"."):
            fit(bad, SchemaRef.of(SCHEMA))


@pytest.mark.parametrize("kind", ["tool", "agent"])
async def test_a_tool_may_ask_for_the_shape_and_a_summary_of_what_it_puts_out(kind: str) -> None:
    @tool(side_effect=False, structured_output_schema=Sky, should_summarize=True)
    def look(how: str) -> Any:
        """Look at the sky."""
        return _report(how)

    builder, chosen = PlanBuilderV2(), []
    if kind == "tool":
        builder.invoke_tool_step(tool=look, args={"how": "text"}, step_name="look")
    else:
        builder.single_tool_agent_step(tool=look, task="Look", step_name="look")
        chosen = [ModelReply(tool_calls=(ToolCall("1", "look", {"how": "text"}),), model="m")]
    model = Answering(*chosen, AS_DICT, ModelReply("It is mild.", model="test/model"))
    run = await Stage(builder.build(), model=model).run()
    assert run.outputs["look"].value == OSLO, run.error
    assert run.outputs["look"].summary == "It is mild."
    assert [r.purpose for r in model.requests][-2:] == ["execution", "summary"]


async def test_a_summary_that_a_tool_gives_itself_costs_no_model_call() -> None:
    @tool(side_effect=False, should_summarize=True)
    def look() -> Any:
        """Look at the sky."""
        return LocalDataValue(value=[1, 2], summary="two")

    plan = PlanBuilderV2().invoke_tool_step(tool=look, step_name="look").build()
    run = await Stage(plan, model=Answering()).run()
    assert run.outputs["look"].summary == "two", run.error


async def test_a_steps_own_shape_goes_before_its_tools() -> None:
    @tool(side_effect=False, structured_output_schema=Sky)
    def look() -> Any:
        """Look at the sky."""
        return [1, 2]

    plan = PlanBuilderV2().invoke_tool_step(tool=look, output_schema=list[int]).build()
    run = await Stage(plan, model=Answering()).run()
    assert run.final_output is not None and run.final_output.value == [1, 2]
