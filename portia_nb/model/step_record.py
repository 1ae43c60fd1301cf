"""One path of a run: what its events add up to."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from portia_nb.model.conversation import AgentEvent, Conversation
from portia_nb.model.events import (
    AgentTurn,
    ErrorRecord,
    ModelReplied,
    OutputHeld,
    TextStreamed,
    ToolCalled,
    ToolReturned,
)
from portia_nb.model.language import Usage
from portia_nb.model.stretches import Stretch


class StepState(StrEnum):
    """How far a step has got; each is shown by a shape, a word and a colour."""

    WAITING = "waiting"
    RUNNING = "running"
    ASKING = "asking"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"


@dataclass(slots=True)
class StepRecord:
    """One path of a run: what became of it so far."""

    path: str
    state: StepState = StepState.WAITING
    attempt: int = 0
    failures: int = 0
    """Attempts that failed so far."""
    started_at: float | None = None
    ended_at: float | None = None
    value: Any = None
    summary: str | None = None
    reused: str = ""
    """Where its output comes from if it wasn't executed; see `StepDone.reused`."""
    error: ErrorRecord | None = None
    errors: list[ErrorRecord] | None = None
    """Why attempts failed, the latest last; None where none did."""
    reason: str = ""
    branch: int | None = None
    """Of a conditional: the index of the branch that was taken, -1 for none."""
    tool_under_way: ToolCalled | None = None
    """A call that was announced and has not come back; one with ``side_effect=True`` that has come
    back stays until the step is done."""
    uncertain: bool = False
    held: dict[str, OutputHeld] | None = None
    """Outputs about which a hook asks, by the call's idempotency key, until the step ends."""
    text: str = ""
    """What a model has streamed so far in this attempt."""
    conversation: Conversation | None = None
    """Of an agent that isn't done: what it has said and called, in all attempts."""
    model: str = ""
    usage: Usage = field(default_factory=lambda: Usage(calls=0))
    history: list[Stretch] | None = None
    """Work and waits before what the step does now; None where all went through at once."""
    is_work_kept: bool = False
    """Whether `history` holds the work that began at `started_at`, too."""


def forget_call(step: StepRecord, *, has_failed: bool = False) -> None:
    """Forget the call under way, but not one that a resume of the unfinished step would repeat."""
    call = step.tool_under_way
    if has_failed or call is None or call.side_effect is not True:
        step.tool_under_way = None


def held_for_good(step: StepRecord) -> dict[str, OutputHeld] | None:
    """Return the held outputs of a failed step whose calls changed the world: never made again."""
    kept = {key: held for key, held in (step.held or {}).items() if held.side_effect is True}
    return kept or None


def note_call(
    step: StepRecord, event: ToolCalled | ToolReturned | OutputHeld | TextStreamed | ModelReplied
) -> None:
    """Add what a call began, brought or said to `step`."""
    match event:
        case ToolCalled():
            step.tool_under_way = event
        case ToolReturned():
            forget_call(step, has_failed=event.error is not None)
        case OutputHeld():
            _hold(step, event)
        case TextStreamed(_, text):
            step.text += text
        case ModelReplied():
            step.usage, step.model = step.usage + event.usage, event.model


def _hold(step: StepRecord, event: OutputHeld) -> None:
    step.held = {**(step.held or {}), event.idempotency_key: event}
    if step.conversation is not None:
        step.conversation.hold(event.idempotency_key)


def note_turn(step: StepRecord, event: AgentEvent) -> None:
    """Add what an agent said or called to `step`."""
    if step.conversation is None:
        step.conversation = Conversation()
    step.tool_under_way = step.conversation.note(event, step.tool_under_way)
    if isinstance(event, AgentTurn):
        step.text = ""  # it was no answer, only words beside the calls
