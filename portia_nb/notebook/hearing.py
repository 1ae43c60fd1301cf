"""Whether pages have in fact reached cells that ran in this kernel, whatever ought to happen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Hearing:
    """What was heard of pages while cells ran. Written by the cells' own flows, read by doctor."""

    awaiting: bool | None = None
    """Whether a page's message reached the latest cell that awaited; None: nobody tried."""
    blocked: bool | None = None
    """The same of the latest cell that was blocked."""

    def note(self, *, awaits: bool, reached: bool) -> None:
        """Remember whether a page's message reached a cell while it ran; any thread.

        Args:
            awaits: whether the cell awaited its run, or was blocked by it.
            reached: a view in it was drawn, and the kernel heard so before the cell had ended.
        """
        if awaits:
            self.awaiting = reached
        else:
            self.blocked = reached
