"""What a `Portia` does about the questions of runs: answer them, refuse them, wait for answers."""

from __future__ import annotations

from typing import Any

from portia_nb.model.clarification import Clarification
from portia_nb.model.run import PlanRun
from portia_nb.tools.aside import run_aside

from . import answers
from .runner import Runner
from .waiting import refuse_own_loop


class Questions(Runner):
    """The part of `Portia` that deals with questions; each method has its async twin."""

    def resolve_clarification(
        self, clarification: Clarification, response: Any, plan_run: PlanRun | None = None
    ) -> PlanRun:
        """Answer a question of a run and return the run; see `aresolve_clarification`."""
        refuse_own_loop("aresolve_clarification")
        return answers.resolve(self._parts, clarification, response, plan_run)

    async def aresolve_clarification(
        self, clarification: Clarification, response: Any, plan_run: PlanRun | None = None
    ) -> PlanRun:
        """Answer a question of a run and return the run.

        Its state is READY_TO_RESUME once no question is left. The first answer stands: a question
        that has one is left as it is.

        Args:
            clarification: the question.
            response: the answer.
            plan_run: the run; may be left out.

        Raises:
            InvalidAnswer: the question doesn't allow it, and stays open.
            PlanRunNotFoundError: the store holds no such run, or the run asked no such question.
            RunHeldElsewhere: another process runs it.
        """
        return await run_aside(answers.resolve, self._parts, clarification, response, plan_run)

    def error_clarification(
        self, clarification: Clarification, error: object, plan_run: PlanRun | None = None
    ) -> PlanRun:
        """Let a run fail over a question, and return it; see `aerror_clarification`."""
        refuse_own_loop("aerror_clarification")
        return answers.refuse(self._parts, clarification, error, plan_run)

    async def aerror_clarification(
        self, clarification: Clarification, error: object, plan_run: PlanRun | None = None
    ) -> PlanRun:
        """Let a run fail because its question can't be answered, and return the run.

        Raises:
            PlanRunNotFoundError: the store holds no such run, or the run asked no such question.
            RunHeldElsewhere: another process runs it.
        """
        return await run_aside(answers.refuse, self._parts, clarification, error, plan_run)
