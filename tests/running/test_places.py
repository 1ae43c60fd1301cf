"""Where the user's code runs, and who is named when it blocks a loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from portia_nb.errors import PortiaBaseError
from portia_nb.running import watch as watch_module
from portia_nb.running.background import Background
from portia_nb.running.places import Places
from portia_nb.running.watch import Watch

who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


@pytest.fixture(scope="module")
def other() -> Background:
    """Another thread with its own loop, as the executor's is."""
    return Background("another loop")


def elsewhere(other: Background, places: Places, function: Any, **options: Any) -> Any:
    async def call() -> Any:
        return await places.call(function, name="step 'x': it", **options)

    return asyncio.wrap_future(other.submit(call()))


async def test_a_coroutine_runs_on_the_loop_of_who_waits(other: Background) -> None:
    lock = asyncio.Lock()

    async def where() -> Any:
        async with lock:  # made on this loop, and contended it works on this one only
            await asyncio.sleep(0)
        return asyncio.get_running_loop()

    here = asyncio.get_running_loop()
    places = Places(here)
    found = await asyncio.gather(*(elsewhere(other, places, where) for _ in range(20)))
    assert set(found) == {here}


async def test_a_coroutine_may_stay_on_the_runs_own_loop(other: Background) -> None:
    async def where() -> Any:
        return asyncio.get_running_loop()

    places = Places(asyncio.get_running_loop())
    assert await elsewhere(other, places, where, on_caller=False) is other.loop
    assert await elsewhere(other, Places(None), where) is other.loop


async def test_a_plain_function_runs_on_a_daemon_thread_with_the_callers_context(
    other: Background,
) -> None:
    who.set("me")

    def look() -> Any:
        thread = threading.current_thread()
        return who.get(), thread.daemon, thread.name

    places = Places(asyncio.get_running_loop(), contextvars.copy_context())
    name, daemon, thread = await elsewhere(other, places, look)
    assert (name, daemon) == ("me", True)
    assert thread.startswith("portia-nb")


async def test_what_a_plain_function_returns_is_awaited_where_it_can_be(other: Background) -> None:
    async def answer() -> str:
        return threading.current_thread().name

    places = Places(asyncio.get_running_loop())
    assert await elsewhere(other, places, lambda: answer()) == threading.current_thread().name


async def test_an_object_whose_call_is_async_counts_as_async(other: Background) -> None:
    class Caller:
        async def __call__(self) -> Any:
            return asyncio.get_running_loop()

    here = asyncio.get_running_loop()
    assert await elsewhere(other, Places(here), Caller()) is here


@pytest.mark.parametrize("error", [SystemExit(2), KeyboardInterrupt(), StopAsyncIteration()])
async def test_what_would_end_a_loop_does_not(other: Background, error: BaseException) -> None:
    async def fail() -> None:
        raise error

    for places in (Places(asyncio.get_running_loop()), Places(None)):
        with pytest.raises(Exception):  # noqa: B017 - anything but what would end the loop
            await elsewhere(other, places, fail)
    assert other.loop.is_running()


async def test_cancelling_reaches_the_coroutine_and_waits_for_its_clean_up(
    other: Background,
) -> None:
    started, cleaned = asyncio.Event(), []

    async def long() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(asyncio.get_running_loop())

    here = asyncio.get_running_loop()
    future = other.submit(_call(Places(here), long))
    await started.wait()
    future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wrap_future(future)
    assert cleaned == [here]


async def _call(places: Places, function: Any) -> Any:
    return await places.call(function, name="it")


# -- the watch -------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    monkeypatch.setattr(watch_module, "BLOCKED_S", 0.1)
    monkeypatch.setattr(watch_module, "_LOOK_S", 0.02)
    yield Watch()


class Warned(logging.Handler):
    """Collects warnings, and can be waited for."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self.came = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        self.came.set()


@pytest.fixture
def warned() -> Iterator[Warned]:
    handler = Warned()
    logger = logging.getLogger("portia_nb")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.mark.parametrize("on_caller", [True, False], ids=["caller's loop", "own loop"])
async def test_a_coroutine_that_blocks_its_loop_is_named_once(
    other: Background, quick: Watch, warned: Warned, on_caller: bool
) -> None:
    async def block() -> bool:
        came = warned.came.wait(10)
        time.sleep(0.2)  # noqa: ASYNC251 - long enough for a second warning
        return came

    places = Places(asyncio.get_running_loop())

    async def run() -> bool:
        with quick.over(places):
            return await places.call(block, name="step 'x': slow_tool", on_caller=on_caller)

    assert await asyncio.wrap_future(other.submit(run()))
    (line,) = warned.lines
    assert line.startswith("step 'x': slow_tool blocks its event loop")
    assert "plain function" in line


async def test_a_loop_that_others_block_is_not_blamed_on_a_step(
    other: Background, quick: Watch, warned: Warned
) -> None:
    places = Places(asyncio.get_running_loop())
    started = asyncio.Event()

    async def wait() -> None:
        started.set()
        await asyncio.sleep(0)

    async def run() -> None:
        with quick.over(places):
            await places.call(wait, name="step 'x': innocent")
            await asyncio.sleep(0.5)

    running = asyncio.wrap_future(other.submit(run()))
    await started.wait()
    await asyncio.sleep(0)
    time.sleep(0.3)  # noqa: ASYNC251 - the user's own code in a cell
    await running
    assert warned.lines == []


async def test_a_coroutine_that_is_cancelled_before_its_first_turn_is_not_waited_for(
    other: Background,
) -> None:
    called: list[int] = []

    async def call() -> None:
        called.append(1)

    places = Places(other.loop)
    blocked, go_on = threading.Event(), threading.Event()

    def block() -> None:
        blocked.set()
        go_on.wait(5)

    other.loop.call_soon_threadsafe(block)
    blocked.wait(5)
    task = asyncio.ensure_future(places.call(call, name="it"))
    await asyncio.sleep(0.01)  # on its way
    task.cancel()
    await asyncio.sleep(0.01)
    go_on.set()
    done, _ = await asyncio.wait({task}, timeout=2)
    assert done and task.cancelled()
    assert not called and not places.under_way


async def test_a_submission_that_is_cancelled_before_its_first_turn_is_resolved() -> None:
    own = Background("its own")

    async def call() -> None:
        raise AssertionError("it was cancelled")

    own.post(time.sleep, 0.05)
    submitted = own.submit(call())
    submitted.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        submitted.result(2)


async def test_a_loop_that_is_closed_under_a_coroutine_is_noticed_at_once() -> None:
    there, has_begun = asyncio.new_event_loop(), threading.Event()

    async def wait() -> None:
        has_begun.set()
        await asyncio.Event().wait()

    def live_and_die() -> None:
        there.run_forever()
        there.close()

    thread = threading.Thread(target=live_and_die)
    thread.start()
    is_running = threading.Event()
    there.call_soon_threadsafe(is_running.set)
    is_running.wait(5)
    task = asyncio.ensure_future(Places(there).call(wait, name="step 'x': it"))
    await asyncio.to_thread(has_begun.wait, 5)
    there.call_soon_threadsafe(there.stop)
    thread.join(5)
    done, _ = await asyncio.wait({task}, timeout=3)
    assert done, "it waits for what can't come back"
    with pytest.raises(PortiaBaseError, match="step 'x': it: the event loop"):
        task.result()
