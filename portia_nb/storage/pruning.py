"""Choosing the runs that are old enough to be deleted, and deleting them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from datetime import timedelta

from portia_nb.errors import InvalidOption, PlanRunNotFoundError, RunHeldElsewhere
from portia_nb.model.run import PlanRunState

from .owner import is_alive
from .reports import PruneReport
from .store import RunRow

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def age(text: str | timedelta) -> timedelta:
    """Return an age that is written as a number and a unit.

    Raises:
        InvalidOption: it isn't one.

    >>> age("30d").days
    30
    """
    if isinstance(text, timedelta):
        return text
    found = re.fullmatch(r"\s*(\d{1,6})\s*([mhdw])\s*", text)
    if found is None:
        raise InvalidOption(
            f"{text!r} is no age: write a number and m, h, d or w (minutes to weeks), e.g. 30d",
            option="older_than",
        )
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def prune(
    rows: list[RunRow],
    delete: Callable[[str, bool], None],
    *,
    older_than: str | timedelta,
    states: Collection[PlanRunState | str] | None,
    dry_run: bool,
    force: bool,
) -> PruneReport:
    """Delete, through ``delete(run_id, force)``, the runs that `Store.prune` promises to.

    Raises:
        InvalidOption: `older_than` is no age, or one of `states` is no state.
    """
    before = time.time() - age(older_than).total_seconds()
    wanted = None if states is None else {_state(each) for each in states}
    chosen: list[RunRow] = []
    spared: list[tuple[RunRow, str]] = []
    for row in rows:
        if row.updated_at >= before or (wanted is not None and row.state not in wanted):
            continue
        why = None if force else _reason_to_spare(row)
        if why is None and not dry_run:
            try:
                delete(row.run_id, force)
            except PlanRunNotFoundError:
                continue  # another process was faster
            except RunHeldElsewhere:
                why = "a process has just taken it"
        if why is None:
            chosen.append(row)
        else:
            spared.append((row, why))
    return PruneReport(tuple(chosen), tuple(spared), dry_run)


def _reason_to_spare(row: RunRow) -> str | None:
    if row.owner is not None and is_alive(row.owner):
        return f"it is held by {row.owner}"
    if row.state is PlanRunState.NEED_CLARIFICATION:
        return "it waits for an answer"
    return None


def _state(given: PlanRunState | str) -> PlanRunState:
    try:
        return PlanRunState(str(getattr(given, "value", given)).upper())
    except ValueError:
        known = ", ".join(state.value for state in PlanRunState)
        raise InvalidOption(f"no state {given!r}; the states: {known}", option="state") from None
