"""Runs a plan: starts each step when what it waits for is done, until the run ends or must wait.

Pure asyncio on one loop. It knows no store, no view and no vendor: events go out through
`Ports.emit`, and only `answer`, `nobody_answers`, `fail` and `stop` come back, on its thread.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any

from portia_nb.errors import PortiaBaseError
from portia_nb.model.events import (
    ClarificationRaised,
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
from portia_nb.model.order import waits
from portia_nb.model.plan import AnyStep, InvokeToolStep, SingleToolAgentStep
from portia_nb.model.run import Run, StepState
from portia_nb.model.values import LocalDataValue

from .asked import Asked
from .attempt import Asking, Attempt, Result
from .deadlines import Deadlines
from .ending import finish
from .failures import record_error
from .hooks import BeforeStepExecutionOutcome, call_hook
from .leaves import Leaves
from .ledger import Ledger
from .ports import Ports
from .recovery import recover
from .rules import Rules, retry_in_s, rules_of, timed_out
from .watch import watch

CLEAN_UP_S = 10.0
"""Seconds that steps may take to clean up once the run is stopped."""


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
        self._leaves = Leaves(run, ports)
        self._steps = {step.name: step for step in run.plan.steps}
        self._index = {step.name: i for i, step in enumerate(run.plan.steps)}
        self._rules: dict[str, Rules] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._asked = Asked(run, ports)
        self._failure: ErrorRecord | None = None
        self._stopping: str | None = None
        self._own: asyncio.Task[None] | None = None
        self._waiting = False
        self._has_begun = False
        self._limit = ports.config.max_parallel_steps
        self._ledger = Ledger({}, set())
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
            self._asked.release(asked.path or "", self._ledger)
        if self._waiting:
            self._waiting = False
            self._ports.emit(RunStarted(self._ports.name))
        self._advance()

    def nobody_answers(self, clarification_id: str) -> None:
        """Learn that a question stays open: once nothing else can run, the execution returns."""
        self._asked.nobody_answers(clarification_id)
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
        if self._own is not None:
            self._own.cancel()
        for task in self._tasks.values():
            task.cancel()
            task.add_done_callback(self._forget)
        if self._tasks:
            self._loop.call_later(CLEAN_UP_S, self._settle)
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
        await self._end()

    async def _begin(self) -> None:
        run, ports, config = self._run, self._ports, self._ports.config
        ports.emit(RunStarted(ports.name))
        self._rules = {
            name: rules_of(step, self._tool_of(step), config) for name, step in self._steps.items()
        }

        def side_effect_of(step: AnyStep) -> bool | None:
            return self._rules[step.name].side_effect

        recover(run, side_effect_of, ports.emit)
        finished = {
            name
            for name, record in run.steps.items()
            if record.state is StepState.DONE or record.state is StepState.SKIPPED
        }
        order = waits(
            run.plan,
            side_effect_of,
            assume_side_effects=config.assume_side_effects,
            sequential=config.max_parallel_steps == 1,
        )
        self._ledger = Ledger(order, finished)
        if self._stopping is None:
            await self._unless_stopped(self._open_up())

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> None:
        """Do what belongs to no step, such as a hook of the run's; a stop cancels it too."""
        self._own = self._loop.create_task(work)
        try:
            await self._own
        finally:
            self._own = None

    async def _open_up(self) -> None:
        """Call the run's hook, and put the questions that were open when the run was left."""
        hook = self._ports.hooks.before_plan_run
        if hook is not None:
            await call_hook(hook, self._ports.places, self._run.plan, self._run.snapshot())
        by_step: dict[str, list[str]] = {}
        for asked in self._run.outstanding():
            by_step.setdefault(asked.path or "", []).append(asked.id)
        if by_step:
            await self._asked.put(by_step, self._ledger)

    def _advance(self) -> None:
        """Start what may start; settle where nothing is left to do."""
        if not self._has_begun or self._settled.done():
            return
        ready, tasks = self._ledger.ready, self._tasks
        if self._failure is None and self._stopping is None:
            while ready and len(tasks) < self._limit:
                name = ready.popleft()
                # A context of its own: what a step sets there stays there.
                tasks[name] = self._loop.create_task(
                    self._step(self._steps[name]), context=self._context.copy()
                )
        if tasks:
            return
        if self._stopping is not None or self._failure is not None or not self._ledger.unfinished:
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
        if self._stopping is not None:
            for name in self._tasks:  # still cleaning up when the time for it ran out
                emit(StepCancelled(name, self._run.record(name).attempt))
            emit(RunStopped(self._stopping))
        elif self._failure is not None:
            emit(RunFailed(self._failure))
        elif not self._waiting:
            try:
                await self._unless_stopped(finish(self._run, self._ports, self._leaves.models))
            except asyncio.CancelledError:
                emit(RunStopped(self._stopping or "cancelled"))

    # -- one step --------------------------------------------------------------------------------

    async def _step(self, step: AnyStep) -> None:
        """Attempt a step until it is done, has failed for good, asks, or is stopped."""
        name = step.name
        rules = self._rules[name]
        task = self._tasks[name]
        number = self._run.record(name).attempt
        at = Attempt(step, name, self._index[name], number, rules.side_effect)
        try:
            for left in range(rules.tries - 1, -1, -1):
                at.number += 1
                self._ports.emit(StepStarted(name, at.number))
                pause_s = await self._attempt(at, task, rules, left)
                if pause_s is None:
                    return
                await asyncio.sleep(pause_s)
                if self._failure is not None:
                    return  # nothing new starts
        except asyncio.CancelledError:
            if self._tasks.get(name) is task:
                self._ports.emit(StepCancelled(name, at.number))
                if self._stopping is None:
                    self.fail(PortiaBaseError(f"step {name!r} was cancelled from outside"), name)
        except BaseException as error:
            self.fail(error, name)
        finally:
            if self._tasks.get(name) is task:
                del self._tasks[name]
                self._asked.release(name, self._ledger)
            self._advance()

    async def _attempt(
        self, at: Attempt, task: asyncio.Task[None], rules: Rules, left: int
    ) -> float | None:
        """Make one attempt; return the seconds until another, None where there is none."""
        clock = self._deadlines
        clock.start(task, rules.timeout_s)
        try:
            result = await self._perform(at)
        except Asking as asking:
            clock.end(task)
            await self._raise_questions(at, asking)
            return None
        except BaseException as raised:
            error = self._what_it_means(raised, at, task, rules, clock.end(task))
        else:
            if clock.end(task) and self._tasks.get(at.path) is not task:
                raise asyncio.CancelledError  # it ended long after its time was up
            if result is not None:
                self._ports.emit(StepDone(at.path, at.number, result.value, result.summary))
            self._ledger.finish(at.path)
            return None
        pause_s = retry_in_s(rules, error, left) if self._failure is None else None
        self._step_failed(at, error, pause_s)
        return pause_s

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
        if not isinstance(raised, asyncio.CancelledError) and not time_was_up:
            return raised
        left_alone = self._tasks.get(at.path) is not task
        if self._stopping is not None or left_alone or task.cancelling():
            raise asyncio.CancelledError from raised
        if time_was_up:
            error = timed_out(at.path, rules)
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
        number = self._run.record(name).attempt
        at = Attempt(self._steps[name], name, self._index[name], number, None)
        self._step_failed(at, timed_out(name, self._rules[name], stuck=True), None)
        self._advance()

    async def _perform(self, at: Attempt) -> Result | None:
        """Do one attempt, hooks and condition included; None: the step was skipped."""
        step, hooks, run = at.step, self._ports.hooks, self._run
        if hooks.before_step_execution is not None:
            said = await call_hook(
                hooks.before_step_execution, self._ports.places, run.plan, run.snapshot(), step
            )
            if said == BeforeStepExecutionOutcome.SKIP:
                self._ports.emit(StepSkipped(at.path, "a hook said so"))
                return None
        if step.condition is not None and not await self._leaves.condition_holds(at):
            self._ports.emit(StepSkipped(at.path, f"not true: {step.condition}"))
            return None
        result = await self._leaves.perform(at)
        if hooks.after_step_execution is not None:
            await call_hook(
                hooks.after_step_execution,
                self._ports.places,
                run.plan,
                run.snapshot(),
                step,
                LocalDataValue(value=result.value, summary=result.summary),
            )
        return result

    async def _raise_questions(self, at: Attempt, asking: Asking) -> None:
        """Put an attempt's questions; the step starts anew when all of them are answered."""
        raised = [
            c.model_copy(update={"plan_run_id": self._run.id, "path": at.path, "step": at.index})
            for c in asking.clarifications
        ]
        for clarification in raised:
            self._ports.emit(ClarificationRaised(at.path, clarification))
        await self._asked.put({at.path: [c.id for c in raised]}, self._ledger)

    # -- what a step may do ----------------------------------------------------------------------

    def _step_failed(self, at: Attempt, error: BaseException, pause_s: float | None) -> None:
        record = record_error(error, at.path)
        self._ports.emit(StepFailed(at.path, at.number, record, pause_s))
        if pause_s is None and self._failure is None:
            self._failure = record

    def _tool_of(self, step: AnyStep) -> Any:
        has_one = isinstance(step, InvokeToolStep | SingleToolAgentStep)
        return self._ports.tool(step) if has_one else None
