"""Run a coroutine on a thread and loop of its own, while the calling thread waits for it."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .interrupts import HEARTBEAT_S, keyboard_interrupts
from .routing import in_this_cell

CLEANUP_S = 2.0
"""Seconds that an interrupted program may take to end before the prompt comes back without it."""


class OwnThread:
    """One awaitable on its own thread, and what came of it. Used once."""

    def __init__(self, main: Any, name: str, **options: Any) -> None:
        """Prepare; nothing runs yet.

        Args:
            main: any awaitable.
            name: the thread's name.
            options: those of `asyncio.Runner`.
        """
        self._main = main
        self._name = name
        self._options = options
        self._ended = threading.Event()
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = False
        self._outcome: tuple[Any, BaseException | None] = (None, None)

    def result(self, shell: Any, each_beat: Callable[[], None] | None = None) -> Any:
        """Run it to its end and return its result; its prints land in the present cell.

        Args:
            shell: the shell whose cell it is.
            each_beat: called on this thread every 100 ms.

        Raises:
            KeyboardInterrupt: interrupted; the program was cancelled and had `CLEANUP_S` to end. As
                with Python's own runner, one that answers the cancellation otherwise decides what
                comes of it.
        """
        run = in_this_cell(shell, self._run)
        with keyboard_interrupts():
            threading.Thread(target=run, name=self._name, daemon=True).start()
            try:
                while not self._ended.wait(HEARTBEAT_S):
                    if each_beat is not None:
                        each_beat()
            except KeyboardInterrupt:
                self._cancel()
                if not self._ended.wait(CLEANUP_S):
                    raise
        value, error = self._outcome
        if self._cancelled and isinstance(error, asyncio.CancelledError):
            raise KeyboardInterrupt("interrupted; the program was cancelled")
        if error is not None:
            raise error
        return value

    def _run(self) -> None:
        try:
            with asyncio.Runner(**self._options) as runner:
                self._outcome = (runner.run(self._supervise()), None)
        except BaseException as error:  # the caller's, SystemExit too
            self._outcome = (None, error)
        finally:
            self._ended.set()

    async def _supervise(self) -> Any:
        self._task = asyncio.current_task()
        if self._cancelled:
            if inspect.iscoroutine(self._main):
                self._main.close()
            raise asyncio.CancelledError
        return await self._main

    def _cancel(self) -> None:
        self._cancelled = True
        if self._task is not None and not self._ended.is_set():
            # The loop may close between the question and the call; then nothing is left to cancel.
            with suppress(RuntimeError):
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)
