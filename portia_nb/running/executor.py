"""Runs a plan: starts each step when what it waits for is done, until the run ends or must wait.

Pure asyncio on one loop. It knows no store, no view and no vendor: events go out through
`Ports.emit`, and only `answer`, `nobody_answers`, `fail` and `stop` come back, on its thread.
"""

from __future__ import annotations

import asyncio
from typing import Any

from portia_nb.errors import BudgetReached
from portia_nb.model.events import (
    ClarificationResolved,
    RunFailed,
    RunStarted,
    RunStopped,
    RunWaiting,
    StepCancelled,
    StepStarted,
)
from portia_nb.model.run import Run

from .asked import Asked
from .ending import exit_of, finish, leave
from .expiry import ending_of
from .frames import Frames
from .hooks import call_hook
from .models import Models
from .own_work import CLEAN_UP_S, OwnWork
from .performer import Performer
from .ports import Ports
from .reasons import Reasons
from .recovery import recover
from .rules import RulesOf
from .stepping import Stepping
from .watch import watch


class Executor:
    """One execution of one run, from a start or a resume until it ends, stops, or must wait."""

    def __init__(self, run: Run, ports: Ports) -> None:
        """Prepare to run what `run` has not done yet.

        Args:
            run: its state, which only `ports.emit` changes.
            ports: the ways out.
        """
        self._run = run
        self._ports = ports
        self._models = Models(ports)
        self._rules_of = RulesOf(ports)
        self._frames = Frames(run, ports.config, self._rules_of)
        self._asked = Asked(run, ports, self.expire)
        self._reasons = Reasons()
        self._stepping = Stepping(
            run,
            ports,
            self._frames,
            performer=Performer(run, ports, self._models, self._frames),
            asked=self._asked,
            reasons=self._reasons,
            when_changed=self._advance,
        )
        self._own = OwnWork()
        self._waiting = False
        self._has_begun = False
        self._limit = ports.config.max_parallel_steps
        self._loop: asyncio.AbstractEventLoop
        self._settled: asyncio.Future[None]

    # -- from outside, on the loop's thread ---------------------------------------------------

    def answer(self, clarification_id: str, response: Any, by: str) -> None:
        """Take a valid answer to a question of this run; one that is answered is left alone."""
        asked = self._run.clarifications.get(clarification_id)
        if asked is None or asked.resolved:
            return
        self._ports.emit(ClarificationResolved(clarification_id, response, by))
        if self._has_begun and self._settled.done():
            return  # too late for this execution: the next one finds it
        self._asked.answered(clarification_id)
        if asked.path not in self._stepping.tasks:  # else when its attempt has ended
            self._asked.release(asked.path or "", self._frames.ledger)
        if self._waiting:
            self._waiting = False
            self._ports.emit(RunStarted(self._ports.name))
            for begun in self._frames.begun():
                self._ports.emit(StepStarted(begun, self._run.record(begun).attempt))
        self._advance()

    def nobody_answers(self, clarification_id: str) -> None:
        """Learn that a question stays open: once nothing else can run, the execution returns."""
        self._asked.nobody_answers(clarification_id)
        self._advance()

    def expire(self, clarification_id: str) -> None:
        """Take a question's default, or let the step fail that asks: its time is up."""
        asked = self._run.clarifications[clarification_id]
        if asked.resolved or (self._has_begun and self._settled.done()):
            return
        *closed, last = ending_of(self._run, asked)
        if isinstance(last, ClarificationResolved):
            self.answer(last.clarification_id, last.response, last.by)
            return
        for event in (*closed, last):
            self._ports.emit(event)
        self._reasons.failure = self._reasons.failure or last.error
        self._advance()

    def fail(self, error: BaseException, path: str | None) -> None:
        """Let the run fail: nothing new starts, and running steps finish."""
        self._reasons.fail(error, path)
        self._advance()

    def stop(self, reason: str) -> None:
        """Stop the run: no further call starts, and running steps are cancelled."""
        if self._reasons.stopped is not None:
            return
        self._reasons.stopped = reason
        self._ports.places.close()
        self._own.cancel()
        self._stepping.cancel()
        if self._stepping.tasks:
            self._loop.call_later(CLEAN_UP_S, self._settle)
        self._advance()

    def halt(self, reason: str) -> None:
        """Let the run stop once the steps under way are done: nothing new starts."""
        self._reasons.halted = self._reasons.halted or reason
        self._advance()

    # -- the execution ---------------------------------------------------------------------------

    async def execute(self) -> None:
        """Run until the plan is complete, has failed, is stopped, or waits in vain for an answer.

        Guarantees:
            Never raises for a step's failure; the last event says how it ended. Everything emitted
            is kept before this returns.

        Raises:
            StorageError: it can't be kept.
        """
        self._loop = asyncio.get_running_loop()
        self._settled = self._loop.create_future()
        self._stepping.open()
        with watch.over(self._ports.places):
            await self._execute()
        await self._ports.kept()

    async def _execute(self) -> None:
        try:
            await self._begin()
        except asyncio.CancelledError:
            self.stop("cancelled")
        except BaseException as error:
            self.fail(error, None)
        self._has_begun = True
        self._advance()
        try:
            await self._settled
        except asyncio.CancelledError:
            self._settled = self._loop.create_future()
            self.stop("cancelled")
            await self._settled
        self._stepping.close()
        self._asked.close()
        await self._end()
        self._ports.places.close()

    async def _begin(self) -> None:
        run, ports = self._run, self._ports
        ports.emit(RunStarted(ports.name, "" if ports.meter is None else str(ports.meter.budget)))
        recover(run, lambda step: self._rules_of(step).side_effect, ports.emit)
        self._frames.open_plan()
        self._reasons.exit = exit_of(run)
        if self._reasons.stopped is None:
            await self._own.do(self._open_up())

    async def _open_up(self) -> None:
        """Call the run's hook, and put the questions that were open when the run was left."""
        hook = self._ports.hooks.before_plan_run
        if hook is not None:
            await call_hook(hook, self._ports.places, self._run.plan, self._run.snapshot())
        by_step: dict[str, list[str]] = {}
        for asked in self._run.outstanding():
            by_step.setdefault(asked.path or "", []).append(asked.id)
        if by_step:
            await self._asked.put(by_step, self._frames.ledger)

    def _advance(self) -> None:
        """Start what may start; settle where nothing is left to do."""
        if not self._has_begun or self._settled.done():
            return
        ready, tasks = self._frames.ledger.ready, self._stepping.tasks
        is_ending = self._reasons.is_any
        if not is_ending:
            while ready and len(tasks) < self._limit:
                self._stepping.start(ready.popleft())
        if tasks:
            return
        if is_ending or not self._frames.ledger.unfinished:
            self._settle()
        elif self._asked.is_open:
            if not self._waiting:
                self._waiting = True
                self._ports.emit(RunWaiting())
            if not self._asked.may_be_answered:
                self._settle()

    def _settle(self) -> None:
        if not self._settled.done():
            self._settled.set_result(None)

    async def _end(self) -> None:
        emit, why = self._ports.emit, self._reasons
        if why.failure is None:
            why.stopped = why.stopped or why.halted
        if why.stopped is not None or why.failure is not None:
            # Those still under way were cleaning up when the time for it ran out.
            for path in [*self._stepping.tasks, *self._frames.begun()]:
                emit(StepCancelled(path, self._run.record(path).attempt))
        if why.stopped is not None:
            emit(RunStopped(why.stopped))
            return
        if why.failure is not None:
            emit(RunFailed(why.failure))
            return
        if why.exit is not None:
            leave(self._run, emit, why.exit)
        if why.exit is not None or not self._waiting:
            try:
                await self._own.do(finish(self._run, self._ports, self._models))
            except (asyncio.CancelledError, BudgetReached):
                emit(RunStopped(why.stopped or why.halted or "cancelled"))
