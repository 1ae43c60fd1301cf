"""Plans and runs as plain text: what a terminal, a log or a front end without HTML shows."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from reprlib import Repr
from typing import Any

from portia_nb.model.composite import AnyStep, bodies
from portia_nb.model.order import Waits
from portia_nb.model.plan import Plan
from portia_nb.model.refusal import was_refused
from portia_nb.model.rounds import latest_records
from portia_nb.model.run import Run, StepRecord

from .clean import clean
from .looks import LOOKS, REUSED
from .picture import ShownState
from .plan_picture import kind_of, plain_waits, shown_states

WIDTH = 100
MAX_NAME = 32
MAX_NOTE = 24
MAX_WAITS = 24
MIN_TASK = 24
GAP = "  "
_PLACE_LEGEND = (
    "(place: …) waits its turn, as that step or this one may have side effects;",
    "side_effect=False frees a tool or function that only reads.",
)


def plan_to_text(
    plan: Plan,
    states: Mapping[str, ShownState] | None = None,
    *,
    order: Mapping[str, Waits] | None = None,
    width: int = WIDTH,
) -> str:
    """Return a plan as an aligned list: number, state, name, tool, what it waits for, task.

    Args:
        plan: any plan.
        states: how steps stand, by name; None leaves the column out.
        order: what each step waits for, as in `plan_picture`.
        width: columns to fill; tasks are cut to it, other columns never.

    Guarantees: no control, format or terminal sequence passes.

    >>> print(plan_to_text(Plan(steps=[{"task": "Say hello", "output": "$hello"}])))
    Plan: 1 step
    1  hello  model  Say hello
    """
    head = clean(plan.plan_context.query)
    count = counted(len(plan.steps), "step")
    lines = [cut_cells(f"Plan: {head} ({count})" if head else f"Plan: {count}", width)]
    waits = plain_waits(plan) if order is None else order
    listed = list(_listed(plan.steps))
    number = {place: number for number, place, _ in listed}
    rows = [
        [
            number[place],
            *([] if states is None else [state_text(states.get(place, "waiting"))]),
            _name_text(step, place),
            cut_cells(clean(kind_of(step)), MAX_NOTE),
            _waits_text(waits.get(place, Waits((), ())), place, number),
            clean(step.task),
        ]
        for _, place, step in listed
    ]
    lines += _aligned(rows, width)
    if any(wait.place for wait in waits.values()):
        lines += _PLACE_LEGEND
    return "\n".join(lines)


def counted(count: int, noun: str) -> str:
    """Return so many of something, in the plural where it isn't one.

    >>> counted(1, "tool"), counted(2, "tool")
    ('1 tool', '2 tools')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def run_to_text(run: Run, *, width: int = WIDTH) -> str:
    """Return how a run stands: a line for each step with its state, time, and output or error.

    Values are cut to one line of `width` columns. Same guarantees as `plan_to_text`.
    """
    states = shown_states(run)
    rows = []
    records = latest_records(run)
    for number, place, step in _listed(run.plan.steps):
        record = records.get(place)
        rows.append(
            [
                number,
                state_text(states.get(place, "waiting")),
                _name_text(step, place),
                cut_cells(clean(kind_of(step)), MAX_NOTE),
                _elapsed_text(record),
                _outcome_text(run, record),
            ]
        )
    origin = f" (forked from {clean(run.forked_from)})" if run.forked_from else ""
    died = ", but its process has ended: resume goes on with it" if run.has_died else ""
    lines = [f"Run {clean(run.id)}: {run.state}{died}{origin}", *_aligned(rows, width)]
    lines += [cut_cells(f"? {clean(q.user_guidance)}", width) for q in run.outstanding()]
    if run.final is not None:
        lines.append(cut_cells(f"Final output: {short_text(run.final.value)}", width))
    return "\n".join(lines)


def state_text(state: ShownState) -> str:
    """Return a state as symbol and word.

    >>> state_text("asking")
    '? needs you'
    """
    look = LOOKS[state]
    return f"{look.symbol} {look.word}"


def short_text(value: Any, max_chars: int = 400) -> str:
    """Return a value on one line: text as it is, anything else by its `repr`, cut and cleaned.

    Only the beginning of a long text is looked at.
    """
    try:
        text = value if isinstance(value, str) else _brief(max_chars).repr(value)
    except Exception as error:
        # A user's own __repr__ may do anything; a listing must not fail by it.
        text = f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    text = " ".join(clean(text[: max_chars + 1]).split())
    return text if len(text) <= max_chars else text[:max_chars] + "…"


def _brief(max_chars: int) -> Repr:
    """Return a `repr` that looks at the beginning of a large list or dict only."""
    brief = Repr()
    brief.maxlist = brief.maxtuple = brief.maxdict = brief.maxset = brief.maxfrozenset = 40
    brief.maxstring = brief.maxother = brief.maxlong = max_chars
    return brief


def cells(text: str) -> int:
    """Count the terminal columns that `text` fills; wide characters fill two.

    >>> cells("日本 é")
    6
    """
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.combining(char)
        else 2
        if unicodedata.east_asian_width(char) in ("W", "F")
        else 1
        for char in text
    )


def cut_cells(text: str, columns: int) -> str:
    """Return `text` if it fits in `columns`, else its beginning with an ellipsis."""
    if len(text) <= columns * 8 and cells(text) <= columns:
        return text
    kept: list[str] = []
    room = columns - 1
    # Marks take no column, so a bound on characters too keeps a line of them short.
    for char in text[: columns * 4]:
        room -= cells(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept).rstrip() + "…"


def _listed(
    steps: Sequence[AnyStep], prefix: str = "", number: str = ""
) -> Iterator[tuple[str, str, AnyStep]]:
    """Yield each step with its number, such as ``2.1``, and its place, those inside it after it.

    Numbers begin with 1, as in the notebook's view; names such as ``step_0`` stay what they are.
    """
    for index, step in enumerate(steps, 1):
        yield f"{number}{index}", prefix + step.name, step
        held = [inner for body in bodies(step) for inner in body]
        yield from _listed(held, f"{prefix}{step.name}/", f"{number}{index}.")


def _name_text(step: AnyStep, place: str) -> str:
    return cut_cells("  " * place.count("/") + clean(step.name), MAX_NAME)


def _waits_text(waits: Waits, of: str, number: Mapping[str, str]) -> str:
    prefix = of[: of.rfind("/") + 1]
    data = ", ".join(number[prefix + name] for name in waits.data if prefix + name in number)
    place = ", ".join(number[prefix + name] for name in waits.place if prefix + name in number)
    parts = [f"← {data}" if data else "", f"(place: {place})" if place else ""]
    return cut_cells(" ".join(part for part in parts if part), MAX_WAITS)


def _elapsed_text(record: StepRecord | None) -> str:
    if record is None or record.started_at is None or record.ended_at is None:
        return ""
    return f"{max(record.ended_at - record.started_at, 0):.1f} s"


def _outcome_text(run: Run, record: StepRecord | None) -> str:
    if record is None:
        return ""
    if was_refused(run, record):
        return "answered no"
    if record.error is not None:
        return short_text(f"{record.error.type}: {record.error.message}")
    if record.reason:
        return short_text(record.reason)
    reused = REUSED.get(record.reused, "")
    if record.value is None:
        return reused
    value = short_text(record.summary or record.value)
    return f"{reused}: {value}" if reused else value


def _aligned(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Line columns up; empty columns go, and the last is cut to what is left of `width`."""
    if not rows:
        return []
    widths = [max(cells(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        text = ""
        for column, cell in enumerate(row[:-1]):
            if widths[column]:
                pad = " " * (widths[column] - cells(cell))
                # Numbers of steps stand right.
                text += (pad + cell if column == 0 else cell + pad) + GAP
        if row[-1]:
            text += cut_cells(row[-1], max(width - cells(text), MIN_TASK))
        lines.append(text.rstrip())
    return lines
