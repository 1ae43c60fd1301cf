"""Let a program's own ``asyncio.run(main())`` work in a cell, where a loop already runs.

Under a running loop, `asyncio.run` gets a fresh loop on a thread of its own; everywhere else it is
Python's. No loop is ever re-entered: see docs/decisions/nest-asyncio-is-not-applied.md.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from .own_thread import OwnThread


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
            return OwnThread(main, "portia-asyncio-run", **options).result(shell)

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
