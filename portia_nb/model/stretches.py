"""What became of a step's time: when it worked, waited for a person, or waited for its next try."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from .refusal import told_no

if TYPE_CHECKING:
    from portia_nb.model.run import StepRecord

StretchKind: TypeAlias = Literal["ran", "asked", "paused"]
"""Worked; waited for a person's answer; waited before the next try."""

MAX_KEPT = 200
"""Stretches of one step that are remembered, the first ones."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a step's time, in seconds since the epoch, by the clock of its events."""

    kind: StretchKind
    start: float
    end: float | None
    """None: it lasts."""
    state: str
    """How it ended: ``done``, ``failed``, ``stopped``, ``skipped``; ``asking`` where work ended in
    a question, ``waiting`` for waits that are over, ``running`` while the work lasts."""


class StepTimes(NamedTuple):
    """The stretches of one step, oldest first."""

    path: str
    state: str
    """How the step stands."""
    stretches: tuple[Stretch, ...]


def times_of(record: StepRecord) -> StepTimes:
    """Return the stretches of a step as they are known so far."""
    found = tuple(record.history or ())
    start = record.started_at
    state = "uncertain" if record.uncertain else str(record.state.value)
    if state == "failed" and told_no(record):
        state = "stopped"
    if start is None:
        if state == "skipped" and record.ended_at is not None:
            found = (*found, Stretch("ran", record.ended_at, record.ended_at, state))
    elif not record.is_work_kept:
        ended = None if state == "running" else record.ended_at or start
        found = (*found, Stretch("ran", start, ended, state))
    return StepTimes(record.path, state, found)


def keep_work(record: StepRecord, end: float, state: str) -> None:
    """Remember the work of an attempt that another will follow, once."""
    if record.started_at is not None and not record.is_work_kept:
        record.is_work_kept = True
        _add(record, Stretch("ran", record.started_at, max(end, record.started_at), state))


def begin_wait(record: StepRecord, kind: Literal["asked", "paused"], at: float) -> None:
    """Remember that a wait began, and what ended with it."""
    end_wait(record, at)
    state = "asking" if kind == "asked" else "failed"
    keep_work(record, at, state)
    _add(record, Stretch(kind, at, None, "waiting"))


def begin_work(record: StepRecord, at: float) -> None:
    """Remember that what the step waited for, if for anything, is over; each start calls this."""
    if record.history is not None:
        end_wait(record, at)
        record.is_work_kept = False


def end_wait(record: StepRecord, at: float) -> None:
    """Remember that a wait, if there is one, ended."""
    last = record.history[-1] if record.history else None
    if last is not None and last.end is None:
        record.history[-1] = replace(last, end=max(at, last.start))  # type: ignore[index]


def _add(record: StepRecord, stretch: Stretch) -> None:
    if record.history is None:
        record.history = []
    if len(record.history) < MAX_KEPT:
        record.history.append(stretch)
