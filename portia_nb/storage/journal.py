"""The journal: a `Store` in one SQLite file, safe against loss of the process and of power."""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portia_nb.errors import StorageError, StoreFull, StoreLocked, StoreUnwritable
from portia_nb.model.events import Recorded
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRunState

from . import cache, jobs, queries, schema
from .blobs import Blobs
from .history import JournalHistory
from .owner import Owner
from .place import is_there, make_folder
from .plan_shelf import JournalPlans
from .refusals import no_run, out_of_order
from .rows import EventRow, pack, row_of, unpack
from .store import Hold, RunRow
from .writer import Job, Work, Writer

if TYPE_CHECKING:
    from .contents import Contents
    from .importing import ReadRun
    from .reports import CheckReport, ExportReport, ImportReport, PruneReport, VacuumReport

_CALL_TIMEOUT_S = 30.0
_EXIT_TIMEOUT_S = 5.0
_ALL = 2**62


# Module state, since a process may have several stores on one file: holds that it has given up and
# whose release isn't written yet, or can't be, the disk being full. They are free all the same.
_given_up: set[tuple[Path, str, int]] = set()


class JournalStore(JournalPlans, JournalHistory):
    """A `Store` in ``journal.sqlite`` inside a folder, with large values beside it in ``blobs/``.

    Several processes may use one folder. What `kept` has returned for survives ``kill -9``, and on
    a local disk that honours syncing, a loss of power.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = JournalStore(Path(folder))
    ...     store.save_plan(Plan(plan_context={"query": "Which grew faster?"}))
    ...     print(store.find_plans()[0].query)
    ...     store.close()
    Which grew faster?
    """

    def __init__(self, folder: Path) -> None:
        """Refer to `folder`; it is made, and the file in it opened, at the first use."""
        self.folder = folder
        self.path = folder / "journal.sqlite"
        self._blobs = Blobs(folder / "blobs")
        self._writer = Writer(self.path)
        self._opening = threading.Lock()
        self._is_open = False
        self._at_exit: Callable[[], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the file has been looked at and brought up to date, and can be written to."""
        return self._is_open

    def open(self) -> None:
        """Open the file, or make it, as `Store.open` promises; reading alone needs less."""
        if self._is_open:
            return
        with self._opening:
            if not self._is_open:
                make_folder(self.folder)
                schema.prepare(self.path)
                self._is_open = True
                # Weakly: a store that nobody uses any more may go before the process does.
                self._at_exit = partial(_call_if_alive, weakref.WeakMethod(self._close))
                atexit.register(self._at_exit)

    def _open_to_read(self) -> None:
        try:
            self.open()
        except (StoreUnwritable, StoreFull):
            # What is there can still be read, exported and shown; who writes is told each time.
            if not is_there(self.path):
                raise
            schema.look_at(self.path)

    # -- owning -------------------------------------------------------------------------------

    def create_run(
        self, run_id: str, plan: Plan, *, owner: Owner, first: Sequence[Recorded] = ()
    ) -> Hold:
        """Start a run's record, as `Store.create_run` promises."""
        self.open()
        hold = Hold(str(run_id), 1)
        try:
            rows = [(self._packed(hold, recorded), recorded.event) for recorded in first]
        except StorageError as error:
            hold.ledger.fail(error)
            return hold
        hold.ledger.add()
        job = partial(jobs.create_run, hold, plan, owner, time.time(), rows, self._rewrite_blobs)
        large = [row for row, _ in rows if row.blobs]
        prepare = partial(_for_each, self._write_blobs, large) if large else None
        size = sum(len(row.body) for row, _ in rows)
        self._writer.put(Work(job, hold=hold, prepare=prepare, size=size))
        return hold

    def claim(self, run_id: str, *, owner: Owner, take_over: bool = False) -> Hold:
        """Become the run's owner, as `Store.claim` promises."""
        mine = [key for key in tuple(_given_up) if key[:2] == (self.path, run_id)]
        given_up = {fence for *_, fence in mine}
        hold = self._call(
            partial(jobs.claim, str(run_id), owner, take_over, given_up, f"in {self.path}")
        )
        _given_up.difference_update(mine)
        return hold

    def release(self, hold: Hold) -> None:
        """Give the run up, as `Store.release` promises."""
        key = (self.path, hold.run_id, hold.fence)
        _given_up.add(key)
        work = Work(partial(jobs.release, hold), result=jobs.when_done(_given_up, key))
        self._writer.put(work, hurry=True)

    # -- events -------------------------------------------------------------------------------

    def append(self, hold: Hold, recorded: Recorded) -> None:
        """Add an event, as `Store.append` promises."""
        ledger = hold.ledger
        if recorded.event.passing or ledger.error is not None:
            return
        try:
            row = self._packed(hold, recorded)
        except StorageError as error:
            ledger.fail(error)
            return
        if ledger.add():
            prepare = partial(self._write_blobs, row) if row.blobs else None
            job = partial(jobs.append, hold, row, recorded.event, self._rewrite_blobs)
            self._writer.put(Work(job, hold=hold, prepare=prepare, size=len(row.body)))

    def _packed(self, hold: Hold, recorded: Recorded) -> EventRow:
        if recorded.seq != hold.ledger.last_seq + 1:
            raise out_of_order(hold.run_id, recorded.seq)
        row = pack(recorded)
        hold.ledger.last_seq = recorded.seq
        return row

    def _write_blobs(self, row: EventRow) -> None:
        for sha256, parts in row.blobs:
            self._blobs.write(sha256, parts)

    def _rewrite_blobs(self, row: EventRow) -> None:
        for sha256, parts in row.blobs:
            self._blobs.write(sha256, parts, looked_at=True)

    async def kept(self, hold: Hold) -> None:
        """Wait until all is on disk, as `Store.kept` promises."""
        await hold.ledger.wait(self._writer.hurry)

    def kept_blocking(self, hold: Hold, timeout_s: float | None = None) -> None:
        """Wait in a thread until all is on disk."""
        hold.ledger.wait_blocking(self._writer.hurry, timeout_s)

    def load_events(
        self, run_id: str, *, after_seq: int = 0, classes: Mapping[str, Any] | None = None
    ) -> list[Recorded]:
        """Return the run's events, as `Store.load_events` promises."""
        self._catch_up()
        with schema.reading(self.path) as connection:
            return queries.load_events(
                connection, run_id, after_seq, self.path, self._blobs, classes
            )

    def find_cached(
        self,
        key: str,
        *,
        max_age_s: float | None = None,
        classes: Mapping[str, Any] | None = None,
    ) -> Recorded | None:
        """Return the step's end with this key, as `Store.find_cached` promises."""
        self._catch_up()
        with schema.reading(self.path) as connection:
            found = cache.find(connection, key, max_age_s)
            return None if found is None else unpack(*found, self._blobs, classes)

    # -- runs ---------------------------------------------------------------------------------

    def find_runs(
        self, *, plan_id: str | None = None, state: PlanRunState | None = None, limit: int = 100
    ) -> list[RunRow]:
        """Return runs, newest first."""
        self._catch_up()
        with schema.reading(self.path) as connection:
            return queries.find_runs(connection, plan_id, state, limit, self.path)

    def find_run(self, run_id: str) -> RunRow:
        """Return one run's row, as `Store.find_run` promises."""
        self._catch_up()
        with schema.reading(self.path) as connection:
            rows = queries.find_runs(connection, None, None, 1, self.path, str(run_id))
        if not rows:
            raise no_run(run_id, f"in {self.path}", self.folder)
        return rows[0]

    def delete_run(self, run_id: str, *, force: bool = False) -> None:
        """Delete a run, as `Store.delete_run` promises; nothing of it can be read any more."""
        self._delete(str(run_id), force)
        schema.scrub(self.path)

    def _delete(self, run_id: str, force: bool) -> None:
        unused = self._call(partial(jobs.delete_run, run_id, force, f"in {self.path}"))
        if unused:
            self._call(partial(jobs.delete_blobs, unused, self._blobs))

    # -- upkeep -------------------------------------------------------------------------------

    def check(self) -> CheckReport:
        """Report what isn't as it was written, as `Store.check` promises; makes no store."""
        from .checking import check_journal
        from .reports import CheckReport

        if not is_there(self.path):
            return CheckReport(str(self.path), is_there=False)
        if self._is_open:
            self._catch_up()
        return check_journal(self.path, self._blobs)

    def vacuum(self, *, force: bool = False) -> VacuumReport:
        """Give free space back, as `Store.vacuum` promises."""
        from .vacuum import vacuum_journal

        self.open()
        runs = [] if force else self.find_runs(limit=_ALL)
        # Its connection is another one's: SQLite rewrites a file while no other transaction is on.
        self._writer.close(_CALL_TIMEOUT_S)
        return vacuum_journal(self.path, self._blobs, runs)

    def prune(
        self,
        older_than: str | timedelta,
        *,
        states: Collection[PlanRunState | str] | None = None,
        dry_run: bool = False,
        force: bool = False,
    ) -> PruneReport:
        """Delete old runs, as `Store.prune` promises."""
        from .pruning import prune

        report = prune(
            self.find_runs(limit=_ALL),
            self._delete,
            older_than=older_than,
            states=states,
            dry_run=dry_run,
            force=force,
        )
        if report.runs and not dry_run:
            schema.scrub(self.path)
        return report

    def export_to(
        self,
        target: Path | str,
        *,
        run_ids: Sequence[str] | None = None,
        salvage: bool = False,
        overwrite: bool = False,
    ) -> ExportReport:
        """Write plans and runs to files, as `Store.export_to` promises."""
        from .export import export

        with self._contents(run_ids, salvage) as contents:
            return export(contents, Path(target), overwrite=overwrite)

    def export_lines(
        self, *, run_ids: Sequence[str] | None = None, salvage: bool = False
    ) -> Iterator[str]:
        """Yield plans and runs as lines, as `Store.export_lines` promises."""
        from .export import Export

        with self._contents(run_ids, salvage) as contents:
            yield from Export(contents).lines()

    @contextlib.contextmanager
    def _contents(self, run_ids: Sequence[str] | None, salvage: bool) -> Generator[Contents]:
        from .contents import of_journal
        from .salvage import salvage as salvaged

        if salvage:
            found = salvaged(self.path, self._blobs)
            yield found if run_ids is None else found.only(run_ids)
            return
        self._catch_up()
        with schema.reading(self.path) as connection:
            yield of_journal(connection, self.path, self._blobs, run_ids)

    def import_from(self, source: Path | str, *, approvals: bool = False) -> ImportReport:
        """Add what was exported, as `Store.import_from` promises."""
        from .importing import Import

        taking = (self.save_plan, self._add_run, self._add_name, self._add_approval)
        return Import(*taking, takes_approvals=approvals).take(Path(source))

    def _add_run(self, run: ReadRun) -> bool:
        rows = [row_of(run.run_id, *kept) for kept in run.events]
        return self._call(partial(jobs.add_run, run, rows, self._write_blobs))

    # -- opening and closing ------------------------------------------------------------------

    def close(self) -> None:
        """Write what is queued, and let go of the file and the thread."""
        self._close(_CALL_TIMEOUT_S)

    def _close(self, timeout_s: float) -> None:
        with self._opening:
            self._writer.close(timeout_s)
            self._is_open = False
            if self._at_exit is not None:
                atexit.unregister(self._at_exit)
                self._at_exit = None

    def _call(self, job: Job) -> Any:
        self.open()
        try:
            return self._writer.call(job, _CALL_TIMEOUT_S)
        except TimeoutError as error:
            raise StoreLocked(
                f"{self.path} did not answer within {_CALL_TIMEOUT_S:.0f} s: its disk or network "
                "may hang; try again, or set store= to another folder",
                path=self.path,
            ) from error

    def _catch_up(self) -> None:
        """Let a reader see what was appended before; what can't be written is `kept`'s to tell."""
        self._open_to_read()
        if not self._writer.is_idle():
            self._call(lambda connection: None)


def _for_each(call: Callable[[EventRow], None], rows: Sequence[EventRow]) -> None:
    for row in rows:
        call(row)


def _call_if_alive(method: weakref.WeakMethod[Callable[[float], None]]) -> None:
    close = method()
    if close is not None:
        close(_EXIT_TIMEOUT_S)
