"""Let a program's own ``asyncio.run(main())`` work in a cell, where a loop already runs.

Under a running loop, `asyncio.run` gets a fresh loop on a thread of its own; everywhere else it is
Python's. No loop is ever re-entered: see docs/decisions/nest-asyncio-is-not-applied.md.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from .interrupts import HEARTBEAT_S, keyboard_interrupts
from .routing import in_this_cell

CLEANUP_S = 2.0
"""Seconds that an interrupted program may take to end before the prompt comes back without it."""


class AsyncioRun:
    """Replaces `asyncio.run` from `install` until `restore`."""

    def __init__(self, shell: Any) -> None:
        """Prepare for `shell`; nothing is replaced yet."""
        self._shell = shell
        self._original: Callable[..., Any] | None = None
        self._replacement: Callable[..., Any] | None = None

    @property
    def is_installed(self) -> bool:
        """True from `install` until `restore`."""
        return self._replacement is not None

    def install(self) -> None:
        """Replace `asyncio.run`; once is enough."""
        if self._replacement is not None:
            return
        original = asyncio.run
        shell = self._shell

        @wraps(original)
        def run(main: Any, **options: Any) -> Any:
            if not self.is_installed or not _under_a_loop():
                return original(main, **options)
            if not inspect.isawaitable(main):
                raise ValueError(f"a coroutine was expected, got {main!r}")
            return _RunOnThread(main, options).result(shell)

        self._original, self._replacement = original, run
        asyncio.run = run

    def restore(self) -> None:
        """Put Python's own `asyncio.run` back, unless somebody replaced it again since."""
        if self._replacement is not None and asyncio.run is self._replacement:
            asyncio.run = self._original
        # Whoever still holds the replacement gets Python's behaviour from it.
        self._replacement = None


def _under_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class _RunOnThread:
    """One program on its own thread and loop, and what came of it."""

    def __init__(self, main: Any, options: dict[str, Any]) -> None:
        self._main = main
        self._options = options
        self._ended = threading.Event()
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = False
        self._outcome: tuple[Any, BaseException | None] = (None, None)

    def result(self, shell: Any) -> Any:
        """Run it and return its result; an interrupt cancels it.

        Raises:
            KeyboardInterrupt: interrupted; the program was cancelled and had `CLEANUP_S` to end.
        """
        thread = threading.Thread(
            target=in_this_cell(shell, self._run), name="portia-asyncio-run", daemon=True
        )
        with keyboard_interrupts():
            thread.start()
            try:
                while not self._ended.wait(HEARTBEAT_S):
                    pass
            except KeyboardInterrupt:
                self._cancel()
                self._ended.wait(CLEANUP_S)
                raise KeyboardInterrupt("asyncio.run was interrupted") from None
        value, error = self._outcome
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
            # The loop may close between the question and the call; then there is nothing to cancel.
            with suppress(RuntimeError):
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)
