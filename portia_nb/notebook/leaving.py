"""Views that stand when the kernel ends: each becomes its record, since a page prefers the widget.

A saved notebook would show that widget, dead, and not the record that lies beside it. A kernel that
is killed can't do this.
"""

from __future__ import annotations

import atexit
import logging
from typing import Protocol
from weakref import WeakSet


class Leaves(Protocol):
    """A view that has a record to leave."""

    def leave_record(self) -> None:
        """Become the record; nothing where it is that already."""
        ...


class Leaving:
    """The views of one face; those that nobody holds any more are forgotten."""

    def __init__(self) -> None:
        """Hold no view yet."""
        self._views: WeakSet[Leaves] = WeakSet()

    def add(self, view: Leaves) -> None:
        """Remember `view`."""
        self._views.add(view)

    def begin(self) -> None:
        """Let the views leave their records when the process ends."""
        atexit.register(self.leave_records)

    def end(self) -> None:
        """Undo `begin`."""
        atexit.unregister(self.leave_records)

    def leave_records(self) -> None:
        """Let each view that still stands leave its record."""
        for view in list(self._views):
            try:
                view.leave_record()
            except Exception:
                logging.getLogger("portia_nb").debug("a view left no record", exc_info=True)
