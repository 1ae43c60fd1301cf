"""Time limits of many tasks under one timer: one for each would cost as much as a small step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

STUCK_S = 5.0
"""Seconds that a task may take to end after its time was up."""


class Deadlines:
    """Cancels each task whose time is up, by the loop's monotonic clock."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        when_stuck: Callable[[asyncio.Task[Any]], None],
    ) -> None:
        """Start with no task.

        Args:
            loop: the tasks' loop.
            when_stuck: is told of a task that has not ended `STUCK_S` after it was cancelled.
        """
        self._loop = loop
        self._when_stuck = when_stuck
        self._until: dict[asyncio.Task[Any], float] = {}
        self._expired: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next = float("inf")

    def start(self, task: asyncio.Task[Any], timeout_s: float) -> None:
        """Give `task` `timeout_s` seconds from now."""
        until = self._until[task] = self._loop.time() + timeout_s
        # Limits mostly lie later than the one that the timer waits for, so it mostly stays.
        if until < self._next:
            self._wait_until(until)

    def end(self, task: asyncio.Task[Any]) -> bool:
        """Stop the clock of `task`; True: its time was up; the cancellation for that is undone."""
        self._until.pop(task, None)
        if task in self._expired:
            self._expired.discard(task)
            task.uncancel()
            return True
        return False

    def close(self) -> None:
        """Stop every clock."""
        self._until.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _wait_until(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = when
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        # A timer may fire a little early, by the resolution of the clock.
        now = self._loop.time() + 1e-3
        for task, until in list(self._until.items()):
            if until > now:
                continue
            if task in self._expired:
                del self._until[task]
                self._when_stuck(task)
            else:
                self._until[task] = now + STUCK_S
                self._expired.add(task)
                task.cancel()
        self._timer, self._next = None, float("inf")
        if self._until:
            self._wait_until(min(self._until.values()))
