"""Questions that may be answered for a while only: the default, the failure, and the clocks."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from portia_nb import InputClarification, MultipleChoiceClarification, PlanBuilderV2, StepOutput
from portia_nb.model.clarification import Clarification
from portia_nb.model.events import (
    ClarificationRaised,
    ClarificationResolved,
    Recorded,
    event_from_json,
    event_to_json,
)
from portia_nb.model.run import Run
from portia_nb.running import expiry

from .stage import Stage

SOON_S = 0.05
LATER_S = 3600.0


def asking(default: Any = None, expires_in_s: float | None = SOON_S) -> Any:
    return (
        PlanBuilderV2()
        .function_step(function=lambda: "early", step_name="early", side_effect=False)
        .user_input(message="City?", default=default, expires_in_s=expires_in_s, step_name="city")
        .function_step(
            function=lambda city, early: f"{early} {city}",
            args={"city": StepOutput("city"), "early": StepOutput("early")},
            step_name="end",
        )
        .build()
    )


def waits(_: Clarification) -> bool:
    return True


async def test_after_its_time_a_question_takes_its_default_and_the_run_goes_on() -> None:
    stage = Stage(asking("Oslo"), ask=waits)
    run = await stage.run()
    assert (run.state, run.outputs["end"].value) == ("COMPLETE", "early Oslo")
    (asked,) = run.outputs.clarifications
    assert (asked.response, asked.answered_by) == ("Oslo", "expiry")
    assert asked.expires_at is not None and asked.answered_at is not None
    assert asked.answered_at >= asked.expires_at - 0.01


async def test_without_a_default_the_run_fails_with_an_error_of_its_own_and_may_ask_again() -> None:
    stage = Stage(asking(), ask=waits)
    run = await stage.run()
    assert run.error is not None
    assert run.error.message.startswith("nobody has answered 'City?' in time (0.05 s): ")
    assert (run.state, run.error.type, run.error.step) == ("FAILED", "ClarificationExpired", "city")
    assert "'City?'" in run.error.message and "0.05 s" in run.error.message
    assert run.get_outstanding_clarifications() == []
    assert stage.kinds[-2:] == ["step_failed", "run_failed"]
    running = asyncio.create_task(stage.resume())
    await stage.until(lambda: len(stage.questions) == 2)
    stage.answer(stage.questions[1], "Rome")
    run = await running
    assert run.outputs["end"].value == "early Rome"
    assert stage.order.count("+early") == 1


async def test_an_answer_in_time_stands_and_its_end_changes_nothing() -> None:
    stage = Stage(asking("Oslo", LATER_S), ask=waits)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    stage.answer(stage.questions[0], "Rome")
    stage.executor.expire(stage.questions[0].id)
    assert (await running).outputs["city"].value == "Rome"
    assert stage.kinds.count("clarification_resolved") == 1


async def test_an_answer_after_the_end_changes_nothing() -> None:
    stage = Stage(asking("Oslo"), ask=waits)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "clarification_resolved" in stage.kinds)
    stage.answer(stage.questions[0], "Rome")
    assert (await running).outputs["city"].value == "Oslo"
    assert stage.kinds.count("clarification_resolved") == 1


async def test_where_nobody_is_there_to_answer_the_run_does_not_wait_for_the_end() -> None:
    run = await Stage(asking("Oslo", LATER_S)).run()
    assert run.state == "NEED_CLARIFICATION"


@pytest.mark.parametrize("default", ["Oslo", None])
async def test_a_question_that_ended_while_no_process_lived_is_ended_by_the_next(
    default: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(asking(default, LATER_S))
    assert (await stage.run()).state == "NEED_CLARIFICATION"
    in_a_new_process(stage)
    now = time.time()
    monkeypatch.setattr(expiry.time, "time", lambda: now + LATER_S + 1)
    run = await stage.resume()
    if default is None:
        assert run.error is not None and run.error.type == "ClarificationExpired"
    else:
        assert run.outputs["end"].value == "early Oslo"


def in_a_new_process(stage: Stage) -> None:
    run = Run(stage.state.id, stage.state.plan)
    for seq, event in enumerate(stage.events, 1):
        run.apply(Recorded(seq, 0.0, run.id, event_from_json(event_to_json(event))))
    stage.state = run


@pytest.mark.parametrize("jump_s", [-86_400.0, 86_400.0])
async def test_a_clock_that_is_set_neither_ends_a_question_early_nor_keeps_it_open(
    jump_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(asking("Oslo", 0.2), ask=waits)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    began = time.monotonic()
    now = time.time()
    monkeypatch.setattr(expiry.time, "time", lambda: now + jump_s)
    assert (await running).outputs["city"].value == "Oslo"
    assert 0.1 < time.monotonic() - began < 2


def test_a_clock_that_was_put_back_gives_a_question_no_more_time_than_it_asked_for() -> None:
    asked = InputClarification(expires_in_s=60, expires_at=time.time() + 86_400)
    assert expiry.left_s(asked) == 60
    given = InputClarification(expires_at=time.time() + 86_400)
    assert (expiry.left_s(given) or 0) > 80_000, "a time of day that the asker itself chose"


async def test_a_step_whose_one_question_ends_closes_its_others_too() -> None:
    calls: list[int] = []

    def function() -> Any:
        calls.append(1)
        if len(calls) > 1:
            return "done"
        return [
            InputClarification(argument_name="a", user_guidance="a?", expires_in_s=SOON_S),
            InputClarification(argument_name="b", user_guidance="b?"),
        ]

    builder = PlanBuilderV2().function_step(function=function, step_name="f", side_effect=False)
    stage = Stage(builder.build(), ask=waits)
    run = await stage.run()
    assert (run.state, run.get_outstanding_clarifications()) == ("FAILED", [])
    assert len(calls) == 1
    assert (await stage.resume()).outputs["f"].value == "done"


async def test_in_a_loop_each_round_has_its_own_time_and_a_failing_one_ends_the_run() -> None:
    builder = PlanBuilderV2()
    with builder.loop(over=["a", "b"], step_name="each") as item:
        builder.user_input(message=f"What of {item}?", expires_in_s=SOON_S, step_name="it")
    stage = Stage(builder.build(), ask=waits)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: len(stage.questions) == 1)
    stage.answer(stage.questions[0], "x")
    run = await running
    assert run.error is not None and run.error.step == "each[1]/it"
    assert run.state == "FAILED"


async def test_a_default_that_its_question_does_not_allow_is_none() -> None:
    def ask() -> Any:
        return MultipleChoiceClarification(options=("a",), default="b", expires_in_s=SOON_S)

    builder = PlanBuilderV2().function_step(function=ask, step_name="it", side_effect=False)
    run = await Stage(builder.build(), ask=waits).run()
    assert run.error is not None and run.error.type == "ClarificationExpired"


async def test_verifications_take_their_default_too() -> None:
    builder = PlanBuilderV2().user_verify(
        message="Go?", default=False, expires_in_s=SOON_S, step_name="go"
    )
    run = await Stage(builder.build(), ask=waits).run()
    assert run.error is not None and run.error.type == "PlanRunExitError"


def test_a_plan_with_such_a_question_comes_back_from_its_json() -> None:
    from portia_nb import Plan

    plan = asking("Oslo", 5)
    assert '"expires_in_s":5.0' in plan.model_dump_json()
    assert Plan.model_validate_json(plan.model_dump_json()) == plan
    assert "expires_in_s" not in asking("Oslo", None).model_dump_json()
    with pytest.raises(ValueError, match="greater than 0"):
        asking(None, 0)


async def test_who_answered_and_when_stands_with_the_answer_and_in_its_json() -> None:
    stage = Stage(asking(None, None), ask=waits)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    before = time.time()
    stage.answer(stage.questions[0], "Rome")
    (asked,) = (await running).outputs.clarifications
    assert asked.answered_by == "a test"
    assert asked.answered_at is not None and before <= asked.answered_at <= time.time()
    assert asked.model_dump()["answered_by"] == "a test"
    (raised,) = [e for e in stage.events if isinstance(e, ClarificationRaised)]
    assert not {"answered_by", "answered_at", "expires_at"} & set(raised.clarification.model_dump())
    assert any(isinstance(e, ClarificationResolved) for e in stage.events)
