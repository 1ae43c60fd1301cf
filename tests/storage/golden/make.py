"""Makes a golden store with the portia_nb that is here, and tells what it holds.

python -m tests.storage.golden.make [FOLDER]

FOLDER is ``format_N`` beside this file where nothing else is said. For a format of old: check that
commit out elsewhere, copy this folder into it, and run this there.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from portia_nb.model.events import event_to_json
from portia_nb.storage import rows

from . import runs
from .stores import told_of_shelf

HOST = "maker"
ENDED = (runs.complete, runs.failed, runs.waiting)


def make(folder: Path) -> None:
    """Make the store, each run in it, and ``expected.json``."""
    # Small files: what is large for this store is small for people.
    rows.MAX_INLINE_BYTES = 2_000
    portia = runs.portia(folder)
    for plan in ENDED:
        portia.run_plan(plan())
    editor = portia.edit(portia.keep_plan(runs.complete(), "city").plan_id, "city")
    editor.disable("join")
    portia.approve("city", by="ada")
    editor.undo()
    portia.store.close()
    command = [sys.executable, "-m", "tests.storage.golden.make", str(folder), "dies"]
    subprocess.run(command, env={**os.environ, "GOLDEN_DIES": "1"}, check=False)
    with closing(sqlite3.connect(folder / "journal.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("UPDATE run SET process_started = 'then' WHERE host IS NOT NULL")
        connection.execute("VACUUM")
    tell(folder)


def tell(folder: Path) -> None:
    """Write what the store holds, as this portia_nb reads it, beside it as JSON."""
    portia = runs.portia(folder)
    found = []
    for row in reversed(portia.store.find_runs()):
        events = portia.store.load_events(row.run_id)
        plan = portia.store.load_plan(row.plan_id, plan_hash=row.plan_hash)
        found.append(
            {
                "run": row.run_id,
                "state": row.state.value,
                "plan": plan.model_dump(mode="json"),
                "events": [[r.seq, r.at, event_to_json(r.event)] for r in events],
            }
        )
    shelf = told_of_shelf(portia.store)
    portia.store.close()
    (folder / "shelf.json").write_text(json.dumps(shelf, indent=1) + "\n")
    (folder / "expected.json").write_text(json.dumps(found, indent=1) + "\n")


def main(words: list[str]) -> None:
    # This machine's name is nobody's business.
    socket.gethostname = lambda: HOST
    if words[1:] == ["dies"]:
        rows.MAX_INLINE_BYTES = 2_000
        runs.portia(Path(words[0])).run_plan(runs.killed())
        raise SystemExit("the run outlived itself")
    if words:
        folder = Path(words[0])
    else:
        from portia_nb.storage.migrations import SCHEMA_VERSION

        folder = Path(__file__).with_name(f"format_{SCHEMA_VERSION}")
    shutil.rmtree(folder, ignore_errors=True)
    make(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
