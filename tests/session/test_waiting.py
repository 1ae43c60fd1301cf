"""Waiting for runs from any thread and loop; interrupts, cancellation, where code runs (N35)."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import signal
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portia_nb import PlanBuilderV2, Portia, ToolRunContext, tool
from portia_nb.model.events import TextStreamed
from portia_nb.model.language import Message, ModelReply, ModelRequest
from portia_nb.running.background import background
from portia_nb.session.live import live_run
from portia_nb.storage import schema

from .stage import Work, portia

REQUEST = ModelRequest((Message("user", "hello"),))

TWINS = ["plan", "run", "run_plan", "resume", "resolve_clarification", "error_clarification"]


@pytest.mark.parametrize("name", TWINS)
def test_each_method_takes_what_its_async_twin_takes(name: str) -> None:
    plain, twin = (inspect.signature(getattr(Portia, n)) for n in (name, f"a{name}"))
    assert plain == twin


def in_a_thread(call: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join(10)
    return found[0]


def number_plan() -> Any:
    return PlanBuilderV2().function_step(function=lambda: 42, step_name="n").build()


def test_a_plain_call_works_in_any_thread() -> None:
    us = portia()
    assert in_a_thread(lambda: us.run_plan(number_plan())).outputs["n"].value == 42


async def test_a_plain_call_works_inside_a_running_loop() -> None:
    assert portia().run_plan(number_plan()).outputs["n"].value == 42


async def test_the_first_opening_of_a_store_holds_up_no_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[threading.Thread] = []
    prepare = schema.prepare

    def slow_disk(path: Path) -> None:
        opened.append(threading.current_thread())
        prepare(path)

    monkeypatch.setattr(schema, "prepare", slow_disk)
    first = portia(str(tmp_path))
    run = await first.arun_plan(number_plan())
    first.store.close()
    await portia(str(tmp_path)).aresume(run)
    assert len(opened) == 2
    assert threading.current_thread() not in opened


async def test_a_run_may_start_another_from_a_step() -> None:
    us = portia()

    async def inner_async() -> Any:
        return (await us.arun_plan(number_plan())).outputs["n"].value

    def inner() -> Any:
        return us.run_plan(number_plan()).outputs["n"].value

    for function in (inner, inner_async):
        plan = PlanBuilderV2().function_step(function=function, step_name="outer").build()
        assert us.run_plan(plan).outputs["outer"].value == 42
        assert (await us.arun_plan(plan)).outputs["outer"].value == 42


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("plan", ("a query",)),
        ("run", ("a query",)),
        ("run_plan", (number_plan(),)),
        ("resume", (None, "prun-1")),
        ("resolve_clarification", (None, 1)),
        ("error_clarification", (None, "x")),
    ],
)
def test_a_plain_call_on_our_own_loop_is_refused_at_once_and_names_its_twin(
    name: str, given: Any
) -> None:
    us = portia()
    raised: list[BaseException] = []

    async def call() -> None:
        try:
            getattr(us, name)(*given)
        except RuntimeError as error:
            raised.append(error)

    background.submit(call()).result(10)
    assert f"awaits a{name}" in str(raised[0])
    assert us.store.find_runs() == [], "nothing was started"


async def test_async_steps_run_on_the_loop_that_awaits_and_plain_ones_on_threads() -> None:
    lock = asyncio.Lock()
    here = asyncio.get_running_loop()

    async def contend() -> bool:
        async with lock:
            await asyncio.sleep(0)
        return asyncio.get_running_loop() is here

    def plain() -> bool:
        return threading.current_thread() is not threading.main_thread()

    builder = PlanBuilderV2()
    for i in range(8):
        builder.function_step(function=contend, step_name=f"a{i}", side_effect=False)
    builder.function_step(function=plain, step_name="plain", side_effect=False)
    run = await portia().arun_plan(builder.build())
    assert run.state == "COMPLETE", run.error
    assert all(output.value for output in run.outputs.step_outputs.values())


async def test_a_tool_may_opt_out_of_the_caller_s_loop() -> None:
    @tool(side_effect=False, loop="background")
    async def where() -> bool:
        """Say where it runs."""
        return asyncio.get_running_loop() is background.loop

    plan = PlanBuilderV2().invoke_tool_step(tool=where, step_name="w").build()
    assert (await portia().arun_plan(plan)).outputs["w"].value is True


async def test_cancelling_who_awaits_stops_the_run_and_it_resumes_where_it_was() -> None:
    work, us = Work(is_async=True), portia()
    plan = work.plan()
    waiting = asyncio.create_task(us.arun_plan(plan))
    assert await asyncio.to_thread(work.started.wait, 10)
    waiting.cancel()
    began = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert time.monotonic() - began < 2
    (row,) = us.store.find_runs()
    assert row.state == "READY_TO_RESUME"
    work.gate.set()
    run = await us.aresume(plan_run_id=row.run_id)
    assert run.outputs["late"].value == "early, long, late"
    assert work.calls == ["early", "long", "long", "late"]


@pytest.mark.parametrize("is_async", [True, False])
def test_an_interrupt_stops_the_run_and_the_prompt_is_back_within_two_seconds(
    is_async: bool,
) -> None:
    work, us = Work(is_async=is_async), portia()
    plan = work.plan()
    sent_at: list[float] = []

    def interrupt() -> None:
        assert work.started.wait(10)
        sent_at.append(time.monotonic())
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        us.run_plan(plan)
    assert time.monotonic() - sent_at[0] < 2
    thread.join()
    work.gate.set()
    time.sleep(0.3)  # the promise: no call starts from then on
    assert work.calls == ["early", "long"]
    (row,) = us.store.find_runs()
    assert row.state == "READY_TO_RESUME"
    assert us.resume(plan_run_id=row.run_id).state == "COMPLETE"
    assert work.calls == ["early", "long", "long", "late"]


def test_a_second_interrupt_while_it_stops_brings_the_prompt_back_at_once() -> None:
    us = portia()
    started, release = threading.Event(), threading.Event()

    async def stubborn() -> None:
        started.set()
        while not release.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    plan = PlanBuilderV2().function_step(function=stubborn, step_name="s").build()

    def interrupt() -> None:
        assert started.wait(10)
        for _ in range(2):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            time.sleep(0.3)

    thread = threading.Thread(target=interrupt)
    thread.start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        us.run_plan(plan)
    assert time.monotonic() - began < 1.5
    thread.join()
    release.set()


async def test_a_run_is_stopped_from_any_thread_and_nothing_new_starts() -> None:
    work, us = Work(is_async=True), portia()
    live = us.start_run(work.plan())
    assert work.started.wait(10)
    in_a_thread(lambda: live.stop("enough"))
    run = await asyncio.wrap_future(live.done)
    assert run.state == "READY_TO_RESUME"
    assert work.calls == ["early", "long"]


async def test_stream_yields_every_event_in_order_and_the_caller_may_wait_between() -> None:
    kinds = []
    async for recorded in portia().stream(number_plan()):
        kinds.append((recorded.seq, recorded.event.kind))
        await asyncio.sleep(0.001)
    assert [seq for seq, _ in kinds] == list(range(1, len(kinds) + 1))
    assert [kinds[0][1], kinds[-1][1]] == ["run_created", "run_completed"]


async def test_leaving_a_stream_stops_its_run() -> None:
    work, us = Work(is_async=True), portia()
    stream = us.stream(work.plan())
    async for recorded in stream:
        if recorded.event.kind == "tool_called" and recorded.event.path == "long":
            break
    await stream.aclose()  # type: ignore[attr-defined]
    work.gate.set()
    (row,) = us.store.find_runs()
    assert row.state == "READY_TO_RESUME"


def test_no_loop_is_held_once_nobody_waits_on_it() -> None:
    us, loops = portia(), []

    async def main() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await us.arun_plan(number_plan())

    for _ in range(3):
        asyncio.run(main())
    gc.collect()
    assert [loop() for loop in loops[:-1]] == [None, None]


class Loops:
    """A model that says on which loops it was asked."""

    name = "fake/loops"

    def __init__(self) -> None:
        self.found: list[asyncio.AbstractEventLoop] = []

    async def reply(self, request: Any, *, on_text: Any = None) -> ModelReply:
        self.found.append(asyncio.get_running_loop())
        on_text("piece")
        return ModelReply(text="ok", model=self.name)


async def test_a_tool_asks_its_model_and_shows_text_from_wherever_it_runs() -> None:
    heard: list[tuple[Any, threading.Thread]] = []

    @tool
    async def on_this_loop(ctx: ToolRunContext) -> str:
        """Ask on the caller's loop."""
        ctx.on_text("first")  # type: ignore[misc]
        return (await ctx.model.reply(REQUEST, on_text=ctx.on_text)).text  # type: ignore[union-attr]

    @tool
    def on_a_thread(ctx: ToolRunContext) -> str:
        """Ask on a loop of its own."""
        return asyncio.run(on_this_loop().arun(ctx))

    us, model = portia(), Loops()
    us._parts.model = lambda *_: model  # type: ignore[method-assign, assignment]
    plan = PlanBuilderV2()
    for asking in (on_this_loop, on_a_thread):
        plan.invoke_tool_step(tool=asking(), args={}, step_name=asking.__name__)
    live = us.start_run(
        plan.build(),
        listeners=[lambda _, recorded: heard.append((recorded.event, threading.current_thread()))],
        caller=asyncio.get_running_loop(),
    )
    run = await asyncio.wrap_future(live.done)
    assert [value.value for value in run.outputs.step_outputs.values()] == ["ok", "ok"]
    assert set(model.found) == {background.loop}
    assert {thread for _, thread in heard} == {background._thread}
    shown = [event.text for event, _ in heard if isinstance(event, TextStreamed)]
    assert shown == ["first", "piece"] * 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system doesn't fork")
def test_a_fork_runs_plans_of_its_own_and_leaves_the_parent_its_runs() -> None:
    us, work = portia(), Work(is_async=False)
    us.run_plan(number_plan())  # leaves an idle thread behind
    live = us.start_run(work.plan())
    work.started.wait(5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads, from 3.12
        child = os.fork()
    if child == 0:
        signal.alarm(5)
        done = us.run_plan(number_plan()).state == "COMPLETE" and live_run(live.id) is None
        os._exit(0 if done else 1)
    _, status = os.waitpid(child, 0)
    assert live_run(live.id) is live
    work.gate.set()
    live.done.result(5)
    assert status == 0
