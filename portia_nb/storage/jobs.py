"""What is done to a journal inside one transaction: each function is one job of the writer's."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from portia_nb.errors import StorageError
from portia_nb.model import codecs
from portia_nb.model.events import AnyEvent, ClarificationResolved, RunCreated, StepDone
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRunState

from . import cache
from .blobs import Blobs
from .ledger import Ledger
from .owner import Owner, is_alive
from .queries import owner_in
from .refusals import (
    done_twice,
    held_elsewhere,
    here_already,
    no_run,
    out_of_order,
    run_id_taken,
    stale,
)
from .rows import EventRow, checksum
from .states import state_after
from .store import Hold

if TYPE_CHECKING:
    from .importing import ReadRun

# -- plans ---------------------------------------------------------------------------------------


def save_plan(plan: Plan, connection: sqlite3.Connection) -> None:
    """Keep `plan`, unless this content is kept already."""
    plan_id, plan_hash = str(plan.id), plan.content_hash()
    if connection.execute(
        "SELECT 1 FROM plan WHERE id = ? AND hash = ?", (plan_id, plan_hash)
    ).fetchone():
        return
    try:
        body = codecs.dumps(plan.model_dump(mode="json")).encode("ascii")
    except Exception as error:
        # A literal of the user's, of any class, stands in the plan.
        raise StorageError(f"plan {plan_id} can't be kept: {error}", plan_id=plan_id) from error
    connection.execute(
        "INSERT INTO plan (id, hash, query, saved_at, body, checksum) VALUES (?, ?, ?, ?, ?, ?)",
        (
            plan_id,
            plan_hash,
            storable(plan.plan_context.query),
            time.time(),
            body,
            checksum(plan_id, plan_hash, body),
        ),
    )


# -- owning --------------------------------------------------------------------------------------


def create_run(
    hold: Hold,
    plan: Plan,
    owner: Owner,
    now: float,
    first: Sequence[tuple[EventRow, AnyEvent]],
    write_blobs: Callable[[EventRow], None],
    connection: sqlite3.Connection,
) -> None:
    """Start a run's record under fence 1, with its plan and its first events, or none of it."""
    # What is refused must leave nothing behind, in a transaction that others share.
    connection.execute("SAVEPOINT creating")
    try:
        _add_row(hold.run_id, plan, owner, now, connection)
        save_plan(plan, connection)
        for row, event in first:
            append(hold, row, event, write_blobs, connection)
    except BaseException:
        # SQLite may have rolled everything back by itself, on a full disk for one.
        if connection.in_transaction:
            connection.execute("ROLLBACK TO creating")
            connection.execute("RELEASE creating")
        raise
    connection.execute("RELEASE creating")


def _add_row(
    run_id: str, plan: Plan, owner: Owner, now: float, connection: sqlite3.Connection
) -> None:
    try:
        connection.execute(
            "INSERT INTO run (id, plan_id, plan_hash, state, created_at, fence, host, pid,"
            " process_started, label, held_since) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)",
            (
                run_id,
                str(plan.id),
                plan.content_hash(),
                PlanRunState.NOT_STARTED.value,
                now,
                *_columns(owner, now),
            ),
        )
    except sqlite3.IntegrityError as error:
        raise run_id_taken(run_id) from error


def claim(
    run_id: str,
    owner: Owner,
    take_over: bool,
    given_up: set[int],
    where: str,
    connection: sqlite3.Connection,
) -> Hold:
    """Make `owner` the run's owner under the next fence."""
    number, fence, holder, since = _holder(run_id, where, connection)
    if holder is not None and not take_over and fence not in given_up and is_alive(holder):
        raise held_elsewhere(run_id, holder, since)
    connection.execute(
        "UPDATE run SET fence = ?, host = ?, pid = ?, process_started = ?, label = ?,"
        " held_since = ? WHERE number = ?",
        (fence + 1, *_columns(owner, time.time()), number),
    )
    last = connection.execute("SELECT last_seq FROM run WHERE number = ?", (number,)).fetchone()[0]
    return Hold(run_id, fence + 1, Ledger(last))


def release(hold: Hold, connection: sqlite3.Connection) -> None:
    """Give the run up, unless another has taken it over."""
    connection.execute(
        "UPDATE run SET host = NULL, pid = NULL, process_started = NULL, label = NULL,"
        " held_since = NULL WHERE id = ? AND fence = ?",
        (hold.run_id, hold.fence),
    )


def when_done(pending: set[Any], key: Any) -> Future[Any]:
    """Return a future that takes `key` out of `pending` once it succeeds."""
    future: Future[Any] = Future()

    def forget(done: Future[Any]) -> None:
        if done.exception() is None:
            pending.discard(key)

    future.add_done_callback(forget)
    return future


def _columns(owner: Owner, now: float) -> tuple[Any, ...]:
    host, label = storable(owner.host), storable(owner.label)
    return host, owner.pid, owner.process_started, label, now


def _holder(
    run_id: str, where: str, connection: sqlite3.Connection
) -> tuple[int, int, Owner | None, float | None]:
    row = connection.execute(
        "SELECT number, fence, host, pid, process_started, label, held_since FROM run WHERE id = ?",
        (run_id,),
    ).fetchone()
    if row is None:
        raise no_run(run_id, where)
    return row[0], row[1], owner_in(row[2:6]), row[6]


# -- events --------------------------------------------------------------------------------------


def append(
    hold: Hold,
    row: EventRow,
    event: AnyEvent,
    write_blobs: Callable[[EventRow], None],
    connection: sqlite3.Connection,
) -> None:
    """Add an event, if the hold's fence is still the run's."""
    try:
        added = connection.execute(
            "INSERT INTO event (run, seq, at, kind, path, fence, body, checksum)"
            " SELECT number, ?1, ?2, ?3, ?4, fence, ?5, ?6 FROM run"
            " WHERE id = ?7 AND fence = ?8 AND last_seq = ?1 - 1",
            (row.seq, row.at, row.kind, row.path, row.body, row.checksum, hold.run_id, hold.fence),
        )
    except sqlite3.IntegrityError as error:
        if row.kind == "step_done":
            raise done_twice(hold.run_id, row.path or "") from error
        raise out_of_order(hold.run_id, row.seq) from error
    if added.rowcount != 1:
        _, fence, holder, _ = _holder(hold.run_id, "any more", connection)
        raise (
            out_of_order(hold.run_id, row.seq)
            if fence == hold.fence
            else stale(hold.run_id, holder)
        )
    state = state_after(event)
    connection.execute(
        "UPDATE run SET last_seq = ?, state = coalesce(?, state) WHERE id = ?",
        (row.seq, state, hold.run_id),
    )
    if type(event) is ClarificationResolved:
        _leave_waiting(hold.run_id, connection)
    elif type(event) is StepDone:
        cache.share(event, row, hold.run_id, connection)
    elif type(event) is RunCreated and event.forked_from is not None:
        connection.execute(
            "UPDATE run SET forked_from = ? WHERE id = ?",
            (storable(event.forked_from), hold.run_id),
        )
    if row.blobs:
        # Again, under the lock: another process may have just deleted an equal value's file.
        write_blobs(row)
        connection.executemany(
            # Two fields of one event may have the same value.
            "INSERT OR IGNORE INTO blob (sha256, run, seq)"
            " SELECT ?, number, ? FROM run WHERE id = ?",
            [(sha256, row.seq, hold.run_id) for sha256, _ in row.blobs],
        )


def _leave_waiting(run_id: str, connection: sqlite3.Connection) -> None:
    """Make a waiting run ready once no question is open."""
    connection.execute(
        "UPDATE run SET state = ?1 WHERE id = ?2 AND state = ?3 AND (SELECT"
        " sum(kind = 'clarification_raised') - sum(kind = 'clarification_resolved')"
        " FROM event WHERE run = run.number) <= 0",
        (
            PlanRunState.READY_TO_RESUME.value,
            run_id,
            PlanRunState.NEED_CLARIFICATION.value,
        ),
    )


# -- runs ----------------------------------------------------------------------------------------


def add_run(
    run: ReadRun,
    rows: list[EventRow],
    write_blobs: Callable[[EventRow], None],
    connection: sqlite3.Connection,
) -> bool:
    """Add a run that was kept elsewhere, owned by nobody; False: it is here already, the same.

    Its outputs don't go into the cache: no step should take over what a stranger's file says.

    Raises:
        StorageError: another run, or other events of it, are here under its id.
    """
    found = connection.execute("SELECT number FROM run WHERE id = ?", (run.run_id,)).fetchone()
    if found is not None:
        here = connection.execute(
            "SELECT checksum FROM event WHERE run = ? ORDER BY seq", found
        ).fetchall()
        if here == [(row.checksum,) for row in rows]:
            for row in rows:
                write_blobs(row)  # which mends those that were lost here
            return False
        raise here_already(run.run_id)
    save_plan(run.plan, connection)
    first = run.recorded[0].event if run.recorded else None
    forked_from = first.forked_from if type(first) is RunCreated else None
    connection.execute(
        "INSERT INTO run (id, plan_id, plan_hash, state, created_at, fence, last_seq, forked_from)"
        " VALUES (?, ?, ?, ?, ?, 1, ?, ?)",
        (
            run.run_id,
            str(run.plan.id),
            run.plan.content_hash(),
            run.state_so_far.state.value,
            run.created_at,
            len(rows),
            None if forked_from is None else storable(forked_from),
        ),
    )
    (number,) = connection.execute("SELECT last_insert_rowid()").fetchone()
    connection.executemany(
        "INSERT INTO event (run, seq, at, kind, path, fence, body, checksum)"
        " VALUES (?, ?, ?, ?, ?, 1, ?, ?)",
        [(number, r.seq, r.at, r.kind, r.path, r.body, r.checksum) for r in rows],
    )
    for row in rows:
        write_blobs(row)
        _name_blobs(row, number, connection)
    return True


def _name_blobs(row: EventRow, number: int, connection: sqlite3.Connection) -> None:
    connection.executemany(
        # Two fields of one event may have the same value.
        "INSERT OR IGNORE INTO blob (sha256, run, seq) VALUES (?, ?, ?)",
        [(sha256, number, row.seq) for sha256, _ in row.blobs],
    )


def delete_run(run_id: str, force: bool, where: str, connection: sqlite3.Connection) -> list[str]:
    """Delete a run and what only it uses; return the names of large values that may be unused."""
    # What is deleted is overwritten: to forget means that nobody can read it out of the file.
    connection.execute("PRAGMA secure_delete=ON")
    number, _, holder, since = _holder(run_id, where, connection)
    if holder is not None and not force and is_alive(holder):
        raise held_elsewhere(run_id, holder, since, to_delete=True)
    named = connection.execute("SELECT DISTINCT sha256 FROM blob WHERE run = ?", (number,))
    names = [sha256 for (sha256,) in named]
    connection.execute("DELETE FROM blob WHERE run = ?", (number,))
    connection.execute("DELETE FROM event WHERE run = ?", (number,))
    cache.forget_run(number, connection)
    connection.execute(
        "DELETE FROM plan WHERE (id, hash) = (SELECT plan_id, plan_hash FROM run WHERE number = ?1)"
        " AND NOT EXISTS (SELECT 1 FROM run WHERE plan_id = plan.id AND plan_hash = plan.hash"
        " AND run.number != ?1) AND NOT EXISTS (SELECT 1 FROM plan_version"
        " WHERE plan_id = plan.id AND plan_hash = plan.hash)",
        (number,),
    )
    connection.execute(
        # Those that were given for one run; what stands for any run is not this run's alone.
        "DELETE FROM approval WHERE NOT stands AND NOT EXISTS (SELECT 1 FROM plan"
        " WHERE plan.id = plan_id AND plan.hash = plan_hash)"
    )
    connection.execute("DELETE FROM run WHERE number = ?", (number,))
    return names


def delete_blobs(names: list[str], blobs: Blobs, connection: sqlite3.Connection) -> None:
    """Delete the files that no event names. Its own transaction, after the rows are surely gone.

    The write lock is held meanwhile: a writer checks for its file under that lock.
    """
    for name in names:
        if not connection.execute("SELECT 1 FROM blob WHERE sha256 = ?", (name,)).fetchone():
            blobs.delete(name)


def storable(text: str) -> str:
    """Return `text` as SQLite takes it: without lone surrogates and NUL. For display only."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
