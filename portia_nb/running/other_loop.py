"""Running coroutines on another thread's event loop.

What one turn of a loop hands over goes in one parcel: a wake-up lets the other thread take the
interpreter at once, so that a wake-up for each would make the two threads take turns.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from portia_nb.errors import PortiaBaseError
from portia_nb.tools.aside import as_exception

from .mailbox import Mailbox, mailbox_of

LOOK_S = 0.5
"""Seconds between looks whether the other loop was closed."""
CLEAN_UP_S = 5.0
"""Seconds that a cancelled coroutine may take on another loop before it is left to itself."""


class _Job:
    """One coroutine on its way to another loop and back."""

    __slots__ = ("context", "done", "make", "name", "task")

    def __init__(
        self, make: Callable[[], Awaitable[Any]], name: str, done: asyncio.Future[Any]
    ) -> None:
        self.make = make
        self.name = name
        self.done = done
        self.context = contextvars.copy_context()
        self.task: asyncio.Task[None] | None = None


class OtherLoop:
    """Runs coroutines on a loop of another thread."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, under_way: dict[asyncio.Task[Any], str]
    ) -> None:
        """Hand over to `loop`, which runs on another thread.

        Args:
            loop: where the coroutines run.
            under_way: is kept up with the tasks there, and what they run.
        """
        self._there = mailbox_of(loop)
        self._home: Mailbox | None = None
        self._under_way = under_way
        self._jobs: list[_Job] = []
        self._out: set[_Job] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._ended: list[_Ended] = []

    @property
    def is_open(self) -> bool:
        """True while coroutines can be handed over: the loop runs, and isn't this one."""
        loop = self._there.loop
        return loop.is_running() and loop is not asyncio.get_running_loop()

    async def run(self, make: Callable[[], Awaitable[Any]], name: str) -> Any:
        """Await ``make()`` on the other loop and return what it returns.

        When this is cancelled, the coroutine there is cancelled and waited for, at most for
        `CLEAN_UP_S`.

        Raises:
            Exception: whatever it raises; what would end a loop comes as `as_exception` says.
        """
        if self._home is None:
            self._home = mailbox_of(asyncio.get_running_loop())
        job = _Job(make, name, self._home.loop.create_future())
        self._jobs.append(job)
        self._out.add(job)
        if self._timer is None:
            self._timer = self._home.loop.call_later(LOOK_S, self._look)
        if len(self._jobs) == 1:
            self._home.loop.call_soon(self._send_jobs)
        try:
            return await asyncio.shield(job.done)
        except asyncio.CancelledError:
            if job in self._jobs:
                self._jobs.remove(job)  # it never left
            elif not job.done.done():
                self._there.post(self._cancel, job)
                await asyncio.wait({job.done}, timeout=CLEAN_UP_S)
            if job.done.done() and not job.done.cancelled():
                job.done.exception()  # looked at: it ended while it was being stopped
            raise
        finally:
            self._out.discard(job)

    def _look(self) -> None:
        """Give up what is out where its loop was closed: nothing will ever come back from there."""
        self._timer = None
        if not self._there.loop.is_closed():
            if self._out:
                self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)
            return
        for job in self._out:
            if not job.done.done():
                error = f"{job.name}: the event loop it ran on was closed before it was done"
                job.done.set_exception(PortiaBaseError(error))

    def _send_jobs(self) -> None:
        jobs, self._jobs = self._jobs, []
        if jobs:
            self._there.post(self._take, jobs)

    def _take(self, jobs: list[_Job]) -> None:
        for job in jobs:
            job.task = self._there.loop.create_task(self._work(job), context=job.context)
            job.task.add_done_callback(partial(self._never_began, job))
            self._under_way[job.task] = job.name

    def _cancel(self, job: _Job) -> None:
        if job.task is not None:
            job.task.cancel()

    async def _work(self, job: _Job) -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = await job.make()
        except asyncio.CancelledError as stopped:
            error = stopped
        except BaseException as raised:
            error = as_exception(raised, job.name)
        if job.task is not None:
            self._under_way.pop(job.task, None)
        self._tell(job, value, error)

    def _never_began(self, job: _Job, task: asyncio.Task[None]) -> None:
        # Cancelled before its first turn, a task runs nothing: no line of `_work` either.
        if self._under_way.pop(task, None) is not None:
            self._tell(job, None, asyncio.CancelledError())

    def _tell(self, job: _Job, value: Any, error: BaseException | None) -> None:
        self._ended.append((job.done, value, error))
        if self._there.loop.is_closed():
            return  # a coroutine that is thrown away; `_look` has told, or will
        if len(self._ended) == 1:
            self._there.loop.call_soon(self._send_ended)

    def _send_ended(self) -> None:
        ended, self._ended = self._ended, []
        assert self._home is not None
        self._home.post(_settle, ended)


_Ended = tuple["asyncio.Future[Any]", Any, "BaseException | None"]


def _settle(ended: list[_Ended]) -> None:
    for done, value, error in ended:
        if done.done():
            continue
        if error is None:
            done.set_result(value)
        elif isinstance(error, asyncio.CancelledError):
            done.cancel()
        else:
            done.set_exception(error)
