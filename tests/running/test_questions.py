"""Steps that ask: who waits, who goes on, which answer counts, what runs again."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import pytest

from portia_nb import (
    ActionClarification,
    InputClarification,
    MultipleChoiceClarification,
    PlanBuilderV2,
    StepOutput,
    ToolRunContext,
    UserVerificationClarification,
    ValueConfirmationClarification,
    tool,
)
from portia_nb.model.clarification import Clarification
from portia_nb.model.events import ClarificationResolved
from portia_nb.model.language import ModelReply, ToolCall
from tests.planning.answers import Answering

from .stage import Stage, nothing


def asking_plan() -> Any:
    """Two branches; one asks. Every step only reads, so only data makes one wait for another."""

    @tool(side_effect=False)
    def greet(name: str) -> Any:
        """Greet somebody, once told whom."""
        if name == "?":
            return InputClarification(argument_name="name", user_guidance="Who is it?")
        return f"hello {name}"

    return (
        PlanBuilderV2()
        .invoke_tool_step(tool=greet, args={"name": "?"}, step_name="ask")
        .function_step(function=nothing, step_name="other", side_effect=False)
        .function_step(
            function=lambda said: said.upper(),
            args={"said": StepOutput("ask")},
            step_name="shout",
            side_effect=False,
        )
        .build()
    )


async def test_only_what_needs_the_answer_waits_for_it() -> None:
    stage = Stage(asking_plan())
    run = await stage.run()
    assert run.state == "NEED_CLARIFICATION"
    assert list(run.outputs.step_outputs) == ["$step_1_output"]
    (question,) = run.get_outstanding_clarifications()
    assert (question.user_guidance, question.step, question.path) == ("Who is it?", 0, "ask")
    assert question.plan_run_id == run.id
    assert stage.kinds[-1] == "run_waiting", "it waits only when nothing else can run"
    assert "step_done" in stage.kinds


async def test_an_answer_that_comes_at_once_lets_the_step_run_on_while_others_run() -> None:
    stage: Stage

    def ask(question: Clarification) -> bool:
        asyncio.get_running_loop().call_soon(stage.answer, question, "Ada")
        return True

    stage = Stage(asking_plan(), ask=ask)
    run = await stage.run()
    assert run.state == "COMPLETE"
    assert run.outputs["shout"].value == "HELLO ADA"
    assert stage.order.count("+ask") == 2 and stage.order.count("+other") == 1


async def test_a_question_is_kept_before_it_is_put() -> None:
    kept_first: list[bool] = []

    def ask(question: Clarification) -> bool:
        at = next(i for i, k in enumerate(stage.kinds) if k == "clarification_raised")
        kept_first.append(any(count > at for count in stage.kept_at))
        return False

    stage = Stage(asking_plan(), ask=ask)
    await stage.run()
    assert kept_first == [True]


async def test_an_answer_that_comes_before_the_question_is_put_counts() -> None:
    """A view shows a question from its event, and a click may be quicker than the disk."""
    stage = Stage(asking_plan(), ask=lambda _: pytest.fail("it was answered by then"))

    async def kept() -> None:
        await asyncio.sleep(0)
        for question in stage.questions:
            stage.answer(question, "Ada")
        await asyncio.sleep(0)

    object.__setattr__(stage.ports, "kept", kept)
    run = await stage.run()
    assert run.outputs["ask"].value == "hello Ada"
    assert stage.order.count("+ask") == 2


async def test_the_first_answer_stands() -> None:
    stage = Stage(asking_plan(), ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    (question,) = stage.questions
    stage.answer(question, "Ada")
    stage.answer(question, "Bob")
    run = await running
    assert run.outputs["ask"].value == "hello Ada"
    assert [type(e) for e in stage.events].count(ClarificationResolved) == 1


async def test_a_run_that_waits_goes_on_in_the_same_execution_when_it_is_answered() -> None:
    stage = Stage(asking_plan(), ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    assert not running.done()
    stage.answer(stage.questions[0], "Ada")
    assert (await running).state == "COMPLETE"


async def test_a_run_returns_when_it_turns_out_that_nobody_answers() -> None:
    stage = Stage(asking_plan(), ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    stage.executor.nobody_answers(stage.questions[0].id)
    assert (await running).state == "NEED_CLARIFICATION"


async def test_a_resume_asks_again_and_runs_nothing_twice() -> None:
    stage = Stage(asking_plan())
    await stage.run()
    stage.ask = lambda _: True
    running = asyncio.create_task(stage.resume())
    await stage.until(lambda: stage.kinds.count("run_waiting") == 2)
    stage.answer(stage.questions[0], "Ada")
    assert (await running).outputs["shout"].value == "HELLO ADA"
    assert stage.order.count("+other") == 1
    assert len(stage.questions) == 1, "the old question is put again, not a new one raised"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (InputClarification(argument_name="note", user_guidance="?"), "words"),
        (MultipleChoiceClarification(user_guidance="?", options=("a", "b")), "b"),
        (ActionClarification(action_url="https://example.org", user_guidance="?"), "done"),
        (ValueConfirmationClarification(argument_name="note", user_guidance="?"), True),
        (UserVerificationClarification(user_guidance="?"), True),
    ],
    ids=lambda given: given.category.name if isinstance(given, Clarification) else "",
)
@pytest.mark.parametrize("how", ["tool", "agent"])
async def test_every_kind_of_question_from_a_tool_is_put_and_its_answer_seen(
    question: Clarification, answer: Any, how: str
) -> None:
    seen: list[Any] = []

    @tool(side_effect=False)
    def curious(ctx: ToolRunContext, note: str = "") -> Any:
        """Ask once."""
        if not ctx.clarifications:
            return question
        seen.extend(c.response for c in ctx.clarifications)
        return "satisfied"

    builder = PlanBuilderV2()
    if how == "tool":
        builder.invoke_tool_step(tool=curious, step_name="it")
    else:
        builder.single_tool_agent_step(tool=curious, task="Ask", step_name="it")
    chosen = ModelReply(tool_calls=(ToolCall("1", "curious", {"note": "x"}),), model="test/model")
    stage = Stage(builder.build(), ask=lambda _: True, model=Answering(chosen, chosen))
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    assert stage.questions[0].category == question.category
    assert stage.questions[0].source == "curious"
    stage.answer(stage.questions[0], answer)
    run = await running
    assert run.outputs["it"].value == "satisfied", run.error
    assert seen == [answer]


async def test_a_function_may_ask_several_questions_at_once() -> None:
    asked = [InputClarification(argument_name=n, user_guidance=n) for n in "ab"]
    calls: list[int] = []

    def function() -> Any:
        calls.append(1)
        return asked if len(calls) == 1 else "done"

    plan = PlanBuilderV2().function_step(function=function, step_name="f", side_effect=False)
    stage = Stage(plan.build(), ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    stage.answer(stage.questions[0], "1")
    await asyncio.sleep(0)
    assert len(calls) == 1, "one question is still open"
    stage.answer(stage.questions[1], "2")
    assert (await running).outputs["f"].value == "done"


async def test_an_agents_missing_argument_is_asked_for_and_no_model_is_asked_again() -> None:
    @tool(side_effect=False)
    def send(to: Annotated[str, "who gets it"], text: str, loud: bool = False) -> str:
        """Send a message."""
        return f"{to}: {text}{'!' * loud}"

    plan = (
        PlanBuilderV2().single_tool_agent_step(tool=send, task="Send hello", step_name="it").build()
    )
    reply = {
        "to": None,
        "text": "hello",
        "missing": [{"argument": "to", "question": "To whom?"}],
    }
    call = ModelReply(tool_calls=(ToolCall("1", "send", reply),), model="test/model")
    model = Answering(call)
    stage = Stage(plan, model=model)
    run = await stage.run()
    assert run.state == "NEED_CLARIFICATION"
    (question,) = run.get_outstanding_clarifications()
    assert (question.user_guidance, question.argument_name) == ("To whom?", "to")
    stage.ask = lambda _: True
    running = asyncio.create_task(stage.resume())
    await stage.until(lambda: stage.kinds.count("run_waiting") == 2)
    stage.answer(question, "Ada")
    assert (await running).outputs["it"].value == "Ada: hello"
    assert len(model.requests) == 1


async def test_no_to_a_verification_fails_the_run_and_a_resume_asks_again() -> None:
    plan = (
        PlanBuilderV2()
        .user_verify(message="Go on?", step_name="check")
        .function_step(function=nothing, step_name="next", side_effect=False)
        .build()
    )
    stage = Stage(plan, ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    stage.answer(stage.questions[0], "no")
    run = await running
    assert run.state == "FAILED"
    assert run.error is not None and run.error.type == "PlanRunExitError"
    assert "+next" not in stage.order
    running = asyncio.create_task(stage.resume())
    await stage.until(lambda: stage.kinds.count("run_waiting") == 2)
    assert len(stage.questions) == 2
    stage.answer(stage.questions[1], "yes")
    assert (await running).state == "COMPLETE"


async def test_user_input_keeps_its_place_and_its_answer_is_the_output() -> None:
    plan = (
        PlanBuilderV2()
        .function_step(function=nothing, step_name="before", side_effect=False)
        .user_input(message="Which?", options=["red", "blue"], step_name="colour")
        .function_step(function=nothing, step_name="behind", side_effect=False)
        .build()
    )
    stage = Stage(plan, ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    assert stage.order == ["+before", "-before", "+colour"]
    stage.answer(stage.questions[0], "blue")
    assert (await running).outputs["colour"].value == "blue"


async def test_a_step_that_waits_for_its_answer_does_not_start_when_what_it_needs_is_done() -> None:
    """Its question stood when the run was left, and what it needs has to run again first."""
    stage = Stage(asking_plan(), ask=lambda _: False)
    await stage.run()
    shout_question = InputClarification(
        plan_run_id=stage.state.id, path="shout", argument_name="x", user_guidance="how loud?"
    )
    from portia_nb.model.events import ClarificationRaised

    stage.emit(ClarificationRaised("shout", shout_question))
    stage.ask = lambda _: True
    running = asyncio.create_task(stage.resume())
    await stage.until(lambda: stage.kinds.count("run_waiting") == 2)
    stage.answer(stage.questions[0], "Ada")
    await stage.until(lambda: "-ask" in stage.order)
    await stage.until(lambda: stage.kinds.count("run_waiting") == 3)
    assert "+shout" not in stage.order
    stage.answer(shout_question, "very")
    assert (await running).outputs["shout"].value == "HELLO ADA"


async def test_an_answer_that_comes_just_too_late_is_kept_and_completes_nothing() -> None:
    plan = PlanBuilderV2().user_input(message="?", step_name="city").build()
    stage = Stage(plan, ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    # Both before the execution gets its turn.
    stage.executor.nobody_answers(stage.questions[0].id)
    stage.answer(stage.questions[0], "Oslo")
    run = await running
    assert (run.state, stage.kinds[-1]) == ("READY_TO_RESUME", "clarification_resolved")
    assert (await stage.resume()).outputs["city"].value == "Oslo"
