"""What a workload prints: a figure, its target, and whether it holds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    what: str
    figure: float
    target: float
    unit: str
    detail: str = ""
    must_hold: bool = True
    """False: printed to tell how far it is."""

    @property
    def holds(self) -> bool:
        """True where the figure is within its target."""
        return self.figure <= self.target

    def __str__(self) -> str:
        word = "holds" if self.holds else ("FAILS" if self.must_hold else "to go")
        return (
            f"{self.name:4} {word:6} {self.figure:10.3g} {self.unit:10}"
            f" target ≤ {self.target:<8.3g}"
            f" {self.what}{f' ({self.detail})' if self.detail else ''}"
        )


def interleaved(
    runs: Sequence[Callable[[], object]],
    times: int,
    clock: Callable[[], float] = time.perf_counter,
) -> list[list[float]]:
    """Run each of `runs` in turn, `times` times over, and return the seconds that each took.

    Interleaved, so that what else the machine does falls on all of them alike. Each is run once
    before, unmeasured.
    """
    for run in runs:
        run()
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(times):
        for seconds, run in zip(taken, runs, strict=True):
            began = clock()
            run()
            seconds.append(clock() - began)
    return taken


def spread(seconds: Sequence[float], scale: float = 1.0, unit: str = "ms") -> str:
    """Return median and minimum as text."""
    return (
        f"median {statistics.median(seconds) * scale:.3g} {unit}, "
        f"minimum {min(seconds) * scale:.3g} {unit}"
    )
