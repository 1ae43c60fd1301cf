"""What is read from a journal: plans, lists of runs, a run's events, each checked."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portia_nb.errors import StoreDamaged
from portia_nb.model import codecs
from portia_nb.model.events import Recorded
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRunState

from .blobs import Blobs
from .faults import how_to_go_on, how_to_spare
from .owner import Owner
from .refusals import no_plan, no_run
from .rows import checksum, unpack
from .store import RunRow


def load_plan(
    connection: sqlite3.Connection, plan_id: str, plan_hash: str | None, path: Path
) -> Plan:
    """Return the plan with this id: with the content `plan_hash`, else the last one saved.

    Raises:
        PlanNotFoundError: there is none.
        StoreDamaged: it isn't what was written.
    """
    row = connection.execute(
        "SELECT id, hash, body, checksum FROM plan"
        " WHERE id = ?1 AND (?2 IS NULL OR hash = ?2) ORDER BY number DESC LIMIT 1",
        (plan_id, plan_hash),
    ).fetchone()
    if row is None:
        raise no_plan(plan_id, f"in {path}", path.parent)
    return read_plan(row, path)


def read_plan(row: tuple[Any, ...], path: Path) -> Plan:
    """Return the plan in a row ``(id, hash, body, checksum)``.

    Raises:
        StoreDamaged: it isn't what was written.
    """
    check_plan_row(row, path)
    try:
        return Plan.model_validate(codecs.loads(row[2]))
    except (ValueError, TypeError) as error:
        raise _damaged_plan(row[0], error, path) from error


def check_plan_row(row: tuple[Any, ...], path: Path) -> None:
    """Check that the row ``(id, hash, body, checksum)`` of a plan is as it was written.

    Raises:
        StoreDamaged: it isn't.
    """
    plan_id, plan_hash, body, found = row
    if found != checksum(plan_id, plan_hash, body):
        raise _damaged_plan(plan_id, "its checksum doesn't fit", path)


def _damaged_plan(plan_id: str, why: object, path: Path) -> StoreDamaged:
    return StoreDamaged(
        f"{path}: plan {plan_id} can't be read: {why}. {how_to_go_on(path)}",
        path=path,
        plan_id=plan_id,
    )


def find_runs(
    connection: sqlite3.Connection,
    plan_id: str | None,
    state: PlanRunState | None,
    limit: int,
    path: Path,
    run_id: str | None = None,
) -> list[RunRow]:
    """Return runs, newest first."""
    rows = connection.execute(
        "SELECT run.id, plan_id, plan_hash, coalesce(query, ''), state, created_at,"
        " (SELECT at FROM event WHERE run = run.number ORDER BY seq DESC LIMIT 1),"
        " host, pid, process_started, label, held_since, forked_from"
        " FROM run LEFT JOIN plan ON plan.id = plan_id AND plan.hash = plan_hash"
        " WHERE (?1 IS NULL OR plan_id = ?1) AND (?2 IS NULL OR state = ?2)"
        " AND (?4 IS NULL OR run.id = ?4)"
        " ORDER BY run.number DESC LIMIT ?3",
        (plan_id, state.value if state is not None else None, limit, run_id),
    )
    try:
        return [_run_row(row) for row in rows]
    except (ValueError, TypeError) as error:
        raise StoreDamaged(
            f"{path}: its list of runs is damaged: {error}. {how_to_go_on(path)}", path=path
        ) from error


def _run_row(row: tuple[Any, ...]) -> RunRow:
    return RunRow(
        run_id=row[0],
        plan_id=row[1],
        plan_hash=row[2],
        query=row[3],
        state=PlanRunState(row[4]),
        created_at=float(row[5]),
        updated_at=float(row[5] if row[6] is None else row[6]),
        owner=owner_in(row[7:11]),
        held_since=row[11],
        forked_from=row[12],
    )


def owner_in(columns: tuple[Any, ...]) -> Owner | None:
    """Return the owner in the columns ``host, pid, process_started, label`` of a run."""
    host, pid, started, label = columns
    return None if host is None else Owner(str(host), int(pid), str(started), str(label))


def load_events(
    connection: sqlite3.Connection,
    run_id: str,
    after_seq: int,
    path: Path,
    blobs: Blobs,
    classes: Mapping[str, Any] | None,
) -> list[Recorded]:
    """Return a run's events after `after_seq`, in order.

    Raises:
        PlanRunNotFoundError: there is no such run.
        StoreDamaged: something isn't what was written; `events` has those before it.
    """
    found = connection.execute(
        "SELECT number, last_seq FROM run WHERE id = ?", (run_id,)
    ).fetchone()
    if found is None:
        raise no_run(run_id, f"in {path}", path.parent)
    rows = connection.execute(
        "SELECT seq, at, kind, path, body, checksum FROM event"
        " WHERE run = ? AND seq > ? ORDER BY seq",
        (found[0], after_seq),
    )
    first, last_seq = max(after_seq, 0), found[1]
    events: list[Recorded] = []
    try:
        for expected, row in enumerate(rows, start=first + 1):
            if row[0] != expected:
                raise StoreDamaged(f"event {expected} of run {run_id} is missing")
            events.append(unpack(run_id, row, blobs, classes))
        if first + len(events) != max(last_seq, first):
            raise StoreDamaged(
                f"run {run_id} ends with event {first + len(events)} and not {last_seq}"
            )
    except (StoreDamaged, sqlite3.Error, UnicodeError) as error:
        raise StoreDamaged(
            f"{path}: {error}. The {len(events)} events before it are whole (`events`). "
            + how_to_spare(run_id),
            path=path,
            run_id=run_id,
            events=events,
        ) from error
    return events
