"""The refusals that every store words alike."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from portia_nb.errors import (
    PlanNotFoundError,
    PlanRunNotFoundError,
    RunHeldElsewhere,
    StaleOwner,
    StorageError,
)

from .owner import Owner


def no_plan(plan_id: str, where: str, folder: Path | None = None) -> PlanNotFoundError:
    """Return the error for a plan that isn't there; `folder` may hold it as a document."""
    beside = _document_beside(plan_id, folder)
    return PlanNotFoundError(f"no plan {plan_id!r} is kept {where}{beside}", plan_id=plan_id)


def no_run(run_id: str, where: str, folder: Path | None = None) -> PlanRunNotFoundError:
    """Return the error for a run that isn't there; `folder` may hold it as a document."""
    beside = _document_beside(run_id, folder)
    return PlanRunNotFoundError(f"no run {run_id!r} is kept {where}{beside}", run_id=run_id)


def _document_beside(document_id: str, folder: Path | None) -> str:
    """Say that the reference SDK's own file lies there, where it does: it can be imported."""
    try:
        found = folder is not None and (folder / f"{document_id}.json").is_file()
    except (OSError, ValueError):  # an id may be any text
        return ""
    return (
        f"; {document_id}.json beside it can be: portia-nb store import {folder}" if found else ""
    )


def run_id_taken(run_id: str) -> StorageError:
    """Return the error for creating a run whose id exists."""
    return StorageError(
        f"a run {run_id!r} is already kept: a new run needs a new id", run_id=run_id
    )


def here_already(run_id: str) -> StorageError:
    """Return the error for adding a run of whose id another, or another state of it, is kept."""
    return StorageError(
        f"run {run_id} is here already, with other events; to have the file's instead, delete what "
        f"is here (portia-nb store forget {run_id}) and import again",
        run_id=run_id,
    )


def held_elsewhere(
    run_id: str, owner: Owner, since: float | None, *, to_delete: bool = False
) -> RunHeldElsewhere:
    """Return the error for claiming, or deleting, a run that a live process owns."""
    when = ""
    if since is not None:
        when = f" since {datetime.fromtimestamp(since).isoformat(' ', 'seconds')}"
    anyway = "to take it over all the same, resume it with --take-over"
    if to_delete:
        anyway = f"to delete it all the same: portia-nb store forget {run_id} --force"
    return RunHeldElsewhere(
        f"run {run_id} is held by {owner}{when}: wait until it ends or stop it there; {anyway}",
        run_id=run_id,
        owner=owner,
        since=since,
    )


def stale(run_id: str, owner: Owner | None) -> StaleOwner:
    """Return the error for a write under a hold that was taken over."""
    by = f" by {owner}" if owner is not None else ""
    return StaleOwner(
        f"run {run_id} was taken over{by}: nothing more was written from here",
        run_id=run_id,
        owner=owner,
    )


def out_of_order(run_id: str, seq: int) -> StorageError:
    """Return the error for an event that doesn't come next in its run."""
    return StorageError(
        f"event {seq} of run {run_id} doesn't come next: the order has a gap or a twin",
        run_id=run_id,
        seq=seq,
    )


def done_twice(run_id: str, path: str) -> StorageError:
    """Return the error for recording one step as done a second time."""
    return StorageError(
        f"step {path!r} of run {run_id} is already recorded as done: it can't be done twice",
        run_id=run_id,
        path=path,
    )
