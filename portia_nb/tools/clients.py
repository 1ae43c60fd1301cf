"""Keep one HTTP client for each loop and key, instead of opening connections anew for each call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

C = TypeVar("C")


class ClientsByLoop(Generic[C]):
    """Clients by running loop and by key.

    A client belongs to the loop on which it was made: used on another one it fails or hangs.
    """

    def __init__(self) -> None:
        self._clients: dict[asyncio.AbstractEventLoop, dict[Hashable, asyncio.Task[C]]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[C]]) -> C:
        """Return the client of the running loop for `key`, made by ``make()`` where there is none.

        Callers at the same time get the same client: `make` is called once. A `make` that fails is
        called again by the next caller.
        """
        # Open connections hold their loop, so weak keys would never die: look for the dead here.
        for loop in list(self._clients):
            if loop.is_closed():
                self._clients.pop(loop, None)
        clients = self._clients.setdefault(asyncio.get_running_loop(), {})
        task = clients.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = clients[key] = asyncio.create_task(_awaited(make))
        # Shielded: a caller that is cancelled must not take the client from the others.
        return await asyncio.shield(task)

    async def close(self, close: Callable[[C], Awaitable[object]]) -> None:
        """Forget the clients of the running loop and await ``close(client)`` of each."""
        for task in self._clients.pop(asyncio.get_running_loop(), {}).values():
            await close(await task)


async def _awaited(make: Callable[[], Awaitable[C]]) -> C:
    return await make()
