"""A process of its own that does to a journal what it is told, a line of JSON each.

python -m tests.storage.child FOLDER
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

from portia_nb.errors import StorageError
from portia_nb.model.events import StepDone
from portia_nb.storage.journal import JournalStore
from portia_nb.storage.owner import this_process

from .stories import Run, new_run, step


class Child:
    def __init__(self, folder: str) -> None:
        self.store = JournalStore(Path(folder))
        self.run: Run | None = None

    def create(self) -> Any:
        self.run = new_run(self.store, owner=this_process("child")).kept()
        return {"run": self.run.id}

    def claim(self, run_id: str) -> Any:
        hold = self.store.claim(run_id, owner=this_process("child"))
        self.run = Run(self.store, hold, start=len(self.store.load_events(run_id)))
        return {"fence": hold.fence}

    def release(self) -> Any:
        assert self.run is not None
        self.store.release(self.run.hold)
        # Reading comes after what is queued; what becomes of that isn't the question here.
        with contextlib.suppress(StorageError):
            self.store.find_runs()
        return {}

    def append(self, count: int) -> Any:
        """Append without waiting."""
        assert self.run is not None
        for _ in range(count):
            self.run.add(*step(f"s{self.run.seq}"))
        return {"seq": self.run.seq}

    def steps(self, upto: int, size: int = 10) -> Any:
        """Do every step that isn't done yet, and say so after each: what was said must be kept."""
        assert self.run is not None
        events = self.store.load_events(self.run.id)
        done = {r.event.path for r in events if type(r.event) is StepDone}
        for i in range(upto):
            if f"s{i}" not in done:
                self.run.add(*step(f"s{i}", "x" * size)).kept()
                say({"acknowledged": self.run.seq})
        return {"done": upto}

    def limit(self, more: int | None) -> Any:
        """Let no file grow to more than `more` bytes, the disk's being full."""
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard if more is None else more, hard))
        return {}

    def fill(self, room: int) -> Any:
        """Leave `room` bytes free on the store's disk."""
        (filler := self.store.folder / "filler").write_bytes(b"")
        free = os.statvfs(filler).f_bavail * os.statvfs(filler).f_frsize
        filler.write_bytes(b"x" * max(0, free - room))
        return {}

    def free(self) -> Any:
        (self.store.folder / "filler").unlink()
        return {}

    def integrity(self) -> Any:
        with contextlib.closing(sqlite3.connect(self.store.path)) as connection:
            return {"integrity": connection.execute("PRAGMA integrity_check").fetchone()[0]}

    def check(self) -> Any:
        return {"check": [str(finding) for finding in self.store.check().findings]}

    def count(self, run_id: str) -> Any:
        return {"events": len(self.store.load_events(run_id))}

    def drop_rights(self) -> Any:
        """Be nobody from now on, where this is root: no folder is read-only for root."""
        if os.geteuid() == 0:
            os.setuid(65_534)
        return {}

    def close(self) -> Any:
        self.store.close()
        return {}


def say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    child = Child(sys.argv[1])
    say({"ready": True})
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            say(getattr(child, name)(*arguments))
        except StorageError as error:
            say({"error": type(error).__name__, "message": str(error)})


if __name__ == "__main__":
    main()
