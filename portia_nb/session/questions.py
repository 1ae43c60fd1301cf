"""What a `Portia` does about the questions of runs: answer them, refuse them, wait for answers."""

from __future__ import annotations

from typing import Any

from portia_nb.model.clarification import Clarification
from portia_nb.model.run import PlanRun
from portia_nb.tools.aside import run_aside

from . import answers
from .ready import await_answers, reference_limit_s, wait_here_for_answers
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

    def wait_for_ready(
        self,
        plan_run: PlanRun,
        max_retries: int = 6,
        backoff_start_time_seconds: float = 7 * 60,
        backoff_time_seconds: float = 2,
        *,
        timeout_s: float | None = None,
    ) -> PlanRun:
        """Wait until others have answered a run's questions, and return it; see `await_for_ready`.

        This thread sleeps meanwhile. An interrupt ends the wait at once.
        """
        refuse_own_loop("await_for_ready")
        limit_s = reference_limit_s(max_retries, backoff_start_time_seconds, backoff_time_seconds)
        limit_s = limit_s if timeout_s is None else timeout_s
        return wait_here_for_answers(self._parts, plan_run, limit_s)

    async def await_for_ready(
        self,
        plan_run: PlanRun,
        max_retries: int = 6,
        backoff_start_time_seconds: float = 7 * 60,
        backoff_time_seconds: float = 2,
        *,
        timeout_s: float | None = None,
    ) -> PlanRun:
        """Wait until others have answered a run's questions, and return the run as it then stands.

        Others are other threads and other processes that use the same store. What comes back is
        READY_TO_RESUME, or further on where somebody has resumed it meanwhile; a run that isn't
        waiting comes back at once. A question whose time is up is ended here as a resume would end
        it: by its default, or as FAILED.

        Args:
            plan_run: the run; only its id and whether it had ended count.
            max_retries: with the two that follow, the time limit that the reference has: a time,
                and then so many pauses, each twice as long as the one before; 672 s if not given.
            backoff_start_time_seconds: the time.
            backoff_time_seconds: half of the first pause.
            timeout_s: the time limit in seconds, in the place of the other three.

        Raises:
            NotReadyInTime: it still waits after that time; an `InvalidPlanRunStateError`.
            InvalidPlanRunStateError: the run is COMPLETE or FAILED.
            PlanRunNotFoundError: the store holds no such run.
        """
        limit_s = reference_limit_s(max_retries, backoff_start_time_seconds, backoff_time_seconds)
        limit_s = limit_s if timeout_s is None else timeout_s
        return await await_answers(self._parts, plan_run, limit_s)
