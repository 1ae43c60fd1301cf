"""A store that this user may only read is read: on a read-only disk, in someone else's folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from portia_nb import Config, Portia
from portia_nb.errors import StoreUnwritable
from portia_nb.session.plan_making import make_and_keep
from portia_nb.storage import schema
from portia_nb.storage.journal import JournalStore

from .golden.stores import GOLDEN, copied
from .processes import Process
from .stories import OWNER, Run, new_run, plan, step

BIG = "x" * 1_500_000


@pytest.fixture
def run(journal: JournalStore) -> Run:
    run = new_run(journal).add(*step("s0", BIG)).kept()
    journal.release(run.hold)
    journal.find_runs()
    return run


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the right to write away; for root, whom no file refuses, by what the journal asks."""
    monkeypatch.setattr(schema, "_is_writable", lambda path: False)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_may_only_be_read_is_read_checked_and_exported_and_stays_as_it_is(
    journal: JournalStore, run: Run, read_only: None, tmp_path: Path
):
    journal.close()
    before = contents(journal.folder)
    store = JournalStore(journal.folder)
    assert [row.run_id for row in store.find_runs()] == [run.id]
    assert store.load_events(run.id) == run.appended
    assert store.check().is_ok
    assert store.export_to(tmp_path / "a.jsonl").runs == 1
    store.close()
    assert contents(journal.folder) == before


def test_what_may_only_be_read_takes_no_run_and_says_so(
    journal: JournalStore, run: Run, read_only: None
):
    journal.close()
    store = JournalStore(journal.folder)
    store.find_runs()
    assert not store.is_open  # so that who means to write is told first
    for write in (
        store.open,
        store.vacuum,
        lambda: store.save_plan(plan()),
        lambda: store.create_run("prun-1", plan(), owner=OWNER),
        lambda: store.claim(run.id, owner=OWNER),
        lambda: store.delete_run(run.id),
    ):
        with pytest.raises(StoreUnwritable, match="it may only be read"):
            write()


def test_what_another_process_still_writes_is_read_with_its_log(
    journal: JournalStore, run: Run, read_only: None
):
    assert journal.path.with_name("journal.sqlite-wal").stat().st_size
    store = JournalStore(journal.folder)
    assert store.load_events(run.id) == run.appended


@pytest.mark.skipif(os.name != "posix", reason="the limit on files is that of POSIX")
def test_on_a_full_disk_runs_are_still_read_and_exported(journal: JournalStore, run: Run):
    journal.close()
    with Process(journal.folder) as child:
        child.ask("limit", 0)
        assert child.ask("count", run.id) == {"events": len(run.appended)}
        assert child.ask("check") == {"check": []}
        assert child.ask("create")["error"] == "StoreFull"
        # Once there is room, the same store is written to again.
        child.ask("limit", None)
        assert "run" in child.ask("create")


@pytest.mark.parametrize("golden", [GOLDEN[0]], ids=[GOLDEN[0].name])
def test_an_older_format_that_may_only_be_read_is_copied_first(
    golden: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = copied(golden, tmp_path / "old")
    with monkeypatch.context() as there:
        there.setattr(schema, "_is_writable", lambda path: False)
        with pytest.raises(StoreUnwritable, match="copy its folder"):
            JournalStore(folder).find_runs()
    shutil.copytree(folder, tmp_path / "old.copy")
    store = JournalStore(tmp_path / "old.copy")
    assert store.find_runs()
    store.close()


async def test_no_model_is_paid_for_a_plan_that_could_not_be_kept(
    journal: JournalStore, run: Run, read_only: None
):
    journal.close()
    portia = Portia(Config(store=str(journal.folder)), tools=[])
    asked: list[Any] = []

    async def make(*told: Any) -> Any:
        asked.append(told)

    with pytest.raises(StoreUnwritable):
        await make_and_keep(portia._parts, make)
    assert asked == []
