"""Questions whose time is up: how long each has left, and what its end does to the run.

A question's `expires_at` is a time of day, since another process may be the one that finds it
passed. While a process waits it counts by a clock that nobody sets: a time of day that is put
forward ends no question early, and one that is put back gives none more than it asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from portia_nb.errors import ClarificationExpired, InvalidAnswer
from portia_nb.model.clarification import Clarification
from portia_nb.model.events import ClarificationResolved, StepFailed
from portia_nb.model.run import Run

from .failures import record_error

EXPIRY = "expiry"
"""Who a run's record says has answered a question whose time was up."""


def with_deadline(asked: Clarification) -> Clarification:
    """Return a question that is put now, with the time at which it expires, if it does."""
    if asked.expires_in_s is None or asked.expires_at is not None:
        return asked
    return asked.model_copy(update={"expires_at": time.time() + asked.expires_in_s})


def left_s(asked: Clarification) -> float | None:
    """Return the seconds that a question has left, 0 where its time is up; None: it has no end."""
    if asked.expires_at is None:
        return None
    left = max(asked.expires_at - time.time(), 0.0)
    return left if asked.expires_in_s is None else min(left, asked.expires_in_s)


def is_expired(asked: Clarification) -> bool:
    """Tell whether an open question's time is up."""
    return not asked.resolved and left_s(asked) == 0


def ending_of(
    run: Run, asked: Clarification
) -> tuple[*tuple[ClarificationResolved, ...], ClarificationResolved | StepFailed]:
    """Return what happens to `run` as the time of an open question is up.

    Its default answers it; without one, all that its step asked is closed, and the last event is
    the step's `StepFailed`.
    """
    error = ClarificationExpired(
        f"nobody has answered {asked.user_guidance!r} in time"
        + (f" ({asked.expires_in_s:g} s)" if asked.expires_in_s is not None else "")
        + ": resume the run to be asked again, or give the question a default",
        clarification_id=asked.id,
        step=asked.path,
    )
    if asked.default is not None:
        try:
            answer = asked.check_answer(asked.default)
        except InvalidAnswer as refused:
            error.__cause__ = refused
        else:
            return (ClarificationResolved(asked.id, answer, EXPIRY),)
    path = asked.path or ""
    closed = [c.id for c in run.outstanding() if c.path == asked.path]
    return (
        *(ClarificationResolved(each, None, EXPIRY) for each in closed),
        StepFailed(path, run.record(path).attempt, record_error(error, path)),
    )


class Timers:
    """Calls back when the time of a question is up; costs nothing until then."""

    def __init__(self, when_up: Callable[[str], None]) -> None:
        """Call `when_up(clarification_id)`, on the loop that `start` is called on."""
        self._when_up = when_up
        self._handles: dict[str, asyncio.TimerHandle] = {}

    def start(self, clarification_id: str, delay_s: float) -> None:
        """Begin to count."""
        loop = asyncio.get_running_loop()
        self.stop(clarification_id)
        handle = loop.call_later(delay_s, self._when_up, clarification_id)
        self._handles[clarification_id] = handle

    def stop(self, clarification_id: str) -> None:
        """Count no more for this question."""
        if (handle := self._handles.pop(clarification_id, None)) is not None:
            handle.cancel()

    def close(self) -> None:
        """Count no more."""
        for handle in self._handles.values():
            handle.cancel()
        self._handles.clear()
