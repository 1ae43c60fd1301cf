"""What a run adds to a step's row: state, times, attempts, error, output."""

from __future__ import annotations

from portia_nb.drawing.looks import REUSED
from portia_nb.model.events import ErrorRecord
from portia_nb.model.refusal import was_refused
from portia_nb.model.run import Run, StepRecord, StepState

from .plan_rows import MAX_TASK_CHARS, View
from .shown_output import OutputRoom, Shown
from .spent_words import spent_by_step
from .visible_text import one_line, visible

MAX_ERROR_CHARS = 2_000
MAX_STREAM_CHARS = 20_000
SHOWN_ATTEMPTS = 5
"""Failed attempts of one step, the last ones before its latest error."""
SHOWN_STRETCHES = 40
"""Tries and waits of one step, the last ones, that its row tells of."""


def record_row(run: Run, record: StepRecord, output: Shown | None) -> View:
    """Return what a run adds to a step's row; `output` is its output, cut already."""
    state = shown_state(run, record)
    row: View = {"state": "uncertain" if record.uncertain else state.value}
    if record.failures:
        # Not `record.attempt`: a step that asked was attempted before it asked, too.
        row["attempt"] = record.failures + (record.state is not StepState.FAILED)
    for key, at in (("start", record.started_at), ("end", record.ended_at)):
        if at is not None:
            row[key] = milliseconds(run, at)
    if record.history:
        row["past"] = [
            [s.kind, milliseconds(run, s.start), s.end and milliseconds(run, s.end), s.state]
            for s in record.history[-SHOWN_STRETCHES:]
        ]
    is_refused = was_refused(run, record)
    row |= _what_failed(record, is_refused)
    if is_refused:
        row["reason"] = "answered no"
    elif record.reason:
        row["reason"] = one_line(record.reason, MAX_TASK_CHARS)
    elif record.reused:
        row["reason"] = REUSED.get(record.reused, "reused")
    if record.tool_under_way is not None and state is StepState.RUNNING:
        row["calls"] = one_line(_calls(record, record.tool_under_way.tool_id), 120)
    row |= _who_was_asked(run, record)
    if record.text and state is StepState.RUNNING:
        row["text"] = visible(record.text[-MAX_STREAM_CHARS:])
    if output is not None:
        row["output"] = output
    return row


def shown_state(run: Run, record: StepRecord) -> StepState:
    """Return a step's state; stopped, where its process ended under way, or a no ended it."""
    was_running = record.state is StepState.RUNNING and run.has_died
    return StepState.STOPPED if was_running or was_refused(run, record) else record.state


def _what_failed(record: StepRecord, is_refused: bool) -> View:
    """Return the step's error, and those of the attempts before."""
    row: View = {}
    before = record.errors or []
    if record.error is not None:
        if not is_refused:
            row["error"] = show_error(record.error)
        before = before[:-1] if before and before[-1] is record.error else before
    if before:
        row["attempts"] = [{"error": show_attempt(error)} for error in before[-SHOWN_ATTEMPTS:]]
    return row


def _who_was_asked(run: Run, record: StepRecord) -> View:
    """Return which model a step asked last, and what all its calls have cost."""
    row: View = {}
    if record.model:
        row["model"] = one_line(record.model, 120)
    if spent := spent_by_step(run, record):
        row["spent"] = spent
    return row


def show_attempt(error: ErrorRecord) -> View:
    """Return an error in short, as one of several attempts."""
    return {"type": one_line(error.type, 120), "message": one_line(error.message, 300)}


def _calls(record: StepRecord, latest: str) -> str:
    """Return what a step calls now; of an agent all its calls, and how many it has made."""
    if record.conversation is None:
        return latest
    made = sum(call.returned is not None for call in record.conversation.calls())
    now = record.conversation.under_way(record.attempt)
    names = ", ".join(call.tool_id for call in now) or latest
    return f"{names} ({made} made)" if made else names


def show_record(record: StepRecord, room: OutputRoom) -> Shown | None:
    """Return a done step's output, cut to what `room` has left; None where there is none."""
    if record.state is not StepState.DONE:
        return None
    return room.show(record.value, record.summary)


def show_error(error: ErrorRecord) -> View:
    """Return an error as a card shows it."""
    shown: View = {
        "type": one_line(error.type, 120),
        "message": visible(error.message[:MAX_ERROR_CHARS]),
    }
    if error.step:
        shown["step"] = one_line(error.step, 120)
    if error.traceback:
        shown["traceback"] = visible(error.traceback[-MAX_ERROR_CHARS:])
    return shown


def milliseconds(run: Run, at: float) -> int:
    """Return a moment as milliseconds after the run began."""
    return round((at - (run.created_at or at)) * 1000)
