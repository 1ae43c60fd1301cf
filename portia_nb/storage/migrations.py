"""The journal's tables, as numbered migrations: what each format has that the one before had not.

A migration that a released portia_nb has made files with never changes. To change the tables, add
one at the end: SQL statements, or functions for what SQL alone can't say; then keep a store of the
new format as test data (``python -m tests.storage.golden.make``). Only add: new tables, columns
with defaults, indexes. A program that has the file open while another brings it up to date goes on
writing as before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from .crash import CrashPoint
from .transaction import transaction

Step = str | Callable[[sqlite3.Connection], object]


def _add_last_seq(connection: sqlite3.Connection) -> None:
    """Add `run.last_seq` to the files of the first days of format 1, which had no such column."""
    columns = connection.execute("SELECT name FROM pragma_table_info('run')")
    if ("last_seq",) in columns:
        return
    connection.execute("ALTER TABLE run ADD COLUMN last_seq INTEGER NOT NULL DEFAULT 0")
    connection.execute(
        "UPDATE run SET last_seq ="
        " (SELECT coalesce(max(seq), 0) FROM event WHERE event.run = run.number)"
    )


MIGRATIONS: tuple[tuple[Step, ...], ...] = (
    (
        """CREATE TABLE plan (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL, hash TEXT NOT NULL, query TEXT NOT NULL,
            saved_at REAL NOT NULL, body BLOB NOT NULL, checksum BLOB NOT NULL, UNIQUE (id, hash)
        )""",
        """CREATE TABLE run (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, plan_id TEXT NOT NULL,
            plan_hash TEXT NOT NULL, state TEXT NOT NULL, created_at REAL NOT NULL,
            fence INTEGER NOT NULL, last_seq INTEGER NOT NULL DEFAULT 0, host TEXT, pid INTEGER,
            process_started TEXT, label TEXT, held_since REAL
        )""",
        """CREATE TABLE event (
            run INTEGER NOT NULL, seq INTEGER NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL,
            path TEXT, fence INTEGER NOT NULL, body BLOB NOT NULL, checksum BLOB NOT NULL,
            PRIMARY KEY (run, seq)
        ) WITHOUT ROWID""",
        "CREATE UNIQUE INDEX one_done ON event (run, path) WHERE kind = 'step_done'",
        "CREATE INDEX run_by_plan ON run (plan_id)",
        """CREATE TABLE blob (
            sha256 TEXT NOT NULL, run INTEGER NOT NULL, seq INTEGER NOT NULL,
            PRIMARY KEY (sha256, run, seq)
        ) WITHOUT ROWID""",
    ),
    # Forgetting looks for a run's large values by its number.
    (_add_last_seq, "CREATE INDEX blob_by_run ON blob (run)"),
    (
        "ALTER TABLE run ADD COLUMN forked_from TEXT",
        """CREATE TABLE cache (
            key TEXT PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL, made_at REAL NOT NULL
        ) WITHOUT ROWID""",
        "CREATE INDEX cache_by_run ON cache (run)",
    ),
    # Plans have names with versions, and approvals are kept.
    (
        """CREATE TABLE plan_version (
            name TEXT NOT NULL, number INTEGER NOT NULL, plan_id TEXT NOT NULL,
            plan_hash TEXT NOT NULL, at REAL NOT NULL, change TEXT NOT NULL,
            is_current INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (name, number)
        ) WITHOUT ROWID""",
        "CREATE INDEX plan_version_by_plan ON plan_version (plan_id, plan_hash)",
        """CREATE TABLE approval (
            number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, plan_id TEXT NOT NULL,
            plan_hash TEXT NOT NULL, who TEXT NOT NULL, how TEXT NOT NULL, at REAL NOT NULL,
            stands INTEGER NOT NULL, calls TEXT NOT NULL
        )""",
        "CREATE INDEX approval_by_plan ON approval (plan_hash)",
    ),
)
"""One group of steps for each format, from 1."""

SCHEMA_VERSION = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """Return the format of a journal; 0: it has no tables yet."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a journal to the newest format, each format in one transaction: all of it or nothing.

    Raises:
        sqlite3.Error: it can't be written; the file has the format that it had, or one between.
    """
    crash = CrashPoint.from_environment()
    for version, steps in enumerate(MIGRATIONS, start=1):
        if version_of(connection) >= version:
            continue
        with transaction(connection):
            # Asked again under the lock: another process may have been faster.
            if version_of(connection) < version:
                for step in steps:
                    crash.reach("migrating")
                    if callable(step):
                        step(connection)
                    else:
                        connection.execute(step)
                connection.execute(f"PRAGMA user_version={version}")
                crash.reach("migrating")
