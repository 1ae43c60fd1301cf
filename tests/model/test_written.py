"""Steps written with the SDK's keywords, which have a `step_name`."""

import pytest
from pydantic import BaseModel, ValidationError

from portia_nb import (
    Config,
    FunctionStep,
    Input,
    InvokeToolStep,
    LLMStep,
    Plan,
    PlanBuilderV2,
    Portia,
    ReActAgentStep,
    SingleToolAgentStep,
    StepOutput,
    UserInputStep,
    UserVerifyStep,
    tool,
)
from portia_nb.model.reference import Value
from tests.planning.answers import Answering


class Point(BaseModel):
    x: int


@tool
def double(n: int) -> int:
    """Double a number."""
    return 2 * n


def test_each_kind_of_step_reads_the_keywords_of_the_sdk():
    model = Answering()
    llm = LLMStep(
        step_name="said", task=f"Say {Input('word')}", inputs=[StepOutput("a"), "text"],
        output_schema=Point, model=model,
    )  # fmt: skip
    assert (llm.name, llm.output, llm.task) == ("said", "$said", "Say $word")
    assert [v.name for v in llm.inputs] == ["$a", "input_1"]
    assert llm.bound_model is model
    assert llm.output_schema is not None and llm.output_schema.type is Point
    call = InvokeToolStep(step_name="twice", tool=double(), args={"n": StepOutput("a")})
    assert (call.tool_id, call.args["n"]) == ("double", StepOutput("a"))
    assert call.bound_tool.id == "double"
    agent = SingleToolAgentStep(step_name="b", tool="search_tool", task="Find", inputs=[Input("q")])
    assert (agent.tool_id, agent.bound_tool, agent.task) == ("search_tool", None, "Find")
    react = ReActAgentStep(step_name="c", tools=["search_tool", double()], task="Do")
    assert react.tool_ids == ("search_tool", "double")
    assert [each.id for each in react.bound_tools] == ["double"]
    assert UserVerifyStep(step_name="d", message="Sure?").task == "Sure?"
    assert UserInputStep(step_name="e", message="Which?", options=["x"]).options == Value(["x"])


async def test_they_run_in_a_plan_or_behind_a_builder():
    first = FunctionStep(step_name="a", function=lambda: 3)
    second = InvokeToolStep(step_name="b", tool=double(), args={"n": StepOutput("a")})
    portia = Portia(Config(store="memory"), tools=[])
    for plan in (
        Plan(steps=[first, second]),
        PlanBuilderV2().add_step(first).add_step(second).build(),
    ):
        run = await portia.arun_plan(plan)
        assert run.outputs.final_output.value == 6


def test_a_dict_among_the_arguments_is_a_literal_never_a_reference():
    step = InvokeToolStep(step_name="a", tool="x", args={"q": {"step": "secret"}})
    assert step.args["q"] == Value({"step": "secret"})
    assert list(step.references()) == []


def test_without_a_step_name_fields_stay_strict():
    with pytest.raises(ValidationError, match="an argument is a dict"):
        UserVerifyStep(name="a", message="Sure?")
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        LLMStep(step_name="a", task="t", colour="red")
