"""What the views of a live run have been told, so that only differences follow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portia_nb.model.events import AnyEvent, TextStreamed
from portia_nb.model.plan import Plan
from portia_nb.model.rounds import place_of
from portia_nb.model.run import Run, StepRecord, StepState

from .plan_rows import Order, SideEffects, View, path_key
from .shown_output import OutputRoom, Shown
from .step_row import record_row, show_record
from .view_picture import draw_picture, packed
from .view_state import plan_view, run_head, run_view, show_final
from .visible_text import visible

FINAL_BYTES = 4_000


@dataclass
class _Sent:
    """What the views have been told, so that only differences follow."""

    head: View
    rows: dict[str, View]
    questions: list[View]
    text: dict[str, int]
    """By path, how much of a model's running text."""


class Deltas:
    """Says of one plan, then of its run, all there is at first, and then what changed.

    Not for two threads at once.
    """

    def __init__(
        self, plan: Plan, order: Order | None = None, side_effects: SideEffects | None = None
    ) -> None:
        """Begin with a plan that doesn't run; the arguments are those of `plan_view`."""
        self._plan = plan
        self._order = order
        self._side_effects = side_effects
        self._room = OutputRoom()
        self._outputs: dict[str, Shown | None] = {}
        self._dirty: set[str] = set()
        self._sent: _Sent | None = None

    @property
    def is_told(self) -> bool:
        """Tell whether a view has been told all there is."""
        return self._sent is not None

    def note(self, event: AnyEvent) -> None:
        """Take note of an event that the run has just applied."""
        path = touched(event)
        if path:
            self._dirty.add(path)
            if not isinstance(event, TextStreamed):
                self._outputs.pop(path, None)

    def forget(self) -> None:
        """Begin anew: no view is there any more."""
        self._sent = None

    def whole(self, run: Run | None, questions: list[View]) -> View:
        """Return everything: for the first view, and for those that a reload has made."""
        if run is None:
            view = plan_view(self._plan, order=self._order, side_effects=self._side_effects)
            head, rows = {"kind": "plan", "next": view["next"]}, {}
        else:
            view = run_view(run, order=self._order, side_effects=self._side_effects)
            head = self._head(run)
            rows = {p: record_row(run, r, self._output(run, p)) for p, r in run.steps.items()}
        picture = packed(draw_picture(self._plan, run, order=self._order, live=True))
        self._dirty.clear()
        text = {p: len(r.text) for p, r in run.steps.items()} if run is not None else {}
        self._sent = _Sent(head, rows, questions, text)
        # The browser's clock may be another machine's.
        now = round(time.time(), 3)
        return {**view, "questions": questions, "picture": picture, "now": now}

    def delta(self, run: Run | None, questions: list[View]) -> dict[str, Any]:
        """Return what changed since the views were told last, empty where nothing did."""
        sent = self._sent
        if sent is None:
            return {}
        delta: dict[str, Any] = {}
        if run is not None:
            head = self._head(run)
            if head != sent.head:
                delta["head"], sent.head = changes(sent.head, head), head
            steps = {path_key(p): self._row_changes(run, p, sent) for p in sorted(self._dirty)}
            steps |= self._places_changes(run, sent)
            if any(steps.values()):
                delta["steps"] = {path: changed for path, changed in steps.items() if changed}
        self._dirty.clear()
        if questions != sent.questions:
            delta["questions"] = sent.questions = questions
        return delta

    def _head(self, run: Run) -> View:
        head: View = {"kind": "run", "id": run.id, "began": run.created_at, **run_head(run)}
        final = run.final is not None and show_final(run, OutputRoom(total_bytes=FINAL_BYTES))
        return {**head, "final": final} if final else head

    def _places_changes(self, run: Run, sent: _Sent) -> dict[str, View]:
        """Return what changes in the rows, and so in the cards, of steps that run in rounds."""
        newest: dict[str, StepRecord] = {}
        for path in self._dirty:
            record, place = run.steps.get(path), place_of(path)
            if record is None or place == path or path.endswith("]"):
                continue
            other = newest.get(place)
            if other is None or (record.started_at or 0) >= (other.started_at or 0):
                newest[place] = record
        found: dict[str, View] = {}
        for place, record in newest.items():
            row = {"state": record.state.value}
            found[path_key(place)] = changes(sent.rows.get(place, {}), row)
            sent.rows[place] = row
        return found

    def _row_changes(self, run: Run, path: str, sent: _Sent) -> View:
        record = run.steps.get(path)
        if record is None:
            return {}
        row = record_row(run, record, self._output(run, path))
        changed = changes(sent.rows.get(path, {}), row)
        sent.rows[path] = row
        before, length = sent.text.get(path, 0), len(record.text)
        if record.state is StepState.RUNNING and 0 < before <= length:
            changed.pop("text", None)
            if length > before:
                changed["more_text"] = visible(record.text[before:])
        sent.text[path] = length if record.state is StepState.RUNNING else 0
        return changed

    def _output(self, run: Run, path: str) -> Shown | None:
        if path not in self._outputs:
            self._outputs[path] = show_record(run.steps[path], self._room)
        return self._outputs[path]


def touched(event: AnyEvent) -> str:
    """Return the path of the step whose row an event changes, ``""`` if only the run's head."""
    return getattr(event, "path", None) or ""


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what turns `before` into `after`: new values by key, None for keys that went.

    >>> changes({"state": "running", "text": "a"}, {"state": "done"})
    {'state': 'done', 'text': None}
    """
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    return changed | {key: None for key in before if key not in after}
