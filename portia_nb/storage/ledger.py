"""The account of one hold: how much was appended, how much is kept, who waits."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future

from portia_nb.errors import StorageError


class Ledger:
    """Counts what was appended and what is kept, and wakes those who wait for the rest.

    The first failure is final: after it nothing more counts as kept, because events must stay a
    beginning of what was appended.
    """

    __slots__ = ("_lock", "_waiting", "appended", "error", "kept", "last_seq")

    def __init__(self, last_seq: int = 0) -> None:
        self.last_seq = last_seq
        """`seq` of the last event that was appended."""
        self.appended = 0
        self.kept = 0
        self.error: StorageError | None = None
        self._lock = threading.Lock()
        self._waiting: list[tuple[int, Callable[[], None]]] = []

    def add(self) -> bool:
        """Count one more appended; return False where a failure has made that vain."""
        with self._lock:
            if self.error is not None:
                return False
            self.appended += 1
            return True

    def settle(self, count: int) -> None:
        """Count `count` more as kept."""
        with self._lock:
            self.kept += count
            ready = [call for upto, call in self._waiting if upto <= self.kept]
            self._waiting = [(upto, call) for upto, call in self._waiting if upto > self.kept]
        for call in ready:
            call()

    def fail(self, error: StorageError) -> None:
        """Keep the first `error`, and wake everyone."""
        with self._lock:
            if self.error is None:
                self.error = error
            ready, self._waiting = self._waiting, []
        for _, call in ready:
            call()

    def is_settled(self) -> bool:
        """Return whether nothing is left to wait for."""
        return self.error is not None or self.kept >= self.appended

    def raise_failure(self) -> None:
        """Raise the failure again, if there was one, as a new exception each time."""
        if self.error is not None:
            raise type(self.error)(str(self.error), **self.error.facts) from self.error

    async def wait(self, hurry: Callable[[], None]) -> None:
        """Wait for all that is appended by now; call `hurry` once if that takes waiting at all."""
        if not self.is_settled():
            loop = asyncio.get_running_loop()
            done = loop.create_future()

            def wake() -> None:
                # RuntimeError: the waiting loop was closed, so nobody waits any more.
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(_finish, done)

            if self._wait_for(wake):
                hurry()
                await done
        self.raise_failure()

    def wait_blocking(self, hurry: Callable[[], None], timeout_s: float | None) -> None:
        """Do the same in a thread.

        Raises:
            TimeoutError: `timeout_s` have passed.
        """
        if not self.is_settled():
            done: Future[None] = Future()
            if self._wait_for(lambda: done.set_result(None)):
                hurry()
                done.result(timeout_s)
        self.raise_failure()

    def _wait_for(self, call: Callable[[], None]) -> bool:
        with self._lock:
            if self.is_settled():
                return False
            self._waiting.append((self.appended, call))
            return True


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
