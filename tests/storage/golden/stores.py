"""The golden stores: where they are, copies to work on, and what must be in them."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import sqlite3
from dataclasses import asdict
from pathlib import Path
from typing import Any

from portia_nb.model.events import event_to_json
from portia_nb.storage.journal import JournalStore
from portia_nb.storage.migrations import SCHEMA_VERSION


def format_of(golden: Path) -> int:
    """Return the number in a golden store's name."""
    found = re.match(r"format_(\d+)", golden.name)
    assert found is not None
    return int(found[1])


GOLDEN = sorted(Path(__file__).parent.glob("format_*"))
OLD = [folder for folder in GOLDEN if format_of(folder) < SCHEMA_VERSION]


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
    """Return what the portia_nb that made the store read in it, run by run."""
    return json.loads((golden / "expected.json").read_text())


def told_of_shelf(store: JournalStore) -> dict[str, Any]:
    """Return as JSON which names and approvals `store` holds."""
    names = sorted(version.name for version in store.find_versions())
    return {
        "names": {name: [asdict(each) for each in store.find_versions(name)] for name in names},
        "approvals": [asdict(each) for each in store.find_approvals()],
    }


def covers(new: Any, old: Any) -> bool:
    """Return whether `new` says all that `old` says; it may have fields more."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(k in new and covers(new[k], old[k]) for k in old)
    if isinstance(old, list):
        return len(new) == len(old) and all(map(covers, new, old))
    return new == old


def check_contents(golden: Path, store: JournalStore) -> None:
    """Check that `store`, a copy of `golden`, holds what it held, and close it."""
    found = expected(golden)
    assert [row.run_id for row in reversed(store.find_runs())] == [each["run"] for each in found]
    for each in found:
        row = store.find_run(each["run"])
        plan = store.load_plan(row.plan_id, plan_hash=row.plan_hash)
        events = [[r.seq, r.at, event_to_json(r.event)] for r in store.load_events(row.run_id)]
        assert row.state.value == each["state"]
        assert plan.content_hash() == row.plan_hash
        assert covers(plan.model_dump(mode="json"), each["plan"])
        assert covers(events, each["events"])
    if (shelf := golden / "shelf.json").exists():
        assert covers(told_of_shelf(store), json.loads(shelf.read_text()))
    assert store.check().is_ok
    store.close()
