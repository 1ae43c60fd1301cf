"""Checking, vacuuming, pruning and forgetting: what is wrong is said, what is gone is gone."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3
import time
from collections.abc import Callable

import pytest

from portia_nb.errors import InvalidOption, RunHeldElsewhere, StoreDamaged, StoreLocked
from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import (
    ClarificationRaised,
    ErrorRecord,
    Recorded,
    RunCompleted,
    RunFailed,
    RunStarted,
    RunWaiting,
    StepDone,
)
from portia_nb.model.run import PlanRunState
from portia_nb.storage.journal import JournalStore
from portia_nb.storage.owner import Owner
from portia_nb.storage.pruning import age
from portia_nb.storage.store import Store

from .stories import OWNER, Run, new_run, plan, step

BIG = "x" * 1_500_000
DAY_S = 86_400.0


def sql(journal: JournalStore, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(journal.path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


# -- check ----------------------------------------------------------------------------------------


def test_a_whole_store_is_whole_and_its_parts_are_counted(store: Store):
    for run in (new_run(store), new_run(store, plan("another"))):
        run.add(*step("s0", BIG), *step("s1")).kept()
    report = store.check()
    assert report.is_ok, str(report)
    assert (report.runs, report.events, report.plans) == (2, 12, 2)
    assert "all is whole: 2 runs with 12 events" in str(report)


def test_a_store_that_is_not_there_is_not_made_by_checking(journal: JournalStore):
    assert journal.check().is_ok
    assert not journal.folder.exists()


def test_two_equal_large_values_of_one_event_are_one_file(journal: JournalStore):
    run = new_run(journal).add(StepDone("s0", 1, BIG, BIG)).kept()
    assert journal.load_events(run.id) == run.appended
    report = journal.check()
    assert (report.is_ok, report.large_values) == (True, 1)


HARM: dict[str, tuple[str, str]] = {
    "an event's text": (
        "UPDATE event SET body = replace(CAST(body AS TEXT), 's1', 's9') WHERE seq = 5",
        "event 5 of run {run} is damaged: its checksum doesn't fit",
    ),
    "an event's time": ("UPDATE event SET at = at + 1 WHERE seq = 5", "event 5 of run {run}"),
    "an event's kind": ("UPDATE event SET kind = 'step_failed' WHERE seq = 5", "columns don't fit"),
    "a lost event": ("DELETE FROM event WHERE seq = 4", "event 4 of run {run} is missing"),
    "a lost end": ("DELETE FROM event WHERE seq = 6", "run {run} ends with event 5 and not 6"),
    "a wrong state": (
        "UPDATE run SET state = 'COMPLETE'",
        "run {run} is listed as COMPLETE, and its events say IN_PROGRESS",
    ),
    "a lost plan": ("DELETE FROM plan", "of run {run} is missing"),
    "a changed plan": ("UPDATE plan SET body = x'7b7d'", "checksum doesn't fit"),
    "a lost reference": ("DELETE FROM blob", "event 4 of run {run} is listed with other files"),
    "stray events": (
        "INSERT INTO event SELECT 99, seq, at, kind, path, fence, body, checksum FROM event",
        "6 rows of table event belong to no run",
    ),
}


@pytest.mark.parametrize(("harm", "found"), HARM.values(), ids=HARM)
def test_a_check_names_what_is_wrong_and_the_run(journal: JournalStore, harm: str, found: str):
    run = new_run(journal).add(*step("s0", BIG), *step("s1")).kept()
    sql(journal, harm)
    report = journal.check()
    assert not report.is_ok
    assert found.format(run=run.id) in str(report)
    if "{run}" in found:
        assert report.affected_runs == (run.id,)


@pytest.mark.parametrize("harm", ["missing", "changed"])
def test_a_check_reads_every_large_value(journal: JournalStore, harm: str):
    run = new_run(journal).add(*step("s0", BIG)).kept()
    other = new_run(journal).add(*step("s0", "small")).kept()
    (blob,) = (journal.folder / "blobs").iterdir()
    if harm == "missing":
        blob.unlink()
    else:
        blob.write_bytes(blob.read_bytes()[:-1] + b" ")
    report = journal.check()
    assert blob.name in str(report)
    assert report.affected_runs == (run.id,)
    assert other.id not in str(report)


def test_a_check_of_a_broken_file_reports_and_changes_nothing(journal: JournalStore):
    new_run(journal).add(*step("s0")).kept()
    journal.close()
    whole = journal.path.read_bytes()
    for harmed in (
        b"",
        b"a diary",
        whole[:5_000],
        whole[:4_096] + b"\xff" * 8_192 + whole[12_288:],
    ):
        journal.path.write_bytes(harmed)
        report = journal.check()
        assert not report.is_ok
        assert str(journal.path) in str(report)
        assert journal.path.read_bytes() == harmed


def test_files_that_nothing_uses_are_no_damage_and_vacuum_deletes_them(journal: JournalStore):
    run = new_run(journal).add(*step("s0", BIG)).kept()
    journal.release(run.hold)
    blobs = journal.folder / "blobs"
    left = [
        blobs / ("ab" * 32),
        blobs / f".{'cd' * 32}.{'0' * 16}",
        blobs / f".{'ef' * 32}.{'1' * 16}",
    ]
    mine = blobs / "notes.txt"
    for path in (*left, mine):
        path.write_text("x")
    # A draft that is new may be another process's, which is writing it now.
    old = time.time() - DAY_S

    os.utime(left[1], (old, old))
    report = journal.check()
    assert report.is_ok
    assert set(report.unused) == set(left)
    assert set(journal.vacuum().deleted) == set(left[:2])
    assert {path.exists() for path in left[:2]} == {False}
    assert left[2].exists()
    assert mine.exists()
    assert journal.load_events(run.id) == run.appended


# -- vacuum ---------------------------------------------------------------------------------------


def test_a_vacuum_gives_the_space_of_deleted_runs_back(journal: JournalStore):
    runs = [new_run(journal) for _ in range(2)]
    for run in runs:
        for i in range(50):
            run.add(*step(f"s{i}", "x" * 10_000))
        journal.release(run.kept().hold)
    journal.delete_run(runs[0].id)
    report = journal.vacuum()
    assert report.bytes_after < 0.7 * report.bytes_before
    assert "given back" in str(report)
    assert journal.load_events(runs[1].id) == runs[1].appended
    assert journal.check().is_ok


def test_a_store_in_use_is_not_vacuumed_and_says_by_whom(
    journal: JournalStore, open_journal: Callable[[], JournalStore]
):
    run = new_run(journal).kept()
    with pytest.raises(StoreLocked, match=rf"run {run.id} is held by test, process {OWNER.pid}"):
        open_journal().vacuum()
    journal.release(run.hold)
    journal.find_runs()
    assert open_journal().vacuum().bytes_after > 0
    # The other one goes on as if nothing had been.
    again = Run(journal, journal.claim(run.id, owner=OWNER), start=run.seq).add(*step("s0")).kept()
    assert journal.load_events(run.id) == run.appended + again.appended


def test_a_store_whose_run_is_held_by_a_container_that_is_gone_is_vacuumed_by_force(store: Store):
    run = new_run(store, owner=Owner("container-of-yesterday", 7, "then", "kernel")).kept()
    if isinstance(store, JournalStore):
        with pytest.raises(StoreLocked, match="store vacuum --force"):
            store.vacuum()
    store.vacuum(force=True)
    assert store.load_events(run.id) == run.appended
    assert "with --force" in str(store.prune("0m"))


def test_a_locked_store_is_not_vacuumed(journal: JournalStore, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("portia_nb.storage.schema.BUSY_TIMEOUT_S", 0.2)
    journal.release(new_run(journal).kept().hold)
    journal.find_runs()
    with contextlib.closing(sqlite3.connect(journal.path, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreLocked, match="kept locked by another process"):
            journal.vacuum()


def test_a_damaged_store_is_not_vacuumed(journal: JournalStore):
    run = new_run(journal).add(*step("s0")).kept()
    journal.release(run.hold)
    journal.close()
    sql(journal, "UPDATE event SET at = 0 WHERE seq = 1")
    before = journal.path.read_bytes()
    with pytest.raises(StoreDamaged, match="isn't whole, so it is left as it is: event 1 of run"):
        journal.vacuum()
    assert journal.path.read_bytes() == before


# -- prune and forget -----------------------------------------------------------------------------


def aged(store: Store, days: float, *ending: object, owner: Owner = OWNER) -> Run:
    """Return a run whose last event is `days` old."""
    run = Run(store, store.create_run(f"prun-{days}-{len(store.find_runs())}", plan(), owner=owner))
    for event in (RunStarted(), *ending):
        run.seq += 1
        at = time.time() - days * DAY_S
        store.append(run.hold, Recorded(run.seq, at, run.id, event))  # type: ignore[arg-type]
    return run.kept()


def test_old_runs_are_pruned_and_others_are_not(store: Store):
    old = aged(store, 40, RunCompleted(value=1))
    failed = aged(store, 40, RunFailed(ErrorRecord("E", "m")))
    new = aged(store, 20, RunCompleted(value=1))
    for run in (old, failed, new):
        store.release(run.hold)
    dry = store.prune("30d", dry_run=True)
    assert {row.run_id for row in dry.runs} == {old.id, failed.id}
    assert "2 runs would be deleted" in str(dry)
    assert len(store.find_runs()) == 3
    assert [row.run_id for row in store.prune("30d", states=["failed"]).runs] == [failed.id]
    done = store.prune(dt.timedelta(days=30))
    assert [row.run_id for row in done.runs] == [old.id]
    assert [row.run_id for row in store.find_runs()] == [new.id]


def test_runs_that_wait_or_are_held_are_pruned_by_force_only(store: Store):
    asked = InputClarification(user_guidance="?", argument_name="a", plan_run_id=None, step=0)
    waiting = aged(store, 40, ClarificationRaised("s0", asked), RunWaiting())
    store.release(waiting.hold)
    held = aged(store, 40)
    dead = aged(store, 40, owner=Owner(OWNER.host, OWNER.pid, "another start"))
    report = store.prune("30d")
    assert [row.run_id for row in report.runs] == [dead.id]
    why = {row.run_id: reason for row, reason in report.spared}
    assert why == {waiting.id: "it waits for an answer", held.id: f"it is held by {OWNER}"}
    assert f"{waiting.id} stays: it waits for an answer" in str(report)
    assert len(store.prune("30d", force=True).runs) == 2
    assert store.find_runs() == []


def test_values_that_a_younger_run_shares_outlive_a_prune(journal: JournalStore):
    old = aged(journal, 40, StepDone("s0", 1, BIG), StepDone("s1", 1, BIG[1:]))
    new = aged(journal, 1, StepDone("s0", 1, BIG))
    for run in (old, new):
        journal.release(run.hold)
    assert len(list((journal.folder / "blobs").iterdir())) == 2
    journal.prune("30d")
    assert len(list((journal.folder / "blobs").iterdir())) == 1
    assert journal.check().is_ok
    assert len(journal.load_events(new.id)) == 2


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1y", "30 d ays", "1e9d", "9999999d"])
def test_an_age_that_is_none_is_refused(store: Store, text: str):
    with pytest.raises(InvalidOption, match="is no age"):
        store.prune(text)
    assert age("2w").days == 14


def test_a_state_that_is_none_is_refused(store: Store):
    with pytest.raises(InvalidOption, match="no state 'DONE'; the states: NOT_STARTED"):
        store.prune("30d", states=[PlanRunState.COMPLETE, "DONE"])


def test_a_held_run_is_deleted_by_force_and_its_owner_hears_of_it(store: Store):
    run = new_run(store).kept()
    with pytest.raises(RunHeldElsewhere):
        store.delete_run(run.id)
    store.delete_run(run.id, force=True)
    with pytest.raises(Exception, match=f"no run '{run.id}'"):
        run.add(*step("s0")).kept()
    assert store.find_runs() == []


def test_of_a_forgotten_run_nothing_is_left_on_disk(journal: JournalStore):
    secret, other = "the-secret-of-the-first", "what-the-second-said"
    for text in (secret, other):
        run = new_run(journal, plan(f"Keep {text}"))
        for i in range(30):
            run.add(*step(f"s{i}", f"{text} " * 40), *step(f"t{i}"))
        run.add(*step("big", text * 80_000))
        journal.release(run.kept().hold)
    first = journal.find_runs()[1]
    assert secret in first.query
    journal.delete_run(first.run_id)
    files = [path for path in journal.folder.rglob("*") if path.is_file()]
    holding = [path.name for path in files if secret.encode() in path.read_bytes()]
    assert holding == []
    assert any(other.encode() in path.read_bytes() for path in files)
