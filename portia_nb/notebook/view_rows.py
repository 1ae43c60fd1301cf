"""How views are worded where no browser draws them: states, durations, folded steps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from portia_nb.drawing.picture import ShownState

View = dict[str, Any]

KEEP_AT_END = 8
MAX_OPEN_ROWS = 150
MIN_FOLD = 3
_OVER = ("done", "skipped")
_NAME_AND_ROUND = re.compile(r"(.*?)(?:\[(\d+)\])?", re.DOTALL)

_RUN_WORDS: dict[str, tuple[ShownState, str]] = {
    "NOT_STARTED": ("waiting", "not started"),
    # What is drawn once can't tell what became of it.
    "IN_PROGRESS": ("running", "was running"),
    "NEED_CLARIFICATION": ("asking", "needs you"),
    "READY_TO_RESUME": ("stopped", "stopped"),
    "COMPLETE": ("done", "done"),
    "FAILED": ("failed", "failed"),
}
_ENDED = ("COMPLETE", "FAILED", "READY_TO_RESUME")


@dataclass(frozen=True, slots=True)
class Fold:
    """Neighbouring steps of a large view that one line stands for."""

    first: int
    """Number of the first of them, from 1."""
    names: tuple[str, ...]
    what: str

    def sentence(self) -> str:
        """Say which steps they are.

        >>> Fold(2, ("b", "c", "d"), "done").sentence()
        'steps 2 to 4 done: b … d'
        """
        last = self.first + len(self.names) - 1
        return f"steps {self.first} to {last} {self.what}: {self.names[0]} … {self.names[-1]}"


def state_words(view: View) -> tuple[ShownState, str]:
    """Return how a view's state looks, and its word.

    >>> state_words({"kind": "run", "state": "COMPLETE"})
    ('done', 'done')
    """
    if view["kind"] == "plan":
        return "waiting", "plan"
    if view.get("refused"):
        return "stopped", "ended by a no"
    return _RUN_WORDS[view["state"]]


def duration(milliseconds: float) -> str:
    """Return a duration for people.

    >>> duration(12_340), duration(3_723_000)
    ('12.3 s', '1 h 02 min')
    """
    seconds = max(milliseconds, 0) / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {seconds:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def said_of(row: View) -> list[str]:
    """Return the lines below a step's head: its task, and why it waits or was skipped."""
    waits = row.get("state", "waiting") == "waiting"
    lines = [row.get("task"), row.get("why") if waits else None, row.get("reason")]
    return [line for line in lines if line] + failed_attempts(row)


def failed_attempts(row: View) -> list[str]:
    """Return a line for each attempt that failed before the latest.

    >>> failed_attempts({"attempts": [{"error": {"type": "TimeoutError", "message": "5 s"}}]})
    ['failed before: TimeoutError: 5 s']
    """
    errors = (attempt["error"] for attempt in row.get("attempts", ()))
    return [f"failed before: {error['type']}: {error['message']}" for error in errors]


def again_line(view: View) -> str:
    """Return the command that runs a step of a run again; ``""`` before the run has ended.

    >>> again_line({"kind": "run", "state": "COMPLETE", "id": "prun-1"})
    'Run a step again, in a new run: %portia fork prun-1 STEP'
    """
    if view["kind"] != "run" or view.get("state") not in _ENDED:
        return ""
    return f"Run a step again, in a new run: %portia fork {view['id']} STEP"


def waits_of(row: View) -> list[str]:
    """Say how long a step waited for a person, and before it tried again; waits that are over.

    >>> waits_of({"past": [["ran", 0, 9, "asking"], ["asked", 9, 5009, "waiting"]]})
    ['waited 5.0 s for a person']
    """
    said: list[str] = []
    for kind, what in (("asked", "for a person"), ("paused", "before the next try")):
        waited = [each for each in row.get("past", ()) if each[0] == kind and each[2] is not None]
        if waited:
            said.append(f"waited {duration(sum(w[2] - w[1] for w in waited))} {what}")
    return said


def by_round(rows: Sequence[View]) -> list[View]:
    """Return the rows such that what ran in a round stands together, below its loop.

    Steps, and those of a round, keep the order of the plan; rounds are in the order of their
    numbers, also where they ran side by side.

    >>> rows = [{"path": p, "el": "x"} for p in ("each", "each/a", "end")]
    >>> rows += [{"path": p} for p in ("each[0]", "each[1]", "each[1]/a", "each[0]/a")]
    >>> [row["path"] for row in by_round(rows)]
    ['each', 'each/a', 'each[0]', 'each[0]/a', 'each[1]', 'each[1]/a', 'end']
    """
    places = {row["path"]: number for number, row in enumerate(rows) if "el" in row}

    def place(row: View) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        prefix = ""
        for part in row["path"].split("/"):
            name, round_number = _NAME_AND_ROUND.fullmatch(part).groups()  # type: ignore[union-attr]
            prefix = f"{prefix}/{name}" if prefix else name
            number = -1 if round_number is None else int(round_number)
            found.append((places.get(prefix, len(rows)), number))
        return found

    return sorted(rows, key=place) if any("[" in row["path"] for row in rows) else list(rows)


def fold_finished(rows: Sequence[View], *, above: int) -> list[View | Fold]:
    """Return the rows; of more than `above`, finished neighbours become one `Fold` each.

    The last eight stay, and so do 150 of those that are not finished.
    """
    if len(rows) <= above:
        return list(rows)
    folded: list[View | Fold] = []
    open_rows = 0
    group: list[tuple[int, View]] = []
    group_over = False

    def close() -> None:
        if len(group) < MIN_FOLD:
            folded.extend(row for _, row in group)
        elif group:
            names = tuple(str(row.get("name", row["path"])) for _, row in group)
            folded.append(Fold(group[0][0], names, "done" if group_over else "not shown"))
        group.clear()

    for number, row in enumerate(rows, 1):
        over = row.get("state") in _OVER
        hide = (over or open_rows >= MAX_OPEN_ROWS) and number <= len(rows) - KEEP_AT_END
        if not hide or (group and over is not group_over):
            close()
        if hide:
            group.append((number, row))
            group_over = over
        else:
            folded.append(row)
            open_rows += 1
    close()
    return folded
