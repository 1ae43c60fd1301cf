"""Plans built in code."""

import gc
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from portia_nb.errors import InvalidToolDescriptionError, PlanCheckError
from portia_nb.model.plan import (
    FunctionStep,
    InvokeToolStep,
    LLMStep,
    Plan,
    SingleToolAgentStep,
    UserInputStep,
    UserVerifyStep,
    Variable,
)
from portia_nb.model.reference import DictOf, Input, ListOf, Parts, StepOutput, Value
from portia_nb.planning.bound import built_plan, remember
from portia_nb.planning.builder import PlanBuilderV2
from portia_nb.tools.builtin.calculator import CalculatorTool
from tests.planning.answers import Answering


def double(n, by=2):
    return n * by


class City(BaseModel):
    name: str


def build(*calls: tuple[str, dict[str, Any]]) -> Plan:
    builder = PlanBuilderV2()
    for name, arguments in calls:
        assert getattr(builder, name)(**arguments) is builder
    return builder.build()


LLM = ("llm_step", {"task": "t"})
TOOL = ("invoke_tool_step", {"tool": "calculator_tool", "args": {"math_question": "1+1"}})


def test_the_pages_plan_is_built_as_the_page_builds_it():
    plan = (
        PlanBuilderV2()
        .single_tool_agent_step(step_name="amazon", task="Find Amazon", tool="search_tool")
        .single_tool_agent_step(step_name="google", task="Find Google", tool="search_tool")
        .llm_step(task="Compare", inputs=[StepOutput("amazon"), StepOutput("google")])
        .build()
    )
    assert plan.plan_context.query == "Run the plan built with the Plan Builder"
    assert plan.plan_context.tool_ids == ("search_tool",)
    assert [s.name for s in plan.steps] == ["amazon", "google", "step_2"]
    assert [s.output for s in plan.steps] == [f"$step_{i}_output" for i in range(3)]
    assert [v.name for v in plan.steps[2].inputs] == ["$amazon", "$google"]
    assert plan.needs(plan.steps[2]) == ("amazon", "google")


@pytest.mark.parametrize(
    ("call", "arguments", "kind", "fields"),
    [
        ("llm_step", {"task": "t", "system_prompt": "p", "model": "a/b"}, LLMStep,
         {"task": "t", "system_prompt": "p", "model": "a/b", "tool_id": "llm_tool"}),
        ("invoke_tool_step", {"tool": "x", "args": {"a": 1}, "side_effect": True}, InvokeToolStep,
         {"tool_id": "x", "args": {"a": Value(1)}, "side_effect": True, "task": "Call x"}),
        ("function_step", {"function": double, "args": {"n": 1}, "side_effect": False},
         FunctionStep, {"args": {"n": Value(1)}, "side_effect": False, "task": "Call double"}),
        ("single_tool_agent_step", {"tool": "x", "task": "t", "model": "a/b"},
         SingleToolAgentStep, {"tool_id": "x", "task": "t", "model": "a/b"}),
        ("user_verify", {"message": "go?", "default": True}, UserVerifyStep,
         {"message": Value("go?"), "task": "go?", "default": True}),
        ("user_input", {"message": "which?", "options": ("a", "b"), "default": "a"}, UserInputStep,
         {"message": Value("which?"), "options": Value(["a", "b"]), "default": "a"}),
        ("user_input", {"message": "which?"}, UserInputStep, {"options": None, "default": None}),
    ],
)  # fmt: skip
def test_each_call_adds_its_step(call, arguments, kind, fields):
    step = build((call, {**arguments, "step_name": "$s"})).steps[0]
    assert type(step) is kind
    assert {name: getattr(step, name) for name in fields} == fields
    assert (step.name, step.output) == ("s", "$step_0_output")


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("llm_step", {"task": "t"}),
        ("invoke_tool_step", {"tool": "x"}),
        ("function_step", {"function": double, "args": {"n": 1}}),
        ("single_tool_agent_step", {"tool": "x", "task": "t"}),
    ],
)
def test_what_all_calls_share_reaches_the_step(call, arguments):
    shared = {"output_schema": City, "retries": 2, "timeout_s": 1.5, "after": ["step_0"]}
    step = build(LLM, (call, {**arguments, **shared})).steps[1]
    assert (step.retries, step.timeout_s, step.after) == (2, 1.5, ("step_0",))
    assert step.output_schema.type is City


@pytest.mark.parametrize("after", [0, "step_0", "$step_0_output", StepOutput(0), [0], [-3],
                                   (StepOutput("first"),)])  # fmt: skip
def test_after_takes_steps_however_they_are_named(after):
    first = ("llm_step", {"task": "t", "step_name": "first"})
    if after == "step_0":
        first = LLM
    plan = build(first, ("user_verify", {"message": "?", "after": after}), LLM)
    assert plan.steps[1].after == (plan.steps[0].name,)


def test_references_by_index_become_names_and_negative_ones_count_from_the_end():
    plan = build(
        ("llm_step", {"task": "t", "step_name": "one"}),
        ("llm_step", {"task": "t", "step_name": "two"}),
        (
            "function_step",
            {
                "function": lambda **_: None,
                "args": {
                    "a": StepOutput(0, path="x.0"),
                    "b": [StepOutput(-4), 1],
                    "c": {"k": f"see {StepOutput(1)}"},
                    "d": StepOutput("$two"),
                },
            },
        ),
        ("user_input", {"message": f"{StepOutput(2)}?", "options": StepOutput(-4)}),
    )
    assert plan.steps[2].args == {
        "a": StepOutput("one", "x.0"),
        "b": ListOf((StepOutput("one"), Value(1))),
        "c": DictOf({"k": Parts(("see ", StepOutput("two")))}),
        "d": StepOutput("two"),
    }
    assert plan.steps[3].message == Parts((StepOutput("step_2"), "?"))
    assert plan.steps[3].task == "$step_2?"
    assert plan.steps[3].options == StepOutput("one")


def test_references_in_a_task_are_kept_beside_its_text():
    plan = build(
        ("input", {"name": "$currency"}),
        LLM,
        ("llm_step", {"task": f"Price of {StepOutput(0)} in {Input('currency')}"}),
        ("single_tool_agent_step", {"tool": "x", "task": f"Look up {StepOutput(-2)}"}),
    )
    assert plan.steps[1].task == "Price of $step_0 in $currency"
    assert plan.steps[1].task_parts.parts[1] == StepOutput("step_0")
    assert plan.steps[2].task_parts == Parts(("Look up ", StepOutput("step_1")))
    assert plan.steps[0].task_parts is None
    assert plan.needs(plan.steps[1]) == ("step_0",)


def test_inputs_become_variables_each_with_its_own_name():
    given = [
        StepOutput(0),
        StepOutput(0),
        StepOutput(0, path="a"),
        StepOutput(0, full=True),
        Input("city"),
        "literal",
        f"about {Input('city')}",
        Variable(name="mine", value=Value(1)),
        Variable(name="mine", value=Value(2)),
    ]
    plan = build(("input", {"name": "city"}), LLM, ("llm_step", {"task": "t", "inputs": given}))
    variables = {v.name: v.value for v in plan.steps[1].inputs}
    assert variables == {
        "$step_0": None,
        "$step_0.a": StepOutput("step_0", "a"),
        "$step_0[*]": StepOutput("step_0", full=True),
        "$city": Input("city"),
        "input_5": Value("literal"),
        "input_6": Parts(("about ", Input("city"))),
        "mine": Value(1),
        "mine_8": Value(2),
    }


def test_an_input_named_in_two_ways_is_one_input():
    given = [StepOutput(0), StepOutput("step_0"), StepOutput("$step_0_output"), StepOutput(-2)]
    plan = build(LLM, ("llm_step", {"task": "t", "inputs": given}))
    assert plan.steps[1].inputs == (Variable(name="$step_0"),)


def test_inputs_can_be_named_by_the_caller():
    plan = build(LLM, ("llm_step", {"task": "t", "inputs": {"a": StepOutput(0), "b": 1}}))
    assert {v.name: v.value for v in plan.steps[1].inputs} == {
        "a": StepOutput("step_0"),
        "b": Value(1),
    }


@pytest.mark.parametrize("inputs", ["text", StepOutput(0), 5])
def test_inputs_that_are_no_list_are_refused(inputs):
    with pytest.raises(TypeError, match="put it in a list"):
        PlanBuilderV2().llm_step(task="t", inputs=inputs)


@pytest.mark.parametrize("tool", [CalculatorTool, CalculatorTool()])
@pytest.mark.parametrize("call", ["invoke_tool_step", "single_tool_agent_step"])
def test_a_tool_given_as_itself_stays_with_its_step(tool, call):
    more = {"task": "t"} if call == "single_tool_agent_step" else {"args": {"math_question": "1"}}
    step = build((call, {"tool": tool, **more})).steps[0]
    assert step.tool_id == "calculator_tool"
    assert isinstance(step._tool, CalculatorTool)


def test_arguments_of_a_tool_given_as_itself_are_checked_when_the_plan_is_built():
    with pytest.raises(PlanCheckError, match="did you mean 'math_question'"):
        build(("invoke_tool_step", {"tool": CalculatorTool, "args": {"question": "1"}}))


def test_a_model_given_as_itself_stays_with_its_step():
    model = Answering()
    step = build(("llm_step", {"task": "t", "model": model})).steps[0]
    assert (step.model, step._model) == ("test/model", model)


@pytest.mark.parametrize(
    ("call", "arguments", "error"),
    [
        ("function_step", {"function": 5}, TypeError),
        ("function_step", {"function": CalculatorTool}, TypeError),
        ("function_step", {"function": CalculatorTool()}, TypeError),
        ("invoke_tool_step", {"tool": 5}, InvalidToolDescriptionError),
        ("invoke_tool_step", {"tool": double}, InvalidToolDescriptionError),
        ("llm_step", {"task": "t", "output_schema": object()}, ValueError),
        ("llm_step", {"task": "t", "retries": -1}, ValidationError),
        ("llm_step", {"task": "t", "timeout_s": 0}, ValidationError),
        ("invoke_tool_step", {"tool": "x", "args": {"a": {StepOutput(0)}}}, ValueError),
        ("llm_step", {"task": "t", "stepname": "x"}, TypeError),
        ("input", {"name": "a", "default_value": {1, 2}}, TypeError),
        ("user_input", {"message": "?", "default": object()}, TypeError),
    ],
)
def test_what_a_step_cannot_take_is_refused_at_once(call, arguments, error):
    with pytest.raises(error):
        getattr(PlanBuilderV2(), call)(**arguments)


def test_the_final_output_is_said_on_the_plan():
    plan = PlanBuilderV2("l").llm_step(task="t").final_output(City, summarize=True).build()
    assert plan.structured_output_schema.type is City
    assert plan.summarize
    assert plan.plan_context.query == "l"
    assert build(LLM).structured_output_schema is None


def test_plan_inputs_carry_their_defaults():
    plan = build(("input", {"name": "a"}), ("input", {"name": "b", "default_value": 2}), LLM)
    assert [(i.name, i.value) for i in plan.plan_inputs] == [("a", None), ("b", 2)]


@pytest.mark.parametrize(
    ("calls", "problems"),
    [
        ([], ["no steps"]),
        (
            [("llm_step", {"task": f"{StepOutput(3)}"})],
            ["refers to step 3, and the last step is 0"],
        ),
        ([("llm_step", {"task": f"{StepOutput(-2)}"})], ["refers to step -2"]),
        ([LLM, ("llm_step", {"task": "t", "after": [7]})], ["'step_1' refers to step 7"]),
        ([("llm_step", {"task": f"{StepOutput('nobody')}"})], ["refers to 'nobody'"]),
        ([("llm_step", {"task": f"{Input('city')}"})], ["plan input 'city'"]),
        ([("llm_step", {"task": f"{StepOutput(0)}"})], ["refers to itself"]),
        ([("llm_step", {"task": f"{StepOutput(1)}"}), LLM], ["which comes later"]),
        ([("llm_step", {"task": "t", "step_name": "step_1"}), LLM], ["share the name 'step_1'"]),
        ([("llm_step", {"task": "t", "step_name": "a/b"})], ["called 'a/b'"]),
        (
            [("function_step", {"function": double, "args": {"m": 1}})],
            ["can't be called like this"],
        ),
        ([("user_input", {"message": "?", "options": ["a"], "default": "b"})], ["none of its"]),
        ([("llm_step", {"task": " "})], ["no task"]),
        (
            [("input", {"name": "x"}), ("input", {"name": "$x"}), LLM],
            ["the plan has two inputs called 'x'"],
        ),
        (
            [("llm_step", {"task": f"{StepOutput('a')}{Input('b')}"})],
            ["refers to 'a'", "plan input 'b'"],
        ),
    ],
)
def test_a_plan_that_cannot_run_is_refused_when_it_is_built(calls, problems):
    with pytest.raises(PlanCheckError) as raised:
        build(*calls)
    assert len(raised.value.problems) == len(problems)
    for problem, found in zip(problems, raised.value.problems, strict=True):
        assert problem in found
        assert problem in str(raised.value)


def test_one_builder_builds_many_plans():
    builder = PlanBuilderV2().llm_step(task="t")
    one = builder.build()
    two = builder.llm_step(task=f"{StepOutput(-2)}").build()
    assert (len(one.steps), len(two.steps)) == (1, 2)
    assert one.id != two.id


def test_a_built_plan_survives_json():
    plan = build(TOOL, ("user_verify", {"message": f"ok {StepOutput(0)}?"}))
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_a_built_plan_is_found_by_its_hash_for_as_long_as_somebody_holds_it():
    plan = build(("function_step", {"function": double, "args": {"n": 21}}))
    known = plan.content_hash()
    stored = Plan.model_validate_json(plan.model_dump_json())
    assert stored.content_hash() == known
    found = built_plan(known)
    assert found is plan
    assert found.steps[0].function.call(21) == 42
    again = build(("function_step", {"function": double, "args": {"n": 21}}))
    assert built_plan(known) is again
    del plan, found, again
    gc.collect()
    assert built_plan(known) is None


def test_a_built_plan_is_found_again_once_an_equal_one_is_dropped():
    plan = build(("function_step", {"function": double, "args": {"n": 21}}))
    known = plan.content_hash()
    copy = plan.model_copy()
    remember(copy)
    assert built_plan(known) is copy
    remember(copy)
    del copy
    gc.collect()
    assert built_plan(known) is plan
    del plan
    gc.collect()
    assert built_plan(known) is None


def test_a_function_step_is_called_by_what_its_function_says_of_itself():
    def growth(prices):
        """Work out the growth.

        In percent.
        """

    plan = PlanBuilderV2().function_step(function=growth, args={"prices": [1]}).build()
    assert plan.steps[0].task == "Work out the growth."
