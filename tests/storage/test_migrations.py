"""Stores of every format open, resume and stay whole; a death between two formats loses neither."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from portia_nb import PlanRunState
from portia_nb.errors import StoreTooNew
from portia_nb.model.events import event_to_json
from portia_nb.session.opening import open_run
from portia_nb.storage import migrations
from portia_nb.storage.journal import JournalStore

from .golden import runs
from .processes import ROOT, environment

GOLDEN = sorted(Path(__file__).with_name("golden").glob("format_*"))
OLD = [folder for folder in GOLDEN if folder.name != f"format_{migrations.SCHEMA_VERSION}"]


def names(folder: Path) -> str:
    return folder.name


def copied(golden: Path, folder: Path) -> Path:
    """Copy a golden store to `folder`, as one that this machine has made."""
    shutil.copytree(golden, folder)
    folder.chmod(0o700)
    with contextlib.closing(sqlite3.connect(folder / "journal.sqlite")) as connection:
        here = (socket.gethostname(),)
        connection.execute("UPDATE run SET host = ? WHERE host IS NOT NULL", here)
        connection.commit()
    return folder


def expected(golden: Path) -> list[dict[str, Any]]:
    return json.loads((golden / "expected.json").read_text())


def covers(new: Any, old: Any) -> bool:
    """Return whether `new` says all that `old` says; it may have fields more."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(k in new and covers(new[k], old[k]) for k in old)
    if isinstance(old, list):
        return len(new) == len(old) and all(map(covers, new, old))
    return new == old


def test_a_golden_store_of_every_format_is_kept():
    made = {folder.name for folder in GOLDEN}
    assert {f"format_{n}" for n in range(1, migrations.SCHEMA_VERSION + 1)} <= made, (
        "make the missing one: python -m tests.storage.golden.make"
    )


@pytest.mark.parametrize("golden", GOLDEN, ids=names)
def test_a_store_of_any_format_holds_what_it_held(golden: Path, tmp_path: Path):
    store = JournalStore(copied(golden, tmp_path / "store"))
    found = expected(golden)
    assert [row.run_id for row in reversed(store.find_runs())] == [each["run"] for each in found]
    for each in found:
        row = store.find_run(each["run"])
        plan = store.load_plan(row.plan_id, plan_hash=row.plan_hash)
        events = [[r.seq, r.at, event_to_json(r.event)] for r in store.load_events(row.run_id)]
        assert row.state.value == each["state"]
        assert covers(plan.model_dump(mode="json"), each["plan"])
        assert covers(events, each["events"])
    store.close()


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


@pytest.mark.parametrize("golden", OLD, ids=names)
def test_a_process_killed_while_it_brings_a_store_up_to_date_leaves_a_whole_format(
    golden: Path, tmp_path: Path
):
    """RELIABILITY R20."""
    formats: set[int] = set()
    for number in range(1, 100):
        folder = copied(golden, tmp_path / str(number))
        opening = "import sys; from portia_nb.storage.journal import *;"
        opening += "JournalStore(Path(sys.argv[1])).find_runs()"
        opened = subprocess.run(
            [sys.executable, "-c", opening, str(folder)],
            env=environment(f"{number}:migrating"),
            cwd=ROOT,
            check=False,
        )
        found = shape(folder / "journal.sqlite")
        formats.add(found[0])
        assert found in whole_shapes(golden, tmp_path / "shapes" / str(number))
        test_a_store_of_any_format_holds_what_it_held(golden, tmp_path / f"again {number}")
        store = JournalStore(folder)
        assert len(store.find_runs()) == len(expected(golden))
        store.close()
        assert shape(folder / "journal.sqlite")[0] == migrations.SCHEMA_VERSION
        if opened.returncode == 0:
            break
        assert opened.returncode == -signal.SIGKILL
    assert number > 2
    own = whole_shapes(golden, tmp_path / "own")[0][0]
    assert formats == set(range(own, migrations.SCHEMA_VERSION + 1))


def shape(path: Path) -> tuple[int, tuple[str, ...]]:
    """Return a file's format and its tables; what a dead writer left is rolled back first."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = connection.execute("SELECT coalesce(sql, name) FROM sqlite_master ORDER BY name")
        return migrations.version_of(connection), tuple(sql for (sql,) in tables)


def whole_shapes(golden: Path, folder: Path) -> list[tuple[int, tuple[str, ...]]]:
    """Return what a store looks like in its own format, and in each that follows."""
    path = copied(golden, folder) / "journal.sqlite"
    shapes = [shape(path)]
    for upto in range(shapes[0][0] + 1, migrations.SCHEMA_VERSION + 1):
        with (
            contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection,
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:upto])
            migrations.migrate(connection)
        shapes.append(shape(path))
    return shapes


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
