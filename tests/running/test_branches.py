"""Branches, exits and plans inside plans."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from portia_nb import Input, PlanBuilderV2, StepOutput
from portia_nb.model.events import BranchTaken
from portia_nb.model.run import StepState
from tests.planning.answers import Answering

from .stage import Stage


def note(builder: PlanBuilderV2, name: str, value: Any = None) -> PlanBuilderV2:
    """Add a step that puts out `value`, its own name where there is none."""
    return builder.function_step(
        function=lambda value: value,
        args={"value": name if value is None else value},
        step_name=name,
        side_effect=False,
    )


def chosen(number: int) -> PlanBuilderV2:
    """Return a builder whose conditional goes by `number`: 1, 2, or anything else."""
    builder = PlanBuilderV2("choose")
    note(builder, "number", number)
    with builder.if_(lambda n: n == 1, {"n": StepOutput("number")}, step_name="choice"):
        note(builder, "one")
    with builder.else_if_(lambda n: n == 2, {"n": StepOutput("number")}):
        note(builder, "two")
    with builder.else_():
        note(builder, "other")
    return builder


@pytest.mark.parametrize(("number", "taken"), [(1, "one"), (2, "two"), (3, "other")])
async def test_only_the_steps_of_the_branch_that_holds_run(number: int, taken: str) -> None:
    stage = Stage(chosen(number).build())
    run = await stage.run()
    assert run.state == "COMPLETE"
    assert run.final_output is not None
    assert run.final_output.value == taken
    assert [o for o in stage.order if o[0] == "+"] == ["+number", "+choice", f"+choice/{taken}"]
    assert run.outputs[taken].value == run.outputs["choice"].value == taken


async def test_steps_of_branches_not_taken_are_skipped_and_have_no_output() -> None:
    stage = Stage(chosen(2).build())
    run = await stage.run()
    assert list(run.outputs.step_outputs) == ["$step_0_output", "$step_1_output", "$step_4_output"]
    skipped = {p for p, r in stage.state.steps.items() if r.state is StepState.SKIPPED}
    assert skipped == {"choice/one", "choice/other"}
    assert stage.state.steps["choice/one"].reason == "its branch was not taken"


async def test_a_condition_after_the_branch_that_was_taken_is_not_judged() -> None:
    judged: list[str] = []

    def judge(name: str) -> bool:
        judged.append(name)
        return name == "first"

    builder = PlanBuilderV2()
    builder.if_(judge, {"name": "first"})
    note(builder, "a")
    builder.else_if_(judge, {"name": "second"})
    note(builder, "b")
    run = await Stage(builder.endif().build()).run()
    assert run.state == "COMPLETE"
    assert judged == ["first"]


async def test_an_async_condition_is_awaited() -> None:
    async def no(n: int) -> bool:
        await asyncio.sleep(0)
        return False

    builder = PlanBuilderV2()
    builder.if_(no, {"n": 1})
    note(builder, "a")
    builder.else_if_(lambda n: no(n), {"n": 1})
    note(builder, "b")
    builder.else_()
    note(builder, "c")
    run = await Stage(builder.endif().build()).run()
    assert run.final_output is not None
    assert run.final_output.value == "c"


async def test_a_sentence_is_judged_by_the_introspection_model_over_the_arguments() -> None:
    model = Answering({"holds": False}, {"holds": True})
    builder = PlanBuilderV2()
    note(builder, "weather", "rain")
    builder.if_("It is dry", {"weather": StepOutput("weather")})
    note(builder, "walk")
    builder.else_if_(f"There is {StepOutput('weather')} outside")
    note(builder, "read")
    run = await Stage(builder.endif().build(), model=model).run()
    assert run.final_output is not None
    assert run.final_output.value == "read"
    assert [request.purpose for request in model.requests] == ["introspection"] * 2
    assert "It is dry" in model.requests[0].messages[-1].content
    assert "There is rain outside" in model.requests[1].messages[-1].content


@pytest.mark.parametrize(("value", "taken"), [({"ok": True}, "a"), ({"ok": 0}, None)])
async def test_a_reference_counts_as_true_or_false(value: Any, taken: str | None) -> None:
    builder = PlanBuilderV2()
    note(builder, "found", value)
    builder.if_(StepOutput("found", path="ok"))
    note(builder, "a")
    run = await Stage(builder.endif().build()).run()
    assert run.final_output is not None
    assert run.final_output.value == (taken or value)


async def test_a_conditional_without_a_branch_that_holds_is_skipped() -> None:
    builder = PlanBuilderV2()
    note(builder, "before")
    builder.if_(False, step_name="choice")
    note(builder, "never")
    builder.endif()
    note(builder, "after", f"after {StepOutput('never')}")
    stage = Stage(builder.build())
    run = await stage.run()
    assert stage.state.steps["choice"].state is StepState.SKIPPED
    assert run.outputs["after"].value == "after null"


async def test_conditionals_nest() -> None:
    builder = PlanBuilderV2()
    with builder.if_(True, step_name="outer"):
        with builder.if_(False, step_name="inner"):
            note(builder, "a")
        with builder.else_():
            note(builder, "b")
        note(builder, "c")
    stage = Stage(builder.build())
    run = await stage.run()
    assert run.final_output is not None
    assert run.final_output.value == "c"
    assert "-outer/inner/b" in stage.order
    assert stage.state.steps["outer/inner/a"].state is StepState.SKIPPED


async def test_a_failing_condition_fails_its_conditional() -> None:
    builder = PlanBuilderV2()
    builder.if_(lambda: 1 / 0, step_name="choice")
    note(builder, "a")
    run = await Stage(builder.endif().build()).run()
    assert run.state == "FAILED"
    assert run.error is not None
    assert (run.error.type, run.error.step) == ("ZeroDivisionError", "choice")


async def test_a_conditional_that_has_chosen_does_not_judge_again_when_resumed() -> None:
    answers = iter([True, False])
    fails = iter([True, False])

    def work() -> str:
        if next(fails):
            raise OSError("not yet")
        return "done"

    builder = PlanBuilderV2()
    builder.if_(lambda: next(answers), step_name="choice")
    builder.function_step(function=work, step_name="work")
    builder.else_()
    note(builder, "wrong")
    stage = Stage(builder.endif().build())
    run = await stage.run()
    assert (run.state, stage.state.steps["choice"].state) == ("FAILED", StepState.STOPPED)
    run = await stage.resume()
    assert run.state == "COMPLETE"
    assert run.final_output is not None
    assert run.final_output.value == "done"
    assert [e.branch for e in stage.events if isinstance(e, BranchTaken)] == [0]


async def test_a_question_in_a_branch_is_answered_and_the_run_goes_on_from_there() -> None:
    calls: list[str] = []
    builder = PlanBuilderV2()
    builder.function_step(function=lambda: calls.append("early") or "early", step_name="early")
    with builder.if_(True, step_name="choice"):
        builder.user_input(message="Which colour?", step_name="colour")
        note(builder, "answer", f"{StepOutput('early')} {StepOutput('colour')}")
    stage = Stage(builder.build())
    run = await stage.run()
    assert run.state == "NEED_CLARIFICATION"
    (question,) = run.get_outstanding_clarifications()
    assert (question.path, question.step) == ("choice/colour", 1)
    assert run.get_clarifications_for_step() == [question]
    stage.answer(question, "blue")
    run = await stage.resume()
    assert run.state == "COMPLETE"
    assert run.final_output is not None
    assert run.final_output.value == "early blue"
    assert calls == ["early"]


# -- exits ---------------------------------------------------------------------------------------


def leaving(**exit_with: Any) -> PlanBuilderV2:
    builder = PlanBuilderV2()
    note(builder, "before")
    with (
        builder.loop(over=[1, 2, 3], step_name="each") as item,
        builder.if_(lambda n: n == 2, {"n": item}, step_name="choice"),
    ):
        builder.exit(**exit_with, step_name="leave")
    note(builder, "after")
    return builder


async def test_an_exit_ends_the_run_from_any_depth_with_its_message() -> None:
    stage = Stage(leaving(message=f"Enough after {StepOutput('each')}").build())
    run = await stage.run()
    assert run.state == "COMPLETE"
    assert run.final_output is not None
    assert run.final_output.value == "Enough after 2"
    states = {path: record.state.value for path, record in stage.state.steps.items()}
    assert states["after"] == "skipped"
    assert states["each"] == states["each[1]"] == states["each[1]/choice"] == "done"
    assert "each[2]" not in states


async def test_an_exit_without_a_message_leaves_the_last_output_standing() -> None:
    run = await Stage(leaving().build()).run()
    assert run.state == "COMPLETE"
    builder = PlanBuilderV2()
    note(builder, "before")
    run = await Stage(builder.exit().build()).run()
    assert run.final_output is not None
    assert run.final_output.value == "before"


async def test_an_exit_with_an_error_fails_the_run_with_its_message() -> None:
    run = await Stage(leaving(message="Too many", error=True).build()).run()
    assert run.state == "FAILED"
    assert run.error is not None
    assert (run.error.type, run.error.message) == ("PlanRunExitError", "Too many")
    assert run.final_output is not None
    assert run.final_output.value == "Too many"


# -- plans inside plans --------------------------------------------------------------------------


def greeting() -> Any:
    builder = PlanBuilderV2("greet").input(name="who").input(name="mark", default_value="!")
    note(builder, "text", f"Hello {Input('who')}")
    note(builder, "full", f"{StepOutput('text')}{Input('mark')}")
    return builder.build()


async def test_an_inner_plan_sees_its_own_inputs_and_steps_only() -> None:
    builder = PlanBuilderV2().input(name="who")
    note(builder, "text", "Bo")
    builder.add_sub_plan(greeting(), {"who": StepOutput("text")}, step_name="first")
    builder.add_sub_plan(greeting(), {"who": Input("who"), "mark": "?"}, step_name="second")
    note(builder, "both", f"{StepOutput('first')} {StepOutput('second')}")
    stage = Stage(builder.build(), inputs={"who": "Ada"})
    run = await stage.run()
    assert run.final_output is not None
    assert run.final_output.value == "Hello Bo! Hello Ada?"
    assert stage.state.steps["second/text"].value == "Hello Ada"
    assert run.outputs["first"].value == "Hello Bo!"


async def test_the_steps_of_another_plan_can_be_put_among_the_others() -> None:
    builder = PlanBuilderV2()
    note(builder, "name", "Bo")
    builder.add_steps(greeting(), {"who": StepOutput("name"), "mark": "."})
    plan = builder.build()
    assert [step.name for step in plan.steps] == ["name", "text", "full"]
    assert [given.name for given in plan.plan_inputs] == ["mark"]
    run = await Stage(plan).run()
    assert run.final_output is not None
    assert run.final_output.value == "Hello Bo."


async def test_a_question_inside_an_inner_plan_reaches_the_person() -> None:
    inner = PlanBuilderV2("ask").user_input(message="Who?", step_name="who").build()
    stage = Stage(PlanBuilderV2().add_sub_plan(inner, step_name="sub").build())
    run = await stage.run()
    (question,) = run.get_outstanding_clarifications()
    assert question.path == "sub/who"
    stage.answer(question, "Ada")
    run = await stage.resume()
    assert run.final_output is not None
    assert run.final_output.value == "Ada"


# -- switched off ----------------------------------------------------------------------------------


async def test_a_step_that_is_switched_off_is_skipped_with_all_in_it_and_its_readers_get_none():
    builder = chosen(1)
    builder.function_step(
        function=lambda found: [found], args={"found": StepOutput("choice")}, step_name="last"
    )
    stage = Stage(builder.build().disable("choice"))
    run = await stage.run()
    assert stage.state.steps["choice"].state is StepState.SKIPPED
    assert stage.state.steps["choice"].reason == "switched off in the plan"
    assert "choice/one" not in stage.state.steps
    assert run.final_output.value == [None]
