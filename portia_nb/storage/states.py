"""The state that an event puts its run in, for lists of runs."""

from __future__ import annotations

from portia_nb.model.events import (
    AnyEvent,
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
