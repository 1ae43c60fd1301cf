"""What happens in a run, as small frozen events: the one thing that crosses walls.

An executor emits events; `Recorded` adds which run, which place in its order, and when. A store
keeps them, views show them, and `portia_nb.model.run.Run` adds them up to a run's state. An event
that is `passing` (streamed text) is shown and never kept.

Events are dataclasses and not pydantic models: a run makes two for each step, and a chain of steps
that do nothing would spend more time on checking its own record than on running.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, ClassVar, NamedTuple

from portia_nb.errors import StoreDamaged
from portia_nb.model import codecs
from portia_nb.model.call_events import (
    AgentLimited,
    AgentToolCalled,
    AgentToolReturned,
    AgentTurn,
    ErrorRecord,
    Event,
    ModelReplied,
    ToolCalled,
    ToolReturned,
)
from portia_nb.model.clarification import Clarification, read_clarification
from portia_nb.model.language import ToolCall, Usage


@dataclass(frozen=True, slots=True)
class RunCreated(Event):
    """A run of a plan came to be; nothing has run yet."""

    kind: ClassVar[str] = "run_created"
    plan_id: str
    inputs: dict[str, Any]
    """Values of the plan's inputs by name, without ``$``."""
    end_user: str | None = None
    forked_from: str | None = None
    """Id of the run whose outputs it takes over."""
    forked_at: str | None = None
    """Path of the step from which it runs anew; None: nobody named one."""
    edits: list[str] | None = None
    """What a fork changed, as ``step.field``, and ``inputs.name`` for the plan's inputs."""
    end_user_data: dict[str, Any] | None = None
    """What is known of the end user beyond the id, as the fields of `EndUser`; None: nothing."""
    taken_over: int | None = None
    """How many events of a fork follow at once, which tell what it takes over: they are kept with
    this one or not at all. None: it is no fork, or an older version wrote them one by one."""
    map_id: str | None = None
    """Id of the map that it is a row of."""

    @property
    def anew(self) -> str | None:
        """Path or place of the step that somebody wants done again as it is; None: of none."""
        is_edited = any(each.startswith(f"{self.forked_at}.") for each in self.edits or ())
        return None if is_edited else self.forked_at


@dataclass(frozen=True, slots=True)
class PlanApproved(Event):
    """A person let the plan run: as it is, and with it those calls whose arguments it spells out.

    It tells; what lets a call through is the store's own note of the approval, by `approval_id`.
    """

    kind: ClassVar[str] = "plan_approved"
    plan_hash: str
    """`Plan.content_hash` of what was approved, and so of what runs."""
    by: str
    """Who, as the system or the caller names them."""
    how: str = ""
    """``form``, ``input()``, ``--yes``, ``python``, …"""
    approved_at: float = 0.0
    """Seconds since the epoch; before the run where the plan had been approved beforehand."""
    approval_id: str = ""
    covers: list[str] | None = None
    """Places of the steps whose one call is approved with its exact arguments."""


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """Steps may start: for the first time, or again after a stop or an answer."""

    kind: ClassVar[str] = "run_started"
    by: str = ""
    """Who runs it: host and process."""
    budget: str = ""
    """The most that it may spend on models, as `read_budget` reads it; empty: as before."""


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    """One attempt at one step began."""

    kind: ClassVar[str] = "step_started"
    path: str
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class OutputHeld(Event):
    """A hook asks about what a call put out, which is held until then: the call isn't repeated."""

    kind: ClassVar[str] = "output_held"
    path: str
    attempt: int
    tool_id: str
    value: Any = None
    summary: str | None = None
    side_effect: bool | None = None
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class TextStreamed(Event):
    """A piece of a model's text, while it is being written."""

    kind: ClassVar[str] = "text_streamed"
    passing: ClassVar[bool] = True
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class StepDone(Event):
    """A step is done, once for each path; it is never executed again."""

    kind: ClassVar[str] = "step_done"
    path: str
    attempt: int
    value: Any = None
    summary: str | None = None
    same_as: str | None = None
    """Path of a step inside it whose output it takes over; None: `value` holds it."""
    reused: str = ""
    """Where the output comes from if the step wasn't executed: ``fork``, the run that this one was
    forked from; ``given``, by hand in a fork; ``cache``, an equal step of any run."""
    cache_key: str | None = None
    """What an equal step finds this output by; None: the step doesn't share it."""


@dataclass(frozen=True, slots=True)
class StepFailed(Event):
    """An attempt failed."""

    kind: ClassVar[str] = "step_failed"
    path: str
    attempt: int
    error: ErrorRecord
    retry_in_s: float | None = None
    """Seconds until the next attempt; None: there is none."""


@dataclass(frozen=True, slots=True)
class StepCancelled(Event):
    """An attempt was stopped before it ended; the step may run again."""

    kind: ClassVar[str] = "step_cancelled"
    path: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StepSkipped(Event):
    """A step won't run: its condition is false, or a hook said so."""

    kind: ClassVar[str] = "step_skipped"
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class BranchTaken(Event):
    """A conditional has chosen, once for each path; it doesn't judge again when it is resumed."""

    kind: ClassVar[str] = "branch_taken"
    path: str
    branch: int
    """Index of the branch, -1 for none."""


@dataclass(frozen=True, slots=True)
class StepUncertain(Event):
    """A side-effecting call was under way when its process died; a person must say what became."""

    kind: ClassVar[str] = "step_uncertain"
    path: str
    attempt: int
    tool_id: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ClarificationRaised(Event):
    """A step waits for a person's answer."""

    kind: ClassVar[str] = "clarification_raised"
    path: str
    clarification: Clarification


@dataclass(frozen=True, slots=True)
class ClarificationResolved(Event):
    """A question was answered; the first valid answer stands."""

    kind: ClassVar[str] = "clarification_resolved"
    clarification_id: str
    response: Any
    by: str = ""
    """Who or what answered, e.g. ``form``, ``input()``, ``--answer``, ``default``, ``handler``."""


@dataclass(frozen=True, slots=True)
class RunWaiting(Event):
    """Nothing else can run until a question is answered."""

    kind: ClassVar[str] = "run_waiting"


@dataclass(frozen=True, slots=True)
class RunCompleted(Event):
    """Every step is done or skipped."""

    kind: ClassVar[str] = "run_completed"
    path: str | None = None
    """The step whose output is the run's; None: `value` holds it."""
    value: Any = None
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class RunFailed(Event):
    """The run can't go on; what was done stays done."""

    kind: ClassVar[str] = "run_failed"
    error: ErrorRecord


@dataclass(frozen=True, slots=True)
class RunStopped(Event):
    """The run was stopped on purpose and can be resumed."""

    kind: ClassVar[str] = "run_stopped"
    reason: str = ""


AnyEvent = (
    RunCreated
    | PlanApproved
    | RunStarted
    | StepStarted
    | ToolCalled
    | ToolReturned
    | OutputHeld
    | ModelReplied
    | AgentTurn
    | AgentToolCalled
    | AgentToolReturned
    | AgentLimited
    | TextStreamed
    | StepDone
    | StepFailed
    | StepCancelled
    | StepSkipped
    | BranchTaken
    | StepUncertain
    | ClarificationRaised
    | ClarificationResolved
    | RunWaiting
    | RunCompleted
    | RunFailed
    | RunStopped
)


class Recorded(NamedTuple):
    """An event in its run."""

    seq: int
    """Place in the run's order, from 1, without gaps among kept events; a passing event has 0."""
    at: float
    """Seconds since the epoch, by this machine's clock; the order is `seq`'s, never the clock's."""
    run_id: str
    event: AnyEvent


_KINDS: dict[str, type[Any]] = {c.kind: c for c in AnyEvent.__args__}  # type: ignore[attr-defined]
_FIELDS = {kind: tuple(field.name for field in fields(made)) for kind, made in _KINDS.items()}


def event_to_json(event: AnyEvent) -> dict[str, Any]:
    """Return `event` as JSON with its `kind`, its values encoded by `codecs.encode_or_describe`."""
    data: dict[str, Any] = {"kind": event.kind}
    for name in _FIELDS[event.kind]:
        value = getattr(event, name)
        if name not in _VALUES:
            data[name] = _to_json(value)
        elif name in _BY_NAME and type(value) is dict and codecs.TAG not in value:
            data[name] = _entries_to_json(value)
        else:
            data[name] = _value_to_json(value)
    return data


def _value_to_json(value: Any) -> Any:
    """Encode a value of the user's: of any class, and text of any characters."""
    kind = type(value)
    if value is None or kind is bool or (kind is str and value.isascii()):
        return value
    if isinstance(value, str) and not isinstance(value, Enum):
        # Text of a class of its own is worth more as text than not kept at all.
        value = str.__str__(value)
    return codecs.encode_or_describe(value)


def _entries_to_json(named: dict[str, Any]) -> dict[str, Any]:
    """Encode each value by itself: one that can't be kept must not take the others along."""
    return {name: codecs.encode_or_describe(value) for name, value in named.items()}


def event_from_json(data: dict[str, Any], classes: dict[str, type] | None = None) -> AnyEvent:
    """Read what `event_to_json` wrote.

    Args:
        data: the event's JSON.
        classes: by name, the pydantic models and dataclasses that values may come back as.

    Raises:
        StoreDamaged: it names no known event, or lacks a field.
    """
    event_type = _KINDS.get(str(data.get("kind")))
    if event_type is None:
        raise StoreDamaged(f"no event of kind {data.get('kind')!r} is known to this version")
    given = {name: value for name, value in data.items() if name != "kind"}
    for name, read in _READERS.items():
        if given.get(name) is not None:
            given[name] = read(given[name])
    for name in _VALUES:
        if name in given:
            given[name] = codecs.decode(given[name], classes)
    try:
        return event_type(**given)
    except TypeError as error:
        raise StoreDamaged(f"an event of kind {data['kind']!r} can't be read: {error}") from error


def _to_json(value: Any) -> Any:
    match value:
        case Clarification():
            return value.model_dump(mode="json")
        case ErrorRecord() | Usage():
            return {f.name: getattr(value, f.name) for f in fields(value)}
        case None | bool() | str():
            return value
        case int() if -_PLAIN_INT < value < _PLAIN_INT:
            return value
        case (ToolCall(), *_):
            return [_call_to_json(call) for call in value]
        case _:
            return codecs.encode_or_describe(value)


def _call_to_json(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "name": call.name, "arguments": codecs.encode(call.arguments)}


def _call_from_json(data: dict[str, Any]) -> ToolCall:
    return ToolCall(data["id"], data["name"], codecs.decode(data["arguments"]))


_BY_NAME = ("arguments", "inputs")
_VALUES = ("value", "response", "end_user_data", *_BY_NAME)
_PLAIN_INT = 2**63  # a larger one has a codec: Python refuses to print very long ones

_READERS: dict[str, Any] = {
    "error": lambda data: ErrorRecord(**data),
    "usage": lambda data: Usage(**data),
    "clarification": read_clarification,
    "calls": lambda data: tuple(_call_from_json(call) for call in data),
}
