"""R3: the machine loses its power; what was not yet synced is gone, in part, or garbage."""

from __future__ import annotations

import contextlib
import random
import shutil
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from portia_nb.model.events import Recorded
from portia_nb.storage.journal import JournalStore
from tests.storage.stories import new_run, step

from .row import Facts, Row, Trial

COMMITS = 14
PAGE, FRAME = 4_096, 4_096 + 24
SECTOR = 512
HEADER = 32


class Disk(NamedTuple):
    """What the disk holds at the moment of an acknowledgement: all of it is synced."""

    main: bytes
    log: bytes
    acknowledged: int
    """`seq` of the last event that `kept` has returned for."""


def live(folder: Path, seed: int) -> tuple[list[Disk], list[Recorded]]:
    """Write a run commit by commit; return the disk after each, and the events."""
    choose = random.Random(seed)
    store = JournalStore(folder)
    run = new_run(store).kept()
    synced = store._call(lambda c: c.execute("PRAGMA synchronous").fetchone()[0])
    assert synced == 2, "the log is synced at each commit (FULL)"
    disks: list[Disk] = []
    for number in range(COMMITS):
        for part in range(choose.randint(1, 3)):
            run.add(*step(f"s{number}.{part}", "x" * choose.choice([10, 500, 5_000])))
        run.kept()
        log = store.path.with_name("journal.sqlite-wal")
        disks.append(Disk(store.path.read_bytes(), log.read_bytes(), run.seq))
        if number == COMMITS // 2:
            with contextlib.closing(sqlite3.connect(store.path)) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    store.release(run.hold)
    store.close()
    return disks, run.appended


def after_loss(disks: list[Disk], case: int) -> tuple[bytes, bytes, int]:
    """Return what is left of database and log, and how many events were acknowledged before."""
    choose = random.Random(case)
    if case % 5 == 4:
        return half_a_checkpoint(disks, choose)
    number = choose.randrange(len(disks) - 1)
    before, after = disks[number], disks[number + 1]
    # After a checkpoint the log begins anew, over what it held: a new header is synced first.
    begins_anew = before.log[:HEADER] != after.log[:HEADER]
    synced = HEADER if begins_anew else len(before.log)
    old = before.log.ljust(len(after.log), b"\0")
    new = after.log
    if case % 5 == 0:
        # Cut at any frame, of what was acknowledged too: a disk that lies about syncing.
        cut = choose.choice(range(HEADER, len(new) + 1, FRAME))
        return after.main, new[:cut], before.acknowledged if cut >= synced else 0
    reached = choose.randint(synced, len(new))
    match case % 5:
        case 1:  # the file ends at any byte of what was being written
            return after.main, new[:reached], before.acknowledged
        case 2:  # the file has its new length, and what wasn't written is as it was
            return after.main, new[:reached] + old[reached:], before.acknowledged
        case _:  # some sectors were written, others were not, in no order
            torn = mixed(old, new, choose)
            return after.main, new[:synced] + torn[synced:], before.acknowledged


def half_a_checkpoint(disks: list[Disk], choose: random.Random) -> tuple[bytes, bytes, int]:
    """Return a database into which some of the log was copied, and the log, which is whole."""
    before, after = disks[COMMITS // 2], disks[COMMITS // 2 + 1]
    main = mixed(before.main.ljust(len(after.main), b"\0"), after.main, choose)
    end = choose.randint(len(before.main), len(after.main))
    return main[: end - end % PAGE], before.log, before.acknowledged


def mixed(old: bytes, new: bytes, choose: random.Random) -> bytes:
    """Return some sectors of the one and some of the other."""
    starts = range(0, len(new), SECTOR)
    return b"".join(choose.choice((old, new))[start : start + SECTOR] for start in starts)


def trial(trial: Trial) -> Facts:
    """Open what each loss left: it opens, and holds a beginning with all that was acknowledged."""
    disks, events = live(trial.folder / "live", trial.number)
    assert any(a.log[:HEADER] != b.log[:HEADER] for a, b in pairwise(disks)), "no checkpoint"
    lost = 0
    for case in trial.numbers:
        main, log, acknowledged = after_loss(disks, case)
        folder = trial.folder / "after"
        folder.mkdir()
        (folder / "journal.sqlite").write_bytes(main)
        (folder / "journal.sqlite-wal").write_bytes(log)
        store = JournalStore(folder)
        found = [event for row in store.find_runs() for event in store.load_events(row.run_id)]
        assert found == events[: len(found)], f"case {case}: the events are no beginning"
        assert len(found) >= acknowledged, f"case {case}: {acknowledged} were acknowledged"
        report = store.check()
        assert report.is_ok, f"case {case}: {report}"
        store.close()
        shutil.rmtree(folder)
        lost += len(events) - len(found)
    return {"opened": len(trial.numbers), "events never acknowledged and gone": lost}


ROW = Row(
    id="R3",
    fault="power lost at any moment: the log cut, zeroed or torn, a checkpoint half done",
    full=4_000,
    batch=200,
    sample_batch=25,
    trial=trial,
    sample=(0, 7),
    holds="every journal opens whole, and no acknowledged event is lost",
)
