"""Steps that fail, are tried again, or take too long."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from portia_nb import (
    ExecutionHooks,
    PlanBuilderV2,
    ToolFailedError,
    ToolHardError,
    ToolRetryError,
    ToolSoftError,
    tool,
)
from portia_nb.model.events import StepFailed
from portia_nb.running import deadlines, rules

from .stage import Stage, nothing, plan_of


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "FIRST_RETRY_S", 0.001)


async def test_after_a_failure_nothing_new_starts_and_what_runs_finishes() -> None:
    failed, finish = asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        failed.set()
        raise ValueError("broken")

    async def take_long() -> str:
        await failed.wait()
        await finish.wait()
        return "finished"

    plan = plan_of(bad=fail, long=take_long, later=(nothing, ["long"]))
    stage = Stage(plan)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "step_failed" in stage.kinds)
    assert "run_failed" not in stage.kinds, "a step is still running"
    finish.set()
    run = await running
    assert run.state == "FAILED"
    assert run.outputs["long"].value == "finished"
    assert "+later" not in stage.order
    assert stage.kinds[-1] == "run_failed"
    assert run.final_output is not None and run.final_output.value == "broken"
    assert run.error is not None
    assert (run.error.type, run.error.message, run.error.step) == ("ValueError", "broken", "bad")


async def test_a_failed_run_goes_on_with_the_steps_that_are_not_done() -> None:
    broken = True

    async def sometimes() -> str:
        if broken:
            raise ValueError("broken")
        return "mended"

    stage = Stage(plan_of(a=nothing, b=(sometimes, ["a"]), c=(nothing, ["b"])))
    assert (await stage.run()).state == "FAILED"
    broken = False
    run = await stage.resume()
    assert (run.state, run.error, run.outputs["b"].value) == ("COMPLETE", None, "mended")
    assert stage.order == ["+a", "-a", "+b", "+b", "-b", "+c", "-c"]


HARD, SOFT, OTHER = ToolHardError("hard"), ToolSoftError("soft"), ValueError("other")


@pytest.mark.parametrize(
    ("error", "effect", "retries", "calls"),
    [
        (SOFT, False, None, rules.READING_TRIES),
        (SOFT, None, None, 1),
        (SOFT, True, None, 1),
        (HARD, False, None, 1),
        (OTHER, False, None, 1),
        (SOFT, False, 0, 1),
        (SOFT, False, 5, 6),
        (SOFT, None, 2, 3),
        (SOFT, True, 2, 1),
        (OTHER, False, 2, 3),
        (HARD, False, 2, 1),
        (ToolFailedError("failed"), False, 2, 1),
        (ToolRetryError("again and again"), False, 2, 1),
    ],
)
async def test_a_step_is_tried_again_only_where_that_is_safe_and_may_help(
    error: Exception, effect: bool | None, retries: int | None, calls: int
) -> None:
    made = 0

    async def fail() -> None:
        nonlocal made
        made += 1
        raise error

    plan = PlanBuilderV2().function_step(
        function=fail, step_name="it", side_effect=effect, retries=retries
    )
    stage = Stage(plan.build())
    run = await stage.run()
    assert run.state == "FAILED" and made == calls
    pauses = [e.retry_in_s for e in stage.events if isinstance(e, StepFailed)]
    assert pauses == [pytest.approx(0.001 * 2**i) for i in range(calls - 1)] + [None]


@pytest.mark.parametrize(("on_step", "on_tool", "calls"), [(None, 1, 2), (3, 1, 4), (0, 1, 1)])
async def test_a_step_says_more_than_its_tool_about_retries(
    on_step: int | None, on_tool: int, calls: int
) -> None:
    made = 0

    @tool(side_effect=False, retries=on_tool)
    def flaky() -> None:
        """Fail."""
        nonlocal made
        made += 1
        raise ToolSoftError("soft")

    plan = PlanBuilderV2().invoke_tool_step(tool=flaky, step_name="it", retries=on_step).build()
    await Stage(plan).run()
    assert made == calls


async def test_a_second_try_that_works_completes_the_step() -> None:
    tries: list[int] = []

    async def flaky() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise ToolSoftError("not yet")
        return len(tries)

    run = await Stage(plan_of(a=flaky)).run()
    assert (run.state, run.outputs["a"].value) == ("COMPLETE", 2)


async def hang() -> None:
    await asyncio.Event().wait()


@pytest.mark.alone
async def test_an_async_step_that_takes_too_long_is_cancelled_and_fails() -> None:
    cleaned: list[int] = []

    async def slow() -> None:
        try:
            await hang()
        finally:
            cleaned.append(1)

    plan = PlanBuilderV2().function_step(
        function=slow, step_name="it", side_effect=False, timeout_s=0.05
    )
    began = time.monotonic()
    run = await Stage(plan.build()).run()
    assert 0.05 <= time.monotonic() - began < 0.55
    assert run.error is not None and run.error.type == "StepTimeout"
    assert "0.05 s" in run.error.message and "timeout_s=" in run.error.message
    assert cleaned == [1]


async def test_a_plain_step_that_hangs_is_left_to_its_thread_and_the_next_run_works() -> None:
    release, over = threading.Event(), threading.Event()

    def slow() -> None:
        release.wait(10)
        over.set()

    plan = PlanBuilderV2().function_step(
        function=slow, step_name="it", side_effect=False, timeout_s=0.05
    )
    run = await Stage(plan.build()).run()
    assert run.error is not None and run.error.type == "StepTimeout"
    assert (await Stage(plan_of(a=lambda: 1)).run()).state == "COMPLETE"
    release.set()
    assert over.wait(10)


async def test_a_step_that_does_not_heed_its_cancellation_is_left_to_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadlines, "STUCK_S", 0.05)
    release = asyncio.Event()

    async def stubborn() -> str:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return "late"

    plan = PlanBuilderV2().function_step(
        function=stubborn, step_name="it", side_effect=False, timeout_s=0.02
    )
    stage = Stage(plan.build())
    run = await stage.run()
    assert run.state == "FAILED"
    assert run.error is not None and "does not stop" in run.error.message
    release.set()
    await asyncio.sleep(0.01)
    assert stage.kinds[-1] == "run_failed", "what it put out in the end is dropped"


async def test_every_attempt_has_the_whole_time() -> None:
    tries: list[int] = []

    async def slow_then_quick() -> str:
        tries.append(1)
        if len(tries) == 1:
            await hang()
        return "quick"

    plan = PlanBuilderV2().function_step(
        function=slow_then_quick, step_name="it", side_effect=False, timeout_s=0.05, retries=1
    )
    run = await Stage(plan.build()).run()
    assert (run.state, run.outputs["it"].value) == ("COMPLETE", "quick")


async def test_a_timeout_error_of_the_tool_s_own_is_not_the_step_s() -> None:
    async def fail() -> None:
        raise TimeoutError("the server's")

    run = await Stage(plan_of(a=fail)).run()
    assert run.error is not None and run.error.type == "TimeoutError"


@pytest.mark.alone
async def test_many_time_limits_are_held_at_once() -> None:
    ended: dict[str, float] = {}
    began = time.monotonic()

    def until(name: str) -> Any:
        async def wait() -> None:
            try:
                await hang()
            finally:
                ended[name] = time.monotonic() - began

        return wait

    builder = PlanBuilderV2()
    limits = {"c": 0.15, "a": 0.05, "b": 0.1}
    for name, limit in limits.items():
        builder.function_step(
            function=until(name), step_name=name, side_effect=False, timeout_s=limit
        )
    await Stage(builder.build()).run()
    assert list(ended) == ["a", "b", "c"]
    assert all(0 <= ended[name] - limit < 1 for name, limit in limits.items())


async def test_the_wall_clock_may_jump_and_no_time_limit_minds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = time.time
    offset = 0.0
    monkeypatch.setattr(time, "time", lambda: real() + offset)

    async def jump() -> str:
        nonlocal offset
        offset = 86_400.0
        await asyncio.sleep(0.01)
        offset = -86_400.0
        await asyncio.sleep(0.01)
        return "there"

    plan = PlanBuilderV2().function_step(
        function=jump, step_name="it", side_effect=False, timeout_s=5
    )
    run = await Stage(plan.build()).run()
    assert run.outputs["it"].value == "there"


async def test_an_error_of_the_tool_while_its_time_is_up_is_the_timeout() -> None:
    async def convert() -> None:
        try:
            await hang()
        except asyncio.CancelledError as stopped:
            raise ValueError("I was stopped") from stopped

    plan = PlanBuilderV2().function_step(
        function=convert, step_name="it", side_effect=False, timeout_s=0.02
    )
    run = await Stage(plan.build()).run()
    assert run.error is not None and run.error.type == "StepTimeout"


async def test_a_coroutine_that_cancels_itself_fails_its_step_and_stops_nothing_else() -> None:
    async def cancel() -> None:
        raise asyncio.CancelledError

    stage = Stage(plan_of(a=cancel, b=nothing))
    run = await stage.run()
    assert run.state == "FAILED"
    assert run.error is not None and "cancelled itself" in run.error.message
    assert "-b" in stage.order


async def test_a_stop_cancels_what_runs_and_keeps_what_is_done() -> None:
    started = asyncio.Event()
    cleaned: list[int] = []

    async def long() -> None:
        started.set()
        try:
            await hang()
        finally:
            cleaned.append(1)

    stage = Stage(plan_of(a=nothing, b=(long, ["a"]), c=(nothing, ["b"])))
    running = asyncio.create_task(stage.run())
    await started.wait()
    stage.executor.stop("enough")
    run = await running
    assert run.state == "READY_TO_RESUME" and cleaned == [1]
    assert stage.kinds[-2:] == ["step_cancelled", "run_stopped"]
    assert stage.order == ["+a", "-a", "+b"]


async def test_cancelling_the_execution_stops_the_run() -> None:
    started = asyncio.Event()

    async def long() -> None:
        started.set()
        await hang()

    stage = Stage(plan_of(a=long))
    running = asyncio.create_task(stage.run())
    await started.wait()
    running.cancel()
    assert (await running).state == "READY_TO_RESUME"


async def test_a_run_that_is_stopped_before_it_starts_calls_nothing() -> None:
    def never(*_: Any) -> None:
        pytest.fail("the hook was called")

    stage = Stage(plan_of(a=nothing), hooks=ExecutionHooks(before_plan_run=never))
    stage.executor.stop("never mind")
    assert (await stage.run()).state == "READY_TO_RESUME"
    assert stage.order == []


async def test_a_stop_before_a_step_has_begun_is_not_waited_for() -> None:
    stage: Stage

    async def stop_at_once() -> None:
        stage.executor.stop("enough")

    stage = Stage(plan_of(a=stop_at_once, b=nothing))
    began = time.monotonic()
    run = await stage.run()
    assert time.monotonic() - began < 2
    assert run.state == "READY_TO_RESUME"
    assert "+b" not in stage.order and "step_cancelled" not in stage.kinds[-1:]


async def test_a_stop_during_the_pause_before_a_retry_takes_effect_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail() -> None:
        raise ToolSoftError("again, please")

    monkeypatch.setattr(rules, "FIRST_RETRY_S", 60)
    monkeypatch.setattr(rules, "LONGEST_RETRY_S", 60)
    stage = Stage(plan_of(a=fail))
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "step_failed" in stage.kinds)
    stage.executor.stop("enough")
    assert (await asyncio.wait_for(running, 2)).state == "READY_TO_RESUME"


async def test_a_step_is_not_tried_again_once_another_has_failed() -> None:
    tried, may_break = [], asyncio.Event()

    async def flaky() -> None:
        tried.append(1)
        may_break.set()
        raise ToolSoftError("once more")

    async def broken() -> None:
        await may_break.wait()
        raise ToolHardError("broken")

    stage = Stage(plan_of(flaky=flaky, broken=broken))
    assert (await stage.run()).state == "FAILED"
    assert len(tried) == 1


async def test_where_a_step_failed_is_told_without_the_made_up_file_of_a_notebooks_cell() -> None:
    names: dict[str, Any] = {}
    source = "def broken():\n    raise ValueError(0)\n"
    exec(compile(source, "/tmp/ipykernel_7/11.py", "exec"), names)
    stage = Stage(plan_of(a=names["broken"]))
    run = await stage.run()
    assert run.error is not None and run.error.traceback is not None
    assert run.error.traceback.startswith("Cell, line 2, in broken")
