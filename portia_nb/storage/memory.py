"""A store that lives as long as its process: objects, where the journal has their encoding."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portia_nb.errors import PlanRunNotFoundError, StorageError
from portia_nb.model import codecs
from portia_nb.model.approval import Approval, PlanVersion
from portia_nb.model.events import (
    Recorded,
    RunCreated,
    StepDone,
    event_from_json,
    event_to_json,
)
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRunState

from .history import RunFilter, RunWork, map_of, matches, names_tool, work_in
from .ledger import Ledger
from .own import own
from .owner import Owner, is_alive
from .plan_shelf import MemoryPlans
from .refusals import (
    done_twice,
    held_elsewhere,
    here_already,
    no_run,
    out_of_order,
    run_id_taken,
    stale,
)
from .states import StateSoFar
from .store import Hold, RunRow

if TYPE_CHECKING:
    from .contents import Contents
    from .importing import ReadRun
    from .reports import CheckReport, ExportReport, ImportReport, PruneReport, VacuumReport


class _Run:
    """One run's record."""

    __slots__ = (
        "created_at",
        "done",
        "events",
        "fence",
        "forked_from",
        "held_since",
        "owner",
        "plan",
        "state_so_far",
    )

    def __init__(self, plan: Plan, owner: Owner | None) -> None:
        self.plan = plan
        self.events: list[Recorded] = []
        self.done: set[str] = set()
        self.state_so_far = StateSoFar()
        self.fence = 1
        self.owner: Owner | None = owner
        self.created_at = time.time()
        self.held_since: float | None = self.created_at
        self.forked_from: str | None = None

    @property
    def state(self) -> PlanRunState:
        return self.state_so_far.state


_Shared = tuple[str, float, int, str]
"""Run, time, number and JSON of an event whose output is shared; its value may change meanwhile."""


class MemoryStore(MemoryPlans):
    """A `Store` that keeps nothing beyond its process.

    Lists, dicts and the like are copied as they come and go. It keeps other objects themselves:
    whoever changes one afterwards changes it here too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plans: dict[tuple[str, str], tuple[Plan, float]] = {}
        self._runs: dict[str, _Run] = {}
        self._versions: dict[str, list[PlanVersion]] = {}
        self._approvals: list[Approval] = []
        self._cache: dict[str, _Shared] = {}

    @property
    def is_open(self) -> bool:
        """True: there is nothing to open."""
        return True

    def open(self) -> None:
        """Do nothing: there is nothing to open."""

    def create_run(
        self, run_id: str, plan: Plan, *, owner: Owner, first: Sequence[Recorded] = ()
    ) -> Hold:
        """Start a run's record, as `Store.create_run` promises."""
        hold, run = Hold(run_id, 1), _Run(plan, owner)
        with self._lock:
            if run_id in self._runs:
                hold.ledger.fail(run_id_taken(run_id))
                return hold
            shared: dict[str, _Shared] = {}
            try:
                for recorded in first:
                    self._add(run, hold, recorded, shared)
            except StorageError as error:
                hold.ledger.fail(error)
                return hold
            self._cache.update(shared)
            hold.ledger.last_seq = len(run.events)
            self._runs[run_id] = run
            self._save(plan)
        return hold

    def claim(self, run_id: str, *, owner: Owner, take_over: bool = False) -> Hold:
        """Become the run's owner, as `Store.claim` promises."""
        with self._lock:
            run = self._run(run_id)
            if run.owner is not None and not take_over and is_alive(run.owner):
                raise held_elsewhere(run_id, run.owner, run.held_since)
            run.fence += 1
            run.owner, run.held_since = owner, time.time()
            return Hold(run_id, run.fence, Ledger(len(run.events)))

    def release(self, hold: Hold) -> None:
        """Give the run up, as `Store.release` promises."""
        with self._lock:
            run = self._runs.get(hold.run_id)
            if run is not None and run.fence == hold.fence:
                run.owner = run.held_since = None

    def append(self, hold: Hold, recorded: Recorded) -> None:
        """Add an event, as `Store.append` promises."""
        if hold.ledger.error is not None or recorded.event.passing:
            return
        with self._lock:
            run = self._runs.get(hold.run_id)
            try:
                if recorded.seq != hold.ledger.last_seq + 1:
                    raise out_of_order(hold.run_id, recorded.seq)
                hold.ledger.last_seq = recorded.seq
                if run is None:
                    raise no_run(hold.run_id, "in memory")
                self._add(run, hold, recorded, self._cache)
            except (StorageError, PlanRunNotFoundError) as error:
                hold.ledger.fail(
                    error if isinstance(error, StorageError) else StorageError(str(error))
                )

    def _add(self, run: _Run, hold: Hold, recorded: Recorded, shared: dict[str, _Shared]) -> None:
        if run.fence != hold.fence:
            raise stale(hold.run_id, run.owner)
        event = recorded.event
        if recorded.seq != len(run.events) + 1:
            raise out_of_order(hold.run_id, recorded.seq)
        if type(event) is StepDone:
            if event.path in run.done:
                raise done_twice(hold.run_id, event.path)
            run.done.add(event.path)
            if event.cache_key is not None and not event.reused:
                data = event_to_json(event)
                if not codecs.is_unkept(data["value"]):
                    kept = (hold.run_id, recorded.at, recorded.seq, codecs.dumps(data))
                    shared[event.cache_key] = kept
        elif type(event) is RunCreated:
            run.forked_from = event.forked_from
        run.events.append(own(recorded))
        run.state_so_far.add(event)

    async def kept(self, hold: Hold) -> None:
        """Return at once, or raise what went wrong, as `Store.kept` promises."""
        hold.ledger.raise_failure()

    def kept_blocking(self, hold: Hold, timeout_s: float | None = None) -> None:
        """Return at once, or raise what went wrong."""
        hold.ledger.raise_failure()

    def load_events(
        self, run_id: str, *, after_seq: int = 0, classes: Mapping[str, Any] | None = None
    ) -> list[Recorded]:
        """Return the run's events, as `Store.load_events` promises."""
        with self._lock:
            kept = self._run(run_id).events[max(after_seq, 0) :]
        return [own(recorded) for recorded in kept]

    def find_cached(
        self,
        key: str,
        *,
        max_age_s: float | None = None,
        classes: Mapping[str, Any] | None = None,
    ) -> Recorded | None:
        """Return the step's end with this key, as `Store.find_cached` promises."""
        with self._lock:
            found = self._cache.get(key)
        if found is None or (max_age_s is not None and found[1] < time.time() - max_age_s):
            return None
        run_id, at, seq, text = found
        event = event_from_json(codecs.loads(text), dict(classes or {}))
        return Recorded(seq, at, run_id, event)

    def find_runs(
        self, *, plan_id: str | None = None, state: PlanRunState | None = None, limit: int = 100
    ) -> list[RunRow]:
        """Return runs, newest first."""
        with self._lock:
            rows = [
                _row(run_id, run)
                for run_id, run in reversed(self._runs.items())
                if plan_id in (None, run.plan.id) and state in (None, run.state)
            ]
        return rows[:limit]

    def find_run(self, run_id: str) -> RunRow:
        """Return one run's row, as `Store.find_run` promises."""
        with self._lock:
            return _row(run_id, self._run(run_id))

    def list_runs(self, wanted: RunFilter) -> list[RunRow]:
        """Return all runs that match, newest first, as `Store.list_runs` promises."""
        with self._lock:
            runs = [(_row(run_id, run), run.plan) for run_id, run in reversed(self._runs.items())]
            of = {run_id: map_of(run.events) for run_id, run in self._runs.items()}
            of = {run_id: of_map for run_id, of_map in of.items() if of_map in self._runs}
        tool = wanted.tool
        found = [(row, plan) for row, plan in runs if matches(row, wanted)]
        if wanted.map_id is not None:
            found = [each for each in found if of.get(each[0].run_id, "") == wanted.map_id]
        return [row for row, plan in found if tool is None or names_tool(plan, tool)]

    def work_of(self, run_ids: Sequence[str]) -> dict[str, RunWork]:
        """Return what runs have done, as `Store.work_of` promises."""
        with self._lock:
            known = [(str(run_id), self._runs.get(str(run_id))) for run_id in run_ids]
            kept = [(run_id, run.plan, list(run.events)) for run_id, run in known if run]
        return {run_id: work_in(plan, events) for run_id, plan, events in kept}

    def delete_run(self, run_id: str, *, force: bool = False) -> None:
        """Delete a run, as `Store.delete_run` promises."""
        with self._lock:
            run = self._run(run_id)
            if run.owner is not None and not force and is_alive(run.owner):
                raise held_elsewhere(run_id, run.owner, run.held_since, to_delete=True)
            del self._runs[run_id]
            self._cache = {key: each for key, each in self._cache.items() if each[0] != run_id}
            key = (str(run.plan.id), run.plan.content_hash())
            if key not in self._plans_in_use():
                self._plans.pop(key, None)
            self._approvals = [a for a in self._approvals if a.stands or a.plan_key in self._plans]

    def _plans_in_use(self) -> set[tuple[str, str]]:
        runs = {(str(r.plan.id), r.plan.content_hash()) for r in self._runs.values()}
        return runs | self._plans_named()

    # -- upkeep -------------------------------------------------------------------------------

    def check(self) -> CheckReport:
        """Count what is here: memory has no damage that could be seen."""
        from .reports import CheckReport

        with self._lock:
            events = sum(len(run.events) for run in self._runs.values())
            return CheckReport("memory", len(self._plans), len(self._runs), events)

    def vacuum(self, *, force: bool = False) -> VacuumReport:
        """Do nothing: memory is given back as objects go."""
        from .reports import VacuumReport

        return VacuumReport(0, 0)

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

        return prune(
            self.find_runs(limit=len(self._runs)),
            lambda run_id, even_held: self.delete_run(run_id, force=even_held),
            older_than=older_than,
            states=states,
            dry_run=dry_run,
            force=force,
        )

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

        return export(self._contents(run_ids), Path(target), overwrite=overwrite)

    def export_lines(
        self, *, run_ids: Sequence[str] | None = None, salvage: bool = False
    ) -> Iterator[str]:
        """Yield plans and runs as lines, as `Store.export_lines` promises."""
        from .export import Export

        return Export(self._contents(run_ids)).lines()

    def _contents(self, run_ids: Sequence[str] | None) -> Contents:
        from .contents import Contents, KeptEvent, KeptPlan, KeptRun

        with self._lock:
            chosen = self._runs if run_ids is None else {each: self._run(each) for each in run_ids}
            keys = {(str(run.plan.id), run.plan.content_hash()) for run in chosen.values()}
            plans = [
                KeptPlan(*key, saved_at, plan.model_dump(mode="json"))
                for key, (plan, saved_at) in self._plans.items()
                if run_ids is None or key in keys
            ]
            rows = [(_row(run_id, run), list(run.events)) for run_id, run in chosen.items()]
            names = self._kept_names() if run_ids is None else []
            hashes = {plan.plan_hash for plan in plans}
            approvals = [each for each in self._approvals if each.plan_hash in hashes]
        runs = (
            KeptRun(
                row.run_id,
                row.plan_id,
                row.plan_hash,
                row.state.value,
                row.created_at,
                len(events),
                (KeptEvent(each.seq, each.at, event_to_json(each.event)) for each in events),
            )
            for row, events in rows
        )
        return Contents(plans, runs, names, approvals, len(rows))

    def import_from(self, source: Path | str, *, approvals: bool = False) -> ImportReport:
        """Add what was exported, as `Store.import_from` promises."""
        from .importing import Import

        taking = (self.save_plan, self._add_run, self._add_name, self._add_approval)
        return Import(*taking, takes_approvals=approvals).take(Path(source))

    def _add_run(self, read: ReadRun) -> bool:
        with self._lock:
            here = self._runs.get(read.run_id)
            if here is not None:
                kept = [(each.seq, each.at, event_to_json(each.event)) for each in here.events]
                if kept == read.events:
                    return False
                raise here_already(read.run_id)
            self._save(read.plan)
            run = self._runs[read.run_id] = _Run(read.plan, None)
            run.created_at, run.held_since = read.created_at, None
            run.events, run.state_so_far = read.recorded, read.state_so_far
            run.done = {e.event.path for e in read.recorded if type(e.event) is StepDone}
            first = read.recorded[0].event if read.recorded else None
            run.forked_from = first.forked_from if type(first) is RunCreated else None
        return True

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def _run(self, run_id: str) -> _Run:
        run = self._runs.get(run_id)
        if run is None:
            raise no_run(run_id, "in memory")
        return run


def _row(run_id: str, run: _Run) -> RunRow:
    return RunRow(
        run_id=run_id,
        plan_id=str(run.plan.id),
        plan_hash=run.plan.content_hash(),
        query=run.plan.plan_context.query,
        state=run.state,
        created_at=run.created_at,
        updated_at=run.events[-1].at if run.events else run.created_at,
        owner=run.owner,
        held_since=run.held_since,
        forked_from=run.forked_from,
    )
