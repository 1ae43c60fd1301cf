"""Outputs in the shape that a schema asks for: of each kind of step, of runs, mended or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field

from portia_nb import PlanBuilderV2, tool
from portia_nb.model.callables import SchemaRef
from portia_nb.model.language import DataAnswer, ModelReply, ToolCall
from portia_nb.running.models import TRIES, fit
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
