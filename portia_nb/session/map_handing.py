"""Maps made ready on a thread: one that nobody waits for any more is given back, not left held."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from portia_nb.tools.aside import run_aside

from .live_map import LiveMap
from .map_options import MapOptions
from .mapping import prepare_map
from .parts import Parts


async def prepare_map_aside(parts: Parts, plan: Any, rows: Any, options: MapOptions) -> LiveMap:
    """Do what `prepare_map` does on a thread: a large table, or a slow store, holds up no loop.

    When this is cancelled the map is given back, now or once it has been made; nothing of it runs.

    Raises:
        PortiaBaseError: as `prepare_map`.
    """
    handing = _HandingOver()
    try:
        return await run_aside(lambda: handing.take(prepare_map(parts, plan, rows, options)))
    except asyncio.CancelledError:
        handing.give_up()
        raise


class _HandingOver:
    """A map on its way from a thread to a loop that may have stopped waiting for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: LiveMap | None = None
        self._is_given_up = False

    def take(self, made: LiveMap) -> LiveMap:
        with self._lock:
            self._made = made
            is_late = self._is_given_up
        if is_late:
            made.give_back()
        return made

    def give_up(self) -> None:
        with self._lock:
            self._is_given_up = True
            made = self._made
        if made is not None:
            made.give_back()
