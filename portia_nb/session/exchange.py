"""Plans and runs between a store and a folder of JSON files, as the reference SDK keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from portia_nb.errors import PlanNotFoundError, PlanRunNotFoundError, StorageError
from portia_nb.model.documents import (
    events_of,
    plan_fits,
    read_plan_document,
    read_run_document,
    stand_in_plan,
)
from portia_nb.model.events import Recorded
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun
from portia_nb.storage.folder import find_documents, write_document
from portia_nb.storage.owner import Owner
from portia_nb.storage.store import Store

from .map_row import is_map
from .opening import open_run

_ALL = 1_000_000_000


@dataclass(slots=True)
class Exchanged:
    """What came over."""

    plans: int = 0
    runs: int = 0
    known: int = 0
    """Plans and runs that were there already, and were left as they are."""
    problems: list[str] = field(default_factory=list)
    """What did not come over, a sentence each; all else did."""


def import_folder(store: Store, folder: Path, *, owner: Owner) -> Exchanged:
    """Take the plans and runs of a folder into `store`; what it has already stays as it is.

    A run keeps its id, state, outputs and questions, and goes on as any other, if its plan is there
    too. When its steps ended, and what its tools were called with, the files don't say.

    Args:
        store: where to.
        folder: holds ``plan-<uuid>.json`` and ``prun-<uuid>.json``; other files are passed over.
        owner: this process.

    Raises:
        StorageError: the folder can't be listed, or the store can't be written to.
    """
    done = Exchanged()
    for document in find_documents(folder):
        try:
            if document.kind == "plan":
                _take_plan(store, read_plan_document(document.read()), done)
            else:
                run = read_run_document(document.read())
                _take_run(store, run, document.modified_at, owner, done)
        except (StorageError, ValueError) as error:
            # A store that can't be written to would fail for every file: that one is the caller's.
            if type(error) is not StorageError and isinstance(error, StorageError):
                raise
            done.problems.append(f"{document.path.name}: {_first_line(error)}")
    return done


def _take_plan(store: Store, plan: Plan, done: Exchanged) -> None:
    try:
        store.load_plan(plan.id)
    except PlanNotFoundError:
        store.save_plan(plan)
        done.plans += 1
    else:
        done.known += 1


def _take_run(store: Store, run: PlanRun, at: float, owner: Owner, done: Exchanged) -> None:
    try:
        store.find_run(run.id)
    except PlanRunNotFoundError:
        pass
    else:
        done.known += 1
        return
    keep_run(store, run, at=at, owner=owner)
    done.runs += 1


def keep_run(store: Store, run: PlanRun, *, at: float, owner: Owner) -> None:
    """Keep `run`, which is known from a snapshot only.

    Args:
        store: where.
        run: the snapshot; its plan should be kept already.
        at: when it was last written, in seconds since the epoch.
        owner: this process.

    Raises:
        StorageError: a run with its id is there, or the store can't be written to.
    """
    plan = _plan_of(store, run)
    events = [Recorded(n, at, run.id, event) for n, event in enumerate(events_of(run, plan), 1)]
    hold = store.create_run(run.id, plan, owner=owner, first=events)
    try:
        store.kept_blocking(hold)
    finally:
        store.release(hold)


def _plan_of(store: Store, run: PlanRun) -> Plan:
    try:
        plan = store.load_plan(run.plan_id)
    except PlanNotFoundError:
        plan = None
    return plan if plan is not None and plan_fits(plan, run) else stand_in_plan(run)


def export_folder(store: Store, folder: Path) -> Exchanged:
    """Write each plan and run of `store` as a JSON file, as the reference SDK keeps them.

    A file that is there already is written anew. Functions stand as name and hash, values as JSON.

    Raises:
        StoreUnwritable: the folder can't be written to.
    """
    done = Exchanged()
    seen: set[str] = set()
    for row in store.find_plans(limit=_ALL):
        if row.plan_id in seen:  # the last one saved comes first
            continue
        seen.add(row.plan_id)
        plan = store.load_plan(row.plan_id, plan_hash=row.plan_hash)
        write_document(folder, plan.id, plan.model_dump_json(indent=2))
        done.plans += 1
    for row in store.find_runs(limit=_ALL):
        if is_map(row.run_id):  # the reference knows none; the runs of its rows are there
            continue
        try:
            run = open_run(store, row.run_id).snapshot()
        except StorageError as error:
            done.problems.append(f"{row.run_id}: {_first_line(error)}")
            continue
        write_document(folder, run.id, run.model_dump_json(indent=2))
        done.runs += 1
    return done


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    # pydantic's errors begin with a count: the fact is in the lines after it.
    return " ".join(line.strip() for line in lines[:3]) if lines else type(error).__name__
