"""Stopping a run in every way that a program may: nothing goes on unseen, and nothing hangs."""

from __future__ import annotations

import asyncio
import inspect
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from portia_nb import ClarificationHandler, ExecutionHooks, PlanBuilderV2, Portia
from portia_nb.errors import InvalidPlanRunStateError
from portia_nb.running.background import background

from .stage import Work, portia


@contextmanager
def signalled(number: int, react: Callable[..., Any], started: threading.Event) -> Generator[None]:
    """Let `react` handle a signal, which comes once `started` is set and this thread waits."""
    here = threading.main_thread().ident or 0

    def send() -> None:
        assert started.wait(10)
        # A selector is waited in, too: whoever wakes a loop swallows some errors, as asyncio does.
        while sys._current_frames()[here].f_code.co_name not in ("wait_here", "select"):
            time.sleep(0.001)
        signal.pthread_kill(here, number)

    thread = threading.Thread(target=send)
    before = signal.signal(number, react)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        signal.signal(number, before)


def assert_stopped(us: Portia, work: Work) -> None:
    """Nothing starts from then on, and the run goes on where it was when it is told to."""
    (row,) = us.store.find_runs()
    assert us.wait(row.run_id, timeout_s=5).state == "READY_TO_RESUME"
    work.gate.set()
    time.sleep(0.1)
    assert work.calls == ["early", "long"]
    assert us.resume(plan_run_id=row.run_id).state == "COMPLETE"
    assert work.calls == ["early", "long", "long", "late"]


class OutOfTime(Exception):
    """Raised by a program's own alarm."""


@pytest.mark.parametrize("error", [TimeoutError("alarm"), OutOfTime(), SystemExit(0)])
def test_what_a_signal_handler_of_the_program_raises_stops_the_run(error: BaseException) -> None:
    """The alarm of a time limit, or ``sys.exit`` at SIGTERM, as in many a container."""
    work, us = Work(is_async=False), portia()

    def react(*_: object) -> None:
        raise error

    with signalled(signal.SIGALRM, react, work.started), pytest.raises(type(error)) as raised:
        us.run_plan(work.plan())
    assert raised.value is error
    assert_stopped(us, work)


@pytest.mark.parametrize("is_async", [True, False])
def test_ctrl_c_under_a_loop_that_leaves_it_to_python_stops_the_run(is_async: bool) -> None:
    """As in a terminal's IPython, and under ``run_until_complete``."""
    work, us = Work(is_async=is_async), portia()
    loop = asyncio.new_event_loop()
    try:
        with (
            signalled(signal.SIGINT, signal.default_int_handler, work.started),
            pytest.raises(KeyboardInterrupt),
        ):
            loop.run_until_complete(us.arun_plan(work.plan()))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        work.gate.set()
        assert loop.run_until_complete(asyncio.sleep(0, "well")) == "well"
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    assert_stopped(us, work)


def test_one_ctrl_c_stops_every_run_that_is_awaited_beside_another() -> None:
    both, loop = [Work(is_async=False), Work(is_async=False)], asyncio.new_event_loop()
    us = portia()
    started = threading.Event()

    async def main() -> None:
        both_run = asyncio.gather(*(us.arun_plan(work.plan()) for work in both))
        await asyncio.to_thread(lambda: [work.started.wait(10) for work in both])
        started.set()
        await both_run

    with (
        signalled(signal.SIGINT, signal.default_int_handler, started),
        pytest.raises(asyncio.CancelledError),
    ):
        loop.run_until_complete(main())
    runs = [us.wait(row.run_id, timeout_s=5) for row in us.store.find_runs()]
    assert [run.state for run in runs] == ["READY_TO_RESUME"] * 2
    # The loop is in order, and what is left there hears no more of it.
    assert loop.run_until_complete(asyncio.sleep(0.01, "well")) == "well"
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    for work in both:
        work.gate.set()


async def test_a_coroutine_that_is_thrown_away_stops_its_run() -> None:
    work, us = Work(is_async=False), portia()
    left = us.arun_plan(work.plan())

    async def drive() -> None:
        await left

    task = asyncio.ensure_future(drive())
    assert await asyncio.to_thread(work.started.wait, 10)
    task.get_coro().close()  # type: ignore[union-attr]
    task.cancel()
    await asyncio.wait({task})
    assert (await us.await_run(timeout_s=5)).state == "READY_TO_RESUME"
    work.gate.set()


class Person(ClarificationHandler):
    """Somebody who is asked, and takes their time."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.asked = threading.Event()
        self.is_gone = threading.Event()
        self._error = error

    async def handle(self, clarification: Any, on_resolution: Any, on_error: Any) -> None:  # type: ignore[override]
        self.asked.set()
        if self._error is not None:
            raise self._error
        try:
            await asyncio.Event().wait()
        finally:
            self.is_gone.set()


def asking(person: Person) -> tuple[Portia, Any]:
    us = portia(hooks=ExecutionHooks(clarification_handler=person))
    return us, PlanBuilderV2().user_input(message="Which city?").build()


def tasks_of_handlers() -> list[str]:
    async def names() -> list[str]:
        return [str(task.get_coro()) for task in asyncio.all_tasks()]

    return [name for name in background.submit(names()).result(5) if "handle" in name]


def test_a_handler_that_still_asks_is_cancelled_with_the_run_it_asks_for() -> None:
    person = Person()
    us, plan = asking(person)
    live = us.start_run(plan)
    assert person.asked.wait(10)
    assert us.cancel(live).state == "READY_TO_RESUME"
    assert person.is_gone.wait(5)
    assert tasks_of_handlers() == []


def test_a_handler_that_is_cancelled_itself_leaves_the_question_open_and_nothing_hangs() -> None:
    us, plan = asking(Person(asyncio.CancelledError()))
    assert us.start_run(plan).done.result(10).state == "NEED_CLARIFICATION"


class Tidy:
    """A plan whose step takes until it is told to clean up after itself, when it is stopped."""

    def __init__(self) -> None:
        self.calls = 0
        self.started, self.stopped = threading.Event(), threading.Event()
        self.may_end = threading.Event()

        async def long() -> str:
            self.calls += 1
            if self.calls > 1:
                return "done"
            self.started.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.stopped.set()
                await asyncio.to_thread(self.may_end.wait, 10)
            return "never"

        self.plan = PlanBuilderV2().function_step(function=long, step_name="long").build()


@pytest.mark.parametrize("is_async", [True, False])
def test_a_run_that_still_cleans_up_is_resumed_once_it_has_stopped(is_async: bool) -> None:
    it, us = Tidy(), portia()
    live = us.start_run(it.plan)
    assert it.started.wait(10)
    live.stop()
    assert it.stopped.wait(10)
    with pytest.raises(InvalidPlanRunStateError, match="is being stopped"):
        us.start_resume(live.id)
    threading.Timer(0.2, it.may_end.set).start()
    run = asyncio.run(us.aresume(live.id)) if is_async else us.resume(live.id)
    assert run.state == "COMPLETE"
    assert it.calls == 2


def test_a_coroutine_that_comes_back_when_nobody_waits_any_more_is_closed() -> None:
    """Else it would warn, wherever it is collected, that it was never awaited."""
    us, started, may_end = portia(), threading.Event(), threading.Event()
    made: list[Any] = []

    async def late() -> None: ...

    def make() -> Any:
        started.set()
        may_end.wait(10)
        made.append(late())
        return made[0]

    live = us.start_run(PlanBuilderV2().function_step(function=make, step_name="a").build())
    assert started.wait(10)
    assert us.cancel(live).state == "READY_TO_RESUME"
    may_end.set()
    while not made or inspect.getcoroutinestate(made[0]) != inspect.CORO_CLOSED:
        time.sleep(0.01)  # or the test runs out of time


PROGRAM = """
    import asyncio, atexit, sys, threading
    from portia_nb import Config, PlanBuilderV2, Portia, StepOutput

    started = threading.Event()

    async def long():
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            print("cleaned up")

    live = None
    atexit.register(lambda: print(live.run.state.value))
    builder = PlanBuilderV2("a run in the background").function_step(function=lambda: 1)
    plan = builder.function_step(function=long, step_name="long").build()
    live = Portia(Config(store=sys.argv[1], default_log_level="ERROR"), tools=[]).start_run(plan)
    started.wait()
"""


def test_a_run_in_the_background_is_stopped_when_its_process_ends(tmp_path: Path) -> None:
    """It says so itself, and its steps clean up: nothing is left to be found dead."""
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("cleaned up\nREADY_TO_RESUME\n", "")
    us = portia(str(tmp_path))
    run, (row,) = us.show(), us.store.find_runs()
    assert (run.state, row.has_died) == ("READY_TO_RESUME", False)
    assert run.stop_reason == "its process ended"  # type: ignore[union-attr]


def test_what_a_run_says_is_kept_where_no_thread_can_be_started_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From Python 3.12 on that is so while a process ends."""
    us, started = portia(str(tmp_path)), threading.Event()

    async def long() -> None:
        started.set()
        await asyncio.Event().wait()

    live = us.start_run(PlanBuilderV2().function_step(function=long, step_name="a").build())
    assert started.wait(10)
    us.store.close()  # its thread with it

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as ending:
        ending.setattr(threading.Thread, "start", refuse)
        live.stop("enough")
        assert live.done.result(10).state == "READY_TO_RESUME"
    assert portia(str(tmp_path)).get_run(live.id).stop_reason == "enough"
