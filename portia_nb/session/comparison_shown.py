"""A comparison of two runs as text and as HTML: the same tables, said twice."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from portia_nb.drawing.clean import clean, prose
from portia_nb.drawing.looks import LOOKS, REUSED
from portia_nb.drawing.text import cells, counted, cut_cells, short_text
from portia_nb.model.codecs import Unkept, to_plain_json
from portia_nb.model.estimate import dollars
from portia_nb.model.run import PlanRunState
from portia_nb.planning.difference import PlanChange

from .comparison import How, RunComparison, RunSide, StepComparison, StepSide, ValueComparison
from .comparison_details import details_html, details_of, details_text
from .history import WORDS

TEXT_VALUE, HTML_VALUE = 60, 110
"""Characters of a value: the beginning, or of two that begin alike, the part that differs."""
MAX_PATH = 40
MAX_LISTED = 60
"""Steps above which those that are equal are only counted."""
MAX_ROWS = 300
MAX_CELLS = 50
"""Cells of a table or an array whose values are shown; of larger ones the shape."""

_HOW: dict[How, str] = {
    "equal": "= equal",
    "differs": "≠ differs",
    "only in a": "- only in A",
    "only in b": "+ only in B",
    "can't tell": "? can't tell",
    "none": "",
}
_SIGNS = {"added": "+ added", "removed": "- removed", "edited": "~ edited"}


class _Table(NamedTuple):
    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    more: str = ""
    """What stands below it."""


def to_text(found: RunComparison) -> str:
    """Return a comparison as text: no control, format or terminal sequence passes."""
    lines = [_headline(found)]
    for table in _tables(found, TEXT_VALUE):
        lines += ["", *([table.title] if table.title else [])]
        rows = [row for row in (table.head, *table.rows) if any(row)]
        widths = [max(cells(row[n]) for row in rows) for n in range(len(table.head))]
        for row in rows:
            padded = (cell + " " * (w - cells(cell)) for cell, w in zip(row, widths, strict=True))
            lines.append("  ".join(padded).rstrip())
        if table.more:
            lines.append(table.more)
    return "\n".join([*lines, *details_text(details_of(found))])


def to_html(found: RunComparison) -> str:
    """Return a comparison as HTML on a single line, in the look of a run that is shown.

    Guarantees: every text is escaped; there is no script, link, style sheet or address. Colours are
    the page's, light or dark.
    """
    parts = [f"<p><b>{prose(_headline(found))}</b></p>"]
    for table in _tables(found, HTML_VALUE):
        title = f"<p><b>{prose(table.title)}</b></p>" if table.title else ""
        more = f"<p><i>{prose(table.more)}</i></p>" if table.more else ""
        head = "".join(map(_head_cell, table.head))
        head = f"<thead><tr>{head}</tr></thead>" if any(table.head) else ""
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in table.rows)
        parts.append(f"{title}<table>{head}<tbody>{body}</tbody></table>{more}")
    parts.append(details_html(details_of(found)))
    return f'<div class="portia-record">{"".join(parts)}</div>'


def _head_cell(text: str) -> str:
    # A heading without words would be read out as one.
    tag = 'th scope="col"' if text else "td"
    return f'<{tag} style="text-align:left">{prose(text)}</{tag.split()[0]}>'


def _cell(text: str) -> str:
    return f'<td style="text-align:left">{prose(text)}</td>'


def _headline(found: RunComparison) -> str:
    if found.is_same:
        return "The two runs are the same: plan, inputs, answers and every output."
    with_output = [step for step in found.steps if step.how != "none"]
    differing = len(found.differing)
    parts = [f"{differing} of {counted(len(with_output), 'output')} differ"]
    if differing == 1:
        parts = [f"1 of {counted(len(with_output), 'output')} differs"]
    if found.plan:
        parts.append(f"{counted(len(found.plan), 'change')} in the plan")
    if found.a.state != found.b.state:
        parts.append(f"{_state(found.a)} became {_state(found.b)}")
    return f"Two runs compared: {', '.join(parts)}."


def _state(side: RunSide) -> str:
    return WORDS[PlanRunState(side.state)]


def _tables(found: RunComparison, room: int) -> Iterator[_Table]:
    yield _overview(found)
    if found.plan:
        rows = [_plan_row(change) for change in found.plan[:MAX_ROWS]]
        yield _Table("Plan", ("step", "", "what"), rows)
    for title, values in (("Inputs", found.inputs), ("Answers", found.answers)):
        if values:
            rows = [_value_row(each, room) for each in values[:MAX_ROWS]]
            yield _Table(title, ("name", "", "A", "B"), rows)
    yield _steps(found.steps, room)
    if found.final.how != "none":
        yield _Table("Final output", ("", "A", "B"), [_value_row(found.final, room)[1:]])


def _overview(found: RunComparison) -> _Table:
    a, b = found.a, found.b

    def row(name: str, one: Any, other: Any) -> tuple[str, ...]:
        return (name, clean(str(one)), clean(str(other)))

    rows = [
        row("run", a.run_id, b.run_id),
        row("state", _state(a), _state(b)),
        row("forked from", _origin(a, b, "B"), _origin(b, a, "A")),
        row("steps executed", a.executed, b.executed),
        row("outputs reused", a.reused, b.reused),
        row("time", _seconds(a.seconds), _seconds(b.seconds)),
        row("model calls", f"{a.model_calls:,}", f"{b.model_calls:,}"),
    ]
    if a.model_calls or b.model_calls:
        rows += [
            row("tokens sent", f"{a.input_tokens:,}", f"{b.input_tokens:,}"),
            row("tokens back", f"{a.output_tokens:,}", f"{b.output_tokens:,}"),
            row("cost of models", dollars(a.cost), dollars(b.cost)),
        ]
    return _Table("", ("", "A", "B"), [each for each in rows if any(each[1:])])


def _origin(side: RunSide, other: RunSide, letter: str) -> str:
    if side.forked_from == other.run_id:
        return f"run {letter}"
    return side.forked_from or ""


def _plan_row(change: PlanChange) -> tuple[str, ...]:
    where = _path(change.place) if change.place else "(the plan itself)"
    return (where, _SIGNS[change.change], clean(", ".join(change.fields)))


def _value_row(each: ValueComparison, room: int) -> tuple[str, ...]:
    one, other = _two_texts(each.a, each.b, room)
    if each.how == "equal":
        other = "same"
    one = "" if each.how == "only in b" else one
    other = "" if each.how == "only in a" else other
    return (_path(each.name), _HOW[each.how], one, other)


def _steps(steps: Sequence[StepComparison], room: int) -> _Table:
    listed = list(steps)
    if len(listed) > MAX_LISTED:
        listed = [step for step in steps if step.how not in ("equal", "none")]
    shown = listed[:MAX_ROWS]
    rows = [_step_row(step, room) for step in shown]
    left = len(steps) - len(shown)
    cut = len(listed) > len(shown)
    more = f"{counted(left, 'more step')} {'is' if left == 1 else 'are'} not listed"
    equal = f"{counted(left, 'step')} more, without a difference"
    return _Table(
        "Outputs", ("step", "", "A", "B"), rows, "" if not left else more if cut else equal
    )


def _step_row(step: StepComparison, room: int) -> tuple[str, ...]:
    one, other = _two_texts(
        None if step.a is None else step.a.value,
        None if step.b is None else step.b.value,
        room,
    )
    if step.how == "equal":
        other = "same"
    a, b = _side_text(step.a, one), _side_text(step.b, other)
    return (_path(step.path), _HOW[step.how], a, b)


def _side_text(side: StepSide | None, text: str) -> str:
    if side is None:
        return "-"
    if side.state != "done":
        look = LOOKS[side.state]  # type: ignore[index]
        return f"{look.symbol} {look.word}"
    return f"{text} ({REUSED.get(side.reused, 'reused')})" if side.reused else text


def _path(path: str) -> str:
    return cut_cells(clean(path), MAX_PATH)


def _two_texts(one: Any, other: Any, room: int) -> tuple[str, str]:
    """Return two values on a line each; of long ones that begin alike, from where they differ."""
    a, b = (_text(value) for value in (one, other))
    if max(len(a), len(b)) > room and a != b:
        alike = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
        if alike > room // 2:
            start = alike - room // 4
            a, b = (f"…{text[start:]}" for text in (a, b))
    return cut_cells(a, room), cut_cells(b, room)


def _text(value: Any) -> str:
    if isinstance(value, Unkept):
        return clean(f"<not kept: {value.type_name}>")
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        if math.prod(shape) <= MAX_CELLS:
            return short_text(to_plain_json(value), 2_000)
        # Tables and arrays: their beginning says little, and looks it up slowly.
        return clean(f"{type(value).__name__}, {' x '.join(str(each) for each in shape)}")
    return short_text(value, 2_000)


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    minutes, rest = divmod(seconds, 60)
    return f"{rest:.1f} s" if not minutes else f"{minutes:.0f} min {rest:.0f} s"
