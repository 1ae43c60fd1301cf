"""Who answers a run's question: a declared answer, a person at the terminal, its default."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from portia_nb.errors import InvalidAnswer
from portia_nb.model.answer_shape import hint_of
from portia_nb.model.clarification import (
    ActionClarification,
    Clarification,
    CustomClarification,
    InputClarification,
    MultipleChoiceClarification,
)
from portia_nb.model.plain import to_text
from portia_nb.running.expiry import left_s
from portia_nb.session.answering import (
    DeclaredAnswers,
    deadline_text,
    exact_call_text,
    is_approval,
    is_yes_no,
    read_typed,
)
from portia_nb.session.unanswered import answer_by_default

from .progress import BY_HAND
from .terminal import Terminal

if TYPE_CHECKING:
    from portia_nb.session.live import LiveRun

MAX_OPTION_CHARS = 500


class Asking:
    """Answers the questions of one run; given to `start_run` as its asker.

    The run asks on another thread, which mustn't wait: what a person is asked goes through
    `hand_on` to the main thread, which calls `ask_here`.
    """

    def __init__(
        self,
        terminal: Terminal,
        declared: DeclaredAnswers,
        *,
        yes: bool,
        hand_on: Callable[[LiveRun, Clarification, str], None],
    ) -> None:
        """Set up the ways to an answer.

        Args:
            terminal: where a person is asked.
            declared: answers given before.
            yes: approve each call that needs it.
            hand_on: takes a question for the main thread, and a complaint to show before it.
        """
        self._terminal = terminal
        self._declared = declared
        self._yes = yes
        self._hand_on = hand_on

    def __call__(self, live: LiveRun, question: Clarification) -> None:
        """Take the first way that is open. On the background loop; doesn't block."""
        if is_approval(question) and self._yes:
            live.answer(question.id, True, by="--yes")
            return
        complaint = ""
        if (found := self._declared.take(question)) is not None:
            name, value = found
            try:
                live.answer(question.id, value, by="--answer")
                return
            except InvalidAnswer as error:
                asked = repr(question.user_guidance)
                about = "" if asked in str(error) else f"{asked} asks for something else: "
                complaint = f"--answer {name}={to_text(value)} is refused: {about}{error}"
        if self._terminal.can_ask or complaint:
            self._hand_on(live, question, complaint)
        else:
            answer_by_default(live, question)

    def ask_here(self, live: LiveRun, question: Clarification, complaint: str = "") -> None:
        """Ask at the terminal until the answer fits. On the main thread.

        Raises:
            KeyboardInterrupt: the person interrupted.
        """
        if complaint:
            self._terminal.say((complaint, "yellow"))
        if not self._terminal.can_ask and complaint:
            # Who declared an answer didn't mean the default.
            live.nobody_answers(question.id)
            return
        while self._terminal.can_ask and not live.done.done():
            try:
                typed = self._terminal.ask(prompt_for(question), within_s=left_s(question))
            except TimeoutError:
                return  # the run itself knows what to do then
            except EOFError:
                break
            try:
                live.answer(question.id, read_typed(question, typed), by=BY_HAND)
                return
            except InvalidAnswer as error:
                self._terminal.say((f"{error}", "yellow"))
        answer_by_default(live, question)


def prompt_for(question: Clarification) -> str:
    """Return a question as the terminal shows it: who asks, what, and what it allows.

    >>> question = MultipleChoiceClarification(user_guidance="Which?", options=["a", "b"], path="s")
    >>> prompt_for(question).splitlines()
    ['s asks: Which?', '  1. a', '  2. b', 'number or text> ']
    """
    who = f"{question.path} asks: " if question.path else ""
    lines = [f"{who}{question.user_guidance}"]
    end = ""
    match question:
        case MultipleChoiceClarification():
            lines += [f"  {i}. {_option(each)}" for i, each in enumerate(question.options, 1)]
            end = "number or text"
        case ActionClarification():
            lines.append(f"  {question.action_url}")
            end = "Enter when done"
        case CustomClarification():
            lines += [f"  {name}: {_option(value)}" for name, value in question.data.items()]
        case InputClarification(answer_schema=dict(schema)):
            end = hint_of(schema)
        case _:
            end = "yes or no" if is_yes_no(question) else ""
    if call := exact_call_text(question):
        lines.append(call)
    if until := deadline_text(question):
        lines.append(until)
    if question.default is not None and not is_approval(question):
        end = f"{end + ', ' if end else ''}Enter for {to_text(question.default)}"
    return "\n".join([*lines, f"{end}> "])


def _option(value: object) -> str:
    text = to_text(value)
    return text if len(text) <= MAX_OPTION_CHARS else text[:MAX_OPTION_CHARS] + "…"
