"""The older builder, and steps by the keys of the reference page."""

import pytest
from pydantic import BaseModel

from portia_nb import (
    Config,
    LLMStep,
    Plan,
    PlanBuilder,
    PlanContext,
    Portia,
    SingleToolAgentStep,
    Step,
    StepOutput,
    StepV2,
    Variable,
    tool,
)
from portia_nb.errors import PlanCheckError
from portia_nb.model.language import ModelReply, ToolCall
from tests.planning.answers import Answering


class Verdict(BaseModel):
    warm: bool


def test_each_step_has_its_tool_output_inputs_and_condition():
    plan = (
        PlanBuilder("How warm is it?", structured_output_schema=Verdict)
        .plan_input("$city", "where")
        .step("Look it up", "weather_tool", "$sky")
        .input("city")
        .step("Judge it", output="verdict", inputs=[Variable(name="$sky")])
        .condition("There is any weather", step_index=1)
        .build()
    )
    sky, verdict = plan.steps
    assert isinstance(sky, SingleToolAgentStep)
    assert isinstance(verdict, LLMStep)
    assert plan.plan_context == PlanContext(query="How warm is it?", tool_ids=("weather_tool",))
    assert [i.name for i in plan.plan_inputs] == ["city"]
    assert (sky.name, sky.inputs[0].name) == ("sky", "$city")
    assert (verdict.output, verdict.condition) == ("$verdict", "There is any weather")
    assert plan.needs(verdict) == ("sky",)
    assert plan.structured_output_schema is not None
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_outputs_are_numbered_where_none_is_named():
    plan = PlanBuilder().step("a").step("b").build()
    assert [step.output for step in plan.steps] == ["$output_0", "$output_1"]


def test_input_goes_to_the_step_that_is_meant():
    plan = PlanBuilder().step("a", output="a").step("b").step("c").input("$a", step_index=1).build()
    assert [len(step.inputs) for step in plan.steps] == [0, 1, 0]


@pytest.mark.parametrize("call", ["input", "variable", "condition"])
def test_there_must_be_a_step_to_give_to(call):
    with pytest.raises(ValueError, match="there is no step yet; call step"):
        getattr(PlanBuilder(), call)("x")
    with pytest.raises(ValueError, match="no step 1: the steps so far are 0 to 0"):
        getattr(PlanBuilder().step("a"), call)("x", step_index=1)


def test_what_cannot_run_is_refused_when_it_is_built():
    with pytest.raises(PlanCheckError, match="no steps"):
        PlanBuilder("q").build()
    with pytest.raises(PlanCheckError, match="refers to 'weather'"):
        PlanBuilder("q").step("a").input("$weather").build()


async def test_a_plan_of_the_older_builder_runs():
    @tool
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"sun in {city}"

    class Choosing(Answering):
        async def reply(self, request, *, on_text=None):
            self.requests.append(request)
            if len(self.requests) == 1:
                return ModelReply(tool_calls=(ToolCall("1", "weather", {"city": "Oslo"}),))
            return ModelReply(text="warm")

    model = Choosing()
    plan = (
        PlanBuilder("Is it warm?")
        .plan_input("city")
        .step("Look it up", "weather", "$sky")
        .input("$city")
        .step("Judge it", output="$verdict")
        .variable("$said", StepOutput("sky"))
        .build()
    )
    portia = Portia(Config(store="memory", default_model=model), tools=[weather()])
    run = await portia.arun_plan(plan, plan_run_inputs={"city": "Oslo"})
    assert run.outputs.step_outputs["$sky"].value == "sun in Oslo"
    assert run.outputs.final_output.value == "warm"
    assert '"said":"sun in Oslo"' in model.requests[1].messages[1].content


def test_step_makes_the_kind_that_its_tool_means():
    plain = Step(task="t", output="$a")
    agent = Step(task="t", output="$b", tool_id="search_tool", inputs=[Variable(name="$a")])
    assert (type(plain), type(agent)) == (LLMStep, SingleToolAgentStep)
    assert isinstance(plain, Step)
    assert isinstance(agent, StepV2)
    assert not isinstance("step", Step)
    assert issubclass(LLMStep, Step)
    plan = Plan(plan_context=PlanContext(query="q"), steps=[plain, agent])
    assert [step.name for step in plan.steps] == ["a", "b"]


def test_step_is_read_from_json_and_stands_as_a_fields_type():
    class Holder(BaseModel):
        steps: list[Step]

    data = {"task": "t", "inputs": [], "tool_id": "x", "output": "$a"}
    assert Step.model_validate(data) == Step.model_validate_json(
        '{"task":"t","inputs":[],"tool_id":"x","output":"$a"}'
    )
    assert Holder(steps=[data]).steps == [Step(**data)]
