"""What is damaged, missing or in the way: what the error says to do is done here, and helps."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from portia_nb.errors import (
    PlanNotFoundError,
    PlanRunNotFoundError,
    RunHeldElsewhere,
    StorageError,
    StoreDamaged,
)
from portia_nb.storage.journal import JournalStore
from portia_nb.storage.memory import MemoryStore
from portia_nb.storage.store import Store

from .processes import Process
from .stories import OWNER, Run, new_run, plan, step

BIG = "x" * 1_500_000


def obey(error: Exception, start: str) -> None:
    """Type the shell command that an error shows in brackets."""
    command = re.search(rf"\(({start} .*?)\)", str(error))
    assert command is not None, error
    subprocess.run(["sh", "-c", command[1]], check=True)


def with_a_log(journal: JournalStore) -> Run:
    """Keep a run of which the file itself holds little yet: the rest stands in its log."""
    return new_run(journal, plan("of old")).add(*step("s0", "old " * 3_000)).kept()


def copied(journal: JournalStore, folder: Path) -> JournalStore:
    """Return a store as a killed process would have left it."""
    shutil.copytree(journal.folder, folder)
    (folder / "journal.sqlite-shm").unlink(missing_ok=True)
    return JournalStore(folder)


def test_a_damaged_file_that_was_moved_away_as_told_leaves_nothing_to_its_successor(
    journal: JournalStore, tmp_path: Path
):
    run = with_a_log(journal)
    with contextlib.closing(sqlite3.connect(journal.path)) as connection:
        connection.execute("PRAGMA application_id=1")  # in the log, too
        store = copied(journal, tmp_path / "my store")
    with pytest.raises(StoreDamaged, match="export FILE --salvage") as caught:
        store.find_runs()
    obey(caught.value, "mkdir")
    assert store.find_runs() == []
    later = new_run(store, plan("new")).kept()
    store.close()
    assert [row.run_id for row in store.find_runs()] == [later.id]
    assert store.check().is_ok
    # And nothing of the old one is lost.
    moved = JournalStore(tmp_path / "my store.damaged")
    moved.export_to(tmp_path / "saved.jsonl", salvage=True)
    assert store.import_from(tmp_path / "saved.jsonl").added == (run.id,)
    store.close()


def test_the_log_of_a_journal_that_is_gone_is_never_taken_for_a_new_ones(
    journal: JournalStore, tmp_path: Path
):
    with_a_log(journal)
    store = copied(journal, tmp_path / "left")
    store.path.unlink()
    log = store.path.with_name("journal.sqlite-wal")
    before = log.read_bytes()
    with pytest.raises(StoreDamaged, match="would spoil a new one") as caught:
        store.find_runs()
    assert log.read_bytes() == before
    assert not store.path.exists()
    obey(caught.value, "rm")
    assert store.find_runs() == []
    store.close()


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_value_that_was_damaged_on_disk_is_whole_once_it_is_kept_again(
    journal: JournalStore, harm: str
):
    first = new_run(journal).add(*step("s0", BIG)).kept()
    (file,) = (journal.folder / "blobs").iterdir()
    if harm == "cut":
        file.write_bytes(file.read_bytes()[:1_000])
    else:
        file.unlink()
    report = journal.check()
    assert (report.affected_runs, report.unused) == ((first.id,), ())
    second = new_run(journal).add(*step("s0", BIG)).kept()
    assert journal.load_events(second.id) == second.appended
    assert journal.check().is_ok


def test_importing_an_export_again_brings_large_values_back(journal: JournalStore, tmp_path: Path):
    run = new_run(journal).add(*step("s0", BIG)).kept()
    journal.export_to(tmp_path / "a.jsonl")
    shutil.rmtree(journal.folder / "blobs")
    with pytest.raises(StoreDamaged, match="can't be read"):
        journal.load_events(run.id)
    assert journal.import_from(tmp_path / "a.jsonl").already_here == (run.id,)
    assert journal.load_events(run.id) == run.appended


def test_one_damaged_run_is_saved_up_to_the_damage_beside_the_others(
    journal: JournalStore, tmp_path: Path
):
    run, other = (new_run(journal).add(*step("s0"), *step("s1")).kept() for _ in range(2))
    for each in (run, other):
        journal.release(each.hold)
    journal.close()
    with contextlib.closing(sqlite3.connect(journal.path)) as connection:
        connection.execute("UPDATE event SET at = at + 1 WHERE run = 1 AND seq = 5")
        connection.commit()
    with pytest.raises(StoreDamaged) as caught:
        journal.load_events(run.id)
    for told in (f"export FILE {run.id} --salvage", f"forget {run.id}", "store import FILE"):
        assert told in str(caught.value)
    assert "move the file" not in str(caught.value)
    journal.export_to(tmp_path / "a.jsonl", run_ids=[run.id], salvage=True)
    journal.delete_run(run.id)
    journal.import_from(tmp_path / "a.jsonl")
    assert journal.load_events(run.id) == run.appended[:4]
    assert journal.load_events(other.id) == other.appended
    assert journal.check().is_ok


def test_a_salvage_that_finds_nothing_says_so(tmp_path: Path):
    store = JournalStore(tmp_path / "store")
    with pytest.raises(StorageError, match="isn't there, so there is nothing to save"):
        store.export_to(tmp_path / "a.jsonl", salvage=True)
    store.folder.mkdir()
    store.path.write_bytes(b"my diary " * 1_000)
    report = store.export_to(tmp_path / "a.jsonl", salvage=True)
    assert "no run and no plan of portia_nb was found" in str(report)


def test_a_salvage_of_a_run_that_is_not_there_says_so(journal: JournalStore, tmp_path: Path):
    new_run(journal).kept()
    report = journal.export_to(tmp_path / "a.jsonl", run_ids=["prun-none"], salvage=True)
    assert [str(found) for found in report.lost] == ["nothing of run prun-none was found"]


def test_a_run_that_is_here_in_another_state_is_replaced_as_told(
    store: Store, open_journal: Callable[[], JournalStore], tmp_path: Path
):
    run = new_run(store).add(*step("s0")).kept()
    other = MemoryStore()
    store.export_to(tmp_path / "a.jsonl")
    other.import_from(tmp_path / "a.jsonl")
    run.add(*step("s1")).kept()
    store.export_to(tmp_path / "b.jsonl")
    assert f"portia-nb store forget {run.id}" in str(other.import_from(tmp_path / "b.jsonl"))
    other.delete_run(run.id)
    assert other.import_from(tmp_path / "b.jsonl").added == (run.id,)
    assert other.load_events(run.id) == run.appended


def test_who_may_not_delete_a_held_run_is_told_how_to_do_it_all_the_same(store: Store):
    run = new_run(store, owner=OWNER).kept()
    with pytest.raises(RunHeldElsewhere, match=f"store forget {run.id} --force") as caught:
        store.delete_run(run.id)
    assert "--take-over" not in str(caught.value)


def test_half_a_character_is_no_sign_of_damage_and_stops_nobody_else(store: Store):
    run = new_run(store).kept()
    wrong = "prun-\udcff"
    for look in (
        lambda: store.find_run(wrong),
        lambda: store.load_events(wrong),
        lambda: store.load_plan(wrong),
        lambda: store.delete_run(wrong),
        lambda: store.claim(wrong, owner=OWNER),
    ):
        run.add(*step(f"s{run.seq}"))  # in the same commit, where there is one
        with pytest.raises((StorageError, PlanRunNotFoundError, PlanNotFoundError)) as caught:
            look()
        assert not isinstance(caught.value, StoreDamaged)
        run.kept()
    assert store.load_events(run.id) == run.appended


@pytest.mark.skipif(os.name != "posix", reason="rights are taken away as POSIX has it")
def test_a_store_that_this_user_may_not_look_at_is_not_called_missing(tmp_path: Path):
    folder = tmp_path / "theirs"
    with Process(folder) as child:
        child.ask("create")
    folder.chmod(0)
    try:
        with Process(folder) as child:
            child.ask("drop_rights")
            answer = child.ask("check")
    finally:
        folder.chmod(0o700)
    assert (answer["error"], str(folder) in answer["message"]) == ("StoreUnwritable", True)
