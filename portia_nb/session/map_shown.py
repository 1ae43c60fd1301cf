"""A map as text and as HTML: counts, the first rows, what failed, what waits, and how to go on."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any

from portia_nb.drawing.clean import clean, untypeset
from portia_nb.drawing.text import counted
from portia_nb.model.plain import to_text

from .map_row import MapRow, RowState

if TYPE_CHECKING:
    from .map_result import PlanMap

HEAD = 8
"""Rows that are shown."""
MOST_TROUBLES = 5
"""Rows in trouble that are named."""
MAX_CELL_CHARS = 80
_ORDER = (
    RowState.DONE,
    RowState.FAILED,
    RowState.WAITING,
    RowState.RUNNING,
    RowState.STOPPED,
    RowState.LEFT,
)


def counts_text(counts: Any) -> str:
    """Return how many rows are in which state, in one line.

    >>> counts_text({RowState.DONE: 3, RowState.FAILED: 1})
    '3 done, 1 failed'
    """
    return ", ".join(f"{counts[s]:,} {s.value}" for s in _ORDER if counts.get(s)) or "no rows"


def state_text(counts: Counter[RowState]) -> str:
    """Return how a map stands, in a few words.

    >>> state_text(Counter({RowState.DONE: 48, RowState.FAILED: 2}))
    'done, 2 of 50 rows failed'
    >>> state_text(Counter({RowState.DONE: 3, RowState.STOPPED: 1, RowState.LEFT: 2}))
    'stopped, 3 of 6 rows are done'
    """
    total, done, failed = counts.total(), counts[RowState.DONE], counts[RowState.FAILED]
    also = f", {failed:,} failed" if failed else ""
    if counts[RowState.RUNNING]:
        return f"running, {done:,} of {total:,} rows are done{also}"
    if counts[RowState.LEFT] or counts[RowState.STOPPED]:
        return f"stopped, {done:,} of {total:,} rows are done{also}"
    if waiting := counts[RowState.WAITING]:
        return f"needs you, {waiting:,} of {total:,} rows wait for an answer{also}"
    return f"done, {failed:,} of {counted(total, 'row')} failed" if failed else "done"


def notes_of(made: PlanMap) -> list[str]:
    """Return what is to be said beside the counts: what was reused, what failed, how to go on."""
    notes: list[str] = []
    same = sum(row.reused == "same row" for row in made.rows)
    earlier = sum(row.reused == "earlier" for row in made.rows)
    if same:
        notes.append(f"{_rows(same)} the same as another and took over its output")
    if earlier:
        notes.append(
            f"{_rows(earlier, past=True)} done before and not run again (--again, or reuse=False "
            "in Python, runs all)"
        )
    if made.already:
        had = "had been done and was" if made.already == 1 else "had been done and were"
        notes.append(
            f"it went on: {made.already:,} of {counted(len(made), 'row')} {had} not run again"
        )
    if made.total > len(made):
        notes.append(f"the first {len(made):,} of {made.total:,} rows; without limit= all are run")
    for row in made.failed[:MOST_TROUBLES]:
        assert row.error is not None
        step = f" at step {row.error.step}" if row.error.step else ""
        notes.append(f"row {_cell(row.label)} failed{step}: {_cell(_error(row), 300)}")
    if len(made.failed) > MOST_TROUBLES:
        notes.append(f"{len(made.failed) - MOST_TROUBLES:,} more failed: .failed has them all")
    notes += [
        f"row {_cell(row.label)} asks: {_cell(row.question, 300)}"
        for row in made.waiting[:MOST_TROUBLES]
    ]
    if waiting := made.waiting:
        notes.append(
            f"to answer: .answer({waiting[0].label!r}, …) for one row, or "
            ".retry(answers={'name': …}) for all; .retry() then goes on"
        )
    return notes + _how_to_go_on(made)


def _how_to_go_on(made: PlanMap) -> list[str]:
    """Say how a map that isn't complete stands, and what helps."""
    counts = made.counts
    if made.is_complete or counts[RowState.RUNNING]:
        return []
    is_early = counts[RowState.LEFT] or counts[RowState.STOPPED]
    why = f": {_cell(made.stop_reason, 300)}" if is_early and made.stop_reason else ""
    notes = [f"{state_text(counts)}{why}"]
    if is_early and "budget" in made.stop_reason:
        notes.append("with a larger budget it goes on: .retry(budget=…)")
    elif is_early:
        notes.append(
            f"to go on: .retry(), the same call again, or map({made.id!r}); rows that are done "
            "stay done"
        )
    elif made.failed:
        notes.append("to try the failed rows again: .retry(), or the same call; no other row runs")
    return notes


def reasons_of(made: PlanMap) -> list[str]:
    """Return a line for each row that isn't done though it was begun: what happened, in its run."""
    lines: list[str] = []
    for row in made.rows:
        if row.state is RowState.FAILED:
            step = f" at step {row.error.step}" if row.error and row.error.step else ""
            lines.append(f"row {_cell(row.label)} failed{step}: {_cell(_error(row), 300)}")
        elif row.state is RowState.WAITING:
            lines.append(f"row {_cell(row.label)} asks: {_cell(row.question, 300)}")
        elif row.state is RowState.STOPPED:
            lines.append(f"row {_cell(row.label)} was stopped")
        else:
            continue
        lines[-1] += f" (run {row.run_id})" if row.run_id else ""
    return lines


def text_of(made: PlanMap) -> str:
    """Return a map as text."""
    lines = [_head(made)]
    lines += [
        f"  {_cell(row.label, 20):<20} {row.state.value:<8} {_cell(_outcome(row))}"
        for row in made.rows[:HEAD]
    ]
    if len(made) > HEAD:
        lines.append(f"  … {len(made) - HEAD:,} more rows: .to_frame() has them all")
    return "\n".join(lines + [f"- {note}" for note in notes_of(made)])


def html_of(made: PlanMap) -> str:
    """Return a map as HTML without script; all that rows and runs say stands there escaped."""
    names = list(made.inputs(made.rows[0]))[:6] if made.rows else []
    heads = ["row", *names, "state", made.output, "seconds"]
    head = "".join(f'<th scope="col" style="text-align:left">{_safe(name)}</th>' for name in heads)
    rows: list[str] = []
    for row in made.rows[:HEAD]:
        given = made.inputs(row)
        seconds = "" if row.seconds is None else f"{row.seconds:.2f}"
        cells = [*(given.get(name) for name in names), row.state.value, _outcome(row), seconds]
        rows.append(
            f'<tr><th scope="row">{_safe(row.label)}</th>'
            + "".join(f'<td style="text-align:left">{_safe(cell)}</td>' for cell in cells)
            + "</tr>"
        )
    more = f"<p>… {len(made) - HEAD:,} more rows</p>" if len(made) > HEAD else ""
    notes = "".join(f"<li>{_safe(note, 400)}</li>" for note in notes_of(made))
    return (
        f"<div><p><strong>{_safe(_head(made), 300)}</strong></p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{more}"
        + (f"<ul>{notes}</ul>" if notes else "")
        + "</div>"
    )


def _head(made: PlanMap) -> str:
    cost = made.cost
    spent = f"; {cost}" if cost.calls else ""
    query = _cell(made.plan.plan_context.query) or "a plan"
    return f"{query}, for each row: {counts_text(made.counts)}; {made.seconds:.1f} s{spent}"


def _outcome(row: MapRow) -> Any:
    if row.state is RowState.DONE:
        return row.value
    return _error(row) if row.error is not None else row.question


def _error(row: MapRow) -> str:
    return "" if row.error is None else f"{row.error.type}: {row.error.message}"


def _rows(count: int, *, past: bool = False) -> str:
    one, more = ("was", "were") if past else ("is", "are")
    return f"1 row {one}" if count == 1 else f"{count:,} rows {more}"


def _cell(value: Any, most: int = MAX_CELL_CHARS) -> str:
    text = " ".join(clean(value if isinstance(value, str) else to_text(value)).split())
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _safe(value: Any, most: int = MAX_CELL_CHARS) -> str:
    return untypeset(escape(_cell(value, most), quote=True))
