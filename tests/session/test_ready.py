"""Waiting until others have answered: another thread, another process, or nobody in time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from portia_nb import Plan, PlanBuilderV2, PlanRun, Portia, StepOutput
from portia_nb.errors import InvalidPlanRunStateError, NotReadyInTime, PlanRunNotFoundError
from portia_nb.running import expiry

from .stage import portia


def asking(**more: Any) -> Plan:
    return (
        PlanBuilderV2("ask")
        .user_input(message="City?", step_name="city", **more)
        .user_input(message="Day?", step_name="day")
        .build()
    )


def only_city(**more: Any) -> Plan:
    return PlanBuilderV2("ask").user_input(message="City?", step_name="city", **more).build()


def answer(us: Portia, run: PlanRun, response: str = "Oslo") -> PlanRun:
    (question,) = us.get_run(run.id).get_outstanding_clarifications()
    return us.resolve_clarification(question, response)


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_an_answer_on_another_thread_ends_the_wait(store: str, tmp_path: Path) -> None:
    us = portia("memory" if store == "memory" else str(tmp_path))
    run = us.run_plan(only_city())
    threading.Timer(0.3, answer, (us, run)).start()
    run = us.wait_for_ready(run, timeout_s=10)
    assert run.state == "READY_TO_RESUME"
    assert us.resume(run).outputs["city"].value == "Oslo"


async def test_the_async_twin_leaves_its_loop_free() -> None:
    us = portia()
    run = await us.arun_plan(only_city())
    waiting = asyncio.create_task(us.await_for_ready(run, timeout_s=10))
    await asyncio.sleep(0.05)
    (question,) = run.get_outstanding_clarifications()
    await us.aresolve_clarification(question, "Oslo")
    assert (await waiting).state == "READY_TO_RESUME"


ANSWERER = """
import sys
from portia_nb import Config, Portia
portia = Portia(Config(store=sys.argv[1]), tools=[])
(row,) = portia.store.find_runs()
print("ready", flush=True)
sys.stdin.readline()
(question,) = portia.get_run(row.run_id).get_outstanding_clarifications()
run = portia.resolve_clarification(question, "Rome")
print(run.state)
"""


def test_an_answer_in_another_process_ends_the_wait(tmp_path: Path) -> None:
    us = portia(str(tmp_path))
    run = us.run_plan(only_city())
    with subprocess.Popen(
        [sys.executable, "-c", ANSWERER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        began = time.process_time()
        waiting = threading.Timer(1.0, lambda: other.stdin and other.stdin.close())
        waiting.start()
        run = us.wait_for_ready(run, timeout_s=15)
        spent_s = time.process_time() - began
        assert other.stdout.read() == "READY_TO_RESUME\n"
    assert run.state == "READY_TO_RESUME"
    assert spent_s < 0.2, "it sleeps between its looks"
    (asked,) = run.outputs.clarifications
    assert (asked.response, asked.answered_by) == ("Rome", "the caller")
    assert us.resume(run).outputs["city"].value == "Rome"


def test_after_its_time_the_wait_ends_with_a_typed_error_that_names_the_question() -> None:
    us = portia()
    run = us.run_plan(only_city())
    began = time.monotonic()
    with pytest.raises(NotReadyInTime, match=r"'City\?' after 0\.3 s") as raised:
        us.wait_for_ready(run, timeout_s=0.3)
    assert time.monotonic() - began < 2
    assert isinstance(raised.value, InvalidPlanRunStateError | TimeoutError)
    assert us.get_run(run.id).state == "NEED_CLARIFICATION"


def test_the_references_three_numbers_are_a_time_limit_too() -> None:
    us = portia()
    run = us.run_plan(only_city())
    began = time.monotonic()
    with pytest.raises(InvalidPlanRunStateError):
        us.wait_for_ready(
            run, max_retries=2, backoff_start_time_seconds=0.1, backoff_time_seconds=0.05
        )
    assert 0.3 < time.monotonic() - began < 2


def test_a_run_that_waits_for_nothing_comes_back_at_once() -> None:
    us = portia()
    made = us.create_plan_run(only_city())
    assert us.wait_for_ready(made, timeout_s=0).state == "NOT_STARTED"
    run = us.run_plan(only_city())
    answer(us, run)
    assert us.wait_for_ready(run, timeout_s=0).state == "READY_TO_RESUME"
    done = us.resume(run)
    assert us.wait_for_ready(run, timeout_s=0).state == "COMPLETE", "resumed by somebody else"
    with pytest.raises(InvalidPlanRunStateError, match="is done: it waits"):
        us.wait_for_ready(done)
    with pytest.raises(PlanRunNotFoundError):
        portia().wait_for_ready(run)


def test_every_question_must_be_answered() -> None:
    us = portia()
    builder = PlanBuilderV2()
    from portia_nb import InputClarification

    def ask() -> Any:
        return InputClarification(argument_name="x", user_guidance="?")

    for name in ("a", "b"):
        builder.function_step(function=ask, step_name=name, side_effect=False)
    run = us.run_plan(builder.build())
    first, second = run.get_outstanding_clarifications()
    us.resolve_clarification(first, "1")
    with pytest.raises(NotReadyInTime):
        us.wait_for_ready(run, timeout_s=0.1)
    us.resolve_clarification(second, "2")
    assert us.wait_for_ready(run, timeout_s=0.1).state == "READY_TO_RESUME"


@pytest.mark.parametrize("default", ["Bergen", None])
def test_a_question_whose_time_is_up_is_ended_while_somebody_waits(default: str | None) -> None:
    us = portia()
    run = us.run_plan(only_city(default=default, expires_in_s=0.3))
    assert run.state == "NEED_CLARIFICATION"
    run = us.wait_for_ready(run, timeout_s=10)
    if default is None:
        assert run.error is not None
        assert (run.state, run.error.type) == ("FAILED", "ClarificationExpired")
        assert us.store.find_run(run.id).state == "FAILED"
    else:
        assert run.state == "READY_TO_RESUME"
        assert us.resume(run).outputs["city"].value == "Bergen"


@pytest.mark.parametrize("store", ["memory", "disk"])
@pytest.mark.parametrize("default", ["Bergen", None])
@pytest.mark.parametrize("how", ["resume", "answer"])
def test_a_question_whose_time_is_up_is_ended_by_a_resume_and_by_a_late_answer(
    store: str, default: str | None, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    us = portia("memory" if store == "memory" else str(tmp_path))
    run = us.run_plan(asking(default=default, expires_in_s=3600))
    with pytest.raises(InvalidPlanRunStateError):
        us.resume(run)
    now = time.time()
    monkeypatch.setattr(expiry.time, "time", lambda: now + 3601)
    if how == "answer":
        run = answer(us, run, "too late")
        assert run.state == ("READY_TO_RESUME" if default else "FAILED")
        run = us.resume(run) if default else run
    else:
        run = us.resume(run)
    if default is None:
        assert run.error is not None and run.error.type == "ClarificationExpired"
        run = us.resume(run)
        (question,) = run.get_outstanding_clarifications()
        assert question.user_guidance == "City?", "a failed run asks again"
    else:
        assert run.outputs["city"].value == "Bergen"
        assert [c.user_guidance for c in run.get_outstanding_clarifications()] == ["Day?"]


def test_a_wait_for_a_run_that_lives_in_this_process_sees_it_answered() -> None:
    from portia_nb.session.live import LiveRun

    us = portia()
    asked: list[tuple[LiveRun, Any]] = []
    came = threading.Event()

    def ask(live: LiveRun, question: Any) -> None:
        asked.append((live, question))
        came.set()

    builder = PlanBuilderV2().user_input(message="?", step_name="it")
    builder.function_step(function=lambda x: x, args={"x": StepOutput("it")}, step_name="end")
    live = us.start_run(builder.build(), asker=ask)
    came.wait(5)
    threading.Timer(0.3, lambda: live.answer(asked[0][1].id, "yes", "a test")).start()
    while us.get_run(live.id).state != "NEED_CLARIFICATION":
        time.sleep(0.01)
    run = us.wait_for_ready(us.get_run(live.id), timeout_s=10)
    assert run.state in ("IN_PROGRESS", "COMPLETE")
    assert live.done.result(5).state == "COMPLETE"
