"""Waiting for a run's questions to be answered by others: another thread, or another process."""

from __future__ import annotations

import asyncio
import time

from portia_nb.errors import InvalidPlanRunStateError, NotReadyInTime, RunHeldElsewhere
from portia_nb.model.run import PlanRun, PlanRunState
from portia_nb.running.expiry import left_s
from portia_nb.tools.aside import run_aside

from . import answers
from .history import WORDS
from .opening import load_further, open_run
from .parts import Parts

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 1.0
"""A look is one query, which takes less than a thousandth of the shorter pause."""
SLOWER_AFTER_S = 60.0


class Readiness:
    """Looks at a kept run, now and then, until it waits for no answer any more."""

    def __init__(self, parts: Parts, plan_run: PlanRun, limit_s: float) -> None:
        """Prepare to look for `limit_s` seconds.

        Raises:
            InvalidPlanRunStateError: the run has ended; no answer is awaited.
        """
        if plan_run.state in (PlanRunState.COMPLETE, PlanRunState.FAILED):
            raise InvalidPlanRunStateError(
                f"run {plan_run.id} is {WORDS[plan_run.state]}: it waits for no answer. A failed "
                "run goes on with portia.resume(plan_run)",
                run_id=plan_run.id,
            )
        self._parts = parts
        self._run_id = str(plan_run.id)
        self._limit_s = limit_s
        self._end = time.monotonic() + limit_s
        self._run = open_run(parts.store, self._run_id, tools=parts.tools)

    def look(self) -> PlanRun | None:
        """Return the run if it waits for no answer, else None.

        Raises:
            NotReadyInTime: it still waits, and the time is up.
        """
        run = self._run
        for recorded in load_further(self._parts.store, run, self._parts.tools):
            run.apply(recorded)
        if run.state is PlanRunState.NEED_CLARIFICATION and self._next_expiry_s() == 0:
            try:
                answers.expire(self._parts, self._run_id)
            except RunHeldElsewhere:
                pass  # who holds it sees to it
            else:
                return self.look()
        if run.state is not PlanRunState.NEED_CLARIFICATION:
            return run.snapshot()
        if time.monotonic() >= self._end:
            questions = "; ".join(repr(asked.user_guidance) for asked in run.outstanding())
            raise NotReadyInTime(
                f"run {run.id} still waits for an answer to {questions} after "
                f"{self._limit_s:g} s: answer, or wait longer",
                run_id=run.id,
            )
        return None

    def pause_s(self) -> float:
        """Return the seconds until the next look."""
        left = self._end - time.monotonic()
        waited = self._limit_s - left
        pause = FIRST_PAUSE_S if waited < SLOWER_AFTER_S else LONGEST_PAUSE_S
        expiry = self._next_expiry_s() or pause
        return max(min(pause, left, expiry), 0.0)

    def _next_expiry_s(self) -> float | None:
        lefts = [left for asked in self._run.outstanding() if (left := left_s(asked)) is not None]
        return min(lefts, default=None)


def wait_here_for_answers(parts: Parts, plan_run: PlanRun, limit_s: float) -> PlanRun:
    """Wait in this thread; an interrupt ends it at once. See `Portia.await_for_ready`."""
    readiness = Readiness(parts, plan_run, limit_s)
    while (ready := readiness.look()) is None:
        time.sleep(readiness.pause_s())
    return ready


async def await_answers(parts: Parts, plan_run: PlanRun, limit_s: float) -> PlanRun:
    """Wait on this loop without blocking it. See `Portia.await_for_ready`."""
    readiness = await run_aside(Readiness, parts, plan_run, limit_s)
    # No event tells of what another process writes.
    while (ready := await run_aside(readiness.look)) is None:  # noqa: ASYNC110
        await asyncio.sleep(readiness.pause_s())
    return ready


def reference_limit_s(max_retries: int, start_s: float, backoff_s: float) -> float:
    """Return how long the reference waits: a time, and then pauses each twice the one before.

    >>> reference_limit_s(max_retries=6, start_s=420, backoff_s=2)
    672.0
    """
    return float(start_s + sum(backoff_s * 2**retry for retry in range(1, max_retries + 1)))
