"""A question that nobody is there to answer: it takes its default, or the run waits with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portia_nb.errors import InvalidAnswer
from portia_nb.model.clarification import Clarification

from .answering import is_approval

if TYPE_CHECKING:
    from .live import LiveRun


def answer_by_default(live: LiveRun, question: Clarification) -> None:
    """Answer `question` with its default where it has one that it allows, else leave it open.

    A call that a person must approve is never approved by default.
    """
    if question.default is None or is_approval(question):
        live.nobody_answers(question.id)
        return
    try:
        live.answer(question.id, question.default, by="default")
    except InvalidAnswer:
        live.nobody_answers(question.id)
