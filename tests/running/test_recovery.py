"""Going on with a run whose process died: what runs again, and what a person is asked about."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from portia_nb import ExecutionHooks, Plan, PlanBuilderV2, StepOutput
from portia_nb.model import codecs
from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import (
    ClarificationResolved,
    RunStarted,
    StepDone,
    StepStarted,
    ToolCalled,
)
from portia_nb.running import recovery

from .stage import Stage


class Sender:
    """A plan that sends and then goes on, and how often it has sent."""

    def __init__(self, effect: bool | None) -> None:
        self.sent = 0
        self.effect = effect

    def plan(self) -> Plan:
        async def send() -> str:
            self.sent += 1
            return "sent"

        async def behind(before: Any) -> str:
            return f"after {before}"

        return (
            PlanBuilderV2()
            .function_step(function=send, step_name="send", side_effect=self.effect)
            .function_step(
                function=behind,
                args={"before": StepOutput("send")},
                step_name="behind",
                side_effect=False,
            )
            .build()
        )

    def killed_in_mid_call(self, **options: Any) -> Stage:
        stage = Stage(self.plan(), **options)
        stage.emit(RunStarted("a process that was killed"))
        self.die_in_call(stage, 1)
        return stage

    def die_in_call(self, stage: Stage, attempt: int) -> None:
        stage.emit(StepStarted("send", attempt))
        stage.emit(ToolCalled("send", attempt, "send", {}, self.effect))


@pytest.mark.parametrize("effect", [False, None])
async def test_a_call_that_was_under_way_is_made_again_unless_it_has_effects(
    effect: bool | None,
) -> None:
    sender = Sender(effect)
    run = await sender.killed_in_mid_call().run()
    assert (run.state, sender.sent) == ("COMPLETE", 1)


async def test_a_call_with_effects_that_was_under_way_is_asked_about_and_not_made() -> None:
    sender = Sender(True)
    stage = sender.killed_in_mid_call()
    run = await stage.run()
    assert (run.state, sender.sent) == ("NEED_CLARIFICATION", 0)
    assert stage.state.steps["send"].uncertain
    (question,) = run.get_outstanding_clarifications()
    assert question.options == (recovery.REPEAT, recovery.DONE, recovery.FAIL)  # type: ignore[attr-defined]
    await stage.resume()
    assert len(stage.questions) == 1, "the same question stands"


@pytest.mark.parametrize(
    ("answer", "state", "sent", "last"),
    [
        (recovery.REPEAT, "COMPLETE", 1, "after sent"),
        (recovery.DONE, "COMPLETE", 0, "after None"),
        (recovery.FAIL, "FAILED", 0, None),
    ],
)
async def test_each_answer_about_an_uncertain_call_does_what_it_says(
    answer: str, state: str, sent: int, last: str | None
) -> None:
    sender = Sender(True)
    stage = sender.killed_in_mid_call(ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    stage.answer(stage.questions[0], answer)
    run = await running
    assert (run.state, sender.sent) == (state, sent)
    if last is not None:
        assert run.outputs["behind"].value == last


async def test_a_call_that_somebody_would_not_repeat_is_asked_about_at_the_next_resume() -> None:
    sender = Sender(True)
    stage = sender.killed_in_mid_call(ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    stage.answer(stage.questions[0], recovery.FAIL)
    assert (await running).state == "FAILED"
    running = asyncio.create_task(stage.resume())
    await stage.until(lambda: len(stage.questions) == 2)
    stage.executor.stop("enough")
    await running
    assert sender.sent == 0


async def test_a_call_that_a_stop_came_before_is_made_at_the_next_resume_and_not_asked_about() -> (
    None
):
    sender = Sender(True)
    stage = Stage(sender.plan())
    waits, kept = asyncio.Event(), stage.ports.kept

    async def never() -> None:
        if stage.kinds[-1] != "tool_called":
            return await kept()
        waits.set()
        return await asyncio.Event().wait()

    object.__setattr__(stage.ports, "kept", never)
    running = asyncio.create_task(stage.run())
    await waits.wait()
    stage.executor.stop("while it was being written down")
    assert (await running).state == "READY_TO_RESUME"
    object.__setattr__(stage.ports, "kept", kept)
    run = await stage.resume()
    assert (run.state, sender.sent) == ("COMPLETE", 1)


@pytest.mark.parametrize("ending", ["stopped", "failed"])
async def test_a_call_that_came_back_in_a_step_that_was_not_done_is_never_repeated_silently(
    ending: str,
) -> None:
    sender = Sender(True)
    called = asyncio.Event()

    async def after(*_: Any) -> None:
        called.set()
        if ending == "failed":
            raise ValueError("the hook broke")
        await asyncio.Event().wait()

    stage = Stage(sender.plan(), hooks=ExecutionHooks(after_step_execution=after))
    running = asyncio.create_task(stage.run())
    await called.wait()
    stage.executor.stop("stopped in the hook")
    await running
    run = await stage.resume()
    assert (run.state, sender.sent) == ("NEED_CLARIFICATION", 1)
    assert [question.source for question in stage.questions] == [recovery.UNCERTAIN]


async def test_a_call_with_effects_that_came_back_with_a_question_is_made_again_once_answered() -> (
    None
):
    calls: list[int] = []

    async def send() -> Any:
        calls.append(1)
        return InputClarification(argument_name="to", user_guidance="?") if len(calls) == 1 else 1

    plan = PlanBuilderV2().function_step(function=send, step_name="send", side_effect=True)
    stage = Stage(plan.build())
    assert (await stage.run()).state == "NEED_CLARIFICATION"
    stage.emit(ClarificationResolved(stage.questions[0].id, "me", "a test"))
    run = await stage.resume()
    assert (run.state, len(calls), len(stage.questions)) == ("COMPLETE", 2, 1)


async def test_a_call_that_is_killed_again_is_asked_about_again() -> None:
    sender = Sender(True)
    stage = sender.killed_in_mid_call(ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    object.__setattr__(stage.ports, "config", stage.ports.config)
    stage.executor.stop("the process ends here")
    await running
    # Answered in another process, which was killed in the very call too.
    stage.emit(ClarificationResolved(stage.questions[0].id, recovery.REPEAT, "a test"))
    stage.emit(RunStarted("another process"))
    sender.die_in_call(stage, 2)
    running = asyncio.create_task(stage.resume())
    await stage.until(lambda: len(stage.questions) == 2)
    assert sender.sent == 0
    stage.executor.stop("enough")
    await running


async def test_a_call_that_ran_out_of_time_is_uncertain_too() -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    plan = PlanBuilderV2().function_step(
        function=hang, step_name="it", side_effect=True, timeout_s=0.02
    )
    stage = Stage(plan.build())
    assert (await stage.run()).state == "FAILED"
    assert (await stage.resume()).state == "NEED_CLARIFICATION"
    assert stage.questions[0].source == recovery.UNCERTAIN


def unkept(stage: Stage) -> None:
    stage.emit(RunStarted("a process that was killed"))
    stage.emit(StepStarted("send", 1))
    stage.emit(StepDone("send", 1, codecs.Unkept("Figure", "a figure")))


async def test_a_reading_step_whose_value_is_gone_runs_again_where_it_is_needed() -> None:
    sender = Sender(False)
    stage = Stage(sender.plan())
    unkept(stage)
    run = await stage.run()
    assert (run.state, sender.sent) == ("COMPLETE", 1)
    assert run.outputs["behind"].value == "after sent"


async def test_a_value_that_is_gone_and_that_nothing_needs_is_left_gone() -> None:
    sender = Sender(False)
    stage = Stage(sender.plan())
    unkept(stage)
    stage.emit(StepStarted("behind", 1))
    stage.emit(StepDone("behind", 1, "done before"))
    run = await stage.run()
    assert (run.state, sender.sent) == ("COMPLETE", 0)


@pytest.mark.parametrize("effect", [None, True])
async def test_a_step_that_may_change_something_is_asked_about_before_its_value_is_made_again(
    effect: bool | None,
) -> None:
    sender = Sender(effect)
    stage = Stage(sender.plan(), ask=lambda _: True)
    unkept(stage)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    assert sender.sent == 0
    stage.answer(stage.questions[0], recovery.REPEAT)
    run = await running
    assert (run.state, sender.sent) == ("COMPLETE", 1)
