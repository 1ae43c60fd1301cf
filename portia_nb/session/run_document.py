"""A run as one document to share: `run.json`, and the same by lines.

The document is JSON::

    {
      "format": "portia-nb-run", "version": 1, "made_with": "portia-nb 0.1.0",
      "values": true,            false: values were left out
      "redacted": [{"place": …, "why": …}],
      "run": {"id", "plan_id", "plan_hash", "state", "created_at", "events"},
      "plan": {…},               as `Plan.model_dump_json` prints it
      "events": [{"seq": 1, "at": …, "event": {"kind": …, …}}]
    }

``at`` and ``created_at`` are seconds since the epoch. Each event has the fields of its class in
`portia_nb.model.events`, values as `portia_nb.model.codecs` writes them. ``plan_hash`` is that of
the plan as it stands there. Nothing in it depends on when or where it was made, so the same run
makes the same bytes. `portia_nb.storage.importing` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from portia_nb.errors import StorageError
from portia_nb.model import codecs
from portia_nb.model.events import Recorded, event_from_json, event_to_json
from portia_nb.model.plan import Plan
from portia_nb.model.run import Run, replay
from portia_nb.storage.contents import DOCUMENT, DOCUMENT_VERSION
from portia_nb.storage.export import FORMAT, HEADER
from portia_nb.storage.store import RunRow, Store

from .redacting import Redacted, Redactor

LEFT_OUT = "left out"
_VALUES = ("value", "response", "end_user_data")
_BY_NAME = ("arguments", "inputs")
_OF_QUESTIONS = ("response", "default", "subject", "chosen", "options", "data")


@dataclass(frozen=True, slots=True)
class RunDocument:
    """A run as it is shared: without secrets, and perhaps without values."""

    row: RunRow
    plan: Plan
    plan_json: dict[str, Any]
    events: tuple[dict[str, Any], ...]
    """``{"seq", "at", "event"}`` each."""
    redacted: tuple[Redacted, ...]
    has_values: bool

    def as_json(self) -> str:
        """Return the text of the document."""
        document = {
            "format": DOCUMENT,
            "version": DOCUMENT_VERSION,
            "made_with": made_with(),
            "values": self.has_values,
            "redacted": [{"place": r.place, "why": r.why} for r in self.redacted],
            "run": self._head(),
            "plan": self.plan_json,
            "events": list(self.events),
        }
        return json.dumps(document, ensure_ascii=True, allow_nan=False, indent=1) + "\n"

    def as_lines(self) -> Iterator[str]:
        """Yield the lines of a trace, as `store export` writes them: a line an event."""
        head = self._head()
        yield codecs.dumps({HEADER: FORMAT, "made_with": made_with()})
        yield codecs.dumps(
            {"plan": self.plan_json, "hash": head["plan_hash"], "saved_at": head["created_at"]}
        )
        yield codecs.dumps({"run": head.pop("id"), **head})
        yield from map(codecs.dumps, self.events)

    def recorded(self) -> list[Recorded]:
        """Return the events as objects."""
        return [
            Recorded(each["seq"], each["at"], self.row.run_id, event_from_json(each["event"]))
            for each in self.events
        ]

    def run(self) -> Run:
        """Return what the events add up to."""
        return replay(self.row.run_id, self.plan, self.recorded())

    def _head(self) -> dict[str, Any]:
        return {
            "id": self.row.run_id,
            "plan_id": str(self.plan.id),
            "plan_hash": self.plan.content_hash(),
            "state": self.row.state.value,
            "created_at": self.row.created_at,
            "events": len(self.events),
        }


def made_with() -> str:
    """Return what made a document: the program's name and version."""
    return f"portia-nb {metadata.version('portia-nb')}"


def document_of(store: Store, run_id: str, redactor: Redactor, *, values: bool) -> RunDocument:
    """Return a kept run as a document.

    Args:
        store: where it is kept.
        run_id: which.
        redactor: takes out what must not be shared; a new one.
        values: False: leave out values, arguments, inputs, answers and what models said.

    Raises:
        PlanRunNotFoundError: the store holds no such run.
        StorageError: it can't be read, or its plan makes no sense without its secrets.
    """
    row = store.find_run(run_id)
    plan = store.load_plan(row.plan_id, plan_hash=row.plan_hash).model_dump(mode="json")
    events = [(r.seq, r.at, event_to_json(r.event)) for r in store.load_events(run_id)]
    redactor.learn(plan, *(event for *_, event in events))
    mended = redactor.plan(plan)
    kept = tuple(
        {"seq": seq, "at": at, "event": redactor.event(seq, _cut(event, values))}
        for seq, at, event in events
    )
    try:
        without = Plan.model_validate(mended)
    except ValueError as error:
        raise StorageError(
            f"run {run_id} can't be shared: names in its plan hold secrets, and without them it is "
            "no plan any more",
            run_id=run_id,
        ) from error
    mended = without.model_dump(mode="json")
    return RunDocument(row, without, mended, kept, tuple(redactor.found), values)


def _cut(event: dict[str, Any], values: bool) -> dict[str, Any]:
    """Return an event's JSON without the values in it, unless `values` are wanted."""
    if values:
        return event
    cut: dict[str, Any] = dict(event)
    for key in _VALUES:
        if not isinstance(cut.get(key), bool | None):
            cut[key] = None if key == "end_user_data" else _left_out()
    for key in _BY_NAME:
        if isinstance(cut.get(key), dict):
            cut[key] = {name: _left_out() for name in cut[key] if name != codecs.TAG}
    if "summary" in cut:
        cut["summary"] = None
    if event.get("kind") == "agent_turn":
        calls = [{**call, "arguments": {}} for call in event["calls"]]
        cut |= {"text": "", "calls": calls}
    if "clarification" in cut:
        asked = cut["clarification"]
        cut["clarification"] = {
            key: each for key, each in asked.items() if key not in _OF_QUESTIONS
        } | {key: [] if key == "options" else None for key in _OF_QUESTIONS if key in asked}
        if "data" in asked:
            cut["clarification"]["data"] = {}
    return cut


def _left_out() -> dict[str, str]:
    return {codecs.TAG: "unkept", "type": LEFT_OUT, "text": "left out of this file"}
