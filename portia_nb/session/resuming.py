"""Going on with kept runs: what is checked, whose the run is then, and what is given back."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portia_nb.errors import InvalidPlanRunStateError
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun, PlanRunState, Run
from portia_nb.running.expiry import is_expired
from portia_nb.storage.store import Hold
from portia_nb.tools.aside import run_aside
from portia_nb.tools.registry import ToolRegistry

from .budgets import meter_of_run
from .end_users import kept_end_user
from .launch import Company, answers_of, wire
from .live import LiveRun, live_run
from .map_row import is_map
from .opening import load_further, open_run, refuse_missing_functions, settled_steps
from .parts import Parts
from .waiting import BEAT_S

if TYPE_CHECKING:
    from .answering import DeclaredAnswers
    from .tapes import AnyTape


@dataclass(frozen=True, slots=True)
class Claimed:
    """A kept run that this process has made its own, and that nothing runs yet."""

    run: Run
    hold: Hold
    registry: ToolRegistry
    tape: AnyTape | None

    def give_back(self, parts: Parts) -> None:
        """Let others have the run."""
        parts.store.release(self.hold)
        parts.recent.remember(self.run, self.registry, parts.tools)


def prepare_resume(
    parts: Parts,
    run_id: str,
    plan: Plan | None = None,
    *,
    take_over: bool = False,
    company: Company,
) -> LiveRun | PlanRun:
    """Return a run that only needs to be started to go on; see `Runner.start_resume`.

    One that lives in this process already, or is complete, is returned as it is.
    """
    return going_on(parts, claim(parts, run_id, plan, company, take_over=take_over), company)


def going_on(
    parts: Parts, found: Claimed | LiveRun | PlanRun, company: Company
) -> LiveRun | PlanRun:
    """Return what `claim` has found as a run that only needs to be started."""
    if not isinstance(found, Claimed):
        return found
    run = found.run
    user = kept_end_user(run.end_user, run.end_user_data)
    return wire(parts, run, found.hold, found.registry, company, found.tape, end_user=user)


def claim(
    parts: Parts, run_id: str, plan: Plan | None, company: Company, *, take_over: bool = False
) -> Claimed | LiveRun | PlanRun:
    """Make a kept run this process's own; waits for the disk.

    One that lives in this process already, or is complete, is returned as it is.

    Raises:
        PortiaBaseError: as `Portia.aresume`.
    """
    parts.start_log()
    if is_map(run_id):
        raise InvalidPlanRunStateError(
            f"{run_id} is a map, not a run: portia.map({run_id!r}) goes on with it", run_id=run_id
        )
    if (running := live_run(run_id)) is not None:
        if running.is_stopping:
            raise InvalidPlanRunStateError(
                f"run {run_id} is being stopped, and a step of it still cleans up: wait until it "
                "has ended, then resume",
                run_id=run_id,
            )
        return running
    run, registry = _reopen(parts, run_id, plan)
    try:
        if _is_complete(run):
            return run.snapshot()
        _refuse_unmade(run)
        answers = answers_of(parts, company)
        if company.asker is None and parts.hooks.clarification_handler is None:
            _refuse_open_questions(run, answers)
        refuse_missing_functions(run)
        parts.check(run.plan, registry, settled=settled_steps(run))
        if company.meter is None:  # refuses what can't be kept, before the claim
            meter_of_run(parts, run, company.budget)
        tape = parts.tape(goes_on=True)
        hold = parts.store.claim(run_id, owner=parts.owner(), take_over=take_over)
    except BaseException:
        parts.recent.remember(run, registry, parts.tools)
        raise
    try:
        # Between the first look and the claim another process may have written.
        for recorded in load_further(parts.store, run, registry):
            run.apply(recorded)
    except BaseException:
        parts.store.release(hold)
        raise
    if _is_complete(run):
        parts.store.release(hold)
        return run.snapshot()
    return Claimed(run, hold, registry, tape)


def give_back(parts: Parts, found: Claimed | LiveRun | PlanRun) -> None:
    """Let others have what `claim` has found, where nothing comes of it."""
    if isinstance(found, Claimed):
        found.give_back(parts)


def let_stop(run_id: str) -> None:
    """Wait for the end of a run that is being stopped here: only then can it go on."""
    while (ended := _end_of_stopping(run_id)) is not None:
        concurrent.futures.wait([ended], BEAT_S)


async def alet_stop(run_id: str) -> None:
    """Wait for the end of a run that is being stopped here; see `let_stop`."""
    while _end_of_stopping(run_id) is not None:  # noqa: ASYNC110 - another thread ends it
        await asyncio.sleep(BEAT_S)


def _end_of_stopping(run_id: str) -> concurrent.futures.Future[PlanRun] | None:
    live = live_run(run_id)
    return live.done if live is not None and live.is_stopping else None


async def claim_aside(
    parts: Parts, run_id: str, plan: Plan | None, company: Company
) -> Claimed | LiveRun | PlanRun:
    """Do what `claim` does on a thread: a store that is locked, or slow, holds up no loop.

    When this is cancelled, the run is given back, now or once it has been claimed.

    Raises:
        PortiaBaseError: as `claim`.
    """
    handing = _HandingOver(parts)
    try:
        return await run_aside(lambda: handing.take(claim(parts, run_id, plan, company)))
    except asyncio.CancelledError:
        handing.give_up()
        raise


class _HandingOver:
    """A run on its way from a thread to a loop that may have stopped waiting for it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._claimed: Claimed | None = None
        self._is_given_up = False

    def take(self, found: Claimed | LiveRun | PlanRun) -> Claimed | LiveRun | PlanRun:
        if isinstance(found, Claimed):
            with self._lock:
                self._claimed = found
                is_late = self._is_given_up
            if is_late:
                found.give_back(self._parts)
        return found

    def give_up(self) -> None:
        with self._lock:
            self._is_given_up = True
            claimed = self._claimed
        if claimed is not None:
            claimed.give_back(self._parts)


def _is_complete(run: Run) -> bool:
    return run.state is PlanRunState.COMPLETE


def _reopen(parts: Parts, run_id: str, plan: Plan | None) -> tuple[Run, ToolRegistry]:
    known = parts.recent.take(run_id, plan, parts.store, parts.tools)
    return known or (open_run(parts.store, run_id, plan, tools=parts.tools), parts.tools)


def _refuse_unmade(run: Run) -> None:
    """Refuse a run whose process died before its beginning was kept, in an older version.

    It has lost its inputs; or as a fork, it would do again what was done in the other run, side
    effects too. Today's runs are kept with their beginning, see `begin`.
    """
    if run.seq == 0:
        raise InvalidPlanRunStateError(
            f"run {run.id} was never whole: its process ended before its inputs were kept, and "
            "nothing of it ran; run its plan again",
            run_id=run.id,
        )
    if run.forked_from is None or run.state is not PlanRunState.NOT_STARTED:
        return
    if run.taken_over is None or run.seq <= run.taken_over:
        raise InvalidPlanRunStateError(
            f"run {run.id} is a fork whose process ended before it was whole: fork run "
            f"{run.forked_from} again",
            run_id=run.id,
        )


def _refuse_open_questions(run: Run, answers: DeclaredAnswers | None) -> None:
    # One whose time is up needs nobody: the run takes its default, or fails.
    waiting = [asked for asked in run.outstanding() if not is_expired(asked)]
    if answers is not None:
        waiting = [asked for asked in waiting if answers.take(asked) is None]
    if waiting:
        questions = "; ".join(repr(asked.user_guidance) for asked in waiting)
        raise InvalidPlanRunStateError(
            f"run {run.id} waits for an answer to {questions}: answer with "
            "portia.resolve_clarification(clarification, response), then resume",
            run_id=run.id,
        )
