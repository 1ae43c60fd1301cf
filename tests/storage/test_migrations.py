"""Stores of every format open, resume and stay whole; `tests.faults` kills on the way (R20)."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from portia_nb import PlanRunState
from portia_nb.errors import StoreTooNew
from portia_nb.session.opening import open_run
from portia_nb.storage import migrations
from portia_nb.storage.journal import JournalStore

from .golden import runs
from .golden.stores import GOLDEN, check_contents, copied, expected
from .processes import ROOT


def names(folder: Path) -> str:
    return folder.name


def test_a_golden_store_of_every_format_is_kept():
    made = {folder.name for folder in GOLDEN}
    assert {f"format_{n}" for n in range(1, migrations.SCHEMA_VERSION + 1)} <= made, (
        "make the missing one: python -m tests.storage.golden.make"
    )


@pytest.mark.parametrize("golden", GOLDEN, ids=names)
def test_a_store_of_any_format_holds_what_it_held(golden: Path, tmp_path: Path):
    check_contents(golden, JournalStore(copied(golden, tmp_path / "store")))


@pytest.mark.parametrize("golden", GOLDEN, ids=names)
def test_the_runs_of_any_format_resume(golden: Path, tmp_path: Path):
    portia = runs.portia(copied(golden, tmp_path / "store"))
    done, failed, waiting, killed = (each["run"] for each in expected(golden))
    # The city's class, which the plan doesn't name, comes back as the plain data in it.
    outputs = portia.resume(plan_run_id=done).outputs
    assert outputs["look"].value[(1, 2)]["name"] == "Ur"
    assert outputs["join"].value == "wide wide wide wide +end"
    assert portia.resume(plan_run_id=failed).state is PlanRunState.FAILED
    (asked,) = open_run(portia.store, waiting).snapshot().get_outstanding_clarifications()
    answered = portia.resolve_clarification(asked, "Uruk")
    assert portia.resume(answered).outputs["join"].value == "Uruk+"
    assert portia.resume(plan_run_id=killed).outputs["after"].value == "before++alive"
    portia.store.close()


@pytest.mark.parametrize("log", ["delete", "wal"])
def test_an_older_portia_reads_and_writes_nothing_in_a_newer_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: str
):
    folder = copied(GOLDEN[-1], tmp_path / "store")
    with contextlib.closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        connection.execute(f"PRAGMA journal_mode={log}")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    # In a file that is open already, too.
    older = migrations.SCHEMA_VERSION - 1
    monkeypatch.setattr("portia_nb.storage.schema.SCHEMA_VERSION", older)
    message = rf"format {older + 1}, .* formats up to {older}: upgrade portia_nb"
    run = expected(GOLDEN[-1])[0]["run"]
    store = JournalStore(folder)
    for use in (store.find_runs, lambda: store.load_events(run), lambda: store.delete_run(run)):
        with pytest.raises(StoreTooNew, match=message):
            use()
    store.close()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_two_processes_may_bring_a_store_up_to_date_at_once(tmp_path: Path):
    folder = copied(GOLDEN[0], tmp_path / "store")
    opening = "import sys; from portia_nb.storage.journal import *;"
    opening += "print(len(JournalStore(Path(sys.argv[1])).find_runs()))"
    command = [sys.executable, "-c", opening, str(folder)]
    opened = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) for _ in range(4)]
    assert [process.communicate(timeout=15)[0].strip() for process in opened] == [b"4"] * 4
