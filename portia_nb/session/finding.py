"""Which run is meant: by an object, an id, the beginning of one, or as the latest."""

from __future__ import annotations

from typing import Any

from portia_nb.errors import PlanRunNotFoundError
from portia_nb.storage.store import RunRow, Store

from .map_row import is_map

MAX_LOOKED_AT = 1_000
"""Runs among which the beginning of an id is looked for, latest first."""


_ID_CHARS = len("prun-") + 36


def latest_runs(store: Store, limit: int = MAX_LOOKED_AT) -> list[RunRow]:
    """Return the latest runs; a map isn't one, but the runs of its rows are."""
    return [row for row in store.find_runs(limit=limit) if not is_map(row.run_id)]


def find_run_id(store: Store, typed: str) -> str:
    """Return the id of the run that `typed` is the id of, or begins.

    Raises:
        PlanRunNotFoundError: there is no such run, or more than one.
    """
    known = [row.run_id for row in latest_runs(store)]
    matching = [run_id for run_id in known if run_id.startswith((typed, f"prun-{typed}"))]
    if typed in matching or not matching:
        return store.find_run(typed).run_id
    if len(matching) > 1:
        raise PlanRunNotFoundError(
            f"{len(matching)} runs begin with {typed!r}: {', '.join(matching[:5])}: type more of "
            "the id",
            plan_run_id=typed,
        )
    return matching[0]


def run_given(store: Store, run: Any, for_what: str) -> str:
    """Return the id of the run that a caller has given, one that there must be.

    Args:
        store: where it is kept.
        run: a `PlanRun`, a `LiveRun`, an id or the beginning of one.
        for_what: what needs it, for errors: ``fork``.

    Raises:
        PlanRunNotFoundError: it is no run; the message says what it is.
    """
    given = run if isinstance(run, str) else getattr(run, "id", None)
    if isinstance(given, str) and is_map(given):
        raise PlanRunNotFoundError(
            f"{given} is a map, which is many runs: give {for_what} the run of one row",
            plan_run_id=given,
        )
    if isinstance(given, str) and not given.startswith("plan-") and given:
        is_whole = not isinstance(run, str) or len(given) == _ID_CHARS
        return str(given) if is_whole else find_run_id(store, given)
    what = f"{given} is a plan" if isinstance(given, str) and given else f"{run!r:.60} is none"
    raise PlanRunNotFoundError(
        f"{for_what} needs a run, a PlanRun or its id, and {what}", plan_run_id=str(given or "")
    )


def id_of(store: Store, run: Any = None) -> str:
    """Return the id of the run that is meant.

    Args:
        store: where it is kept.
        run: a `PlanRun`, a `LiveRun`, an id or the beginning of one; None: the latest.

    Raises:
        PlanRunNotFoundError: there is no such run, or none at all.
    """
    if run is None:
        rows = latest_runs(store)
        if not rows:
            raise PlanRunNotFoundError("no run is kept here yet")
        return rows[0].run_id
    if isinstance(run, str):
        return find_run_id(store, run)
    return str(getattr(run, "id", run))
