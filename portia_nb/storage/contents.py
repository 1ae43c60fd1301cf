"""What a store holds, as plain JSON: the one form in which plans and runs leave it and come in."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from portia_nb.errors import StoreDamaged
from portia_nb.model import codecs
from portia_nb.model.approval import Approval

from .blobs import Blobs
from .faults import FAULTS
from .queries import check_plan_row
from .refusals import no_run
from .reports import Finding
from .rows import read_row
from .shelf_lines import KeptName
from .shelf_rows import kept_approvals, kept_names

DOCUMENT = "portia-nb-run"
"""The `format` of a document that holds one run, made to be shared; see `session.run_document`."""
DOCUMENT_VERSION = 1


class KeptPlan(NamedTuple):
    """One content of one plan."""

    plan_id: str
    plan_hash: str
    saved_at: float
    body: dict[str, Any]
    """As `Plan.model_dump(mode="json")` made it."""


class KeptEvent(NamedTuple):
    """One event: its place, its time in seconds since the epoch, and its JSON."""

    seq: int
    at: float
    data: dict[str, Any]


class KeptRun(NamedTuple):
    """One run, its events in order."""

    run_id: str
    plan_id: str
    plan_hash: str
    state: str
    created_at: float
    last_seq: int
    """How many events it has; `events` may have fewer where a damaged store was salvaged."""
    events: Iterable[KeptEvent]
    """Read while it is gone through, once."""


@dataclass
class Contents:
    """Plans and runs on their way from one place to another."""

    plans: Iterable[KeptPlan]
    runs: Iterable[KeptRun]
    """Each run's events are gone through before the next run is asked for."""
    names: Sequence[KeptName] = ()
    """All names, where everything leaves the store; of chosen runs none: a name has other plans."""
    approvals: Sequence[Approval] = ()
    """Those of the plans in `plans`."""
    count: int | None = None
    """How many runs there are; None: it turns out as they are gone through."""
    is_salvaged: bool = False
    lost: list[Finding] = field(default_factory=list)
    """What could not be read; complete once `runs` has been gone through."""

    def only(self, run_ids: Sequence[str]) -> Contents:
        """Return these runs' part, and all plans; what isn't there is told of in `lost`."""

        def runs() -> Iterator[KeptRun]:
            missing = dict.fromkeys(run_ids)
            for run in self.runs:
                if run.run_id in missing:
                    del missing[run.run_id]
                    yield run
            self.lost.extend(Finding(f"nothing of run {each} was found", each) for each in missing)

        return Contents(self.plans, runs(), is_salvaged=self.is_salvaged, lost=self.lost)


def of_journal(
    connection: sqlite3.Connection, path: Path, blobs: Blobs, run_ids: Sequence[str] | None
) -> Contents:
    """Return what a journal holds: these runs with their plans, or with None, everything.

    Raises:
        PlanRunNotFoundError: one of `run_ids` isn't there.
        StoreDamaged: while it is gone through: something isn't what was written.
    """
    rows = connection.execute(
        "SELECT number, id, plan_id, plan_hash, state, created_at, last_seq FROM run"
        " ORDER BY number"
    ).fetchall()
    plans = None
    if run_ids is not None:
        by_id = {row[1]: row for row in rows}
        missing = [run_id for run_id in run_ids if run_id not in by_id]
        if missing:
            raise no_run(missing[0], f"in {path}")
        rows = [by_id[run_id] for run_id in dict.fromkeys(run_ids)]
        plans = {(row[2], row[3]) for row in rows}

    def runs() -> Iterator[KeptRun]:
        for number, run_id, plan_id, plan_hash, state, created_at, count in rows:
            events = _events(connection, path, blobs, run_id, number, count)
            yield KeptRun(run_id, plan_id, plan_hash, state, created_at, count, events)

    return Contents(
        _plans(connection, path, plans),
        runs(),
        names=kept_names(connection) if run_ids is None else (),
        approvals=kept_approvals(connection, path, plans),
        count=len(rows),
    )


def _plans(
    connection: sqlite3.Connection, path: Path, wanted: set[tuple[str, str]] | None
) -> Iterator[KeptPlan]:
    found = connection.execute("SELECT id, hash, saved_at, body, checksum FROM plan")
    for plan_id, plan_hash, saved_at, body, checksum in found:
        if wanted is None or (plan_id, plan_hash) in wanted:
            check_plan_row((plan_id, plan_hash, body, checksum), path)
            yield KeptPlan(plan_id, plan_hash, saved_at, codecs.loads(body))


def _events(
    connection: sqlite3.Connection, path: Path, blobs: Blobs, run_id: str, number: int, count: int
) -> Iterator[KeptEvent]:
    expected = 0
    try:
        for row in connection.execute(
            "SELECT seq, at, kind, path, body, checksum FROM event WHERE run = ? ORDER BY seq",
            (number,),
        ):
            expected += 1
            if row[0] != expected:
                raise StoreDamaged(f"event {expected} of run {run_id} is missing")
            yield KeptEvent(row[0], row[1], read_row(run_id, row, blobs))
        if expected != count:
            raise StoreDamaged(f"run {run_id} ends with event {expected} and not {count}")
    except (StoreDamaged, *FAULTS) as error:
        raise StoreDamaged(
            f"{path}: {error}. A salvaging export keeps what can still be read: "
            "store.export_to(target, salvage=True), or portia-nb store export TARGET --salvage",
            path=path,
            run_id=run_id,
        ) from error
