"""Runs a plan: starts each step when what it waits for is done, until the run ends or must wait.

Pure asyncio on one loop. It knows no store, no view and no vendor: events go out through
`Ports.emit`, and only `answer`, `nobody_answers` and `stop` come back, on the loop's thread.
"""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from portia_nb.errors import (
    InvalidPlanRunStateError,
    PortiaBaseError,
    StepTimeout,
    ToolHardError,
    ToolSoftError,
)
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
from portia_nb.model.order import effective_side_effect, waits
from portia_nb.model.plan import AnyStep, InvokeToolStep, SingleToolAgentStep
from portia_nb.model.run import Run, StepState

from .attempt import Asking, Attempt, Result
from .ending import finish
from .failures import record_error
from .hooks import BeforeStepExecutionOutcome, call_hook
from .leaves import Leaves
from .ledger import Ledger
from .ports import Ports
from .recovery import recover

CLEAN_UP_S = 10.0
"""Seconds that steps may take to clean up once the run is stopped."""
READING_TRIES = 3
"""Attempts at a step that only reads, where neither it nor its tool says otherwise."""
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 30.0


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
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._asking: dict[str, set[str]] = {}
        self._live_questions: set[str] = set()
        self._failure: ErrorRecord | None = None
        self._stopping: str | None = None
        self._waiting = False
        self._settled: asyncio.Future[None] | None = None
        self._limit = ports.config.max_parallel_steps
        self._ledger: Ledger

    # -- from outside, on the loop's thread ---------------------------------------------------

    def answer(self, clarification_id: str, response: Any, by: str) -> None:
        """Take a valid answer to a question of this run; one that is answered is left alone."""
        asked = self._run.clarifications.get(clarification_id)
        if asked is None or asked.resolved:
            return
        self._live_questions.discard(clarification_id)
        self._ports.emit(ClarificationResolved(clarification_id, response, by))
        for path, open_ids in list(self._asking.items()):
            open_ids.discard(clarification_id)
            if not open_ids:
                del self._asking[path]
                self._ledger.ready.append(path)
        if self._waiting:
            self._waiting = False
            self._ports.emit(RunStarted(self._ports.name))
        self._advance()

    def nobody_answers(self, clarification_id: str) -> None:
        """Learn that a question stays open: once nothing else can run, the execution returns."""
        self._live_questions.discard(clarification_id)
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
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            asyncio.get_running_loop().call_later(CLEAN_UP_S, self._settle)
        self._advance()

    # -- the execution ---------------------------------------------------------------------------

    async def execute(self) -> None:
        """Run until the plan is complete, has failed, is stopped, or waits in vain for an answer.

        Guarantees:
            Never raises for a step's failure; the last event says how it ended. Everything emitted
            is kept before this returns.
        """
        self._settled = asyncio.get_running_loop().create_future()
        try:
            await self._begin()
        except asyncio.CancelledError:
            self.stop("cancelled")
        except BaseException as error:
            self.fail(error, None)
        try:
            await self._settled
        except asyncio.CancelledError:
            self._settled = asyncio.get_running_loop().create_future()
            self.stop("cancelled")
            await self._settled
        await self._end()
        await self._ports.kept()

    async def _begin(self) -> None:
        run, ports = self._run, self._ports
        self._ledger = Ledger({}, set())
        ports.emit(RunStarted(ports.name))
        recover(run, self._side_effect, ports.emit)
        finished = {
            name
            for name in self._steps
            if (record := run.steps.get(name))
            and record.state in (StepState.DONE, StepState.SKIPPED)
        }
        config = ports.config
        order = waits(
            run.plan,
            self._side_effect,
            assume_side_effects=config.assume_side_effects,
            sequential=config.max_parallel_steps == 1,
        )
        self._ledger = Ledger(order, finished)
        if ports.hooks.before_plan_run is not None:
            await call_hook(ports.hooks.before_plan_run, ports.places, run.plan, run.snapshot())
        await self._ask_again()
        self._advance()

    async def _ask_again(self) -> None:
        """Put the questions that were open when the run was left, and those that its end raised."""
        open_questions = list(self._run.outstanding())
        for clarification in open_questions:
            self._asking.setdefault(clarification.path or "", set()).add(clarification.id)
        for path in self._asking:
            if path in self._ledger.ready:
                self._ledger.ready.remove(path)
        if open_questions:
            await self._ports.kept()
        for clarification in open_questions:
            if self._ports.ask(clarification):
                self._live_questions.add(clarification.id)

    def _advance(self) -> None:
        """Start what may start; settle where nothing is left to do."""
        if self._settled is None or self._settled.done():
            return
        ready, tasks = self._ledger.ready, self._tasks
        if self._failure is None and self._stopping is None:
            while ready and len(tasks) < self._limit:
                name = ready.popleft()
                # A context of its own: what a step sets there stays there.
                tasks[name] = asyncio.get_running_loop().create_task(
                    self._step(self._steps[name]), context=contextvars.copy_context()
                )
        if tasks:
            return
        if self._stopping is not None or self._failure is not None or not self._ledger.unfinished:
            self._settle()
        elif self._asking:
            if not self._waiting:
                self._waiting = True
                self._ports.emit(RunWaiting())
            if not self._live_questions:
                self._settle()

    def _settle(self) -> None:
        if self._settled is not None and not self._settled.done():
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
            await finish(self._run, self._ports, self._leaves.models)

    # -- one step --------------------------------------------------------------------------------

    async def _step(self, step: AnyStep) -> None:
        """Attempt a step until it is done, has failed for good, asks, or is stopped."""
        name = step.name
        number = self._run.record(name).attempt
        at = Attempt(step, name, self._index[name], number, self._side_effect(step))
        tries = self._tries(at)
        try:
            for left in range(tries - 1, -1, -1):
                at.number += 1
                self._ports.emit(StepStarted(name, at.number))
                if await self._attempt(at, left, tries):
                    return
        except asyncio.CancelledError:
            self._ports.emit(StepCancelled(name, at.number))
            if self._stopping is None:
                self.fail(PortiaBaseError(f"step {name!r} was cancelled from outside"), name)
        except BaseException as error:
            self.fail(error, name)
        finally:
            self._tasks.pop(name, None)
            self._advance()

    async def _attempt(self, at: Attempt, left: int, tries: int) -> bool:
        """Make one attempt; False: wait is over, make another."""
        try:
            result = await self._within_time(at)
        except Asking as asking:
            await self._raise_questions(at, asking)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._stopping is not None or (task is not None and task.cancelling()):
                raise
            # Nobody stopped this step: its own code raised the error.
            self._step_failed(at, PortiaBaseError(f"step {at.path!r} cancelled itself"), None)
        except BaseException as error:
            retry_in_s = self._retry_in_s(at, error, left, tries)
            self._step_failed(at, error, retry_in_s)
            if retry_in_s is not None:
                await asyncio.sleep(retry_in_s)
                return False
        else:
            if result is None:
                self._ledger.finish(at.path)
                return True
            self._ports.emit(StepDone(at.path, at.number, result.value, result.summary))
            self._ledger.finish(at.path)
        return True

    async def _within_time(self, at: Attempt) -> Result | None:
        """Do the step within its time; None: it was skipped."""
        timeout_s = self._timeout_s(at.step)
        clock = asyncio.timeout(timeout_s)
        try:
            async with clock:
                return await self._perform(at)
        except TimeoutError as error:
            if not clock.expired():
                raise  # the tool's own
            raise StepTimeout(
                f"step {at.path!r} took longer than {timeout_s:g} s and was stopped: give it more "
                "time with timeout_s=, or find out what it waits for",
                step=at.path,
                timeout_s=timeout_s,
            ) from error

    async def _perform(self, at: Attempt) -> Result | None:
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
                result.value,
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
        self._asking[at.path] = {c.id for c in raised}
        await self._ports.kept()
        for clarification in raised:
            if self._ports.ask(clarification):
                self._live_questions.add(clarification.id)

    def _step_failed(self, at: Attempt, error: BaseException, retry_in_s: float | None) -> None:
        record = record_error(error, at.path)
        self._ports.emit(StepFailed(at.path, at.number, record, retry_in_s))
        if retry_in_s is None and self._failure is None:
            self._failure = record

    # -- what a step may do ----------------------------------------------------------------------

    def _side_effect(self, step: AnyStep) -> bool | None:
        declared = None
        if isinstance(step, InvokeToolStep | SingleToolAgentStep):
            declared = self._ports.tool(step).side_effect
        return effective_side_effect(step, declared)

    def _timeout_s(self, step: AnyStep) -> float:
        if step.timeout_s is not None:
            return step.timeout_s
        if isinstance(step, InvokeToolStep | SingleToolAgentStep):
            own = self._ports.tool(step).timeout_s
            if own is not None:
                return own
        return self._ports.config.step_timeout_s

    def _tries(self, at: Attempt) -> int:
        """Return how often a step may be attempted: once, where an effect might be repeated."""
        if at.side_effect is True:
            return 1
        if at.step.retries is not None:
            return 1 + at.step.retries
        if isinstance(at.step, InvokeToolStep | SingleToolAgentStep):
            own = self._ports.tool(at.step).retries
            if own is not None:
                return 1 + own
        return READING_TRIES if at.side_effect is False else 1

    def _retry_in_s(self, at: Attempt, error: BaseException, left: int, tries: int) -> float | None:
        """Return the seconds until the next attempt, None where there is none."""
        if left == 0 or self._failure is not None or not isinstance(error, Exception):
            return None
        asked_for = at.step.retries is not None
        if isinstance(error, ToolHardError | InvalidPlanRunStateError):
            return None
        # Unasked, only what says that a second try may help is tried again.
        if not asked_for and not isinstance(error, ToolSoftError):
            return None
        if isinstance(at.step, SingleToolAgentStep) and not asked_for:
            return None  # the agent has tried other arguments already
        return min(FIRST_RETRY_S * 2 ** (tries - 1 - left), LONGEST_RETRY_S)
