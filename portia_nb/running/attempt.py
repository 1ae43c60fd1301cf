"""One attempt at one step, and the way in which it asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from portia_nb.model.clarification import Clarification
from portia_nb.model.plan import AnyStep

from .scope import Scope


@dataclass(slots=True)
class Attempt:
    """One attempt at one step."""

    step: AnyStep
    path: str
    index: int
    """The step's index among the plan's top-level steps."""
    number: int
    """1 for the first."""
    side_effect: bool | None
    """What `portia_nb.model.order.effective_side_effect` says of the step."""
    scope: Scope
    """What the step can see."""
    call: str = ""
    """Of an agent: which of its calls this is about; its own side effect is `side_effect`."""


class Cached(NamedTuple):
    """What a step that shares its output says of it; in the order of the fields of `StepDone`."""

    reused: str = ""
    key: str | None = None


NOT_CACHED = Cached()


@dataclass(frozen=True, slots=True)
class Result:
    """What an attempt put out."""

    value: Any
    summary: str | None = None
    same_as: str | None = None
    """Path of a step inside it whose output it takes over."""
    cached: Cached = NOT_CACHED


@dataclass(frozen=True, slots=True)
class Skipped:
    """What an attempt says of a step that doesn't run."""

    reason: str


@dataclass(frozen=True, slots=True)
class Inside:
    """What an attempt says of a step that waits for the steps in it."""


class Asking(Exception):
    """Raised inside an attempt: it ends here, and starts anew once its questions are answered."""

    def __init__(self, *clarifications: Clarification) -> None:
        """Ask `clarifications`."""
        super().__init__("the step waits for an answer")
        self.clarifications = clarifications
