"""Hooks: the user's code that changes a run, and handlers that answer its questions.

Code that only watches a run needs no hook: it listens to events.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from portia_nb.model.clarification import (
    ActionClarification,
    Clarification,
    CustomClarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
    ValueConfirmationClarification,
)

from .places import Places

OnResolution = Callable[[Clarification, Any], Any]
OnError = Callable[[Clarification, Any], Any]


class ClarificationHandler:
    """Answers questions: override the methods of the kinds that you can answer.

    Each is given the question and two callbacks: ``on_resolution(clarification, answer)`` and
    ``on_error(clarification, error)``, which fails the run. Call one of them, at once or later,
    from any thread. The methods run on a thread of their own and may block; coroutine methods run
    where the user's coroutines do. One that raises `WaitingForAnswer` leaves the question open.
    """

    def handle(
        self, clarification: Clarification, on_resolution: OnResolution, on_error: OnError
    ) -> Any:
        """Pass the question to the method of its kind."""
        match clarification:
            case ActionClarification():
                method = self.handle_action_clarification
            case InputClarification():
                method = self.handle_input_clarification
            case MultipleChoiceClarification():
                method = self.handle_multiple_choice_clarification
            case ValueConfirmationClarification():
                method = self.handle_value_confirmation_clarification
            case UserVerificationClarification():
                method = self.handle_user_verification_clarification
            case CustomClarification():
                method = self.handle_custom_clarification
            case _:
                raise NotImplementedError(f"no method handles a {type(clarification).__name__}")
        return method(clarification, on_resolution, on_error)  # type: ignore[arg-type]

    def handle_action_clarification(
        self, clarification: ActionClarification, on_resolution: OnResolution, on_error: OnError
    ) -> Any:
        """Lead the person to `clarification.action_url`."""
        raise NotImplementedError("handle_action_clarification is not overridden")

    def handle_input_clarification(
        self, clarification: InputClarification, on_resolution: OnResolution, on_error: OnError
    ) -> Any:
        """Ask for a value."""
        raise NotImplementedError("handle_input_clarification is not overridden")

    def handle_multiple_choice_clarification(
        self,
        clarification: MultipleChoiceClarification,
        on_resolution: OnResolution,
        on_error: OnError,
    ) -> Any:
        """Ask for one of `clarification.options`."""
        raise NotImplementedError("handle_multiple_choice_clarification is not overridden")

    def handle_value_confirmation_clarification(
        self,
        clarification: ValueConfirmationClarification,
        on_resolution: OnResolution,
        on_error: OnError,
    ) -> Any:
        """Ask whether a value is right."""
        raise NotImplementedError("handle_value_confirmation_clarification is not overridden")

    def handle_user_verification_clarification(
        self,
        clarification: UserVerificationClarification,
        on_resolution: OnResolution,
        on_error: OnError,
    ) -> Any:
        """Ask whether the run may go on."""
        raise NotImplementedError("handle_user_verification_clarification is not overridden")

    def handle_custom_clarification(
        self, clarification: CustomClarification, on_resolution: OnResolution, on_error: OnError
    ) -> Any:
        """Ask a question of the user's own kind."""
        raise NotImplementedError("handle_custom_clarification is not overridden")


class BeforeStepExecutionOutcome(StrEnum):
    """What a `before_step_execution` hook says."""

    CONTINUE = "CONTINUE"
    SKIP = "SKIP"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionHooks:
    """The user's code that changes a run; every hook may be a plain or a coroutine function.

    A hook that raises fails the run. Steps that run beside each other call their hooks beside each
    other.
    """

    clarification_handler: ClarificationHandler | None = None
    before_plan_run: Callable[..., Any] | None = None
    """``(plan, run)``."""
    before_step_execution: Callable[..., Any] | None = None
    """``(plan, run, step)``; returning ``BeforeStepExecutionOutcome.SKIP``, or raising
    `SkipExecutionError` with the reason, skips the step."""
    after_step_execution: Callable[..., Any] | None = None
    """``(plan, run, step, output)``; `output` is a `LocalDataValue`."""
    after_plan_run: Callable[..., Any] | None = None
    """``(plan, run, final_output)``; `final_output` is a `LocalDataValue`."""
    before_tool_call: Callable[..., Any] | None = None
    """``(tool, args, run, step)``; may change `args` in place, or return a Clarification."""
    after_tool_call: Callable[..., Any] | None = None
    """``(tool, value, run, step)``, with what the tool put out; may return a Clarification."""


async def call_hook(hook: Callable[..., Any], places: Places, *given: Any) -> Any:
    """Call `hook` where the user's code runs, and await it where it is a coroutine function."""
    name = getattr(hook, "__qualname__", type(hook).__qualname__)
    return await places.call(hook, given, name=f"the hook {name}")
