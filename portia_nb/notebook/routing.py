"""Send what another thread prints to the cell that started it."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from typing import Any


def in_this_cell(shell: Any, call: Callable[[], None]) -> Callable[[], None]:
    """Return `call` for another thread, such that its output lands in the present cell.

    The context goes along, as with ``asyncio.run_coroutine_threadsafe``; where the kernel can tie a
    thread to a cell (ipykernel 7.4), that too: contexts alone may stop deciding this.
    """
    context = copy_context()
    parent = current_parent(shell)

    def routed() -> None:
        if parent is None:
            call()
            return
        tokens = shell.set_thread_parent(parent)
        try:
            call()
        finally:
            shell.reset_thread_parent(tokens)

    return lambda: context.run(routed)


def current_parent(shell: Any) -> Any:
    """Return the message that the present cell answers to; None: no thread can be tied to it."""
    if not hasattr(shell, "set_thread_parent") or not hasattr(shell, "reset_thread_parent"):
        return None
    return shell.get_parent() or None
