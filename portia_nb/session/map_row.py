"""One row of a map, and how far it has got."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from portia_nb.model.cost import Spent
from portia_nb.model.events import ErrorRecord
from portia_nb.model.language import Usage

PREFIX = "map-"
"""How ids of maps begin."""


def is_map(run_id: str) -> bool:
    """Tell whether an id is that of a map."""
    return run_id.startswith(PREFIX)


class RowState(StrEnum):
    """How far a row of a map has got."""

    LEFT = "not run"
    RUNNING = "running"
    WAITING = "waiting"
    """Its run asks something that nobody has answered yet."""
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    """Its run was stopped, or its process died; it goes on where it was."""


@dataclass(slots=True)
class MapRow:
    """One row of a map."""

    number: int
    """Its place among the rows, from 0."""
    label: Any
    """The frame's own name for it: its index."""
    state: RowState = RowState.LEFT
    run_id: str | None = None
    """The run that did it, or does; that of an equal row where it took over its output."""
    value: Any = None
    """Its run's final output."""
    error: ErrorRecord | None = None
    question: str = ""
    """What its run asks, where it is waiting."""
    reused: str = ""
    """Where its output comes from if it had no run of its own in this map: ``same row``, an equal
    row before it; ``earlier``, an equal row of a map before."""
    seconds: float | None = None
    attempt: int = 0
    spent: dict[tuple[str, str], Usage] = field(default_factory=dict[tuple[str, str], Usage])
    """What it asked models for in this map, as `portia_nb.model.cost.Spent`."""

    def spend(self, model: str, usage: Usage) -> None:
        """Count an answer of a model."""
        key = ("", model)
        self.spent[key] = self.spent[key] + usage if key in self.spent else usage


def spent_of(rows: list[MapRow]) -> Spent:
    """Add up what rows spent, by the path that a map's record gives each."""
    return {
        (path_of(row.number), model): usage
        for row in rows
        for (_, model), usage in row.spent.items()
    }


def path_of(number: int) -> str:
    """Return the path under which a map's record tells of a row.

    >>> path_of(3), number_of("row[3]"), number_of("rows")
    ('row[3]', 3, None)
    """
    return f"row[{number}]"


def number_of(path: str) -> int | None:
    """Return the number of the row that `path` tells of, None where it tells of none."""
    head, _, tail = path.partition("[")
    number = tail[:-1]
    return int(number) if head == "row" and tail[-1:] == "]" and number.isdecimal() else None
