"""What a store promises, and the nouns that it hands out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from portia_nb.model.approval import Approval, PlanVersion
from portia_nb.model.events import Recorded
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRunState

from .ledger import Ledger
from .owner import Owner, is_alive

if TYPE_CHECKING:
    from .history import RunFilter, RunWork
    from .reports import CheckReport, ExportReport, ImportReport, PruneReport, VacuumReport


@dataclass(frozen=True, slots=True)
class Hold:
    """The right to write to one run, until another owner takes it over."""

    run_id: str
    fence: int
    """Goes up by one with each new owner; a write with an older one is refused."""
    ledger: Ledger = field(default_factory=Ledger, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in a list of runs."""

    run_id: str
    plan_id: str
    plan_hash: str
    """The plan's `content_hash` when the run was made, for `Store.load_plan`."""
    query: str
    state: PlanRunState
    created_at: float
    """Seconds since the epoch."""
    updated_at: float
    """Time of the last kept event, in seconds since the epoch."""
    owner: Owner | None
    """Who holds the run; whether that process lives is `owner.is_alive`'s to say."""
    held_since: float | None
    forked_from: str | None = None
    """Id of the run whose outputs it took over."""

    @property
    def has_died(self) -> bool:
        """Whether the run was under way when its process ended, and nobody has gone on with it."""
        under_way = self.state is PlanRunState.IN_PROGRESS
        return under_way and (self.owner is None or not is_alive(self.owner))


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One plan in a list of plans."""

    plan_id: str
    plan_hash: str
    query: str
    saved_at: float


class Store(Protocol):
    """Keeps plans and the events of runs. Every method may be called from any thread.

    Every method may raise `StorageError`: `StoreUnwritable`, `StoreFull`, `StoreLocked`,
    `StoreDamaged` or `StoreTooNew`. Nothing is opened before the first call.
    """

    @property
    def is_open(self) -> bool:
        """Whether the next call finds everything open, and waits for no opening."""
        ...

    def open(self) -> None:
        """Open the store, and make it where there is none. Every other method does so itself."""
        ...

    def save_plan(self, plan: Plan) -> None:
        """Keep `plan`; on return it is on disk. Twice is once."""
        ...

    def load_plan(self, plan_id: str, *, plan_hash: str | None = None) -> Plan:
        """Return the plan with this id: with the content `plan_hash`, else the last one saved.

        Raises:
            PlanNotFoundError: there is none.
        """
        ...

    def keep_version(self, name: str, plan: Plan, change: str = "") -> int:
        """Keep `plan` as the next version under `name`, which means it from now on.

        On return it is on disk. Versions that were undone before are gone then; plans that have a
        name stay when the runs of them are deleted.

        Returns:
            The version's number, from 1.
        """
        ...

    def set_version(self, name: str, number: int) -> None:
        """Let `name` mean another of its versions.

        Raises:
            PlanNotFoundError: there is none of this number.
        """
        ...

    def find_versions(self, name: str | None = None) -> list[PlanVersion]:
        """Return the versions under `name`, the first one first; None: what each name means."""
        ...

    def forget_name(self, name: str) -> None:
        """Delete a name with its versions, and those of their plans that nothing else uses."""
        ...

    def keep_approval(self, approval: Approval) -> None:
        """Keep who approved a plan; on return it is on disk."""
        ...

    def find_approvals(
        self, *, plan_hash: str | None = None, approval_id: str | None = None, limit: int = 100
    ) -> list[Approval]:
        """Return approvals, the latest first: all, of plans of this content, or the one."""
        ...

    def create_run(
        self, run_id: str, plan: Plan, *, owner: Owner, first: Sequence[Recorded] = ()
    ) -> Hold:
        """Start a run's record, and keep its plan with it. Doesn't wait: `kept` does.

        A process that dies leaves all of it or nothing: the run, its plan and `first`. Failures are
        `kept`'s to raise, an id that is taken included (`StorageError`), and leave nothing either.

        Args:
            run_id: the run.
            plan: what is run.
            owner: who may write to it.
            first: its first events, from `seq` 1, none of them passing: those without which nobody
                could go on with it, such as its inputs and what a fork takes over.
        """
        ...

    def claim(self, run_id: str, *, owner: Owner, take_over: bool = False) -> Hold:
        """Become the run's one owner; on return that is on disk.

        Args:
            run_id: the run.
            owner: who.
            take_over: true: even from a live owner, whose later writes are then refused.

        Raises:
            PlanRunNotFoundError: no such run.
            RunHeldElsewhere: a live process, which may be this one, owns it; `owner`, `since`.
        """
        ...

    def release(self, hold: Hold) -> None:
        """Give the run up, once all that was appended is kept. Doesn't wait. Twice is once."""
        ...

    def append(self, hold: Hold, recorded: Recorded) -> None:
        """Add an event to the run. Encodes it now, and doesn't wait: `kept` does.

        Events are kept in the order of the calls, which is that of their `seq`. After one has
        failed, `kept` raises its error, and all that follow under this hold are dropped, so that
        what is kept is always a beginning. An event that is `passing` isn't kept at all.
        """
        ...

    async def kept(self, hold: Hold) -> None:
        """Return once all that was appended under `hold` is on disk. From any event loop.

        Raises:
            StaleOwner: the run was taken over.
            StorageError: the writing failed.
        """
        ...

    def kept_blocking(self, hold: Hold, timeout_s: float | None = None) -> None:
        """Do the same as `kept`, from a thread.

        Raises:
            TimeoutError: `timeout_s` have passed.
        """
        ...

    def load_events(
        self, run_id: str, *, after_seq: int = 0, classes: Mapping[str, Any] | None = None
    ) -> list[Recorded]:
        """Return the run's kept events with a `seq` above `after_seq`, in order.

        Args:
            run_id: the run.
            after_seq: where to start.
            classes: as in `codecs.decode`.

        Raises:
            PlanRunNotFoundError: no such run.
            StoreDamaged: an event isn't what was written; `events` holds those before it.
        """
        ...

    def find_cached(
        self,
        key: str,
        *,
        max_age_s: float | None = None,
        classes: Mapping[str, Any] | None = None,
    ) -> Recorded | None:
        """Return the latest `StepDone` that was appended with this `cache_key`, or None.

        It goes with its run: `delete_run` deletes it.

        Args:
            key: the key.
            max_age_s: seconds since the step was done, at most; None: any.
            classes: as in `codecs.decode`.

        Raises:
            StoreDamaged: the event isn't what was written.
        """
        ...

    def find_runs(
        self, *, plan_id: str | None = None, state: PlanRunState | None = None, limit: int = 100
    ) -> list[RunRow]:
        """Return runs, newest first."""
        ...

    def list_runs(self, wanted: RunFilter) -> list[RunRow]:
        """Return all runs that match, newest first.

        Args:
            wanted: which.
        """
        ...

    def work_of(self, run_ids: Sequence[str]) -> dict[str, RunWork]:
        """Return, by id, what runs have done so far; one that isn't kept is left out.

        Raises:
            StoreDamaged: an event isn't what was written.
        """
        ...

    def find_run(self, run_id: str) -> RunRow:
        """Return the row of one run.

        Raises:
            PlanRunNotFoundError: no such run.
        """
        ...

    def find_plans(self, *, limit: int = 100) -> list[PlanRow]:
        """Return plans, the last one saved first."""
        ...

    def delete_run(self, run_id: str, *, force: bool = False) -> None:
        """Delete a run with its events, its plan and values that nothing else uses.

        Args:
            run_id: the run.
            force: true: even from a live owner, whose later writes then fail.

        Raises:
            PlanRunNotFoundError: no such run.
            RunHeldElsewhere: a live process owns it.
        """
        ...

    # -- upkeep -------------------------------------------------------------------------------

    def check(self) -> CheckReport:
        """Read everything, and report what isn't as it was written, and which runs that affects.

        Damage is reported and not raised.
        """
        ...

    def vacuum(self, *, force: bool = False) -> VacuumReport:
        """Give free space back to the disk, and delete files that nothing refers to.

        Args:
            force: true: even where a run seems to be owned by a live process, such as one of a
                machine or container that is gone. One that really writes meanwhile waits, and
                after some seconds fails with `StoreLocked`.

        Raises:
            StoreLocked: a live process owns a run, or keeps the file locked.
            StoreDamaged: the store isn't whole; nothing was changed.
        """
        ...

    def prune(
        self,
        older_than: str | timedelta,
        *,
        states: Collection[PlanRunState | str] | None = None,
        dry_run: bool = False,
        force: bool = False,
    ) -> PruneReport:
        """Delete runs in which nothing has happened for a while, as `delete_run` does.

        Args:
            older_than: the while: a `timedelta`, or text such as ``"30d"``, ``"12h"``, ``"2w"``.
            states: only runs in these states; None: in any.
            dry_run: true: only report.
            force: true: also runs that wait for an answer, and runs that a live process owns.

        Raises:
            InvalidOption: `older_than` is no age, or one of `states` no state.
        """
        ...

    def export_to(
        self,
        target: Path | str,
        *,
        run_ids: Sequence[str] | None = None,
        salvage: bool = False,
        overwrite: bool = False,
    ) -> ExportReport:
        """Write plans and runs to files that people and `import_from` can read.

        Approvals of these plans go with them; names of plans do where everything is written.

        Args:
            target: a file of JSON lines; or a folder, or a name without a suffix, for a file a run.
            run_ids: these runs with their plans; None: everything.
            salvage: true: leave out what is damaged instead of raising; the report's `lost` says
                what. It works on a file that can't be opened any more, too.
            overwrite: true: replace files that are there.

        Raises:
            PlanRunNotFoundError: no such run.
            StoreDamaged: something isn't what was written, and `salvage` is false.
            StorageError: a file is there already, or can't be written.
        """
        ...

    def export_lines(
        self, *, run_ids: Sequence[str] | None = None, salvage: bool = False
    ) -> Iterator[str]:
        """Yield what `export_to` writes to one file, line by line."""
        ...

    def import_from(self, source: Path | str, *, approvals: bool = False) -> ImportReport:
        """Add the plans, names and runs that `export_to` wrote; each run whole or not at all.

        Nobody owns them here. A run that is here already is left as it is, and so is a name.

        Args:
            source: a file, or a folder of such files.
            approvals: True: take over who approved which plan, too, so that those plans and calls
                aren't asked about again. Only for an export of one's own: a file that somebody
                sends could approve anything.

        Raises:
            StorageError: a file can't be read, or isn't an export.
        """
        ...

    def close(self) -> None:
        """Finish writing and let go of files and threads. The next call opens them again."""
        ...
