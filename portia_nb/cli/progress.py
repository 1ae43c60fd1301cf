"""A run's events as lines: time since it started, state as symbol and word, step, what came out."""

from __future__ import annotations

from portia_nb.drawing.looks import LOOKS, REUSED
from portia_nb.drawing.picture import ShownState
from portia_nb.drawing.plan_picture import note_of
from portia_nb.drawing.text import cut_cells, short_text
from portia_nb.errors import StepNotFoundError
from portia_nb.model import codecs
from portia_nb.model.events import (
    AgentLimited,
    AgentToolCalled,
    ClarificationRaised,
    ClarificationResolved,
    ErrorRecord,
    Recorded,
    RunStarted,
    StepCancelled,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
    StepUncertain,
)
from portia_nb.model.refusal import refused_by
from portia_nb.model.run import Run

from .terminal import Line

MAX_OUTPUT_CHARS = 400
_WORD_CELLS = 11
_COLOURS: dict[ShownState, str] = {
    "running": "blue",
    "done": "green",
    "failed": "red",
    "asking": "yellow",
    "skipped": "dim",
    "stopped": "dim",
    "uncertain": "purple",
}
BY_HAND = "terminal"
"""Who has answered, where a person typed the answer here."""


class Progress:
    """Turns the events of one run into lines, in order; on whichever thread the events come."""

    def __init__(self, width: int) -> None:
        """Make lines of at most `width` columns."""
        self._width = width
        self._started_at: float | None = None

    def line(self, run: Run, recorded: Recorded) -> Line | None:
        """Return the line that tells of an event, None where there is nothing to tell."""
        if isinstance(recorded.event, RunStarted) or self._started_at is None:
            self._started_at = recorded.at
        told = _told(run, recorded)
        if told is None:
            return None
        state, path, text = told
        elapsed = f"{max(recorded.at - self._started_at, 0):6.1f} s  "
        look = LOOKS[state]
        word = f"{look.symbol} {look.word}".ljust(_WORD_CELLS)
        room = max(self._width - len(elapsed) - _WORD_CELLS - 2, 20)
        return elapsed, (word, _COLOURS[state]), "  " + cut_cells(f"{path}  {text}".strip(), room)


def _told(run: Run, recorded: Recorded) -> tuple[ShownState, str, str] | None:
    match recorded.event:
        case StepStarted(path):
            return "running", path, _what(run, path)
        case AgentToolCalled(path, _, tool_id, arguments):
            return "running", path, f"calls {tool_id} {short_text(codecs.to_text(arguments))}"
        case AgentLimited(path, _, limit, allowed):
            return "running", path, f"{limit}={allowed} is reached: it answers from what it has"
        case StepDone(path):
            took, record = _took(run, path, recorded.at), run.record(path)
            shown = short_text(record.summary or record.value, MAX_OUTPUT_CHARS)
            return "done", path, f"{REUSED.get(record.reused) or took} → {shown}"
        case StepFailed(path, _, error, None):
            is_no = refused_by(error, run.clarifications_of(path))
            return ("stopped", path, "answered no") if is_no else ("failed", path, _error(error))
        case StepFailed(path, _, error, retry_in_s):
            return "failed", path, f"{_error(error)}; again in {retry_in_s:g} s"
        case StepSkipped(path, reason):
            return "skipped", path, short_text(reason)
        case StepCancelled(path):
            return "stopped", path, ""
        case StepUncertain(path, _, tool_id):
            return "uncertain", path, f"whether {short_text(tool_id)} took effect is not known"
        case ClarificationRaised(path, asked):
            return "asking", path, short_text(asked.user_guidance)
        case ClarificationResolved(clarification_id, response, by) if by != BY_HAND:
            asked = run.clarifications[clarification_id]
            return "asking", asked.path or "", f"answered by {by}: {short_text(response)}"
        case _:
            return None


def _what(run: Run, path: str) -> str:
    try:
        step = run.plan.step(path)
    except StepNotFoundError:
        return ""
    note = note_of(step)
    return step.task if note in step.task else f"{note}: {step.task}"


def _took(run: Run, path: str, at: float) -> str:
    started = run.record(path).started_at
    return "" if started is None else f"{max(at - started, 0):.1f} s"


def _error(error: ErrorRecord) -> str:
    return short_text(f"{error.type}: {error.message}", MAX_OUTPUT_CHARS)
