"""Running coroutines on another thread's event loop, many hand-overs to one wake-up."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from portia_nb.tools.aside import as_exception

CLEAN_UP_S = 5.0
"""Seconds that a cancelled coroutine may take on another loop before it is left to itself."""


class _Job:
    """One coroutine on its way to another loop and back."""

    __slots__ = ("context", "done", "error", "make", "name", "task", "value")

    def __init__(
        self, make: Callable[[], Awaitable[Any]], name: str, done: asyncio.Future[Any]
    ) -> None:
        self.make = make
        self.name = name
        self.done = done
        self.context = contextvars.copy_context()
        self.task: asyncio.Task[None] | None = None
        self.value: Any = None
        self.error: BaseException | None = None


class OtherLoop:
    """Runs coroutines on a loop of another thread.

    Handing over wakes the other thread, which costs far more than the hand-over itself; so whatever
    is handed over before the other side has woken goes along with the same wake-up, both ways.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, under_way: dict[asyncio.Task[Any], str]
    ) -> None:
        """Hand over to `loop`, which runs on another thread.

        Args:
            loop: where the coroutines run.
            under_way: is kept up with the tasks there, and what they run.
        """
        self._loop = loop
        self._under_way = under_way
        self._home: asyncio.AbstractEventLoop | None = None
        self._jobs: deque[_Job] = deque()
        self._results: deque[_Job] = deque()
        self._called_there = False
        self._called_home = False

    @property
    def is_open(self) -> bool:
        """True while coroutines can be handed over: the loop runs, and isn't this one."""
        return self._loop.is_running() and self._loop is not asyncio.get_running_loop()

    async def run(self, make: Callable[[], Awaitable[Any]], name: str) -> Any:
        """Await ``make()`` on the other loop and return what it returns.

        When this is cancelled, the coroutine there is cancelled and waited for, at most for
        `CLEAN_UP_S`.

        Raises:
            Exception: whatever it raises; what would end a loop comes as `as_exception` says.
        """
        self._home = asyncio.get_running_loop()
        job = _Job(make, name, self._home.create_future())
        self._jobs.append(job)
        if not self._called_there:
            self._called_there = True
            self._loop.call_soon_threadsafe(self._take)
        try:
            return await asyncio.shield(job.done)
        except asyncio.CancelledError:
            if not job.done.done():
                self._loop.call_soon_threadsafe(self._cancel, job)
                await asyncio.wait({job.done}, timeout=CLEAN_UP_S)
            if job.done.done() and not job.done.cancelled():
                job.done.exception()  # looked at: it ended while it was being stopped
            raise

    def _cancel(self, job: _Job) -> None:
        if job.task is not None:
            job.task.cancel()

    def _take(self) -> None:
        # The flag goes down before the queue is emptied: a job added in between calls in vain.
        self._called_there = False
        while self._jobs:
            job = self._jobs.popleft()
            job.task = self._loop.create_task(self._work(job), context=job.context)
            self._under_way[job.task] = job.name

    async def _work(self, job: _Job) -> None:
        try:
            job.value = await job.make()
        except asyncio.CancelledError as stopped:
            job.error = stopped
        except BaseException as error:
            job.error = as_exception(error, job.name)
        if job.task is not None:
            self._under_way.pop(job.task, None)
        self._results.append(job)
        if not self._called_home:
            self._called_home = True
            assert self._home is not None
            try:
                self._home.call_soon_threadsafe(self._give)
            except RuntimeError:
                return  # our loop is closed: nobody waits any more

    def _give(self) -> None:
        self._called_home = False
        while self._results:
            job = self._results.popleft()
            if job.done.done():
                continue
            if job.error is None:
                job.done.set_result(job.value)
            elif isinstance(job.error, asyncio.CancelledError):
                job.done.cancel()
            else:
                job.done.set_exception(job.error)
