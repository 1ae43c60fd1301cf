"""The journal's file: how it is made, what is refused, and what each fault says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from portia_nb.errors import (
    PlanNotFoundError,
    PlanRunNotFoundError,
    StorageError,
    StoreDamaged,
    StoreLocked,
    StoreTooNew,
    StoreUnwritable,
)
from portia_nb.model.events import Recorded, StepDone
from portia_nb.storage import rows, schema, writer
from portia_nb.storage.blobs import Blobs
from portia_nb.storage.crash import CrashPoint
from portia_nb.storage.journal import JournalStore

from .stories import OWNER, Run, new_run, plan, step

BIG = "x" * 1_500_000
Open = Callable[[], JournalStore]


def journal_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("portia-nb journal")]


def test_another_store_of_this_process_takes_a_run_whose_release_is_not_written_yet(
    journal: JournalStore, open_journal: Open
):
    run = new_run(journal)
    run.kept()
    gate = threading.Event()
    journal._writer.put(writer.Work(lambda _: None, prepare=lambda: gate.wait(5) and None))
    journal.release(run.hold)
    other = open_journal()
    try:
        assert other.claim(run.id, owner=OWNER).fence == run.hold.fence + 1
    finally:
        gate.set()
    journal.find_runs()  # waits for what it has queued
    assert other.find_run(run.id).owner == OWNER, "the late release doesn't undo it"


# -- the file and its folder ----------------------------------------------------------------------


def test_nothing_is_made_before_the_first_use(journal: JournalStore):
    before = journal_threads()  # an earlier test's may still be ending
    assert not journal.folder.exists()
    assert journal.find_runs() == []
    assert set(journal_threads()) <= set(before)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_only_its_user_may_read_a_store_and_no_commit_takes_it_along(journal: JournalStore):
    new_run(journal).add(*step("s0", BIG)).kept()
    assert (journal.folder / ".gitignore").read_text() == "*\n"
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in journal.folder.rglob("*")}
    modes.pop(".gitignore")
    blob = next((journal.folder / "blobs").iterdir()).name
    assert modes == {
        "journal.sqlite": 0o600,
        "journal.sqlite-wal": 0o600,
        "journal.sqlite-shm": 0o600,
        "blobs": 0o700,
        blob: 0o600,
    }
    assert stat.S_IMODE(journal.folder.stat().st_mode) == 0o700


def test_a_folder_that_was_there_gets_no_ignore_list(tmp_path: Path):
    store = JournalStore(tmp_path)
    store.find_runs()
    assert [p.name for p in tmp_path.iterdir()] == ["journal.sqlite"]
    store.close()


@pytest.mark.parametrize(("on_network", "mode"), [(True, "delete"), (False, "wal")])
def test_a_network_file_system_gets_no_write_ahead_log(
    journal: JournalStore, open_journal: Open, monkeypatch: pytest.MonkeyPatch, on_network, mode
):
    for network in (not on_network, on_network):
        monkeypatch.setattr(schema, "is_on_network", lambda path, network=network: network)
        store = open_journal()
        new_run(store).kept()
        store.close()
    assert len(journal.find_runs()) == 2
    with contextlib.closing(schema.connect(journal.path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)
        assert connection.execute("PRAGMA synchronous").fetchone() == (3 if on_network else 2,)


def test_the_writing_thread_goes_away_when_idle_and_comes_back(
    journal: JournalStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(writer, "_IDLE_S", 0.01)
    run = new_run(journal).kept()
    for i in range(3):
        for thread in journal_threads():
            thread.join(5)
        assert journal_threads() == []
        run.add(*step(f"s{i}")).kept()
    assert journal.load_events(run.id) == run.appended


# -- what can't be used ---------------------------------------------------------------------------


def test_a_folder_that_cannot_be_made_offers_memory(tmp_path: Path):
    (tmp_path / "file").write_text("")
    store = JournalStore(tmp_path / "file" / "store")
    for use in (store.find_runs, lambda: store.create_run("prun-1", plan(), owner=OWNER)):
        with pytest.raises(StoreUnwritable, match=r'store="memory"') as caught:
            use()
        assert str(tmp_path / "file" / "store") in str(caught.value)


def test_a_file_where_the_folder_would_be_is_called_one(tmp_path: Path):
    (tmp_path / "runs.sqlite").write_text("")
    with pytest.raises(StoreUnwritable, match="a file, and runs are kept in a folder"):
        JournalStore(tmp_path / "runs.sqlite").find_runs()


def test_a_file_that_may_not_be_written_to_offers_memory(journal: JournalStore):
    new_run(journal).kept()
    journal.close()
    with contextlib.closing(sqlite3.connect(journal.path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("PRAGMA query_only=ON")
        with pytest.raises(sqlite3.OperationalError) as caught:
            connection.execute("DELETE FROM run")
    from portia_nb.storage.faults import typed

    error = typed(caught.value, journal.path)
    assert type(error) is StoreUnwritable
    assert "PORTIA_STORE=memory" in str(error)


def other_database(path: Path) -> bytes:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (a)")
    return path.read_bytes()


def with_trigger(path: Path) -> bytes:
    store = JournalStore(path.parent)
    new_run(store).kept()
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TRIGGER t AFTER INSERT ON event BEGIN DELETE FROM run; END")
        connection.commit()
        connection.execute("PRAGMA journal_mode=DELETE")
    return path.read_bytes()


WRONG: dict[str, tuple[Any, str]] = {
    "empty": (lambda path: b"", "is empty"),
    "text": (lambda path: b"hello, this is my diary", "begins with b'hello, this is m'"),
    "a part": (lambda path: b"SQLite format 3\0" + b"\xff" * 200, "damaged|not a database"),
    "another program's": (other_database, "database of another program"),
    "a trigger": (with_trigger, "holds 't', which portia_nb never makes"),
}


@pytest.mark.parametrize(("make", "found"), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_named_and_left_as_it_is(tmp_path: Path, make: Any, found: str):
    path = tmp_path / "journal.sqlite"
    path.write_bytes(make(path))
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match=found) as caught:
        JournalStore(tmp_path).find_runs()
    assert f"mv '{path}'* '{tmp_path}.damaged'" in str(caught.value)
    assert path.read_bytes() == before
    path.rename(tmp_path / "journal.sqlite.damaged")
    store = JournalStore(tmp_path)
    assert store.find_runs() == []
    store.close()


def test_a_file_of_a_later_version_is_left_alone(journal: JournalStore, open_journal: Open):
    new_run(journal).kept()
    journal.close()
    with contextlib.closing(sqlite3.connect(journal.path)) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(StoreTooNew, match=r"format 99, .* up to \d+: upgrade portia_nb"):
        open_journal().find_runs()


def test_a_file_that_is_deleted_or_replaced_while_open_is_noticed(journal: JournalStore):
    run = new_run(journal).kept()
    for path in journal.folder.glob("journal*"):
        path.unlink()
    with pytest.raises(StoreDamaged, match="deleted while it was open"):
        run.add(*step("s0")).kept()
    with pytest.raises(StoreDamaged, match="deleted while it was open"):
        journal.find_runs()
    journal.close()
    run = new_run(journal).kept()
    assert [row.run_id for row in journal.find_runs()] == [run.id]

    other = JournalStore(journal.folder.with_name("other"))
    other.find_runs()
    other.close()
    other.path.replace(journal.path)
    with pytest.raises(StoreDamaged, match="replaced by another file"):
        run.add(*step("s0")).kept()


# -- locked ---------------------------------------------------------------------------------------


@pytest.mark.alone
async def test_a_locked_file_is_an_error_in_good_time_and_nothing_else_waits(
    journal: JournalStore, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(schema, "BUSY_TIMEOUT_S", 1.0)
    run, other = new_run(journal), new_run(journal)
    await journal.kept(run.hold)
    journal.close()
    lags: list[float] = []

    async def beat() -> None:
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.01)
            lags.append(time.perf_counter() - start - 0.01)

    with contextlib.closing(sqlite3.connect(journal.path, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        beating, start = asyncio.ensure_future(beat()), time.perf_counter()
        run.add(*step("s0"))
        waiting = asyncio.ensure_future(journal.kept(run.hold))
        await asyncio.sleep(0.1)
        other.add(*step("s0"))
        for wait in (waiting, journal.kept(other.hold)):
            with pytest.raises(StoreLocked, match="kept locked by another process"):
                await wait
        assert time.perf_counter() - start < 1.8
        beating.cancel()
        assert sorted(lags)[-2] < 0.1
        rival.execute("ROLLBACK")

    journal.release(run.hold)
    again = Run(journal, journal.claim(run.id, owner=OWNER), start=2).add(*step("s0")).kept()
    assert journal.load_events(run.id) == run.appended[:2] + again.appended


# -- damaged --------------------------------------------------------------------------------------


def test_a_changed_byte_is_never_taken_for_what_was_written(tmp_path: Path, journal: JournalStore):
    runs = [new_run(journal, plan(f"q{i}")) for i in range(2)]
    for i in range(10):
        for run in runs:
            run.add(*step(f"s{i}", {"n": i, "text": "abc" * 60})).kept()
    journal.close()
    whole, choose = journal.path.read_bytes(), random.Random(6)
    outcomes = {"whole": 0, "refused": 0}
    for number in range(120):
        data = bytearray(whole)
        if number % 10 == 0:
            del data[choose.randrange(len(data)) :]
        else:
            for _ in range(choose.choice([1, 1, 1, 8])):
                data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "journal.sqlite").write_bytes(data)
        outcomes[look(JournalStore(folder), runs)] += 1
    assert outcomes["whole"] > 10
    assert outcomes["refused"] > 10


def look(store: JournalStore, runs: list[Run]) -> str:
    """Read everything: what is read must be what was written, and every refusal is of ours."""
    outcome = "whole"
    for run in runs:
        # A flipped byte in an id: the run, rightly, isn't found.
        try:
            events = store.load_events(run.id)
        except (StorageError, PlanRunNotFoundError) as error:
            outcome, kept = "refused", error.facts.get("events", [])
            assert kept == run.appended[: len(kept)]
        else:
            assert events == run.appended
    try:
        store.find_runs()
        for row in store.find_plans():
            store.load_plan(row.plan_id)
    except (StorageError, PlanNotFoundError):
        outcome = "refused"
    store.close()
    return outcome


def test_a_damaged_event_is_named_and_those_before_it_are_handed_over(journal: JournalStore):
    run = new_run(journal).add(*step("s0"), *step("s1")).kept()
    with contextlib.closing(sqlite3.connect(journal.path)) as connection:
        connection.execute("UPDATE event SET at = at + 1 WHERE seq = 4")
        connection.commit()
    with pytest.raises(
        StoreDamaged, match=r"event 4 .* The 3 events before it are whole"
    ) as caught:
        journal.load_events(run.id)
    assert caught.value.events == run.appended[:3]
    with contextlib.closing(sqlite3.connect(journal.path)) as connection:
        connection.execute("DELETE FROM event WHERE seq = 4")
        connection.commit()
    with pytest.raises(StoreDamaged, match=r"event 4 of run .* is missing"):
        journal.load_events(run.id)


# -- large values ---------------------------------------------------------------------------------


def test_a_large_value_has_a_file_of_its_own_that_equal_values_share(journal: JournalStore):
    first = new_run(journal).add(*step("s0", BIG), *step("s1", {"a": 1})).kept()
    second = new_run(journal).add(*step("s0", BIG)).kept()
    blobs = journal.folder / "blobs"
    assert len(list(blobs.iterdir())) == 1
    assert journal.load_events(first.id) == first.appended
    assert journal.path.stat().st_size < len(BIG)
    for run in (first, second):
        journal.release(run.hold)
    journal.delete_run(first.id)
    assert journal.load_events(second.id) == second.appended
    journal.delete_run(second.id)
    assert list(blobs.iterdir()) == []


def test_a_large_value_deleted_by_another_process_meanwhile_is_written_again(
    journal: JournalStore, open_journal: Open, monkeypatch: pytest.MonkeyPatch
):
    old, other = new_run(journal).add(*step("s0", BIG)).kept(), open_journal()
    journal.release(old.hold)
    new = new_run(other).kept()

    def delete_old(point: CrashPoint, phase: str) -> None:
        # The file is known to be there, and the transaction has not begun.
        monkeypatch.undo()
        journal.delete_run(old.id)
        assert list((journal.folder / "blobs").iterdir()) == []

    journal.find_runs()
    monkeypatch.setattr(CrashPoint, "reach", delete_old)
    new.add(*step("s0", BIG)).kept()
    assert other.load_events(new.id) == new.appended


def test_a_value_cannot_pass_for_the_name_of_a_file(journal: JournalStore, tmp_path: Path):
    forged = {"$": "blob", "sha256": "../../secret"}
    run = new_run(journal).add(*step("s0", forged)).kept()
    assert journal.load_events(run.id) == run.appended
    with pytest.raises(StoreDamaged, match="no name of a large value"):
        Blobs(tmp_path).read("../../secret")


@pytest.mark.parametrize("harm", ["missing", "changed"])
def test_a_large_value_that_is_missing_or_changed_is_named(journal: JournalStore, harm: str):
    run = new_run(journal).add(*step("s0", BIG)).kept()
    (blob,) = (journal.folder / "blobs").iterdir()
    if harm == "missing":
        blob.unlink()
    else:
        blob.write_bytes(blob.read_bytes()[:-1] + b" ")
    with pytest.raises(StoreDamaged, match=blob.name) as caught:
        journal.load_events(run.id)
    assert caught.value.events == run.appended[:3]


# -- rows -----------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.recursive(
        st.none() | st.floats() | st.text(alphabet=st.characters(exclude_categories=())),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
        max_leaves=8,
    ),
    st.floats(0, 4e9),
)
def test_any_event_survives_its_row(value: Any, at: float):
    event = Recorded(7, at, "prun-1", StepDone("a/b[0]", 1, value))
    row = rows.pack(event)
    again = rows.unpack(
        "prun-1", (row.seq, row.at, row.kind, row.path, row.body, row.checksum), Blobs(Path()), None
    )
    assert repr(again) == repr(event)


def test_an_output_that_could_not_be_kept_is_shared_with_no_other_step(journal: JournalStore):
    new_run(journal).add(StepDone("s0", 1, threading.Lock(), cache_key="k")).kept()
    assert journal.find_cached("k") is None
