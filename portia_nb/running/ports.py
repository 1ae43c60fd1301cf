"""What the executor is given, and all that it knows of the world outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from portia_nb.config import Config, Purpose as Purpose
from portia_nb.model.clarification import Clarification
from portia_nb.model.events import AnyEvent
from portia_nb.model.language import LanguageModel
from portia_nb.model.plan import AnyStep
from portia_nb.tools.base import Tool

from .hooks import ExecutionHooks
from .places import Places


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
    config: Config
    places: Places
    hooks: ExecutionHooks = field(default_factory=ExecutionHooks)
    gate: bool = False
    """True: a call with ``side_effect=True`` is put to a person first, with its exact arguments."""
    end_user: Any = None
    name: str = ""
    """Who runs: host and process."""
