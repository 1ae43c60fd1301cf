"""Which steps may start: counts of what each still waits for, kept up as steps end."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from portia_nb.model.order import Waits


class Ledger:
    """The graph of one plan while it runs; every operation is linear in the edges it touches."""

    def __init__(self, waits: Mapping[str, Waits], finished: set[str]) -> None:
        """Start with some steps finished.

        Args:
            waits: what each step waits for, in plan order.
            finished: names of steps that are done or skipped.
        """
        self.unfinished = {name: None for name in waits if name not in finished}
        self.ready: deque[str] = deque()
        self._open: dict[str, int] = {}
        self._dependents: dict[str, list[str]] = {}
        self._held: set[str] = set()
        for name in self.unfinished:
            needed = [n for n in (*waits[name].data, *waits[name].place) if n in self.unfinished]
            self._open[name] = len(needed)
            for other in needed:
                self._dependents.setdefault(other, []).append(name)
            if not needed:
                self.ready.append(name)

    def finish(self, name: str) -> None:
        """Count `name` as done or skipped, and what waited for nothing else as ready."""
        del self.unfinished[name]
        for dependent in self._dependents.get(name, ()):
            self._open[dependent] -= 1
            if not self._open[dependent] and dependent not in self._held:
                self.ready.append(dependent)

    def hold(self, name: str) -> None:
        """Keep `name` from becoming ready until it is released: it has a question open."""
        self._held.add(name)
        if name in self.ready:
            self.ready.remove(name)

    def release(self, name: str) -> None:
        """Undo `hold`; the step is ready where it waits for no other."""
        self._held.discard(name)
        if name in self.unfinished and not self._open[name] and name not in self.ready:
            self.ready.append(name)
