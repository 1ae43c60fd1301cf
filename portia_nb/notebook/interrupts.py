"""Interrupts (■, Ctrl-C) while a cell waits: noticed at once, in every kind of cell."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

HEARTBEAT_S = 0.1
"""A waiting loop wakes this often: SIGINT alone doesn't wake a selector that sleeps."""


@contextmanager
def keyboard_interrupts() -> Generator[None]:
    """Let SIGINT raise `KeyboardInterrupt` in blocking code of the main thread.

    While a cell awaits, the kernel turns SIGINT into a callback on the loop; code that blocks that
    loop would never hear of it. Elsewhere than in the main thread nothing changes.
    """
    with _handling_sigint(signal.default_int_handler):
        yield


@contextmanager
def sigint_calls(react: Callable[[], None]) -> Generator[None]:
    """Call `react` on SIGINT where it would otherwise be raised into a running event loop.

    That is so in a terminal's IPython; while a cell awaits, a kernel has its own, and keeps it.
    """
    if _in_main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with _handling_sigint(lambda _signal, _frame: react()):
            yield
    else:
        yield


@contextmanager
def _handling_sigint(handler: Any) -> Generator[None]:
    if not _in_main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        # None: the handler wasn't set from Python, so it can't be put back from here either.
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
