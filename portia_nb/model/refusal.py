"""Whether it was a person's no that ended a run: on purpose, so that nothing is there to mend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .clarification import Clarification, UserVerificationClarification
from .events import ErrorRecord

if TYPE_CHECKING:
    from .run import Run
    from .step_record import StepRecord

ENDED_BY_NO = "PlanRunExitError"
"""The class of the error of a step that a no has ended, and of others that end runs on purpose."""
EXPIRED = "ClarificationExpired"
"""The class of the error of a step whose question nobody has answered in time."""


def refused_by(error: ErrorRecord | None, asked: Iterable[Clarification]) -> Clarification | None:
    """Return the question whose no ended the step with this error, None where none did.

    Args:
        error: a step's, or a run's.
        asked: the run's questions, oldest first.
    """
    if error is None or error.type != ENDED_BY_NO:
        return None
    said_no = [
        question
        for question in asked
        if isinstance(question, UserVerificationClarification)
        and question.path == error.step
        and question.resolved
        and question.response is False
    ]
    return said_no[-1] if said_no else None


def was_refused(run: Run, record: StepRecord) -> bool:
    """Tell whether a no has ended this step."""
    if record.error is None:
        return False
    return refused_by(record.error, run.clarifications_of(record.path)) is not None


def told_no(record: StepRecord) -> bool:
    """Tell the same by the step's record alone, which must hold what came before its end.

    A step that asks a person and then ends the run on purpose was told no.
    """
    has_asked = any(stretch.kind == "asked" for stretch in record.history or ())
    return record.error is not None and record.error.type == ENDED_BY_NO and has_asked
