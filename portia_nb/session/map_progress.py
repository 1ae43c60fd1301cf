"""How far a map has got, as text that every face shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portia_nb.drawing.clean import clean
from portia_nb.model.cost import cost_of

from .budgets import own_prices
from .map_row import RowState, spent_of
from .map_shown import counts_text, state_text

if TYPE_CHECKING:
    from .live_map import LiveMap

_ENDED = (RowState.DONE, RowState.FAILED, RowState.WAITING, RowState.STOPPED)
MAX_TROUBLES = 3


def ended_rows(live: LiveMap) -> int:
    """Return how many rows aren't run any more, however they ended."""
    return sum(live.counts[state] for state in _ENDED)


def progress_text(live: LiveMap) -> str:
    """Return how far a map has got, in a line, and a line for each of the first failures."""
    ended, total, seconds = ended_rows(live), len(live.rows), live.seconds
    new = ended - live.already
    left = ""
    if new > 0 and ended < total and not live.is_over:
        left = f", about {seconds / new * (total - ended):.0f} s left"
    spent = cost_of(spent_of(live.rows), own_prices(live.job.parts))
    said = f"; {spent}" if spent.calls else ""
    head = f"{ended:,} of {total:,} rows: {counts_text(live.counts)}; {seconds:.0f} s{left}{said}"
    lines = [head, *_failures(live)]
    if live.is_over and live.stop_reason:
        how = "a larger budget" if "budget" in live.stop_reason else "the same call"
        lines.append(clean(f"{state_text(live.counts)}: {live.stop_reason}; {how} goes on")[:400])
    return "\n".join(lines)


def _failures(live: LiveMap) -> list[str]:
    count = live.counts[RowState.FAILED]
    lines: list[str] = []
    for row in live.rows if count else ():
        if row.state is RowState.FAILED and row.error is not None:
            told = f"row {row.label} failed: {row.error.type}: {row.error.message}"
            lines.append(" ".join(clean(told).split())[:200])
            if len(lines) == min(count, MAX_TROUBLES):
                break
    more = count - len(lines)
    return [*lines, f"{more:,} more failed"] if more > 0 else lines
