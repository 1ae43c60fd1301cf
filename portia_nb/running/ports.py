"""What the executor is given, and all that it knows of the world outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from portia_nb.config import Config, Purpose as Purpose
from portia_nb.model import codecs
from portia_nb.model.clarification import Clarification
from portia_nb.model.events import AnyEvent
from portia_nb.model.language import LanguageModel, ModelReply, ModelRequest
from portia_nb.model.plan import AnyStep, ReActAgentStep
from portia_nb.model.values import Output
from portia_nb.tools.base import Tool

from .hooks import ExecutionHooks
from .meter import Meter
from .places import Places


class Tape(Protocol):
    """Stands between a run and what it calls: keeps what came back, or gives it without a call."""

    @property
    def plays(self) -> bool:
        """True: nothing is called, what was kept comes back."""
        ...

    def covers(self, tool: Tool[Any]) -> bool:
        """Tell whether what `tool` puts out is kept, and not only what models answer to it."""
        ...

    async def ask(
        self,
        model: LanguageModel,
        request: ModelRequest,
        path: str,
        on_text: Callable[[str], None] | None,
    ) -> ModelReply:
        """Return what `model` answers to the step at `path`.

        Raises:
            RecordDrift: it plays, and doesn't hold this.
        """
        ...

    async def call(
        self,
        called: Tool[Any] | Callable[..., Any],
        name: str,
        arguments: dict[str, Any],
        path: str,
        call: Callable[[], Awaitable[Any]],
    ) -> Any:
        """Return what `call()` does, on behalf of the step at `path`.

        Args:
            called: the tool or function.
            name: the tool's id, or the function's name.
            arguments: what it is called with.
            path: the step.
            call: makes the call.

        Raises:
            Exception: what the call raised, or had raised.
            RecordDrift: it plays, and doesn't hold this call.
        """
        ...


def _nothing(reason: str) -> None:
    del reason


@dataclass(frozen=True, slots=True)
class Ports:
    """The ways out of one execution."""

    emit: Callable[[AnyEvent], None]
    """Takes each event, in order: kept first, shown after. Never blocks."""
    kept: Callable[[], Awaitable[None]]
    """Returns once all that was emitted is on disk."""
    ask: Callable[[Clarification], bool]
    """Puts a question to whoever answers; False: nobody will while this execution lives."""
    model: Callable[[Purpose, Any], LanguageModel]
    """The model for a purpose, or the one that a step names."""
    tool: Callable[[AnyStep], Tool[Any]]
    """The tool of a step."""
    tools: Callable[[ReActAgentStep], Sequence[Tool[Any]]]
    """The tools of an agent's step."""
    config: Config
    places: Places
    hooks: ExecutionHooks = field(default_factory=ExecutionHooks)
    gate: bool = False
    """True: a call with ``side_effect=True`` is put to a person first, with its exact arguments."""
    approved: Mapping[str, str] = field(default_factory=dict[str, str])
    """Calls that were approved with the plan: by path, the hash of tool and exact arguments."""
    end_user: Any = None
    tape: Tape | None = None
    """Records the run's calls, or answers them; None: neither."""
    recall: Callable[[str, float | None], Awaitable[Output | None]] | None = None
    """Finds what an equal step had put out, by its key, at most so many seconds ago; None: nothing
    is looked for, nor shared."""
    comes_back: Callable[[Any], bool] = codecs.comes_back
    """Tells whether `recall` would find a value as it is now, and not as plain data."""
    meter: Meter | None = None
    """Keeps the budget; None: there is none."""
    halt: Callable[[str], None] = _nothing
    """Lets the run stop once the steps under way are done, for the reason that is given."""
    name: str = ""
    """Who runs: host and process."""
