"""Daemon threads for blocking code, beside the event loop.

Not asyncio's default executor: that has few threads, and one call that hangs in it keeps the
interpreter from exiting.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_IDLE_S = 30.0


class LeftAlone(asyncio.CancelledError):
    """A call on a thread was given up, and the thread goes on: Python can't end one."""


class CallEnded(RuntimeError):
    """Stands for its cause: an error that would end a loop or a coroutine if raised there."""


async def run_aside(call: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Await ``call(*args, **kwargs)``, made once on a daemon thread with the caller's context.

    When cancelled, the thread is left to end by itself and what it returns or raises is dropped.

    Raises:
        Exception: as `DaemonThreads.call`.
    """
    name = getattr(call, "__qualname__", type(call).__name__)
    return await threads.call(lambda: call(*args, **kwargs), name=name)


def as_exception(error: BaseException, name: str) -> Exception:
    """Return `error`, or where it would end a loop or a coroutine, a `CallEnded` caused by it.

    Args:
        error: what a user's code raised.
        name: that code's name, for the message.
    """
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    made = CallEnded(f"{name} raised {type(error).__name__}")
    made.__cause__ = error
    return made


class _Call:
    """One call on a thread: whether it goes on, and what ends it early."""

    __slots__ = ("_ends", "_is_given_up", "_lock", "_state", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._ends: list[Callable[[], object]] = []
        self._is_given_up = False
        self._state = "new"

    def begin(self) -> bool:
        with self._lock:
            if self._is_given_up:
                return False
            self._state = "under way"
            return True

    def end(self) -> None:
        self._state = "ended"

    def give_up(self) -> bool:
        """Return whether it goes on all the same."""
        with self._lock:
            self._is_given_up = True
            ends = self._ends[:]
            goes_on = self._state == "under way" and not ends
        for end in ends:
            end()
        return goes_on

    def add(self, end: Callable[[], object]) -> None:
        with self._lock:
            self._ends.append(end)
            is_late = self._is_given_up
        if is_late:
            end()

    def remove(self, end: Callable[[], object]) -> None:
        with self._lock, suppress(ValueError):
            self._ends.remove(end)


_current: contextvars.ContextVar[_Call | None] = contextvars.ContextVar(
    "portia_nb_call_aside", default=None
)


def at_giving_up(end: Callable[[], object]) -> Callable[[], None]:
    """Let `end()` be called when nobody waits any more for the call that this thread makes.

    Args:
        end: makes the call return soon; called once, on another thread, and must be quick.

    Returns:
        A function that takes `end` back, to be called when there is nothing to end any more.
    """
    call = _current.get()
    if call is None:
        return lambda: None
    call.add(end)
    return lambda: call.remove(end)


class DaemonThreads:
    """Threads that are made when needed, kept for a while, and never waited for.

    How many run at once is the callers' business: a run holds it to `max_parallel_steps`. A thread
    whose caller has given up goes on until its call returns, and is replaced in the meantime.
    """

    def __init__(self, name: str = "portia-nb-aside") -> None:
        """Start no thread yet."""
        self._name = name
        self._made = 0
        self._start_afresh()

    def _start_afresh(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._left_alone: set[_Call] = set()

    def left_alone(self) -> list[str]:
        """Return the names of calls that were given up and whose threads still go on."""
        with self._lock:
            return [call.name for call in self._left_alone]

    async def call(
        self,
        function: Callable[[], R],
        context: contextvars.Context | None = None,
        *,
        name: str = "the call",
    ) -> R:
        """Call `function` on a thread and return what it returns.

        On cancellation the wait ends at once. What the function has put under `at_giving_up` is
        called; where there is nothing, the thread is left to itself.

        Args:
            function: called once, without arguments.
            context: context variables that it sees, as a copy; None: a copy of this task's.
            name: what is called, for messages.

        Raises:
            Exception: whatever it raises. What would end the loop or a coroutine instead of being
                raised (`SystemExit`, `StopIteration`) is the cause of a `CallEnded`.
            LeftAlone: this was cancelled, and the thread goes on.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[R] = loop.create_future()
        seen = contextvars.copy_context() if context is None else context.copy()
        made = _Call(name)

        def work() -> None:
            if not made.begin():
                return  # given up before it began: it must not begin now
            value: Any = None
            error: Exception | None = None
            seen.run(_current.set, made)
            try:
                value = seen.run(function)
            except BaseException as raised:
                error = as_exception(raised, name)
            made.end()
            if self._left_alone:
                with self._lock:
                    self._left_alone.discard(made)
            try:
                loop.call_soon_threadsafe(_settle, done, value, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

        self._worker().work.put(work)
        try:
            return await done
        except asyncio.CancelledError:
            with self._lock:
                goes_on = made.give_up()
                if goes_on:
                    self._left_alone.add(made)
            if goes_on:
                raise LeftAlone(name) from None
            raise

    def rest(self, worker: _Worker) -> None:
        """Take back a worker that has done its work."""
        with self._lock:
            self._idle.append(worker)

    def retire(self, worker: _Worker) -> bool:
        """Let an idle worker go; False: it has just been given work."""
        with self._lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            return True

    def _worker(self) -> _Worker:
        if self._pid != os.getpid():
            self._start_afresh()  # after a fork: the threads stayed in the parent
        with self._lock:
            if self._idle:
                return self._idle.pop()
            self._made += 1
            number = self._made
        return _Worker(self, f"{self._name}-{number}")


def _settle(done: asyncio.Future[Any], value: Any, error: Exception | None) -> None:
    if done.done():
        if asyncio.iscoroutine(value):
            value.close()  # nobody is left to await it
    elif error is None:
        done.set_result(value)
    else:
        done.set_exception(error)


class _Worker:
    """One thread: does what is put into `work`, then rests, and ends when nobody wants it."""

    def __init__(self, threads: DaemonThreads, name: str) -> None:
        self.work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._threads = threads
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                job = self.work.get(timeout=_IDLE_S)
            except queue.Empty:
                if self._threads.retire(self):
                    return
                continue
            job()
            del job  # a waiting thread must not keep the last call's arguments alive
            self._threads.rest(self)


# Module state on purpose: threads are the process's, and idle ones serve every run.
threads = DaemonThreads()
