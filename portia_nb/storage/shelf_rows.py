"""Names of plans and approvals in a journal's tables: read as they leave, checked as they come."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from portia_nb.errors import StorageError, StoreDamaged
from portia_nb.model import codecs
from portia_nb.model.approval import Approval

from .faults import how_to_go_on, reason
from .jobs import storable
from .shelf_lines import KeptName, KeptVersion

APPROVALS = "SELECT plan_id, plan_hash, who, how, at, stands, calls, id FROM approval"


def kept_names(connection: sqlite3.Connection) -> list[KeptName]:
    """Return all names with their versions."""
    rows = connection.execute(
        "SELECT name, number, plan_id, plan_hash, at, change, is_current FROM plan_version"
        " ORDER BY name, number"
    )
    found: list[KeptName] = []
    for name, group in groupby(rows, key=lambda row: row[0]):
        listed = list(group)
        current = next((row[1] for row in listed if row[6]), listed[-1][1])
        found.append(KeptName(name, tuple(KeptVersion(*row[1:6]) for row in listed), current))
    return found


def kept_approvals(
    connection: sqlite3.Connection, path: Path, plans: set[tuple[str, str]] | None
) -> list[Approval]:
    """Return the approvals of these plans, by id and hash, or with None all, the first one first.

    Raises:
        StoreDamaged: one can't be read.
    """
    found = [approval_in(row, path) for row in connection.execute(f"{APPROVALS} ORDER BY number")]
    hashes = None if plans is None else {plan_hash for _, plan_hash in plans}
    return [each for each in found if hashes is None or each.plan_hash in hashes]


def approval_in(row: tuple[Any, ...], path: Path) -> Approval:
    """Return the approval in a row that `APPROVALS` gives.

    Raises:
        StoreDamaged: it can't be read.
    """
    try:
        calls = codecs.loads(row[6])
        if not isinstance(calls, dict):
            raise ValueError("its calls are no object")
        plan_id, plan_hash, by, how, at, stands = row[:6]
        return Approval(plan_id, plan_hash, by, how, float(at), bool(stands), calls, row[7])
    except (ValueError, TypeError) as error:
        raise StoreDamaged(
            f"{path}: the approval {row[7]!r:.80} of plan {row[0]!r:.80} is damaged: {error}. "
            + how_to_go_on(path),
            path=path,
        ) from error


def keep_approval(approval: Approval, connection: sqlite3.Connection) -> None:
    """Keep `approval`."""
    connection.execute(
        "INSERT INTO approval (id, plan_id, plan_hash, who, how, at, stands, calls)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            approval.id,
            approval.plan_id,
            approval.plan_hash,
            storable(approval.by),
            storable(approval.how),
            approval.at,
            int(approval.stands),
            codecs.dumps(approval.calls),
        ),
    )


def add_approval(approval: Approval, connection: sqlite3.Connection) -> bool:
    """Add an approval that was kept elsewhere; False: it is here already.

    Raises:
        StorageError: its plan isn't here.
    """
    if connection.execute("SELECT 1 FROM approval WHERE id = ?", (approval.id,)).fetchone():
        return False
    if not connection.execute(
        "SELECT 1 FROM plan WHERE hash = ?", (approval.plan_hash,)
    ).fetchone():
        raise of_no_plan(approval)
    keep_approval(approval, connection)
    return True


def add_name(kept: KeptName, connection: sqlite3.Connection) -> bool:
    """Add a name that was kept elsewhere; False: it is here already, the same.

    Raises:
        StorageError: it means other plans here, or a plan of its isn't here.
    """
    here = [each for each in kept_names(connection) if each.name == kept.name]
    if here:
        refuse_another(kept, here[0])
        return False
    for key in kept.plans():
        if not connection.execute("SELECT 1 FROM plan WHERE id = ? AND hash = ?", key).fetchone():
            raise without_plan(kept.name)
    connection.executemany(
        "INSERT INTO plan_version (name, number, plan_id, plan_hash, at, change, is_current)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(kept.name, *version, int(version.number == kept.current)) for version in kept.versions],
    )
    return True


def shelf_faults(
    connection: sqlite3.Connection, plans: set[tuple[str, str]], path: Path
) -> Iterator[str]:
    """Yield what is wrong with names and approvals, a sentence each.

    Args:
        connection: the journal.
        plans: id and hash of each plan in it.
        path: its file.
    """
    for name, count in connection.execute(
        "SELECT name, sum(is_current) AS current FROM plan_version GROUP BY name"
        " HAVING current != 1 ORDER BY name"
    ):
        yield f"the name {name!r} means {count} versions at once"
    for kept in kept_names(connection):
        for version in kept.versions:
            if (version.plan_id, version.plan_hash) not in plans:
                yield f"version {version.number} of the name {kept.name!r} has no plan"
    for row in connection.execute(APPROVALS):
        try:
            approval_in(row, path)
        except StoreDamaged as error:
            yield reason(error, path)


def refuse_another(kept: KeptName, here: KeptName) -> None:
    """Refuse a name that is here with other versions: who types it must get the plan they know.

    Raises:
        StorageError: it is.
    """
    if kept != here:
        raise StorageError(
            f"the name {kept.name!r} is not added: it is here already, with other versions; to "
            f"have the file's instead, portia.forget_plan({kept.name!r}) and import again"
        )


def without_plan(name: str) -> StorageError:
    """Return the error for a name with a version whose plan isn't here."""
    return StorageError(f"the name {name!r} is not added: a plan of its isn't in the file")


def of_no_plan(approval: Approval) -> StorageError:
    """Return the error for an approval of a plan that isn't here."""
    return StorageError(f"an approval of plan {approval.plan_id:.80} is not added: no such plan")
