"""Where fault tests let a process die: at a chosen commit of a journal.

``PORTIA_CRASH_AT=7:inside`` kills this process, as ``kill -9`` would, inside the seventh
transaction that it writes; ``before`` and ``after`` are just outside of it. ``7:migrating`` kills
it before the seventh step that brings an older journal up to date. Nothing else sets it.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass


@dataclass(slots=True)
class CrashPoint:
    """Counts the transactions of one writer, or the steps of one migration."""

    at: int = 0
    """Which transaction, from 1; 0: none."""
    phase: str = ""
    count: int = 0

    @classmethod
    def from_environment(cls) -> CrashPoint:
        """Read the variable. `Config` doesn't: this is no setting of the product."""
        number, _, phase = os.environ.get("PORTIA_CRASH_AT", "").partition(":")
        return cls(int(number), phase) if number.isdigit() else cls()

    def reach(self, phase: str) -> None:
        """Note that the writer is at `phase`, and die there if that was asked for."""
        self.count += phase in ("before", "migrating")
        if self.count == self.at and phase == self.phase:
            os.kill(os.getpid(), signal.SIGKILL)
