"""R20: a process dies at each step of bringing an older store up to date."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
from functools import cache
from pathlib import Path

from portia_nb.storage import migrations
from portia_nb.storage.journal import JournalStore
from tests.storage.golden import stores
from tests.storage.processes import environment

from .row import ROOT, Facts, Row, Trial

OPEN = (
    "import sys; from pathlib import Path; from portia_nb.storage.journal import JournalStore;"
    "JournalStore(Path(sys.argv[1])).find_runs()"
)

Shape = tuple[int, tuple[str, ...]]


def points() -> list[tuple[Path, int]]:
    """Return each older store with each step at which its way to today can be cut short."""
    found: list[tuple[Path, int]] = []
    for golden in stores.OLD:
        steps = migrations.MIGRATIONS[stores.format_of(golden) :]
        # One more for each format: all is done but the commit.
        found += [(golden, n) for n in range(1, sum(len(each) + 1 for each in steps) + 1)]
    return found


def shape(path: Path) -> Shape:
    """Return a file's format and its tables; what a dead writer left is rolled back first."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = connection.execute("SELECT coalesce(sql, name) FROM sqlite_master ORDER BY name")
        return migrations.version_of(connection), tuple(sql for (sql,) in tables)


@cache
def whole_shapes(golden: Path) -> tuple[Shape, ...]:
    """Return what a store looks like in its own format, and in each that follows."""
    shapes: list[Shape] = []
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        with contextlib.closing(sqlite3.connect(golden / "journal.sqlite")) as kept:
            kept.backup(connection)
        before = migrations.MIGRATIONS
        try:
            for upto in range(migrations.version_of(connection), len(before) + 1):
                migrations.MIGRATIONS = before[:upto]
                migrations.migrate(connection)
                tables = connection.execute(
                    "SELECT coalesce(sql, name) FROM sqlite_master ORDER BY name"
                )
                shapes.append((migrations.version_of(connection), tuple(s for (s,) in tables)))
        finally:
            migrations.MIGRATIONS = before
    return tuple(shapes)


def trial(trial: Trial) -> Facts:
    """Die there; the file is of one format or another, holds what it held, and opens."""
    between = 0
    for case in trial.numbers:
        golden, step = points()[case]
        folder = stores.copied(golden, trial.folder / f"store{case}")
        command = [sys.executable, "-c", OPEN, str(folder)]
        died = subprocess.run(command, env=environment(f"{step}:migrating"), cwd=ROOT, check=False)
        assert died.returncode == -signal.SIGKILL, f"it outlived step {step}: {died.returncode}"
        found = shape(folder / "journal.sqlite")
        shapes = whole_shapes(golden)
        assert found in shapes[:-1], f"step {step}: format {found[0]}, but not its tables"
        between += found != shapes[0]
        stores.check_contents(golden, JournalStore(folder))
        assert shape(folder / "journal.sqlite") == shapes[-1]
    return {"left in an older format that is whole": trial.count, "of them a later one": between}


ROW = Row(
    id="R20",
    fault="killed at each step of bringing a store of each older format up to date",
    full=len(points()),
    trial=trial,
    sample=(2, 5, len(points()) - 1),
    holds="the file is of one whole format, holds what it held, and the next opening goes on",
)
