"""Where a user's code runs: coroutines on the loop of whoever waits for the run, else on threads.

A client or a lock that was made on one loop fails or hangs on another. Users make theirs on their
own loop (a notebook's, that of ``asyncio.run``), so their coroutine functions run there while that
loop waits for the run.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from portia_nb.tools.aside import threads

CLEAN_UP_S = 5.0
"""Seconds that a cancelled coroutine may take on another loop before it is left to itself."""


class Places:
    """The places that one run has."""

    def __init__(
        self, caller: asyncio.AbstractEventLoop | None, context: contextvars.Context | None = None
    ) -> None:
        """Remember who waits.

        Args:
            caller: the loop that waits for the run; None where nobody's loop does.
            context: the caller's context variables, which its functions see.
        """
        self._other = OtherLoop(caller) if caller is not None else None
        self._context = context

    async def run_async(self, make: Callable[[], Awaitable[Any]], *, on_caller: bool) -> Any:
        """Await ``make()`` on the caller's loop where there is one and `on_caller`, else here."""
        if on_caller and self._other is not None and self._other.is_open:
            return await self._other.run(make)
        return await make()

    async def run_sync(self, call: Callable[[], Any]) -> Any:
        """Call `call` on a thread of ours and return what it returns."""
        return await threads.call(call, self._context)


class _Job:
    """One coroutine on its way to another loop and back."""

    __slots__ = ("context", "done", "error", "make", "task", "value")

    def __init__(self, make: Callable[[], Awaitable[Any]], done: asyncio.Future[Any]) -> None:
        self.make = make
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

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand over to `loop`, which runs on another thread."""
        self._loop = loop
        self._home: asyncio.AbstractEventLoop | None = None
        self._jobs: deque[_Job] = deque()
        self._results: deque[_Job] = deque()
        self._called_there = False
        self._called_home = False

    @property
    def is_open(self) -> bool:
        """True while coroutines can be handed over: the loop runs, and isn't this one."""
        return self._loop.is_running() and self._loop is not asyncio.get_running_loop()

    async def run(self, make: Callable[[], Awaitable[Any]]) -> Any:
        """Await ``make()`` on the other loop and return what it returns.

        When this is cancelled, the coroutine there is cancelled and waited for, at most for
        `CLEAN_UP_S`.
        """
        self._home = asyncio.get_running_loop()
        job = _Job(make, self._home.create_future())
        self._jobs.append(job)
        if not self._called_there:
            self._called_there = True
            self._loop.call_soon_threadsafe(self._take)
        try:
            return await asyncio.shield(job.done)
        except asyncio.CancelledError:
            if not job.done.done():
                self._loop.call_soon_threadsafe(lambda: job.task and job.task.cancel())
                await asyncio.wait({job.done}, timeout=CLEAN_UP_S)
            if job.done.done() and not job.done.cancelled():
                job.done.exception()  # looked at: it ended while it was being stopped
            raise

    def _take(self) -> None:
        # The flag goes down before the queue is emptied: a job added in between calls in vain.
        self._called_there = False
        while self._jobs:
            job = self._jobs.popleft()
            job.task = self._loop.create_task(self._work(job), context=job.context)

    async def _work(self, job: _Job) -> None:
        try:
            job.value = await job.make()
        except asyncio.CancelledError as stopped:
            job.error = stopped
        except BaseException as error:
            job.error = error
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
            elif isinstance(job.error, StopIteration):
                job.done.set_exception(RuntimeError(f"the coroutine raised {job.error!r}"))
            else:
                job.done.set_exception(job.error)
