"""The steps of one execution that are under way: a task for each, from attempt to attempt."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

from portia_nb.errors import PortiaBaseError
from portia_nb.model.events import StepCancelled, StepDone, StepFailed, StepSkipped, StepStarted
from portia_nb.model.run import Run
from portia_nb.tools.aside import LeftAlone

from .asked import Asked
from .attempt import Asking, Attempt, Inside, Result, Skipped
from .deadlines import Deadlines
from .failures import record_error
from .frames import Frames, Node
from .meter import is_about_budget
from .performer import Performer
from .ports import Ports
from .reasons import Reasons
from .rules import LEFT_ALONE, STUCK, Rules, retry_in_s, timed_out


class Stepping:
    """Takes steps: attempts each until it is done, has failed for good, asks, or is cancelled."""

    def __init__(
        self,
        run: Run,
        ports: Ports,
        frames: Frames,
        *,
        performer: Performer,
        asked: Asked,
        reasons: Reasons,
        when_changed: Callable[[], None],
    ) -> None:
        """Take no step yet.

        Args:
            run: its state.
            ports: the ways out.
            frames: the steps by path; a step that is finished is counted there.
            performer: makes the attempts.
            asked: takes the questions of attempts.
            reasons: why nothing new starts; a step that fails for good is one.
            when_changed: called when a step isn't under way any more.
        """
        self.tasks: dict[str, asyncio.Task[None]] = {}
        """The task of each step that is under way, by its path."""
        self._run = run
        self._ports = ports
        self._frames = frames
        self._performer = performer
        self._asked = asked
        self._reasons = reasons
        self._when_changed = when_changed
        self._loop: asyncio.AbstractEventLoop
        self._context: contextvars.Context
        self._deadlines: Deadlines

    def open(self) -> None:
        """Take steps on the running loop, each in a copy of this context."""
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._deadlines = Deadlines(self._loop, self._leave_to_itself)

    def start(self, path: str) -> None:
        """Start the step at `path`."""
        # A context of its own: what a step sets there stays there.
        self.tasks[path] = self._loop.create_task(
            self._step(self._frames.nodes[path]), context=self._context.copy()
        )

    def cancel(self) -> None:
        """Cancel every step that is under way; it stays in `tasks` until it has cleaned up."""
        for task in self.tasks.values():
            task.cancel()
            task.add_done_callback(self._forget)

    def close(self) -> None:
        """Count no more time; for the end of the execution."""
        self._deadlines.close()

    async def _step(self, node: Node) -> None:
        """Attempt a step until it is done, has failed for good, asks, or is stopped.

        Of a step that holds steps, that is one visit: until it waits for them.
        """
        path, rules = node.path, node.rules
        task = self.tasks[path]
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
                if self._reasons.failure is not None or self._reasons.halted is not None:
                    return  # nothing new starts
        except asyncio.CancelledError:
            if self.tasks.get(path) is task:
                self._ports.emit(StepCancelled(path, at.number))
                if self._reasons.stopped is None and self._reasons.halted is None:
                    self._reasons.fail(
                        PortiaBaseError(f"step {path!r} was cancelled from outside"), path
                    )
        except BaseException as error:
            self._reasons.fail(error, path)
        finally:
            if self.tasks.get(path) is task:
                del self.tasks[path]
                self._asked.release(path, self._frames.ledger)
            self._when_changed()

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
            if clock.end(task) and self.tasks.get(at.path) is not task:
                raise asyncio.CancelledError  # it ended long after its time was up
            self._take(node, at, outcome)
            return None
        node.is_begun = False
        pause_s = retry_in_s(rules, error, left) if self._reasons.failure is None else None
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
                self._reasons.exit = at.path
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
        if self._reasons.stopped is not None:
            # Whatever it says: it may be its answer to being cancelled.
            raise asyncio.CancelledError from raised
        if not isinstance(raised, asyncio.CancelledError) and not time_was_up:
            if self._reasons.halted is not None and is_about_budget(raised):
                raise asyncio.CancelledError from raised
            return raised
        left_alone = self.tasks.get(at.path) is not task
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
        if name is None or self._reasons.stopped is not None:
            return
        del self.tasks[name]
        node, number = self._frames.nodes[name], self._run.record(name).attempt
        at = Attempt(node.step, name, node.index, number, None, node.scope)
        self._step_failed(at, timed_out(name, node.rules, STUCK), None)
        self._when_changed()

    def _step_failed(self, at: Attempt, error: BaseException, pause_s: float | None) -> None:
        record = record_error(error, at.path)
        self._ports.emit(StepFailed(at.path, at.number, record, pause_s))
        if pause_s is None and self._reasons.failure is None:
            self._reasons.failure = record

    def _forget(self, task: asyncio.Task[None]) -> None:
        """Drop a task that was cancelled before its coroutine began: none of it ever ran."""
        if (name := self._name_of(task)) is not None:
            del self.tasks[name]
        self._when_changed()

    def _name_of(self, task: asyncio.Task[Any]) -> str | None:
        return next((name for name, found in self.tasks.items() if found is task), None)
