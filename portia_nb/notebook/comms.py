"""Let clicks through to a cell that awaits, on kernels that would keep them in the queue.

Such kernels handle one shell message at a time: what a widget sends waits until the cell is done.
ipykernel 7.4 lets it through by itself; on 6 and on 7.0 to 7.3 we look at each message that
arrives while a cell awaits and hand on those of comms at once. All others keep their order.

This reaches into the kernel. Where the kernel isn't as expected nothing is touched, and questions
fall to the next rung of the ladder.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Literal

log = logging.getLogger(__name__)

Delivery = Literal["kernel", "detour", "none"]
"""Who brings a click to a cell that awaits: the kernel itself, `Detour`, or nobody."""

_COMM_MESSAGES = ("comm_open", "comm_msg", "comm_close")


class Detour:
    """Hands comm messages on at once while at least one cell or run wants it."""

    def __init__(self, kernel: Any) -> None:
        """Prepare for `kernel`, None where there is none: a terminal. Nothing is touched yet."""
        self._kernel = kernel
        self._wanted = 0
        self._theirs: Callable[..., Any] | None = None
        self._running: set[asyncio.Task[None]] = set()

    def delivery(self) -> Delivery:
        """Tell who brings a click to a cell that awaits."""
        if getattr(self._kernel, "session", None) is None:
            return "none"
        if _lets_comms_through():
            return "kernel"
        return "none" if _stream_of(self._kernel) is None else "detour"

    @contextmanager
    def open(self) -> Generator[None]:
        """Hand comm messages on until the block ends; blocks may overlap.

        To be used on the main thread, where the kernel reads its shell messages.
        """
        if self.delivery() != "detour":
            yield
            return
        self._wanted += 1
        if self._wanted == 1:
            self._begin()
        try:
            yield
        finally:
            self._wanted -= 1
            if self._wanted == 0:
                self._end()

    def _begin(self) -> None:
        stream = _stream_of(self._kernel)
        self._theirs = stream._recv_callback
        stream.on_recv(self._receive, copy=False)

    def _end(self) -> None:
        # The very callback that was there: it carries the context that the kernel runs cells in.
        _stream_of(self._kernel).on_recv(self._theirs, copy=False)

    def _receive(self, message: Any) -> Any:
        if not _is_comm(self._kernel, message):
            assert self._theirs is not None
            return self._theirs(message)
        task = asyncio.ensure_future(_dispatch_now(self._kernel, message))
        # The loop keeps only a weak reference to its tasks.
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return None


def _lets_comms_through() -> bool:
    """Tell whether the kernel dispatches comms beside a running cell, as ipykernel 7.4 does."""
    from ipykernel.comm.comm import BaseComm

    return hasattr(BaseComm, "_reply_subshell_for")


def _stream_of(kernel: Any) -> Any:
    """Return the stream on which the main thread gets its shell messages; None: not as expected."""
    thread = getattr(kernel, "shell_channel_thread", None)
    if thread is None:
        stream = getattr(kernel, "shell_stream", None)
    else:
        manager = getattr(thread, "manager", None)
        stream = getattr(getattr(manager, "_shell_channel_to_main", None), "to_stream", None)
    usable = callable(getattr(stream, "_recv_callback", None)) and hasattr(kernel, "dispatch_shell")
    return stream if usable else None


def _is_comm(kernel: Any, message: Any) -> bool:
    """Tell whether the frames of `message` are a comm's; what can't be read isn't."""
    try:
        _, frames = kernel.session.feed_identities(message, copy=False)
        # Signature, header, parent header, metadata, content.
        header = frames[1]
        kind = kernel.session.unpack(getattr(header, "bytes", header))["msg_type"]
    except Exception:  # a foreign frame of any shape: the kernel's own path reports it
        return False
    return kind in _COMM_MESSAGES


async def _dispatch_now(kernel: Any, message: Any) -> None:
    """Handle a comm's message beside the running cell, then give the cell its outputs back."""
    context = getattr(kernel, "_shell_parent_ident", None)
    ident = kernel._parent_ident["shell"] if context is None else context.get()
    parent = kernel.get_parent("shell")
    # The kernel notes one SIGINT handler to put back after a message; the cell's must survive.
    noted = getattr(kernel, "saved_sigint_handler", None)
    try:
        await kernel.dispatch_shell(message)
    except Exception:  # a widget's handler that fails must not take the waiting cell with it
        log.exception("a widget's message could not be handled")
    finally:
        kernel.saved_sigint_handler = noted
        kernel.set_parent(ident, parent, channel="shell")
