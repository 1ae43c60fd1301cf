"""What a stopped run no longer does, whatever the user's code makes of its cancellation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from portia_nb import ExecutionHooks, PlanBuilderV2, ToolSoftError, tool
from portia_nb.model.language import ModelReply, ToolCall
from portia_nb.running import own_work, rules
from portia_nb.running.background import Background
from portia_nb.running.places import Places
from tests.planning.answers import Answering

from .stage import Stage, nothing, plan_of


class Unheeding:
    """A tool that answers its cancellation with an error that asks for another try."""

    def __init__(self) -> None:
        self.calls = 0
        self.started = asyncio.Event()

        @tool(side_effect=False)
        async def ask_server(question: str) -> str:
            """Ask the server."""
            self.calls += 1
            self.started.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ToolSoftError("the connection was lost") from None
            return question

        self.tool = ask_server()


async def test_a_tool_that_makes_an_error_of_its_cancellation_is_not_called_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rules, "FIRST_RETRY_S", 0.001)
    it = Unheeding()
    builder = PlanBuilderV2().invoke_tool_step(
        tool=it.tool, args={"question": "who?"}, step_name="a"
    )
    stage = Stage(builder.build())
    running = asyncio.create_task(stage.run())
    await it.started.wait()
    stage.executor.stop("enough")
    assert (await asyncio.wait_for(running, 5)).state == "READY_TO_RESUME"
    assert it.calls == 1
    assert stage.kinds[-2:] == ["step_cancelled", "run_stopped"]


async def test_an_agent_whose_tool_does_not_heed_the_stop_asks_its_model_no_more() -> None:
    it = Unheeding()
    wanted = ToolCall("1", it.tool.id, {"question": "who?"})
    model = Answering(*[ModelReply("", None, (wanted,), "test/model") for _ in range(3)])
    builder = PlanBuilderV2().react_agent_step(task="Find out", tools=[it.tool], step_name="a")
    stage = Stage(builder.build(), tools=[it.tool], model=model)
    running = asyncio.create_task(stage.run())
    await it.started.wait()
    stage.executor.stop("enough")
    assert (await asyncio.wait_for(running, 5)).state == "READY_TO_RESUME"
    assert it.calls == len(model.requests) == 1


async def test_what_was_left_to_itself_makes_no_call_once_the_run_is_over() -> None:
    places = Places(None)
    places.refuse_late_calls()
    places.close()
    with pytest.raises(asyncio.CancelledError):
        places.refuse_late_calls()

    stage = Stage(plan_of(a=nothing))
    await stage.run()
    with pytest.raises(asyncio.CancelledError):
        stage.ports.places.refuse_late_calls()


@pytest.mark.parametrize("when", ["before_plan_run", "after_plan_run"])
async def test_a_hook_that_does_not_heed_the_stop_is_left_to_itself(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_work, "CLEAN_UP_S", 0.05)
    called, may_end = asyncio.Event(), asyncio.Event()

    async def deaf(*_: Any) -> None:
        called.set()
        while not may_end.is_set():
            try:
                await may_end.wait()
            except asyncio.CancelledError:
                continue

    stage = Stage(plan_of(a=nothing), hooks=ExecutionHooks(**{when: deaf}))
    running = asyncio.create_task(stage.run())
    await called.wait()
    stage.executor.stop("enough")
    assert (await asyncio.wait_for(running, 5)).state == "READY_TO_RESUME"
    may_end.set()


async def test_cancelling_the_execution_in_a_hook_stops_the_run_and_the_hook() -> None:
    called, ended = asyncio.Event(), asyncio.Event()

    async def long(*_: Any) -> None:
        called.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    stage = Stage(plan_of(a=nothing), hooks=ExecutionHooks(before_plan_run=long))
    running = asyncio.create_task(stage.run())
    await called.wait()
    running.cancel()
    assert (await asyncio.wait_for(running, 5)).state == "READY_TO_RESUME"
    assert ended.is_set() and stage.order == []


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
async def test_the_background_loop_outlives_what_a_task_raises_out_of_it(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    """A tool may start tasks of its own, and asyncio raises these two out of the whole loop."""
    ours = Background("a test's loop")

    async def child() -> None:
        raise error

    async def work() -> str:
        (found,) = await asyncio.gather(child(), return_exceptions=True)
        return type(found).__name__

    loop = ours.loop
    submitted = asyncio.wrap_future(ours.submit(work()))
    assert await asyncio.wait_for(submitted, 5) == type(error).__name__
    assert ours.loop is loop
    assert type(error).__name__ in caplog.text
    loop.call_soon_threadsafe(loop.stop)  # nor does it end when somebody stops it
    assert await asyncio.wait_for(asyncio.wrap_future(ours.submit(work())), 5)
