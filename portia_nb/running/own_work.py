"""What a run does that belongs to no step, such as its hooks: stopped with the run, or left."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

CLEAN_UP_S = 10.0
"""Seconds that what is cancelled may take to clean up before it is left to itself."""


class OwnWork:
    """One thing at a time, in a task of its own."""

    def __init__(self) -> None:
        """Do nothing yet."""
        self._task: asyncio.Task[None] | None = None
        self._left: asyncio.Future[None]

    async def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Await `work`.

        Raises:
            asyncio.CancelledError: it was cancelled, or this was; where it doesn't end for that in
                `CLEAN_UP_S` it is left to itself.
            Exception: whatever it raises.
        """
        loop = asyncio.get_running_loop()
        self._left = loop.create_future()
        task = self._task = loop.create_task(work)
        try:
            await self._ended(task)
        except asyncio.CancelledError:
            self.cancel()
            await self._ended(task)
            raise
        finally:
            self._task = None
        if not task.done():
            raise asyncio.CancelledError
        task.result()

    def cancel(self) -> None:
        """Cancel what is being done, if anything is."""
        if self._task is not None:
            self._task.cancel()
            self._task.get_loop().call_later(CLEAN_UP_S, _resolve, self._left)

    async def _ended(self, task: asyncio.Task[None]) -> None:
        await asyncio.wait({task, self._left}, return_when=asyncio.FIRST_COMPLETED)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
