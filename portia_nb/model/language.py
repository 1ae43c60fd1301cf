"""The protocol of a language model: what is asked, what comes back, who can answer.

The nouns here are plain frozen dataclasses, so that a request costs nothing to make and a tool can
hold a model without importing a vendor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from portia_nb.errors import PortiaBaseError

Role = Literal["system", "user", "assistant", "tool"]
SCRIPTED = "scripted"
"""Name of the model whose replies come from a shipped record."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that a model asks for."""

    id: str
    """The provider's id of the call; answers refer to it."""
    name: str
    """The name under which the tool was offered."""
    arguments: dict[str, Any]
    """Parsed arguments, not yet checked against the tool's schema."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    """Calls that an assistant's message made."""
    tool_call_id: str | None = None
    """For role ``tool``: the call that this message answers."""
    images: tuple[str, ...] = ()
    """URLs (``https:`` or ``data:``) of pictures that go with a user's message."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is told of it."""

    name: str
    """1 to 64 characters of ``a-z A-Z 0-9 _ -``."""
    description: str
    parameters: dict[str, Any]
    """JSON schema of the arguments, an object at the root."""


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """Free text is wanted."""


@dataclass(frozen=True, slots=True)
class DataAnswer:
    """JSON under a schema is wanted; it comes back in `ModelReply.data`."""

    name: str
    """What the data is, 1 to 64 characters of ``a-z A-Z 0-9 _ -``."""
    schema: dict[str, Any]
    """JSON schema, an object at the root."""


@dataclass(frozen=True, slots=True)
class CallAnswer:
    """Tool calls are wanted; they come back in `ModelReply.tool_calls`."""

    tools: tuple[ToolSpec, ...]
    forced: str | None = None
    """The one tool that must be called, or None where the model may choose, or answer in text."""


Answer = TextAnswer | DataAnswer | CallAnswer
Purpose = Literal["planning", "execution", "introspection", "summary"]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One call to a model."""

    messages: tuple[Message, ...]
    answer: Answer = field(default_factory=TextAnswer)
    purpose: Purpose = "execution"
    record_key: tuple[str, ...] = ()
    """What identifies this call in a record beside its messages' text: prompt name and version,
    query or task, tool ids. Two calls with equal keys are the same question."""
    max_tokens: int | None = None
    timeout_s: float | None = None
    """Seconds for the whole call, retries included; None leaves it to the client."""
    repairs: int = 1
    """How often a reply that doesn't fit `answer` goes back to the model with what is wrong."""
    before_call: Callable[[], None] | None = field(default=None, compare=False, repr=False)
    """Called before each request to the provider, further tries included; forbids it by raising."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, as the provider counted them; 0 where it doesn't say."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """The part of `input_tokens` that the provider had cached."""
    calls: int = 1
    """Requests sent to the provider for this answer, retries included."""

    def __add__(self, other: Usage) -> Usage:
        """Add up two usages."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.calls + other.calls,
        )


def billed_before(error: PortiaBaseError) -> Usage:
    """Return what was spent before a call to a model raised `error`; nothing: no calls.

    Tries that failed, and replies that were refused, were calls too.
    """
    usage = error.facts.get("usage")
    return usage if isinstance(usage, Usage) else Usage(calls=0)


@dataclass(frozen=True, slots=True)
class ModelReply:
    """What a model answered, whole: a reply that was cut off is an error, never this."""

    text: str = ""
    data: Any = None
    """For `DataAnswer`: parsed JSON that fits the schema (the client has checked it)."""
    tool_calls: tuple[ToolCall, ...] = ()
    model: str = ""
    """Who answered, as ``provider/name``; ``scripted`` for a shipped record."""
    usage: Usage = field(default_factory=lambda: Usage(calls=1))


@runtime_checkable
class LanguageModel(Protocol):
    """Anything that answers a `ModelRequest`."""

    @property
    def name(self) -> str:
        """The model as ``provider/name``."""
        ...

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Answer `request`.

        Args:
            request: what is asked.
            on_text: called on the loop's thread with each new piece of text, in order, where the
                provider streams; the pieces of a reply that fails are worth nothing. Where a
                stream broke and is tried again no further pieces come: the reply is whole.

        Raises:
            ModelError: of the kind that says what went wrong.
        """
        ...
