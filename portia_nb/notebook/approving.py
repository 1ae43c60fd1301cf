"""A person approves a plan before it runs; who did so, and of which plan, is kept with the run."""

from __future__ import annotations

import concurrent.futures
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from portia_nb.model.events import ClarificationRaised, ClarificationResolved
from portia_nb.session.answering import side_effects
from portia_nb.session.approvals import (
    Calls,
    approval_event,
    approval_question,
    approve_plan,
    standing_approval,
    whether_to_run,
)
from portia_nb.session.forking import fork_approval

if TYPE_CHECKING:
    from portia_nb.model.events import AnyEvent
    from portia_nb.model.plan import Plan
    from portia_nb.session.forking import Fork
    from portia_nb.session.portia import Portia
    from portia_nb.storage.store import Store


class PlanApproval:
    """The question whether one plan may run, answered once: beforehand, in the form, or typed.

    It stands where a run stands while there is no run yet: see `asking.Asks`.
    """

    def __init__(self, plan: Plan, text: str, calls: Calls | None = None) -> None:
        """Put the question `text` about `plan`; `calls` are shown with it and approved by it."""
        self._plan = plan
        self._calls = calls or {}
        self.question = approval_question(plan, text, self._calls)
        self.done: concurrent.futures.Future[bool] = concurrent.futures.Future()
        """True or False; cancelled where nobody answers."""
        self._by = ""

    def answer(self, clarification_id: str, response: Any, by: str = "") -> None:
        """Take the answer; any thread. The first stands, others are ignored."""
        if clarification_id != self.question.id or self.done.done():
            return
        self._by = by
        # A form and a prompt may answer in the same moment.
        with suppress(concurrent.futures.InvalidStateError):
            self.done.set_result(response is True)

    def nobody_answers(self, clarification_id: str) -> None:
        """Take note that nobody answers; any thread."""
        self.done.cancel()

    def agreed(self) -> bool | None:
        """Return yes or no once `done` is resolved, None where nobody answered."""
        return None if self.done.cancelled() else self.done.result(timeout=0)

    def keep(self, store: Store) -> tuple[AnyEvent, ...]:
        """Keep who said yes, and return what the run keeps: the question, the yes, and of what.

        The yes is for one run: what stands for every run is said on purpose, by ``approve``.
        """
        approval = approve_plan(store, self._plan, self._calls, by="", how=self._by, stands=False)
        return (
            ClarificationRaised("", self.question),
            ClarificationResolved(str(self.question.id), True, self._by),
            approval_event(approval),
        )


def approved_before(portia: Portia, plan: Plan) -> tuple[AnyEvent, ...]:
    """Return what a run keeps of an approval that stands for `plan`; empty: there is none."""
    approval = standing_approval(portia.store, plan)
    return () if approval is None else (approval_event(approval),)


def approval_of_fork(portia: Portia, fork: Fork) -> PlanApproval | None:
    """Return the question whether a fork may run; None where no step that it runs is at stake."""
    if portia.config.approve is not None:
        return None
    text, calls = fork_approval(fork)
    return None if text is None else PlanApproval(fork.plan, text, calls)


def approval_of(portia: Portia, plan: Plan) -> PlanApproval | None:
    """Return the question whether `plan` may run; None where no step of it changes the world.

    With ``Config(approve=…)`` the user's own code decides, call by call, and nobody is asked.
    """
    if portia.config.approve is not None:
        return None
    text, calls = whether_to_run(plan, side_effects(plan, portia.tools), portia.tools)
    return None if text is None else PlanApproval(plan, text, calls)
