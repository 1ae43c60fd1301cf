"""Events of calls: of tools, of models, and of the calls that an agent makes in one step.

`portia_nb.model.events` holds the others, and the type of any.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from portia_nb.model.language import ToolCall, Usage


@dataclass(frozen=True, slots=True)
class ErrorRecord:
    """An error as a run keeps it."""

    type: str
    """The class's name, e.g. ``ToolHardError``."""
    message: str
    step: str | None = None
    """Path of the step that failed."""
    traceback: str | None = None
    """Where in the user's or the tool's code, without values; None for errors raised on purpose."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in a run."""

    kind: ClassVar[str] = ""
    passing: ClassVar[bool] = False
    """True: shown while it happens and never kept."""


@dataclass(frozen=True, slots=True)
class ToolCalled(Event):
    """A tool or function is about to be called with these arguments."""

    kind: ClassVar[str] = "tool_called"
    path: str
    attempt: int
    tool_id: str
    arguments: dict[str, Any]
    side_effect: bool | None = None
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class ToolReturned(Event):
    """The call that `ToolCalled` announced came back."""

    kind: ClassVar[str] = "tool_returned"
    path: str
    attempt: int
    tool_id: str
    duration_s: float
    error: ErrorRecord | None = None


@dataclass(frozen=True, slots=True)
class ModelReplied(Event):
    """A language model answered."""

    kind: ClassVar[str] = "model_replied"
    path: str
    """The step's path, or ``""`` for planning."""
    purpose: str
    model: str
    duration_s: float
    usage: Usage


@dataclass(frozen=True, slots=True)
class AgentTurn(Event):
    """An agent's model asked for calls of tools; none of them has been made yet.

    With the calls' results it is all that is needed to go on with the conversation elsewhere.
    """

    kind: ClassVar[str] = "agent_turn"
    path: str
    attempt: int
    text: str
    """What the model said beside its calls."""
    calls: tuple[ToolCall, ...]
    """In the model's order; the turn's number and a call's place in it make the call's `key`."""


@dataclass(frozen=True, slots=True)
class AgentToolCalled(ToolCalled):
    """An agent is about to call a tool."""

    kind: ClassVar[str] = "agent_tool_called"
    call: str = ""
    """Which call of the step: number of the turn, a dot, place in it, as in ``"2.0"``."""


@dataclass(frozen=True, slots=True)
class AgentToolReturned(ToolReturned):
    """A call that an agent made came back, and is never made again: what it put out is here."""

    kind: ClassVar[str] = "agent_tool_returned"
    call: str = ""
    value: Any = None
    summary: str | None = None
    is_told: bool = False
    """Of an error: it was told to the model, which goes on. False: the step failed with it."""


@dataclass(frozen=True, slots=True)
class AgentLimited(Event):
    """An agent has reached a limit: its model must answer now, from what it has."""

    kind: ClassVar[str] = "agent_limited"
    path: str
    attempt: int
    limit: str
    """The setting, e.g. ``tool_call_limit``."""
    allowed: int
