"""Events go into a store and come back as they were."""

from __future__ import annotations

import datetime as dt
import enum
import json
from dataclasses import fields
from typing import Any

import pytest
from pydantic import BaseModel

from portia_nb.errors import StoreDamaged
from portia_nb.model import codecs, events
from portia_nb.model.clarification import (
    ActionClarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
)
from portia_nb.model.events import AnyEvent, ErrorRecord, event_from_json, event_to_json
from portia_nb.model.language import ToolCall, Usage

ERROR = ErrorRecord("ValueError", "broken", "a", 'File "x.py", line 1')
WHEN = dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)
EVENTS: list[AnyEvent] = [
    events.RunCreated("plan-1", {"when": WHEN, "n": 1}, "ada", "prun-0"),
    events.PlanApproved("aa", "ada", "form", 1.5, "id", ["pay"]),
    events.RunStarted("host:1"),
    events.StepStarted("a", 2),
    events.ToolCalled("a", 1, "t", {"x": [1, 2.5, None]}, True, "key"),
    events.ToolReturned("a", 1, "t", 0.25, ERROR),
    events.ToolReturned("a", 1, "t", 0.25),
    events.OutputHeld("a", 1, "t", {"at": WHEN}, "a summary", True, "key"),
    events.ModelReplied("a", "execution", "openai/x", 1.5, Usage(10, 20, 5, 2)),
    events.AgentTurn("a", 1, "Let me see.", (ToolCall("1", "t", {"$": "x", "y": [{"z": None}]}),)),
    events.AgentToolCalled("a", 1, "t", {"x": 1}, True, "key", "0.1"),
    events.AgentToolReturned("a", 1, "t", 0.25, None, "0.1", {"raw": b"\0"}, "in short"),
    events.AgentToolReturned("a", 1, "t", 0.25, ERROR, "0.1", is_told=True),
    events.AgentLimited("a", 1, "tool_call_limit", 25),
    events.TextStreamed("a", "Hello"),
    events.StepDone("a", 1, {"at": WHEN, "raw": b"\0\xff"}, "a summary"),
    events.StepDone("a", 1, (1, 2, {"x"})),
    events.StepFailed("a", 1, ERROR, 0.5),
    events.StepCancelled("a", 1),
    events.StepSkipped("a", "a hook said so"),
    events.BranchTaken("a", 1),
    events.StepUncertain("a", 1, "t", {"x": 1}),
    events.ClarificationRaised("a", InputClarification(user_guidance="?", chosen={"x": 1})),
    events.ClarificationRaised("a", MultipleChoiceClarification(options=("a", 1, True))),
    events.ClarificationRaised("a", ActionClarification(action_url="https://example.org")),
    events.ClarificationRaised("a", UserVerificationClarification(subject={"tool_id": "t"})),
    events.ClarificationResolved("clar-1", "an answer", "form"),
    events.RunWaiting(),
    events.RunCompleted("a", None, "in short"),
    events.RunCompleted(None, 42),
    events.RunFailed(ERROR),
    events.RunStopped("enough"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_an_event_comes_back_from_its_json_as_it_was(event: AnyEvent) -> None:
    text = codecs.dumps(event_to_json(event))
    assert json.loads(text)["kind"] == event.kind
    assert event_from_json(codecs.loads(text)) == event


def test_every_kind_of_event_is_tried_here() -> None:
    known = set(events._KINDS)
    assert known == {event.kind for event in EVENTS}
    assert len(known) == len(AnyEvent.__args__)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.kind)
def test_an_event_can_not_be_changed(event: AnyEvent) -> None:
    for field in fields(event):
        with pytest.raises(AttributeError):
            setattr(event, field.name, None)


class City(BaseModel):
    name: str


def test_a_class_comes_back_where_the_reader_knows_it() -> None:
    data = event_to_json(events.StepDone("a", 1, City(name="Oslo")))
    again = event_from_json(json.loads(codecs.dumps(data)), {City.__qualname__: City})
    assert isinstance(again, events.StepDone) and again.value == City(name="Oslo")


HOSTILE: dict[str, Any] = {
    "not a number": float("nan"),
    "infinity": float("inf"),
    "a lone surrogate": "\ud800",
    "NUL": "a\0b",
    "5,001 digits": 10**5000,
    "minus zero": -0.0,
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_hostile_values_come_back_or_are_said_to_be_gone(value: Any) -> None:
    data = json.loads(codecs.dumps(event_to_json(events.StepDone("a", 1, value))))
    again = event_from_json(data)
    assert isinstance(again, events.StepDone)
    assert again.value == value or value != value or isinstance(again.value, codecs.Unkept)


def test_a_value_without_a_codec_is_described_and_nothing_raises() -> None:
    data = json.loads(codecs.dumps(event_to_json(events.StepDone("a", 1, object()))))
    again = event_from_json(data)
    assert isinstance(again, events.StepDone) and isinstance(again.value, codecs.Unkept)


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "of_tomorrow"},
        {},
        {"kind": "step_done"},
        {"kind": "step_started", "path": "a", "attempt": 1, "more": 1},
    ],
)
def test_what_is_no_event_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(StoreDamaged):
        event_from_json(data)


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Words(str):
    """Text of a class of its own."""


@pytest.mark.parametrize("value", [Colour.RED, Level.LOW, "\ud800\udc00", "\ud800", "\0", 2**80])
def test_a_value_that_looks_like_json_comes_back_as_what_it_is(value: Any) -> None:
    """JSON would forget an enum's class, and join two lone surrogates into one character."""
    classes: dict[str, type] = {"Colour": Colour, "Level": Level}
    for event in (events.StepDone("a", 1, value), events.RunCompleted(value=value)):
        data = json.loads(codecs.dumps(event_to_json(event)))
        back = event_from_json(data, classes).value  # type: ignore[union-attr]
        assert (type(back), back) == (type(value), value)


def test_text_of_a_class_of_its_own_is_kept_as_text() -> None:
    back = event_from_json(event_to_json(events.StepDone("a", 1, Words("x"))))
    assert back == events.StepDone("a", 1, "x")
