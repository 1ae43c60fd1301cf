"""The ladder: who answers a run's question, rung by rung, such that a cell never hangs.

    declared answers → the form in the cell → input() on the main thread → the question's default
    → nobody: the run stops there and waits

A rung that isn't there is skipped: a page that never drew the form, a front end without stdin, a
cell that has already given its prompt back. The first valid answer stands, later ones are ignored.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from portia_nb.errors import InvalidAnswer
from portia_nb.model.answer_shape import hint_of
from portia_nb.session.answering import (
    DeclaredAnswers,
    exact_call_text,
    is_approval,
    is_yes_no,
    misfit,
    read_typed,
)
from portia_nb.session.unanswered import answer_by_default

from .interrupts import keyboard_interrupts

if TYPE_CHECKING:
    from portia_nb.model.clarification import Clarification
    from portia_nb.session.live import LiveRun


class Ladder:
    """Answers the questions of one run; given to `start_run` as its asker.

    `problem` holds the error of a declared answer that its question refused; it stops the run.
    """

    def __init__(
        self,
        *,
        declared: Mapping[str, Any] | None = None,
        given: frozenset[str] = frozenset(),
        yes: bool = False,
        is_headless: bool = False,
        has_form: Callable[[], bool] | None = None,
        form_time_s: float = 3.0,
        missed: Callable[[], None] = lambda: None,
        prompts: Prompts | None = None,
    ) -> None:
        """Set up the rungs.

        Args:
            declared: answers by the name of an argument, or the name or path of a step.
            given: names of those that were declared for this very run.
            yes: approve every call that needs approval.
            is_headless: nobody is asked.
            has_form: tells whether a page has drawn the form; None: there is no form.
            form_time_s: seconds that a page has to draw it before the next rung is tried.
            missed: called where that time has passed, and a form is still asked for.
            prompts: where `input()` is called; None: nowhere.
        """
        self.problem: InvalidAnswer | None = None
        self._declared = DeclaredAnswers(declared)
        self._given = given
        self._yes = yes
        self._is_headless = is_headless
        self._has_form = has_form
        self._form_time_s = form_time_s
        self._form_until: float | None = None
        self._missed = missed
        self._prompts = prompts

    def __call__(self, live: LiveRun, question: Clarification) -> None:
        """Take the first rung that holds. Called on the background loop; never blocks."""
        if is_approval(question) and self._yes:
            live.answer(question.id, True, by="--yes")
        elif (declared := self._declared.take(question)) is not None:
            name, response = declared
            try:
                live.answer(question.id, response, by="--answer")
            except InvalidAnswer as error:
                self.problem = misfit(name, question, error)
                live.stop(f"the declared answer {name}={response!r} was refused")
        elif self._is_headless:
            answer_by_default(live, question)
        elif self._has_form is None:
            self._without_form(live, question)
        elif not self._has_form():
            loop = asyncio.get_running_loop()
            if self._form_until is None:
                self._form_until = loop.time() + self._form_time_s
            # One view shows all questions of a run: a page that isn't there is waited for once.
            loop.call_at(self._form_until, self._without_form, live, question)

    def unused(self) -> tuple[str, ...]:
        """Return the names of answers that were declared for this run and met no question."""
        return tuple(name for name in self._declared.unused() if name in self._given)

    def _without_form(self, live: LiveRun, question: Clarification) -> None:
        if live.done.done() or (self._has_form is not None and self._has_form()):
            return
        if self._has_form is not None:
            self._missed()
        if self._prompts is None or not self._prompts.offer(live, question, answer_by_default):
            answer_by_default(live, question)


class Asks(Protocol):
    """What stands behind a question: a run, or a plan that is to be approved."""

    @property
    def done(self) -> Any:
        """A future; once it is resolved, no answer is needed."""

    def answer(self, clarification_id: str, response: Any, by: str = "") -> None:
        """Take an answer, or raise `InvalidAnswer`."""

    def nobody_answers(self, clarification_id: str) -> None:
        """Take note that nobody answers."""


Refusal = Callable[[Any, "Clarification"], None]


class Prompts:
    """Questions for `input()`, handed from the background loop to the main thread.

    The kernel reads stdin on its main thread only, so questions wait here until the code that waits
    there for the run calls `serve`.
    """

    def __init__(self, shell: Any) -> None:
        """Prepare for `shell`."""
        self._shell = shell
        self._waiting: deque[tuple[Asks, Clarification, Refusal]] = deque()
        self._is_open = True

    def offer(self, live: Asks, question: Clarification, refused: Refusal) -> bool:
        """Put `question` in line; False: nobody can be asked this way. Any thread.

        Args:
            live: the run that asks.
            question: what it asks.
            refused: called instead, if nothing can be typed after all.
        """
        if not self._is_open or not stdin_allowed(self._shell):
            return False
        self._waiting.append((live, question, refused))
        return True

    def serve(self) -> None:
        """Ask what is in line, one after the other. To be called on the main thread.

        Raises:
            KeyboardInterrupt: the person interrupted.
        """
        while self._waiting:
            live, question, refused = self._waiting.popleft()
            if not self._ask(live, question):
                refused(live, question)

    def close(self) -> None:
        """Take no more questions and refuse those in line; called where the waiting ends."""
        self._is_open = False
        while self._waiting:
            live, question, refused = self._waiting.popleft()
            refused(live, question)

    def _ask(self, live: Asks, question: Clarification) -> bool:
        complaint = ""
        while not live.done.done():
            try:
                with keyboard_interrupts():
                    # The kernel replaces the built-in while a cell runs.
                    typed = input(complaint + prompt_for(question))
            except (EOFError, OSError, RuntimeError, NotImplementedError):
                return False
            except Exception as error:
                if type(error).__name__ == "StdinNotImplementedError":
                    return False
                raise
            try:
                live.answer(question.id, read_typed(question, typed), by="input()")
            except InvalidAnswer as error:
                complaint = f"{error}\n"
                continue
            return True
        return True


def stdin_allowed(shell: Any) -> bool:
    """Tell whether `input()` can ask a person here: the kernel's word, else a terminal."""
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", False))
    return sys.stdin is not None and sys.stdin.isatty()


def prompt_for(question: Clarification) -> str:
    """Return the question as `input()` shows it, with what it allows."""
    from .visible_text import visible

    lines = [visible(question.user_guidance, exact=True)]
    options = getattr(question, "options", ())
    lines += [f"  {place}. {visible(str(each))}" for place, each in enumerate(options, 1)]
    if url := getattr(question, "action_url", None):
        lines.append(f"  {visible(url, exact=True)}")
    if call := exact_call_text(question):
        lines.append(call)
    end = "> "
    if is_yes_no(question):
        end = "[yes/no] > "
    elif url:
        end = "press Enter when done > "
    elif (schema := getattr(question, "answer_schema", None)) and (hint := hint_of(schema)):
        default = "" if question.default is None else f"; Enter for {question.default}"
        end = f"[{visible(hint + default)}] > "
    elif question.default is not None:
        end = f"[{visible(str(question.default))}] > "
    return "\n".join([*lines, end])
