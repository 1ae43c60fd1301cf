"""Killed, stopped, raced, full: samples of RELIABILITY R1, R3, R4, R7, R8, on real processes."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
from pathlib import Path

import pytest

from portia_nb.model.events import Recorded, StepDone
from portia_nb.storage.journal import JournalStore

from .processes import Process
from .stories import OWNER, new_run, step

STEPS = 12


def load(folder: Path) -> list[Recorded]:
    """Check the file, and return the events of its one run."""
    with contextlib.closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store = JournalStore(folder)
    rows = store.find_runs()
    events = store.load_events(rows[0].run_id) if rows else []
    store.close()
    return events


# Transaction 1 creates the run; the steps follow, one each.
POINTS = [(n, phase) for n in (1, 7, 13) for phase in ("before", "inside", "after")]


@pytest.mark.parametrize(("at", "phase"), POINTS)
def test_a_process_killed_at_a_write_loses_nothing_it_was_told_is_kept(
    tmp_path: Path, at: int, phase: str
):
    folder, said = tmp_path / "store", 0
    with Process(folder, f"{at}:{phase}") as child:
        if child.ask("create") is not None:
            said = 2
            child.tell("steps", STEPS)
            while (answer := child.listen()) is not None and "acknowledged" in answer:
                said = answer["acknowledged"]
        assert child.end() == -signal.SIGKILL

    events = load(folder)
    assert len(events) >= said
    assert len(events) - said == (2 if phase == "after" else 0)

    with Process(folder) as child:
        if events:
            assert child.ask("claim", events[0].run_id) == {"fence": 2}
        else:
            child.ask("create")
        child.tell("steps", STEPS)
        while "acknowledged" in child.listen():
            pass
    assert load(folder)[: len(events)] == events
    done = [r.event.path for r in load(folder) if type(r.event) is StepDone]
    assert done == [f"s{i}" for i in range(STEPS)]


def test_a_process_that_ends_writes_what_nobody_waited_for(tmp_path: Path):
    with Process(tmp_path) as child:
        child.ask("create")
        assert child.ask("append", 100) == {"seq": 202}
        assert child.end() == 0
    assert len(load(tmp_path)) == 202
    assert not (tmp_path / "journal.sqlite-wal").exists()


def test_a_log_cut_at_any_byte_opens_with_a_beginning_of_the_events(
    tmp_path: Path, journal: JournalStore
):
    run = new_run(journal).kept()
    for i in range(12):
        run.add(*step(f"s{i}", "x" * 500)).kept()
    log = journal.path.with_name("journal.sqlite-wal").read_bytes()
    main = journal.path.read_bytes()
    frame, choose = 4_096 + 24, random.Random(1)
    cuts = [32 + n * frame for n in range((len(log) - 32) // frame + 1)]
    cuts = choose.sample(cuts, 12) + [choose.randrange(len(log)) for _ in range(12)] + [len(log)]
    lengths: list[int] = []
    for number, cut in enumerate(sorted(cuts)):
        folder = tmp_path / f"cut{number}"
        folder.mkdir()
        (folder / "journal.sqlite").write_bytes(main)
        (folder / "journal.sqlite-wal").write_bytes(log[:cut])
        events = load(folder)
        assert events == run.appended[: len(events)]
        lengths.append(len(events))
        shutil.rmtree(folder)
    assert lengths == sorted(lengths)
    assert lengths[-1] == run.seq


@pytest.mark.parametrize("room", [0, 20_000, 60_000, 150_000])
def test_a_full_disk_is_an_error_and_the_run_goes_on_once_there_is_room(tmp_path: Path, room: int):
    with Process(tmp_path) as child:
        run_id = child.ask("create")["run"]
        said = 2
        child.ask("limit", room)
        child.tell("steps", 60, 5_000)
        while "acknowledged" in (answer := child.listen()):
            said = answer["acknowledged"]
        assert answer["error"] == "StoreFull"
        assert "free some space, then resume" in answer["message"]
        # Giving up a run takes writing too, which fails here, and must not bar the way back.
        assert child.ask("release") == {}
        child.ask("limit", None)
        assert child.ask("claim", run_id) == {"fence": 2}
        assert len(JournalStore(tmp_path).load_events(run_id)) == said
        child.tell("steps", 60, 5_000)
        while "acknowledged" in (answer := child.listen()):
            pass
        assert answer == {"done": 60}
        assert child.ask("close") == {}
    assert len([r for r in load(tmp_path) if type(r.event) is StepDone]) == 60


@pytest.mark.skipif(os.name != "posix", reason="rights are taken away as POSIX has it")
def test_a_read_only_folder_offers_memory_and_what_is_in_it_stays(tmp_path: Path):
    folder = tmp_path / "read-only"
    with Process(folder) as child:
        run_id = child.ask("create")["run"]
        assert child.ask("close") == {}
    (folder / "journal.sqlite").chmod(0o444)
    folder.chmod(0o555)
    for place in (folder, folder / "inside"):
        with Process(place) as child:
            child.ask("drop_rights")
            for ask in (["create"], ["claim", run_id]):
                answer = child.ask(*ask)
                assert answer["error"] == "StoreUnwritable"
                assert str(place) in answer["message"]
                assert 'Config(store="memory")' in answer["message"]
    folder.chmod(0o700)
    (folder / "journal.sqlite").chmod(0o600)
    assert len(load(folder)) == 2


def test_of_several_processes_one_gets_the_run_and_the_others_hear_who(
    tmp_path: Path, journal: JournalStore
):
    runs = [new_run(journal).kept() for _ in range(8)]
    for run in runs:
        journal.release(run.hold)
    journal.close()
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(Process(journal.folder)) for _ in range(4)]
        for run in runs:
            for child in children:
                child.tell("claim", run.id)
            answers = {child.pid: child.listen() for child in children}
            (winner,) = [pid for pid, answer in answers.items() if answer == {"fence": 2}]
            del answers[winner]
            for answer in answers.values():
                assert answer["error"] == "RunHeldElsewhere"
                assert f"process {winner} on" in answer["message"]


def test_several_processes_may_make_one_store_at_once(tmp_path: Path):
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(Process(tmp_path / "new")) for _ in range(4)]
        for child in children:
            child.tell("create")
        made = {child.listen()["run"] for child in children}
    store = JournalStore(tmp_path / "new")
    assert {row.run_id for row in store.find_runs()} == made
    assert [p.name for p in (tmp_path / "new").glob(".journal*")] == []
    store.close()


@pytest.mark.skipif(os.name != "posix", reason="processes are stopped by a POSIX signal")
def test_an_owner_that_wakes_up_after_it_was_replaced_writes_nothing(
    tmp_path: Path, journal: JournalStore
):
    with Process(journal.folder) as child:
        run_id = child.ask("create")["run"]
        child.process.send_signal(signal.SIGSTOP)
        hold = journal.claim(run_id, owner=OWNER, take_over=True)
        child.process.send_signal(signal.SIGCONT)
        answer = child.ask("steps", 1)
        assert answer["error"] == "StaleOwner"
        assert hold.fence == 2
        assert len(journal.load_events(run_id)) == 2


def test_a_run_whose_process_was_killed_is_free_at_once(tmp_path: Path, journal: JournalStore):
    with Process(journal.folder) as child:
        run_id = child.ask("create")["run"]
    assert journal.claim(run_id, owner=OWNER).fence == 2


def test_a_second_store_of_this_process_leaves_the_firsts_locks_alone(
    tmp_path: Path, journal: JournalStore
):
    run = new_run(journal).add(*step("early")).kept()
    second = JournalStore(journal.folder)
    assert len(second.find_runs()) == 1
    second.close()
    log = journal.path.with_name("journal.sqlite-wal")
    inode = log.stat().st_ino
    # Whoever closes the last connection deletes the log; the first store's has to count.
    with Process(journal.folder) as child:
        child.ask("create")
        assert child.ask("close") == {}
    assert log.stat().st_ino == inode
    run.add(*step("late")).kept()
    with Process(journal.folder) as child:
        assert len(JournalStore(journal.folder).find_runs()) == 2
    assert JournalStore(journal.folder).load_events(run.id) == run.appended
