"""One attempt at any step: the hooks around it, its condition, and what its kind does."""

from __future__ import annotations

from portia_nb.errors import SkipExecutionError
from portia_nb.model.run import Run
from portia_nb.model.values import LocalDataValue

from .attempt import Attempt, Inside, Result, Skipped
from .bodies import Bodies
from .cached import CachedSteps
from .frames import Frames, Node
from .hooks import BeforeStepExecutionOutcome, call_hook
from .leaves import Leaves
from .models import Models
from .ports import Ports

SWITCHED_OFF = "switched off in the plan"
"""Why a step is skipped that its plan has disabled."""


class Performer:
    """Makes the attempts of one run."""

    def __init__(self, run: Run, ports: Ports, models: Models, frames: Frames) -> None:
        """Work on behalf of `run`; bodies are opened in `frames`."""
        self._run = run
        self._ports = ports
        self._leaves = Leaves(run, ports, models)
        self._cached = CachedSteps(run, ports, self._leaves)
        self._bodies = Bodies(run, ports, models, frames)

    async def perform(self, node: Node, at: Attempt) -> Result | Skipped | Inside:
        """Make one attempt; a step that waits for the steps in it goes on where it was.

        Raises:
            Asking: it needs an answer first.
            Exception: it failed.
        """
        step, hooks, run = at.step, self._ports.hooks, self._run
        if not node.is_begun:
            if step.disabled:
                return Skipped(SWITCHED_OFF)
            if hooks.before_step_execution is not None and (skipped := await self._ask_hook(at)):
                return skipped
            if step.condition is not None and not await self._leaves.condition_holds(at):
                return Skipped(f"not true: {step.condition}")
        if step.holds_steps:
            outcome = await self._bodies.go_on(node)
        elif not node.rules.cache:
            outcome = await self._leaves.perform(at)
        else:
            outcome = await self._cached.perform(at, node.rules.cache)
        if hooks.after_step_execution is not None and isinstance(outcome, Result):
            await call_hook(
                hooks.after_step_execution,
                self._ports.places,
                run.plan,
                run.snapshot_at(at.path, at.index),
                step,
                LocalDataValue(value=outcome.value, summary=outcome.summary),
            )
        return outcome

    async def _ask_hook(self, at: Attempt) -> Skipped | None:
        """Let the hook before steps say whether this one is skipped, by returning or raising it."""
        hook = self._ports.hooks.before_step_execution
        assert hook is not None
        seen = self._run.snapshot_at(at.path, at.index)
        try:
            said = await call_hook(hook, self._ports.places, self._run.plan, seen, at.step)
        except SkipExecutionError as error:
            return Skipped(str(error) or "a hook said so")
        return Skipped("a hook said so") if said == BeforeStepExecutionOutcome.SKIP else None
