"""Calls posted to an event loop from other threads, many to one wake-up.

Waking a loop costs a system call at either end, far more than what is mostly posted; so whatever is
posted before the loop has woken goes along with the same wake-up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary


class Mailbox:
    """Calls on their way to one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take calls for `loop`."""
        self.loop = loop
        self._posted: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._has_rung = False

    def post(self, call: Callable[..., Any], *given: Any) -> bool:
        """Let the loop call ``call(*given)`` soon, in the order of posting; from any thread.

        Returns False where the loop is closed, so that nobody will.
        """
        self._posted.append((call, given))
        if not self._has_rung:
            self._has_rung = True
            try:
                self.loop.call_soon_threadsafe(self._deliver)
            except RuntimeError:
                return False
        return True

    def _deliver(self) -> None:
        # The flag goes down before the box is emptied: what is posted in between rings in vain.
        self._has_rung = False
        while self._posted:
            call, given = self._posted.popleft()
            try:
                call(*given)
            except Exception as error:
                self.loop.call_exception_handler(
                    {"message": "a call from another thread failed", "exception": error}
                )


def mailbox_of(loop: asyncio.AbstractEventLoop) -> Mailbox:
    """Return the one mailbox of `loop`, so that all who post to it share its wake-ups."""
    found = _mailboxes.get(id(loop))
    if found is None or found.loop is not loop:
        found = _mailboxes[id(loop)] = Mailbox(loop)
    return found


# By id, and only while somebody uses it: a mailbox holds its loop, so the loop can't be a weak key.
_mailboxes: WeakValueDictionary[int, Mailbox] = WeakValueDictionary()
