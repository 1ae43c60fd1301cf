"""What a run will need: the least number of model calls, tools, inputs, changes."""

from __future__ import annotations

import pytest

from portia_nb import PlanBuilderV2, StepOutput
from portia_nb.planning.needs import needs_of


def llm(builder: PlanBuilderV2, name: str) -> PlanBuilderV2:
    return builder.llm_step(task="Do it", step_name=name)


def in_a_loop(items: object) -> PlanBuilderV2:
    builder = PlanBuilderV2()
    with builder.loop(over=items, step_name="each"):
        llm(builder, "look")
    return builder


def branches(*, has_else: bool) -> PlanBuilderV2:
    builder = PlanBuilderV2()
    with builder.if_(condition="it rains", step_name="choice"):
        llm(llm(builder, "a"), "b")
    if has_else:
        with builder.else_():
            llm(builder, "c")
    return builder


CASES = {
    "a step of a model": (llm(PlanBuilderV2(), "a"), 1),
    "a function": (PlanBuilderV2().function_step(function=print, step_name="a"), 0),
    "a bound tool": (PlanBuilderV2().invoke_tool_step(tool="search_tool", step_name="a"), 0),
    "an agent": (PlanBuilderV2().react_agent_step(task="?", tools=["x"], step_name="a"), 1),
    "a loop over three": (in_a_loop([1, 2, 3]), 3),
    "a loop over what comes": (
        llm(PlanBuilderV2(), "first"),
        1,
    ),
    "the cheaper branch, and the judgement": (branches(has_else=True), 2),
    "no branch, and the judgement": (branches(has_else=False), 1),
    "a summary": (llm(PlanBuilderV2(), "a").final_output(summarize=True), 2),
}


@pytest.mark.parametrize("what", CASES)
def test_at_least_so_many_model_calls(what: str):
    builder, calls = CASES[what]
    assert needs_of(builder.build()).model_calls == calls


def test_what_follows_an_exit_may_never_run_and_what_is_off_never_does():
    builder = branches(has_else=False)
    with builder.if_(condition=StepOutput("choice"), step_name="stop"):
        builder.exit(message="enough")
    plan = llm(builder, "later").build()
    assert needs_of(plan).model_calls == 1
    assert needs_of(plan.disable("choice").disable("stop")).model_calls == 1


def test_inputs_without_a_default_tools_and_changes_are_named():
    builder = PlanBuilderV2().input(name="city").input(name="unit", default_value="C")
    builder.invoke_tool_step(tool="search_tool", step_name="look")
    builder.function_step(function=print, step_name="pay", side_effect=True)
    assert needs_of(builder.build()).sentences() == (
        "May need no model call.",
        "Tools: search_tool.",
        "Inputs to give: city.",
        "Changes something outside: pay.",
    )
