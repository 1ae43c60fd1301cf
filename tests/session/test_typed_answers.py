"""N14: answers of a type, from the plan's own questions, a tool's, and a resume elsewhere."""

import datetime
from typing import Any, Literal

import pytest

from portia_nb import (
    Config,
    InputClarification,
    InvalidAnswer,
    MultipleChoiceClarification,
    PlanBuilderV2,
    PlanRunState,
    Portia,
    StepOutput,
    ToolRunContext,
    tool,
)
from tests.session.stage import portia


def test_an_answer_reaches_the_next_step_as_the_type_that_was_asked_for(tmp_path: Any):
    plan = (
        PlanBuilderV2("When, and how many?")
        .user_input(message="When?", answer_type=datetime.date, step_name="day")
        .user_input(message="How many?", answer_type=int, step_name="count")
        .function_step(
            function=lambda day, count: [day, count + 1],
            args={"day": StepOutput("day"), "count": StepOutput("count")},
        )
        .build()
    )
    first = portia(str(tmp_path))
    run = first.run_plan(plan)
    asked = {each.source: each for each in run.get_outstanding_clarifications()}
    if "count" not in asked:  # each keeps its place
        run = first.resume(first.resolve_clarification(asked["day"], "2026-05-17", run))
        (asked["count"],) = run.get_outstanding_clarifications()
    with pytest.raises(InvalidAnswer, match="whole number"):
        first.resolve_clarification(asked["count"], "many", run)

    second = portia(str(tmp_path))
    run = second.resolve_clarification(asked["count"], "3", run)
    ended = second.resume(run, plan=plan)
    assert ended.state is PlanRunState.COMPLETE
    assert ended.outputs.final_output is not None
    assert ended.outputs.final_output.value == ["2026-05-17", 4]


def test_a_tools_question_about_its_argument_takes_the_arguments_type():
    seen: list[Any] = []

    @tool
    def book(ctx: ToolRunContext, seats: int | None = None) -> Any:
        """Book seats."""
        if seats is None:
            return InputClarification(argument_name="seats", user_guidance="How many seats?")
        seen.append(seats)
        return "booked"

    asking = Portia(Config(store="memory"), tools=[book])
    run = asking.run_plan(PlanBuilderV2().invoke_tool_step(tool=book, step_name="it").build())
    (question,) = run.get_outstanding_clarifications()
    with pytest.raises(InvalidAnswer, match="whole number"):
        asking.resolve_clarification(question, "some", run)
    run = asking.resolve_clarification(question, "2", run)
    assert asking.resume(run).state is PlanRunState.COMPLETE
    assert seen == [2]


def test_a_literal_type_is_a_choice():
    plan = PlanBuilderV2().user_input(message="Which?", answer_type=Literal["a", "b"]).build()
    (question,) = portia().run_plan(plan).get_outstanding_clarifications()
    assert isinstance(question, MultipleChoiceClarification)
    assert question.options == ("a", "b")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"answer_type": int, "options": [1, 2]}, "options or an answer_type"),
        ({"answer_type": int, "default": "many"}, "whole number"),
        ({"answer_type": len}, "no shape"),
        ({"answer_type": "int"}, "give the type itself, such as int"),
    ],
)
def test_a_type_that_can_not_be_asked_for_is_refused_by_the_builder(
    given: dict[str, Any], says: str
):
    with pytest.raises(TypeError, match=says):
        PlanBuilderV2().user_input(message="?", **given)
