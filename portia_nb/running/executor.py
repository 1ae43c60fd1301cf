"""Runs a plan: starts each step when what it waits for is done, until the run ends or must wait.

Pure asyncio on one loop. It knows no store, no view and no vendor: events go out through
`Ports.emit`, and only `answer`, `nobody_answers`, `fail` and `stop` come back, on its thread.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from portia_nb.errors import BudgetReached, PortiaBaseError
from portia_nb.model.events import (
    ClarificationResolved,
    ErrorRecord,
    RunFailed,
    RunStarted,
    RunStopped,
    RunWaiting,
    StepCancelled,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from portia_nb.model.run import Run
from portia_nb.tools.aside import LeftAlone

from .asked import Asked
from .attempt import Asking, Attempt, Inside, Result, Skipped
from .deadlines import Deadlines
from .ending import exit_of, finish, leave
from .expiry import ending_of
from .failures import record_error
from .frames import Frames, Node
from .hooks import call_hook
from .meter import is_about_budget
from .models import Models
from .own_work import CLEAN_UP_S, OwnWork
from .performer import Performer
from .ports import Ports
from .recovery import recover
from .rules import LEFT_ALONE, STUCK, Rules, RulesOf, retry_in_s, timed_out
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
        self._performer = Performer(run, ports, self._models, self._frames)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._asked = Asked(run, ports, self.expire)
        self._failure: ErrorRecord | None = None
        self._stopping: str | None = None
        self._halted: str | None = None
        """Why nothing new starts, though no step has failed."""
        self._own = OwnWork()
        self._exit: str | None = None
        """Path of the step that ended the run."""
        self._waiting = False
        self._has_begun = False
        self._limit = ports.config.max_parallel_steps
        self._context = contextvars.Context()
        self._loop: asyncio.AbstractEventLoop
        self._settled: asyncio.Future[None]
        self._deadlines: Deadlines

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
        if asked.path not in self._tasks:  # else when its attempt has ended
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
        self._failure = self._failure or last.error
        self._advance()

    def fail(self, error: BaseException, path: str | None) -> None:
        """Let the run fail: nothing new starts, and running steps finish."""
        if self._failure is None:
            self._failure = record_error(error, path)
        self._advance()

    def stop(self, reason: str) -> None:
        """Stop the run: no further call starts, and running steps are cancelled."""
        if self._stopping is not None:
            return
        self._stopping = reason
        self._ports.places.close()
        self._own.cancel()
        for task in self._tasks.values():
            task.cancel()
            task.add_done_callback(self._forget)
        if self._tasks:
            self._loop.call_later(CLEAN_UP_S, self._settle)
        self._advance()

    def halt(self, reason: str) -> None:
        """Let the run stop once the steps under way are done: nothing new starts."""
        self._halted = self._halted or reason
        self._advance()

    def _forget(self, task: asyncio.Task[None]) -> None:
        """Drop a task that was cancelled before its coroutine began: none of it ever ran."""
        if (name := self._name_of(task)) is not None:
            del self._tasks[name]
        self._advance()

    def _name_of(self, task: asyncio.Task[Any]) -> str | None:
        return next((name for name, found in self._tasks.items() if found is task), None)

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
        self._deadlines = Deadlines(self._loop, self._leave_to_itself)
        self._context = contextvars.copy_context()
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
        self._deadlines.close()
        self._asked.close()
        await self._end()
        self._ports.places.close()

    async def _begin(self) -> None:
        run, ports = self._run, self._ports
        ports.emit(RunStarted(ports.name, "" if ports.meter is None else str(ports.meter.budget)))
        recover(run, lambda step: self._rules_of(step).side_effect, ports.emit)
        self._frames.open_plan()
        self._exit = exit_of(run)
        if self._stopping is None:
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
        ready, tasks = self._frames.ledger.ready, self._tasks
        ends = (self._failure, self._stopping, self._halted, self._exit)
        is_ending = any(end is not None for end in ends)
        if not is_ending:
            while ready and len(tasks) < self._limit:
                path = ready.popleft()
                # A context of its own: what a step sets there stays there.
                tasks[path] = self._loop.create_task(
                    self._step(self._frames.nodes[path]), context=self._context.copy()
                )
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
        emit = self._ports.emit
        if self._failure is None:
            self._stopping = self._stopping or self._halted
        if self._stopping is not None or self._failure is not None:
            # Those still in `_tasks` were cleaning up when the time for it ran out.
            for path in [*self._tasks, *self._frames.begun()]:
                emit(StepCancelled(path, self._run.record(path).attempt))
        if self._stopping is not None:
            emit(RunStopped(self._stopping))
            return
        if self._failure is not None:
            emit(RunFailed(self._failure))
            return
        if self._exit is not None:
            leave(self._run, emit, self._exit)
        if self._exit is not None or not self._waiting:
            try:
                await self._own.do(finish(self._run, self._ports, self._models))
            except (asyncio.CancelledError, BudgetReached):
                emit(RunStopped(self._stopping or self._halted or "cancelled"))

    # -- one step --------------------------------------------------------------------------------

    async def _step(self, node: Node) -> None:
        """Attempt a step until it is done, has failed for good, asks, or is stopped.

        Of a step that holds steps, that is one visit: until it waits for them.
        """
        path, rules = node.path, node.rules
        task = self._tasks[path]
        number = self._run.record(path).attempt
        at = Attempt(node.step, path, node.index, number, rules.side_effect, node.scope)
        node.is_woken = False
        try:
            for left in range(rules.tries - 1, -1, -1):
                if not node.is_begun:
                    at.number += 1
                    self._ports.emit(StepStarted(path, at.number))
                pause_s = await self._attempt(node, at, task, left)
                if pause_s is None:
                    return
                await asyncio.sleep(pause_s)
                if self._failure is not None or self._halted is not None:
                    return  # nothing new starts
        except asyncio.CancelledError:
            if self._tasks.get(path) is task:
                self._ports.emit(StepCancelled(path, at.number))
                if self._stopping is None and self._halted is None:
                    self.fail(PortiaBaseError(f"step {path!r} was cancelled from outside"), path)
        except BaseException as error:
            self.fail(error, path)
        finally:
            if self._tasks.get(path) is task:
                del self._tasks[path]
                self._asked.release(path, self._frames.ledger)
            self._advance()

    async def _attempt(
        self, node: Node, at: Attempt, task: asyncio.Task[None], left: int
    ) -> float | None:
        """Make one attempt; return the seconds until another, None where there is none."""
        clock, rules = self._deadlines, node.rules
        clock.start(task, rules.timeout_s)
        try:
            outcome = await self._performer.perform(node, at)
        except Asking as asking:
            clock.end(task)
            await self._asked.raise_(at, asking, self._frames.ledger)
            return None
        except BaseException as raised:
            error = self._what_it_means(raised, at, task, rules, clock.end(task))
        else:
            if clock.end(task) and self._tasks.get(at.path) is not task:
                raise asyncio.CancelledError  # it ended long after its time was up
            self._take(node, at, outcome)
            return None
        node.is_begun = False
        pause_s = retry_in_s(rules, error, left) if self._failure is None else None
        self._step_failed(at, error, pause_s)
        return pause_s

    def _take(self, node: Node, at: Attempt, outcome: Result | Skipped | Inside) -> None:
        """Tell how a good attempt ended, and count the step as finished if it is."""
        if isinstance(outcome, Inside):
            node.is_begun = True
            return
        if isinstance(outcome, Skipped):
            self._ports.emit(StepSkipped(at.path, outcome.reason))
        elif outcome.same_as is None:
            self._ports.emit(
                StepDone(at.path, at.number, outcome.value, outcome.summary, None, *outcome.cached)
            )
            if node.step.kind == "exit":
                self._exit = at.path
        else:
            self._ports.emit(StepDone(at.path, at.number, same_as=outcome.same_as))
        node.is_begun = False
        for frame in node.inside:
            self._frames.close(frame)
        self._frames.finish(node)

    def _what_it_means(
        self,
        raised: BaseException,
        at: Attempt,
        task: asyncio.Task[None],
        rules: Rules,
        time_was_up: bool,
    ) -> BaseException:
        """Return the error that an attempt failed with.

        Raises:
            asyncio.CancelledError: it didn't fail, it was stopped.
        """
        if self._stopping is not None:
            # Whatever it says: it may be its answer to being cancelled.
            raise asyncio.CancelledError from raised
        if not isinstance(raised, asyncio.CancelledError) and not time_was_up:
            if self._halted is not None and is_about_budget(raised):
                raise asyncio.CancelledError from raised
            return raised
        left_alone = self._tasks.get(at.path) is not task
        if left_alone or task.cancelling():
            raise asyncio.CancelledError from raised
        if time_was_up:
            goes_on = isinstance(raised, LeftAlone)
            error = timed_out(at.path, rules, *((LEFT_ALONE,) if goes_on else ()))
            error.__cause__ = raised
            return error
        # Nobody stopped this step: its own code raised the error.
        return PortiaBaseError(f"step {at.path!r} cancelled itself", step=at.path)

    def _leave_to_itself(self, task: asyncio.Task[Any]) -> None:
        """Go on without a step that does not heed its cancellation: the run fails."""
        name = self._name_of(task)
        if name is None or self._stopping is not None:
            return
        del self._tasks[name]
        node, number = self._frames.nodes[name], self._run.record(name).attempt
        at = Attempt(node.step, name, node.index, number, None, node.scope)
        self._step_failed(at, timed_out(name, node.rules, STUCK), None)
        self._advance()

    # -- what a step may do ----------------------------------------------------------------------

    def _step_failed(self, at: Attempt, error: BaseException, pause_s: float | None) -> None:
        record = record_error(error, at.path)
        self._ports.emit(StepFailed(at.path, at.number, record, pause_s))
        if pause_s is None and self._failure is None:
            self._failure = record
