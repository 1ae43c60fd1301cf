"""Hooks for programs in a terminal: questions of their runs are asked there."""

from __future__ import annotations

import threading
from typing import Any

from portia_nb.errors import InvalidAnswer, WaitingForAnswer
from portia_nb.model.clarification import Clarification
from portia_nb.running.expiry import is_expired, left_s
from portia_nb.running.hooks import (
    ClarificationHandler,
    ExecutionHooks,
    OnError,
    OnResolution,
)
from portia_nb.session.answering import is_approval, read_typed

from .asking import prompt_for
from .terminal import Terminal


class CLIClarificationHandler(ClarificationHandler):
    """Asks every kind of question at the terminal, one at a time.

    Where there is no terminal the question's default answers, and without one the question stays
    open: the run comes back as NEED_CLARIFICATION.
    """

    def __init__(self) -> None:
        """Prepare; the terminal is looked at when there is something to ask."""
        self._one_at_a_time = threading.Lock()

    def _ask(
        self, clarification: Clarification, on_resolution: OnResolution, on_error: OnError
    ) -> None:
        with self._one_at_a_time:
            terminal = Terminal()
            while terminal.can_ask:
                try:
                    typed = terminal.ask(prompt_for(clarification), within_s=left_s(clarification))
                    answer = read_typed(clarification, typed)
                except InvalidAnswer as error:
                    terminal.say((str(error), "yellow"))
                except TimeoutError:
                    return  # the run itself knows what to do then
                except EOFError:
                    break
                else:
                    on_resolution(clarification, answer)
                    return
        if is_expired(clarification):
            return
        if clarification.default is None or is_approval(clarification):
            raise WaitingForAnswer(
                f"{clarification.user_guidance!r} can't be asked: there is no terminal here",
                clarification_id=clarification.id,
            )
        on_resolution(clarification, clarification.default)

    handle_action_clarification = _ask
    handle_input_clarification = _ask
    handle_multiple_choice_clarification = _ask
    handle_value_confirmation_clarification = _ask
    handle_user_verification_clarification = _ask
    handle_custom_clarification = _ask


class CLIExecutionHooks(ExecutionHooks):
    """Hooks with which a program's runs ask their questions at its terminal.

    >>> from portia_nb import Config, Portia
    >>> portia = Portia(Config(store="memory"), tools=[], execution_hooks=CLIExecutionHooks())
    """

    __slots__ = ()

    def __init__(
        self, *, clarification_handler: ClarificationHandler | None = None, **hooks: Any
    ) -> None:
        """Ask at the terminal.

        Args:
            clarification_handler: who is asked instead.
            hooks: the other hooks, as `ExecutionHooks` takes them.
        """
        handler = clarification_handler or CLIClarificationHandler()
        super().__init__(clarification_handler=handler, **hooks)
