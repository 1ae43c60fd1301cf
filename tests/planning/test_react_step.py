"""The builder's agent step: built, checked, printed, read again and drawn."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portia_nb import (
    Input,
    Plan,
    PlanBuilderV2,
    PlanCheckError,
    ReActAgentStep,
    StepOutput,
    ToolRegistry,
    tool,
)
from portia_nb.drawing.plan_picture import note_of, plan_picture
from portia_nb.planning.check import check_plan
from portia_nb.planning.edits import edited
from portia_nb.session.answering import side_effects
from portia_nb.tools.builtin.calculator import CalculatorTool


@tool(side_effect=False)
def look(at: str) -> str:
    """Look."""
    return at


@tool(side_effect=True)
def push(what: str) -> str:
    """Push."""
    return what


def agent(**given: Any) -> Plan:
    return (
        PlanBuilderV2("Find out")
        .input(name="city", default_value="Oslo")
        .llm_step(task="Which street?", step_name="street")
        .react_agent_step(
            **{
                "task": f"See what is in {Input('city')}",
                "tools": [look, "calculator_tool"],
                "inputs": [StepOutput("street")],
                "output_schema": list[str],
                "step_name": "see",
                **given,
            }
        )
        .build()
    )


def test_a_plan_with_an_agent_reads_back_as_it_was() -> None:
    plan = agent(allow_agent_clarifications=True, tool_call_limit=3, token_limit=9, model="a/b")
    again = Plan.model_validate_json(plan.model_dump_json())
    assert again.content_hash() == plan.content_hash()
    step = again.step("see")
    assert isinstance(step, ReActAgentStep)
    assert step.tool_ids == ("look", "calculator_tool") and step.bound_tools == ()
    assert (step.allow_agent_clarifications, step.tool_call_limit) == (True, 3)
    assert (step.token_limit, step.model) == (9, "a/b")
    assert plan.plan_context.tool_ids == ("look", "calculator_tool")
    assert plan.needs(step) == ("street",)


def test_defaults_are_not_printed() -> None:
    plan = agent(tools=None, output_schema=None)
    printed = json.loads(plan.model_dump_json())["steps"][1]
    assert printed.keys() == {
        "task", "inputs", "tool_id", "output", "kind", "name", "task_parts",
    }  # fmt: skip
    assert printed["kind"] == "react" and printed["tool_id"] is None


def test_a_change_of_a_limit_is_another_plan() -> None:
    assert agent().content_hash() != agent(tool_call_limit=24).content_hash()


def test_it_says_that_it_is_an_agent_and_what_it_may_call() -> None:
    assert "see  agent: look, calculator_tool  See what is in $city" in agent().pretty_print()
    plan = agent(tools=None)
    assert note_of(plan.step("see")) == "agent: every tool"
    cards = {card.name: card for card in plan_picture(plan).cards}
    assert cards["see"].note == "agent: every tool"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"tools": ["calculater_tool"]}, "did you mean 'calculator_tool'?"),
        ({"tools": []}, "it has no tools: use an llm_step"),
        ({"tools": [look, look]}, "it has the tool 'look' twice"),
        ({"task": " "}, "it has no task"),
    ],
)
def test_an_agent_that_can_not_run_is_refused(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(PlanCheckError) as caught:
        check_plan(agent(**given), ToolRegistry([CalculatorTool]))
    assert problem in str(caught.value) and "'see'" in str(caught.value)


def test_every_tool_of_none_is_refused() -> None:
    with pytest.raises(PlanCheckError, match="it may call every tool, and there is none"):
        check_plan(agent(tools=None), ToolRegistry([]))


def test_a_single_tool_in_place_of_a_list_is_refused_when_it_is_given() -> None:
    with pytest.raises(TypeError, match="put it in a list"):
        agent(tools="calculator_tool")
    with pytest.raises(ValueError, match="tool_call_limit"):
        agent(tool_call_limit=0)


def test_an_agent_takes_the_strongest_side_effect_of_its_tools() -> None:
    registry = ToolRegistry([look, push, CalculatorTool])

    def effect(**given: Any) -> bool | None:
        return side_effects(agent(**given), registry)["see"]

    assert effect() is False
    assert effect(tools=[look, push]) is True
    assert effect(tools=None) is True
    assert effect(tools=[look, push], side_effect=False) is True, "a tool's True stands"


def test_an_edit_gives_an_agent_other_tools_and_limits() -> None:
    plan, _ = edited(agent(), {"see": {"tools": [push, "calculator_tool"], "token_limit": 5}})
    step = plan.step("see")
    assert isinstance(step, ReActAgentStep)
    assert step.tool_ids == ("push", "calculator_tool") and step.token_limit == 5
    assert [tool.id for tool in step.bound_tools] == ["push"]
    assert step.task == "See what is in $city"
