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
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")
_IDLE_S = 30.0


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

    async def call(
        self,
        function: Callable[[], R],
        context: contextvars.Context | None = None,
        *,
        name: str = "the call",
    ) -> R:
        """Call `function` on a thread and return what it returns.

        On cancellation the wait ends at once and the thread is left to itself.

        Args:
            function: called once, without arguments.
            context: context variables that it sees, as a copy; None: a copy of this task's.
            name: what is called, for messages.

        Raises:
            Exception: whatever it raises. What would end the loop or a coroutine instead of being
                raised (`SystemExit`, `StopIteration`) is the cause of a `CallEnded`.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[R] = loop.create_future()
        seen = contextvars.copy_context() if context is None else context.copy()

        def settle(value: Any, error: Exception | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(value)
            else:
                done.set_exception(error)

        def work() -> None:
            if done.cancelled():
                return  # given up before it began: it must not begin now
            value: Any = None
            error: Exception | None = None
            try:
                value = seen.run(function)
            except BaseException as raised:
                error = as_exception(raised, name)
            try:
                loop.call_soon_threadsafe(settle, value, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

        self._worker().work.put(work)
        return await done

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
