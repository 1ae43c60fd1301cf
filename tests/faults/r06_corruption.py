"""R6: bits of the journal flip, it is cut, emptied, or was never one."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from portia_nb.errors import PlanNotFoundError, PlanRunNotFoundError, StorageError, StoreDamaged
from portia_nb.storage.journal import JournalStore
from portia_nb.storage.memory import MemoryStore
from tests.storage.stories import Run, new_run, plan, step

from .row import Facts, Row, Trial

OURS = (StorageError, PlanRunNotFoundError, PlanNotFoundError)


def written(folder: Path, seed: int) -> list[Run]:
    """Write two runs; their log stays, as a killed process leaves it."""
    choose = random.Random(seed)
    store = JournalStore(folder)
    runs = [new_run(store, plan(f"q{number}")) for number in range(2)]
    for number in range(12):
        for run in runs:
            value = {"n": number, "text": "abc" * choose.choice([5, 60, 900])}
            run.add(*step(f"s{number}", value)).kept()
        if number == 8:
            with closing(sqlite3.connect(store.path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return runs


def harmed(whole: bytes, choose: random.Random) -> bytes:
    """Return the file with a fault: nothing, another file, a cut, a few or many bits flipped."""
    kind = choose.randrange(12)
    if kind == 0:
        return choose.choice([b"", b"\0" * len(whole), b"a diary", choose.randbytes(len(whole))])
    if kind == 1:
        return whole[: choose.randrange(len(whole))]
    data = bytearray(whole)
    if kind == 2:  # a page that was written elsewhere
        pages = len(data) // 4_096
        here, there = choose.randrange(pages) * 4_096, choose.randrange(pages) * 4_096
        data[here : here + 4_096] = whole[there : there + 4_096]
        return bytes(data)
    for _ in range(choose.choice([1, 1, 1, 2, 8, 200])):
        data[choose.randrange(len(data))] ^= 1 << choose.randrange(8)
    return bytes(data)


def look(store: JournalStore, runs: list[Run]) -> bool:
    """Read everything: it is what was written, or the refusal is of ours. Return whether whole."""
    is_whole = True
    for run in runs:
        try:
            events = store.load_events(run.id)
        except OURS as error:
            is_whole, events = False, error.facts.get("events", [])
        assert events == run.appended[: len(events)], "an event is not what was written"
        is_whole = is_whole and len(events) == len(run.appended)
    try:
        store.find_runs()
        for row in store.find_plans():
            store.load_plan(row.plan_id, plan_hash=row.plan_hash)
    except OURS:
        is_whole = False
    return is_whole


def checked(store: JournalStore) -> bool:
    """Return whether a check says that all is whole."""
    try:
        return store.check().is_ok
    except StorageError:
        return False


def salvaged(store: JournalStore, runs: list[Run], target: Path) -> int:
    """Export what can be read, import it, and return how many events came back, all as written."""
    report = store.export_to(target, salvage=True)
    taken = MemoryStore()
    taken.import_from(target)
    back = 0
    for row in taken.find_runs():
        (run,) = [run for run in runs if run.id == row.run_id]
        events = taken.load_events(row.run_id)
        assert events == run.appended[: len(events)], "salvaged what was never written"
        back += len(events)
    assert report.events >= back
    return back


def one(folder: Path, files: dict[str, bytes], runs: list[Run], case: int) -> dict[str, int]:
    """Harm the journal or its log, and look at what is left in every way."""
    choose = random.Random(case)
    name = choose.choice(["journal.sqlite"] * 3 + ["journal.sqlite-wal"])
    folder.mkdir()
    for each, data in files.items():
        (folder / each).write_bytes(harmed(data, choose) if each == name else data)
    store = JournalStore(folder)
    back = salvaged(store, runs, folder.with_suffix(".jsonl"))
    is_ok = checked(store)
    is_whole = look(store, runs)
    store.close()
    if is_ok:
        # A log that is cut is a beginning: what was lost then, nobody can know.
        assert is_whole or name.endswith("-wal"), f"case {case}: a check saw nothing"
    try:
        JournalStore(folder).find_runs()
    except StoreDamaged as error:
        assert f"mv '{folder}" in str(error) or "isn't what was" in str(error), error
    except StorageError:
        pass
    folder.with_suffix(".jsonl").unlink()
    shutil.rmtree(folder)
    return {
        "whole": is_whole,
        "refused": not is_whole,
        "found by check": not is_ok,
        "events salvaged": back,
        "events written": sum(len(run.appended) for run in runs),
    }


def trial(trial: Trial) -> Facts:
    """Harm one journal many times over."""
    runs = written(trial.folder / "store", trial.number)
    store = trial.folder / "store"
    files = {path.name: path.read_bytes() for path in store.glob("journal.sqlite*")}
    files.pop("journal.sqlite-shm")
    runs[0].store.close()
    counts: dict[str, int] = {}
    for case in trial.numbers:
        for name, count in one(trial.folder / str(case), files, runs, case).items():
            counts[name] = counts.get(name, 0) + count
    return counts


ROW = Row(
    id="R6",
    fault="bits flipped, pages misplaced, cut, emptied, another file; in journal or log",
    full=1_000,
    batch=50,
    sample_batch=12,
    trial=trial,
    sample=(0, 3),
    holds="never a crash, never an event that was not written; a typed error, and a salvage",
    trial_s=120.0,
)
