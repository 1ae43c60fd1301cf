"""Which kept outputs may be taken over by equal steps: a table of keys beside the events.

An entry only points to the event that holds the output, so that a value is kept once, and is gone
when its run is forgotten.
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from portia_nb.model.events import StepDone

from .rows import EventRow


def share(event: StepDone, row: EventRow, run_id: str, connection: sqlite3.Connection) -> None:
    """Let equal steps find the output of a step that was executed; the latest one stands.

    One that can't be kept isn't shared, and neither is one that was itself taken over: its age
    would be forgotten.
    """
    if event.cache_key is None or event.reused or row.path is None:
        return
    connection.execute(
        "INSERT OR REPLACE INTO cache (key, run, seq, made_at)"
        " SELECT ?, number, ?, ? FROM run WHERE id = ?",
        (event.cache_key, row.seq, row.at, run_id),
    )


def find(
    connection: sqlite3.Connection, key: str, max_age_s: float | None
) -> tuple[str, tuple[Any, ...]] | None:
    """Return the run's id and the row ``(seq, at, kind, path, body, checksum)`` behind `key`.

    Args:
        connection: the journal.
        key: the key.
        max_age_s: seconds since the output was made, at most; None: any.
    """
    oldest = None if max_age_s is None else time.time() - max_age_s
    row = connection.execute(
        "SELECT run.id, event.seq, at, kind, path, body, checksum FROM cache"
        " JOIN run ON run.number = cache.run"
        " JOIN event ON event.run = cache.run AND event.seq = cache.seq"
        " WHERE key = ?1 AND (?2 IS NULL OR made_at >= ?2)",
        (key, oldest),
    ).fetchone()
    return None if row is None else (row[0], row[1:])


def forget_run(number: int, connection: sqlite3.Connection) -> None:
    """Delete the entries that point to events of the run with this number."""
    connection.execute("DELETE FROM cache WHERE run = ?", (number,))
