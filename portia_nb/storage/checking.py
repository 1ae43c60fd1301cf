"""Checking a journal from end to end: the database, each event, each plan, each large value."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from portia_nb.errors import StoreDamaged
from portia_nb.model import codecs

from . import schema
from .blobs import Blobs
from .faults import FAULTS, reason
from .queries import read_plan
from .reports import CheckReport, Finding
from .rows import blobs_in, unpack
from .shelf_rows import shelf_faults
from .states import StateSoFar

_MOST_MESSAGES = 100
_DRAFT = re.compile(r"\.(journal\.sqlite|[0-9a-f]{64})\.[0-9a-f]{16}(-journal|-wal|-shm)?")


def check_journal(path: Path, blobs: Blobs) -> CheckReport:
    """Read all of a journal and its large values, and report what isn't as it was written.

    A file of an older format is brought up to date once its database proves whole; else nothing is
    changed. Large values are in memory one at a time.

    Raises:
        StoreTooNew: a later version of portia_nb wrote it.
        StoreLocked: another process keeps it locked.
    """
    try:
        schema.inspect(path)
        with schema.reading(path) as connection:
            found = tuple(_check_database(connection))
        if found:
            # Of a broken tree of pages no count is worth much.
            return CheckReport(str(path), findings=found)
        schema.prepare_to_read(path)
        with schema.reading(path) as connection:
            return _Check(connection, path, blobs).report()
    except StoreDamaged as error:
        return CheckReport(str(path), findings=(Finding(str(error)),))


def _check_database(connection: sqlite3.Connection) -> Iterator[Finding]:
    try:
        for (message,) in connection.execute(f"PRAGMA integrity_check({_MOST_MESSAGES})"):
            if message != "ok":
                yield Finding(f"the database is damaged: {' '.join(message.split())}")
    except FAULTS as error:
        yield Finding(f"the database is damaged: {error}")


class _Check:
    """One pass over one journal."""

    def __init__(self, connection: sqlite3.Connection, path: Path, blobs: Blobs) -> None:
        self._connection = connection
        self._path = path
        self._blobs = blobs
        self._findings: list[Finding] = []
        self._named: set[str] = set()
        self._events = 0

    def report(self) -> CheckReport:
        plans = self._check_plans()
        runs = self._connection.execute(
            "SELECT number, id, plan_id, plan_hash, state, last_seq FROM run ORDER BY number"
        ).fetchall()
        for row in runs:
            self._check_run(row, plans)
        for what in shelf_faults(self._connection, plans, self._path):
            self._find(what)
        strays = "SELECT count(*) FROM {} WHERE run NOT IN (SELECT number FROM run)"
        for table in ("event", "blob", "cache"):
            (count,) = self._connection.execute(strays.format(table)).fetchone()
            if count:
                self._find(f"{count} rows of table {table} belong to no run")
        return CheckReport(
            str(self._path),
            plans=len(plans),
            runs=len(runs),
            events=self._events,
            large_values=len(self._named),
            findings=tuple(self._findings),
            unused=tuple(unused_files(self._blobs.folder, self._named | self._listed())),
        )

    def _listed(self) -> set[str]:
        """Return the names of files that events are listed with: those of damaged ones, too."""
        return {sha256 for (sha256,) in self._connection.execute("SELECT sha256 FROM blob")}

    def _find(self, what: str, run_id: str | None = None) -> None:
        self._findings.append(Finding(what, run_id))

    def _check_plans(self) -> set[tuple[str, str]]:
        found: set[tuple[str, str]] = set()
        for row in self._connection.execute("SELECT id, hash, body, checksum FROM plan"):
            found.add(row[:2])
            try:
                read_plan(row, self._path)
            except StoreDamaged as error:
                self._find(reason(error, self._path))
        return found

    def _check_run(self, row: tuple[Any, ...], plans: set[tuple[str, str]]) -> None:
        number, run_id, plan_id, plan_hash, state, last_seq = row
        if (plan_id, plan_hash) not in plans:
            self._find(f"the plan {plan_id} of run {run_id} is missing", run_id)
        seq, so_far, is_whole = 0, StateSoFar(), True
        for event in self._connection.execute(
            "SELECT seq, at, kind, path, body, checksum FROM event WHERE run = ? ORDER BY seq",
            (number,),
        ):
            if event[0] != seq + 1:
                self._find(f"event {seq + 1} of run {run_id} is missing", run_id)
            seq = event[0]
            self._events += 1
            try:
                so_far.add(unpack(run_id, event, self._blobs, None).event)
                self._check_names(run_id, number, event)
            except StoreDamaged as error:
                is_whole = False
                self._find(str(error), run_id)
        if seq != last_seq:
            self._find(f"run {run_id} ends with event {seq} and not {last_seq}", run_id)
        elif is_whole and so_far.state.value != state:
            self._find(
                f"run {run_id} is listed as {state}, and its events say {so_far.state.value}",
                run_id,
            )

    def _check_names(self, run_id: str, number: int, event: tuple[Any, ...]) -> None:
        """Check that the files an event refers to are those that it is listed with."""
        in_body = sorted(sha256 for _, sha256 in blobs_in(codecs.loads(event[4])))
        listed = self._connection.execute(
            "SELECT sha256 FROM blob WHERE run = ? AND seq = ? ORDER BY sha256", (number, event[0])
        )
        if sorted(set(in_body)) != [sha256 for (sha256,) in listed]:
            self._find(f"event {event[0]} of run {run_id} is listed with other files", run_id)
        self._named.update(in_body)


def unused_files(blobs: Path, named: set[str]) -> Iterator[Path]:
    """Yield the files of a store that nothing refers to: large values, and half-written drafts."""
    for folder in (blobs.parent, blobs):
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                is_value = folder == blobs and re.fullmatch("[0-9a-f]{64}", path.name)
                if _DRAFT.fullmatch(path.name) or (is_value and path.name not in named):
                    yield path
