"""Answers to the questions of runs, whether they live in this process or only in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from portia_nb.errors import PlanRunNotFoundError, PortiaBaseError
from portia_nb.model.clarification import Clarification
from portia_nb.model.events import (
    AnyEvent,
    ClarificationResolved,
    Recorded,
    RunFailed,
    RunStarted,
    StepFailed,
)
from portia_nb.model.run import PlanRun, PlanRunState, Run
from portia_nb.running.background import background
from portia_nb.running.expiry import EXPIRY, ending_of, is_expired
from portia_nb.running.failures import record_error

from .live import LiveRun, live_run
from .log import is_detailed, log_event, set_up_logging
from .opening import open_run
from .parts import Parts
from .tapes import clock_of
from .unsaid import without_secrets
from .waiting import wait_here
from .watchers import is_watched

BY = "the caller"
"""Who a run's record says has answered."""


def resolve(
    parts: Parts, clarification: Clarification, response: Any, plan_run: PlanRun | None
) -> PlanRun:
    """Answer a question, from any thread but the background one; see `Portia`."""
    run_id = _run_of(clarification, plan_run)
    if (live := live_run(run_id)) is not None:
        _question(live.run, clarification)
        live.answer(clarification.id, response, BY)
        answered = wait_here(background.submit(_answered(live, clarification.id)))
        if answered is not None:
            return answered

    def answer(run: Run) -> Sequence[AnyEvent]:
        asked = _question(run, clarification)
        if asked.resolved:
            return ()
        if is_expired(asked):
            return _expiry_of(run, asked)
        return (ClarificationResolved(asked.id, asked.check_answer(response), BY),)

    return _write(parts, run_id, answer)


def refuse(
    parts: Parts, clarification: Clarification, error: object, plan_run: PlanRun | None
) -> PlanRun:
    """Let a run fail over a question, from any thread but the background one; see `Portia`."""
    run_id = _run_of(clarification, plan_run)
    cause = error if isinstance(error, BaseException) else PortiaBaseError(str(error))
    if (live := live_run(run_id)) is not None:
        if _question(live.run, clarification).resolved:
            return wait_here(background.submit(_snapshot(live)))
        live.fail(cause, clarification.path)
        ended = wait_here(live.done)
        if ended.state is PlanRunState.FAILED:
            return ended

    def fail(run: Run) -> Sequence[AnyEvent]:
        asked = _question(run, clarification)
        if asked.resolved:
            return ()
        return (RunStarted(BY), RunFailed(record_error(cause, asked.path)))

    return _write(parts, run_id, fail)


def expire(parts: Parts, run_id: str) -> PlanRun:
    """End the open questions whose time is up, in a run that nobody runs; from any thread.

    Raises:
        RunHeldElsewhere: somebody runs it, or writes to it just now: it's for them to do.
    """

    def end(run: Run) -> Sequence[AnyEvent]:
        asked = next((asked for asked in run.outstanding() if is_expired(asked)), None)
        return () if asked is None else _expiry_of(run, asked)

    return _write(parts, run_id, end)


def _expiry_of(run: Run, asked: Clarification) -> Sequence[AnyEvent]:
    events = ending_of(run, asked)
    if isinstance(last := events[-1], StepFailed):
        return (RunStarted(EXPIRY), *events, RunFailed(last.error))
    return events


def _write(parts: Parts, run_id: str, events_of: Callable[[Run], Sequence[AnyEvent]]) -> PlanRun:
    """Add events to a run that nobody runs, and return it."""
    store = parts.store
    hold = store.claim(run_id, owner=parts.owner())
    try:
        known = parts.recent.take(run_id, None, store, parts.tools)
        run, registry = known or (open_run(store, run_id, tools=parts.tools), parts.tools)
        try:
            events = events_of(run)
        except BaseException:
            parts.recent.remember(run, registry, parts.tools)
            raise
        set_up_logging(parts.config)
        now = clock_of(parts.config)
        is_seen = is_watched() and parts.config.live_view and not is_detailed(parts.config)
        for event in events:
            safe = without_secrets(event, parts.secrets)
            recorded = Recorded(run.seq + 1, now(), run_id, safe)
            store.append(hold, recorded)
            run.apply(recorded)
            if not is_seen:
                log_event(run, recorded)
        store.kept_blocking(hold)
        parts.recent.remember(run, registry, parts.tools)
        return run.snapshot()
    finally:
        store.release(hold)


def _run_of(clarification: Clarification, plan_run: PlanRun | None) -> str:
    if plan_run is not None:
        return str(plan_run.id)
    if clarification.plan_run_id is None:
        raise PlanRunNotFoundError("this question belongs to no run: pass plan_run= too")
    return str(clarification.plan_run_id)


def _question(run: Run, clarification: Clarification) -> Clarification:
    found = run.clarifications.get(clarification.id)
    if found is None:
        raise PlanRunNotFoundError(
            f"run {run.id} has asked no question {clarification.id}: "
            "its open ones are plan_run.get_outstanding_clarifications()",
            run_id=run.id,
        )
    return found


async def _answered(live: LiveRun, clarification_id: str) -> PlanRun | None:
    """Return the run once the answer is on disk; None: the run ended before it could take one."""
    if not live.run.clarifications[clarification_id].resolved:
        return None
    await live.kept()
    return live.run.snapshot()


async def _snapshot(live: LiveRun) -> PlanRun:
    return live.run.snapshot()
