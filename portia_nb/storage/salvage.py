"""Getting plans and runs out of a damaged journal: each event whose own checksum still fits.

The database's trees and its schema aren't needed, and what can't be proved is left out. A run's
number stands in its events, its id doesn't: the checksum, which covers the id, tells which it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from portia_nb.errors import StorageError, StoreDamaged
from portia_nb.model import codecs
from portia_nb.model.run import PlanRunState

from .blobs import Blobs
from .contents import Contents, KeptEvent, KeptPlan, KeptRun
from .faults import typed
from .pages import Record, read_aside, records
from .reports import Finding
from .rows import checksum, read_row

_RUN_ID = re.compile(rb"(?:prun|map)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_EVENT_COLUMNS, _PLAN_COLUMNS = 8, 7
_RUN_COLUMNS = range(12, 20)  # it has grown, and may grow
_CHECKSUM_BYTES = 16
_TRIED = 5
"""Events that an id is tried on; damaged ones fit none."""

_Key = tuple[str, str]


def salvage(path: Path, blobs: Blobs) -> Contents:
    """Return what can still be proved to have been written to the journal at `path`.

    Each run has the events whose checksum fits, in order; an event between them may be missing, and
    is then told of in `lost`.

    Raises:
        StorageError: the file can't be read at all.
    """
    found = _Salvage()
    if not path.exists():
        raise StorageError(f"{path} isn't there, so there is nothing to save from it", path=path)
    try:
        for record in records(path):
            found.take(record)
        candidates = _ids_in(path)
    except OSError as error:
        raise typed(error, path) from error
    return found.contents(blobs, candidates)


def _ids_in(path: Path) -> list[str]:
    """Return everything in the file and its log that looks like a run's id."""
    data = read_aside(path)
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        data += log.read_bytes()
    return sorted({match.decode("ascii") for match in _RUN_ID.findall(data)})


class _Salvage:
    """What was found so far."""

    def __init__(self) -> None:
        self._plans: dict[_Key, KeptPlan] = {}
        self._runs: dict[str, Record] = {}
        self._numbers: dict[int, list[str]] = {}
        self._events: dict[int, dict[int, list[Record]]] = {}

    def take(self, record: Record) -> None:
        """Look what kind of record it is, by its shape."""
        if len(record) == _EVENT_COLUMNS and _is_event(record):
            versions = self._events.setdefault(record[0], {}).setdefault(record[1], [])
            if record not in versions:
                versions.append(record)
        elif len(record) == _PLAN_COLUMNS:
            self._take_plan(record)
        elif len(record) in _RUN_COLUMNS and _is_run(record):
            self._runs.setdefault(record[1], record)
        elif len(record) == 2 and isinstance(record[0], str) and isinstance(record[1], int):
            # The index of ids.
            self._numbers.setdefault(record[1], []).append(record[0])

    def _take_plan(self, record: Record) -> None:
        _, plan_id, plan_hash, _, saved_at, body, found = record
        if not isinstance(body, bytes) or found != checksum(plan_id, plan_hash, body):
            return
        kept = KeptPlan(plan_id, plan_hash, _seconds(saved_at), codecs.loads(body))
        self._plans[plan_id, plan_hash] = kept

    def contents(self, blobs: Blobs, candidates: list[str]) -> Contents:
        """Put together what belongs together."""
        lost: list[Finding] = []
        ids = list(dict.fromkeys([*self._runs, *candidates]))
        of_run: dict[str, list[Record]] = {}
        for number in sorted(self._events):
            left = {seq: list(versions) for seq, versions in self._events[number].items()}
            for run_id in self._owners(left, self._numbers.get(number, []), ids):
                of_run[run_id] = _take_proved(left, run_id)
            unproved = sum(map(bool, left.values()))
            if unproved:
                lost.append(Finding(f"{unproved} events are damaged, or of a run whose id is lost"))
        if not of_run and not self._plans:
            lost.append(Finding("no run and no plan of portia_nb was found in the file"))
        missing = [run_id for run_id in self._runs if run_id not in of_run]
        lost += [Finding(f"no event of run {run_id} is left", run_id) for run_id in missing]

        def runs() -> Iterator[KeptRun]:
            for run_id, rows in of_run.items():
                yield self._run(run_id, rows, blobs, lost)

        return Contents(list(self._plans.values()), runs(), is_salvaged=True, lost=lost)

    def _owners(
        self, events: dict[int, list[Record]], likely: list[str], ids: list[str]
    ) -> Iterator[str]:
        """Yield the ids under which checksums of `events` fit: a number may be used again."""
        for run_id in dict.fromkeys([*likely, *ids]):
            left = [versions for versions in events.values() if versions][:_TRIED]
            if not left:
                return
            if any(_fits(run_id, record) for versions in left for record in versions):
                yield run_id

    def _run(self, run_id: str, rows: list[Record], blobs: Blobs, lost: list[Finding]) -> KeptRun:
        events: list[KeptEvent] = []
        for _, seq, at, kind, path, _, body, found in rows:
            try:
                data = read_row(run_id, (seq, _seconds(at), kind, path, body, found), blobs)
            except StoreDamaged as error:
                lost.append(Finding(str(error), run_id))
            else:
                events.append(KeptEvent(seq, _seconds(at), data))
        known = self._runs.get(run_id)
        last = max([event.seq for event in events] + [row[1] for row in rows], default=0)
        expected = max(_last_seq(known), last)
        here = {event.seq for event in events}
        gaps = [seq for seq in range(1, expected + 1) if seq not in here]
        if gaps:
            what = f"{len(gaps)} of the {expected} events of run {run_id} are lost"
            lost.append(Finding(what, run_id))
        plan_id, plan_hash = self._plan_of(known, events)
        created_at = _seconds(known[5]) if known else (events[0].at if events else 0.0)
        state = known[4] if known else PlanRunState.IN_PROGRESS.value
        return KeptRun(run_id, plan_id, plan_hash, state, created_at, expected, events)

    def _plan_of(self, known: Record | None, events: list[KeptEvent]) -> _Key:
        """Return the run's plan: its row says which; without it, its first event says the id."""
        if known is not None and (known[2], known[3]) in self._plans:
            return known[2], known[3]
        plan_id = next((str(e.data["plan_id"]) for e in events if "plan_id" in e.data), "")
        hashes = [plan_hash for found, plan_hash in self._plans if found == plan_id]
        return plan_id or "lost", hashes[-1] if hashes else "lost"


def _is_event(record: Record) -> bool:
    run, seq, at, kind, path, fence, body, found = record
    return (
        isinstance(run, int)
        and isinstance(seq, int)
        and isinstance(at, int | float)
        and isinstance(kind, str)
        and (path is None or isinstance(path, str))
        and isinstance(fence, int)
        and isinstance(body, bytes)
        and isinstance(found, bytes)
        and len(found) == _CHECKSUM_BYTES
    )


def _is_run(record: Record) -> bool:
    texts = all(isinstance(value, str) for value in record[1:5])
    return texts and isinstance(record[5], int | float) and isinstance(record[6], int)


def _take_proved(events: dict[int, list[Record]], run_id: str) -> list[Record]:
    """Take the events of one run out of `events`, in order."""
    taken: list[Record] = []
    for seq in sorted(events):
        proved = [record for record in events[seq] if _fits(run_id, record)]
        if proved:
            taken.append(proved[0])
            events[seq] = []
    return taken


def _fits(run_id: str, record: Record) -> bool:
    _, seq, at, _, _, _, body, found = record
    return found == checksum(run_id, seq, _seconds(at), body)


def _last_seq(run: Record | None) -> int:
    """Return how many events the run's row counts; 0 where an old file's row has no such column."""
    found: Any = run[7] if run is not None else 0
    return found if isinstance(found, int) and 0 <= found < 10_000_000 else 0


def _seconds(value: Any) -> float:
    """Return a number of seconds: SQLite writes a whole one as an integer."""
    return float(value) if isinstance(value, int | float) else 0.0
