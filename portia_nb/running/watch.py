"""Naming the coroutine that blocks an event loop: nothing on that loop can say why it hangs."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from .places import Places

BLOCKED_S = 1.0
"""Seconds without an answer after which a loop counts as blocked."""
_LOOK_S = 0.25

logger = logging.getLogger("portia_nb")


class Watch:
    """A daemon thread that asks the loops of living runs for a sign of life, and sleeps else."""

    def __init__(self) -> None:
        """Start no thread yet."""
        self._lock = threading.Lock()
        self._busy = threading.Event()
        self._thread: threading.Thread | None = None
        self._runs: dict[Places, asyncio.AbstractEventLoop] = {}
        self._pings: dict[asyncio.AbstractEventLoop, _Ping] = {}

    @contextmanager
    def over(self, places: Places) -> Generator[None]:
        """Watch this loop and the caller's while the body of the ``with`` runs."""
        with self._lock:
            self._runs[places] = asyncio.get_running_loop()
            self._busy.set()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._look_on, name="portia-nb-watch", daemon=True
                )
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._runs[places]

    def _look_on(self) -> None:
        while True:
            self._busy.wait()
            time.sleep(_LOOK_S)
            with self._lock:
                runs = dict(self._runs)
                if not runs:
                    self._busy.clear()
                    self._pings.clear()
                    continue
            self._look(runs)

    def _look(self, runs: dict[Places, asyncio.AbstractEventLoop]) -> None:
        loops = set(runs.values()) | {p.caller for p in runs if p.caller is not None}
        for loop in [loop for loop in self._pings if loop not in loops]:
            del self._pings[loop]
        for loop in loops:
            ping = self._pings.get(loop)
            if ping is None or ping.answered:
                self._pings[loop] = _Ping(loop)
            elif not ping.told and time.monotonic() - ping.sent_at >= BLOCKED_S:
                ping.told = _name_who_blocks(loop, runs)


class _Ping:
    """A question to a loop, which a loop that isn't blocked answers at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.sent_at = time.monotonic()
        self.answered = False
        self.told = False
        try:
            loop.call_soon_threadsafe(self._answer)
        except RuntimeError:
            self.answered = True  # the loop is closed

    def _answer(self) -> None:
        self.answered = True


def _name_who_blocks(
    loop: asyncio.AbstractEventLoop, runs: dict[Places, asyncio.AbstractEventLoop]
) -> bool:
    """Warn of the user's coroutine that runs on `loop` now; False: none of a run's does."""
    task = asyncio.current_task(loop)
    name = next((p.under_way[task] for p in runs if task in p.under_way), None) if task else None
    if name is None:
        return False
    logger.warning(
        "%s blocks its event loop, for more than %g s so far: nothing else can run there. Await "
        "what takes long, or make it a plain function, which runs on a thread of its own",
        name,
        BLOCKED_S,
    )
    return True


# Module state on purpose: one thread watches every run of the process.
watch = Watch()
