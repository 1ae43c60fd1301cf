"""The state that events put their run in, for lists of runs."""

from __future__ import annotations

from portia_nb.model.events import (
    AnyEvent,
    ClarificationRaised,
    ClarificationResolved,
    RunCompleted,
    RunFailed,
    RunStarted,
    RunStopped,
    RunWaiting,
)
from portia_nb.model.run import PlanRunState

_STATES: dict[type[AnyEvent], PlanRunState] = {
    RunStarted: PlanRunState.IN_PROGRESS,
    RunWaiting: PlanRunState.NEED_CLARIFICATION,
    RunCompleted: PlanRunState.COMPLETE,
    RunFailed: PlanRunState.FAILED,
    RunStopped: PlanRunState.READY_TO_RESUME,
}


def state_after(event: AnyEvent) -> PlanRunState | None:
    """Return the state that `event` alone puts a run in, or None where it changes none."""
    return _STATES.get(type(event))


class StateSoFar:
    """The state of a run whose events are counted one after the other.

    A waiting run is ready again once none of its questions is open.
    """

    __slots__ = ("_open_questions", "state")

    def __init__(self) -> None:
        self.state = PlanRunState.NOT_STARTED
        self._open_questions = 0

    def add(self, event: AnyEvent) -> None:
        """Count the next event."""
        state = state_after(event)
        if state is not None:
            self.state = state
        elif type(event) is ClarificationRaised:
            self._open_questions += 1
        elif type(event) is ClarificationResolved:
            self._open_questions -= 1
            if self._open_questions <= 0 and self.state is PlanRunState.NEED_CLARIFICATION:
                self.state = PlanRunState.READY_TO_RESUME
