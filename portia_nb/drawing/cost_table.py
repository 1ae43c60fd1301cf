"""What a run has spent on models as a table, in text and in HTML: a row for each step, and in all.

>>> from portia_nb.model.cost import RunCost, StepCost
>>> find = StepCost(2, 1_000, 200, 0.0055, ("openai/gpt-5.4",))
>>> print(cost_text(RunCost(2, 1_000, 200, 0.0055, find.models, {"find": find})))
step  calls  tokens in  tokens out     cost  models
find      2      1,000         200  $0.0055  openai/gpt-5.4
"""

from __future__ import annotations

from collections.abc import Sequence

from portia_nb.model.cost import RunCost, StepCost

from .clean import clean, prose
from .text import cells

_HEAD = ("step", "calls", "tokens in", "tokens out", "cost", "models")
_FIGURES = range(1, 5)
_NOTHING = "No model was asked."


def cost_text(cost: RunCost) -> str:
    """Return the table as plain text, without control characters."""
    if not cost.steps:
        return _NOTHING
    rows = [_HEAD, *_rows(cost)]
    widths = [max(cells(row[n]) for row in rows) for n in range(len(_HEAD))]
    return "\n".join(
        "  ".join(_padded(cell, widths[n], n) for n, cell in enumerate(row)).rstrip()
        for row in rows
    )


def cost_html(cost: RunCost) -> str:
    """Return the table as HTML for a notebook: no script, everything escaped, on one line."""
    if not cost.steps:
        return f'<div class="portia-record"><p>{_NOTHING}</p></div>'
    head = "".join(f'<th scope="col"{_side(n)}>{cell}</th>' for n, cell in enumerate(_HEAD))
    body = "".join(
        "<tr>"
        + "".join(f"<td{_side(n)}>{prose(cell)}</td>" for n, cell in enumerate(row))
        + "</tr>"
        for row in _rows(cost)
    )
    return (
        f'<div class="portia-record"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _rows(cost: RunCost) -> Sequence[tuple[str, ...]]:
    rows = [_row(path or "(planning)", step) for path, step in cost.steps.items()]
    return rows if len(rows) == 1 else [*rows, _row("in all", cost)]


def _row(name: str, cost: StepCost) -> tuple[str, ...]:
    return (
        " ".join(clean(name).split()),
        f"{cost.calls:,}",
        f"{cost.input_tokens:,}",
        f"{cost.output_tokens:,}",
        cost.money,
        " ".join(clean(", ".join(cost.models)).split()),
    )


def _padded(cell: str, width: int, column: int) -> str:
    space = " " * (width - cells(cell))
    return space + cell if column in _FIGURES else cell + space


def _side(column: int) -> str:
    return ' style="text-align:right"' if column in _FIGURES else ' style="text-align:left"'
