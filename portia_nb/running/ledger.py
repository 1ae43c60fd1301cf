"""Which steps may start: counts of what each still waits for, kept up as steps end."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from portia_nb.model.order import Waits


class Ledger:
    """The graph of the open bodies of a run; every operation is linear in the edges it touches."""

    def __init__(self) -> None:
        self.unfinished: dict[str, None] = {}
        self.ready: deque[str] = deque()
        self._open: dict[str, int] = {}
        self._dependents: dict[str, list[str]] = {}
        self._held: set[str] = set()

    def add(self, waits: Mapping[str, Waits], finished: set[str], prefix: str = "") -> None:
        """Add the steps of a body, some of them finished.

        Args:
            waits: what each step waits for in its body, by name, in order.
            finished: names of steps that are done or skipped.
            prefix: what stands before the names in paths.
        """
        for name, waited in waits.items():
            if name in finished:
                continue
            path = prefix + name
            needed = [n for n in (*waited.data, *waited.place) if n not in finished]
            self.unfinished[path] = None
            self._open[path] = len(needed)
            for other in needed:
                self._dependents.setdefault(prefix + other, []).append(path)
            if not needed and path not in self._held:
                self.ready.append(path)

    def finish(self, name: str) -> None:
        """Count `name` as done or skipped, and what waited for nothing else as ready."""
        del self.unfinished[name]
        for dependent in self._dependents.get(name, ()):
            self._open[dependent] -= 1
            if not self._open[dependent] and dependent not in self._held:
                self.ready.append(dependent)

    def forget(self, name: str) -> None:
        """Drop a finished step that nothing waits for any more."""
        self._open.pop(name, None)
        self._dependents.pop(name, None)

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
