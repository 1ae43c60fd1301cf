"""Blocking code runs beside the loop, and clients are kept for each loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import types
from typing import Any

import pytest

from portia_nb.tools.aside import DaemonThreads, run_aside
from portia_nb.tools.clients import ClientsByLoop

who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


async def test_a_call_runs_on_a_daemon_thread_with_the_callers_context() -> None:
    who.set("me")

    def work(a: int, *, b: int) -> tuple[Any, ...]:
        thread = threading.current_thread()
        return a + b, who.get(), thread.daemon, thread is threading.main_thread()

    assert await run_aside(work, 1, b=2) == (3, "me", True, False)


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("y"), TimeoutError()])
async def test_what_a_call_raises_is_raised_where_it_is_awaited(error: Exception) -> None:
    def work() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        await run_aside(work)
    assert caught.value is error


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        asyncio.CancelledError(),
        StopIteration(),
    ],
)
async def test_what_would_end_the_loop_comes_as_a_runtime_error(error: BaseException) -> None:
    def work() -> None:
        raise error

    with pytest.raises(RuntimeError, match=rf"work raised {type(error).__name__}") as caught:
        await run_aside(work)
    assert caught.value.__cause__ is error


async def test_a_cancelled_call_is_left_behind_and_its_result_dropped() -> None:
    loop, started, ended = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
    release = threading.Event()

    def work() -> int:
        loop.call_soon_threadsafe(started.set)
        release.wait(10)
        loop.call_soon_threadsafe(ended.set)
        return 1

    task = asyncio.create_task(run_aside(work))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
    await ended.wait()


def test_a_call_that_outlives_its_loop_ends_quietly() -> None:
    release, ended = threading.Event(), threading.Event()

    def work() -> None:
        release.wait(10)
        ended.set()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run_aside(work), 0.01)

    asyncio.run(main())
    release.set()
    assert ended.wait(10)


async def test_callers_at_once_share_one_client_and_another_key_gets_another() -> None:
    clients: ClientsByLoop[object] = ClientsByLoop()
    made: list[object] = []

    async def make() -> object:
        await asyncio.sleep(0)
        made.append(object())
        return made[-1]

    found = await asyncio.gather(*(clients.get("a", make) for _ in range(5)))
    assert len(made) == 1 and set(found) == {made[0]}
    assert await clients.get("b", make) is made[1]
    assert await clients.get("a", make) is made[0]


def test_each_loop_has_its_own_client() -> None:
    clients: ClientsByLoop[object] = ClientsByLoop()

    async def make() -> object:
        return object()

    async def get() -> object:
        return await clients.get("a", make)

    assert asyncio.run(get()) is not asyncio.run(get())
    assert len(clients._clients) == 1, "a closed loop's clients are forgotten"


async def test_making_that_failed_is_tried_again() -> None:
    clients: ClientsByLoop[str] = ClientsByLoop()
    outcomes: list[Any] = [OSError("down"), "up"]

    async def make() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(OSError, match="down"):
        await clients.get("a", make)
    assert await clients.get("a", make) == "up"


async def test_a_cancelled_caller_does_not_take_the_client_from_the_others() -> None:
    clients: ClientsByLoop[str] = ClientsByLoop()
    gate = asyncio.Event()

    async def make() -> str:
        await gate.wait()
        return "made"

    first, second = (asyncio.create_task(clients.get("a", make)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()
    assert await second == "made"


async def test_closing_closes_the_running_loops_clients() -> None:
    clients: ClientsByLoop[str] = ClientsByLoop()
    closed: list[str] = []

    async def make() -> str:
        return "client"

    async def close(client: str) -> None:
        closed.append(client)

    await clients.get("a", make)
    await clients.close(close)
    await clients.close(close)
    assert closed == ["client"]


async def test_a_call_that_is_given_up_before_its_thread_takes_it_is_never_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    given: list[Any] = []
    held = types.SimpleNamespace(work=types.SimpleNamespace(put=given.append))
    threads = DaemonThreads()
    monkeypatch.setattr(threads, "_worker", lambda: held)
    task = asyncio.ensure_future(threads.call(lambda: made.append(1)))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    given[0]()  # the thread comes to it now
    assert task.cancelled() and made == []
