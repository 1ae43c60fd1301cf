"""Giving a store's free space back to the disk."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

from portia_nb.errors import StoreDamaged, StoreLocked

from . import schema
from .blobs import Blobs
from .checking import check_journal, unused_files
from .faults import FAULTS, typed
from .owner import is_alive
from .reports import VacuumReport
from .store import RunRow
from .transaction import transaction

_OLD_S = 3600.0
"""Age in seconds from which a half-written file is surely nobody's any more."""


def vacuum_journal(path: Path, blobs: Blobs, runs: list[RunRow]) -> VacuumReport:
    """Rewrite the journal without its holes, and delete files that nothing refers to.

    Raises:
        StoreDamaged: the journal isn't whole; it is left as it is.
        StoreLocked: a live process has a run, or keeps the file locked.
        StoreFull: there is no room for the copy that is made meanwhile.
    """
    for row in runs:
        if row.owner is not None and is_alive(row.owner):
            raise StoreLocked(
                f"{path} is in use: run {row.run_id} is held by {row.owner}. Wait until it ends, "
                "or stop it there, then vacuum again; where that machine or process is gone for "
                "good: portia-nb store vacuum --force",
                path=path,
                run_id=row.run_id,
                owner=row.owner,
            )
    report = check_journal(path, blobs)
    if not report.is_ok:
        raise StoreDamaged(
            f"{path} isn't whole, so it is left as it is: {report.findings[0]}. "
            "`portia-nb store check` tells all; `store export TARGET --salvage` saves what can be "
            "read",
            path=path,
        )
    before = _size(path, blobs)
    try:
        with contextlib.closing(schema.connect(path)) as connection:
            deleted = _delete_unused(connection, blobs)
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except FAULTS as error:
        raise typed(error, path) from error
    return VacuumReport(before, _size(path, blobs), deleted)


def _delete_unused(connection: sqlite3.Connection, blobs: Blobs) -> tuple[Path, ...]:
    deleted: list[Path] = []
    # Under the write lock: a writer looks for its file again under that lock.
    with transaction(connection):
        named = {sha256 for (sha256,) in connection.execute("SELECT sha256 FROM blob")}
        for path in unused_files(blobs.folder, named):
            is_draft = path.name.startswith(".")
            if not is_draft or time.time() - path.stat().st_mtime > _OLD_S:
                path.unlink(missing_ok=True)
                deleted.append(path)
    return tuple(deleted)


def _size(path: Path, blobs: Blobs) -> int:
    files = [path, path.with_name(f"{path.name}-wal")]
    if blobs.folder.is_dir():
        files += blobs.folder.iterdir()
    return sum(file.stat().st_size for file in files if file.exists())
