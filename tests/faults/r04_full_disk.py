"""R4: the disk is full at any write of a run, and later there is room again."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from functools import cache
from pathlib import Path

from tests.storage.processes import Process

from .row import Facts, Row, Trial

STEPS = 30
STEP_BYTES = 6_000
WITHIN_S = 5.0


@cache
def mounting() -> tuple[str, ...]:
    """Return how a program gets mounts of its own here, as root or not; nothing: it can't."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    as_root = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    command = (unshare, "--mount", *as_root)
    tried = subprocess.run(
        [*command, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    )
    return command if tried.returncode == 0 else ()


def child(folder: Path) -> Process:
    """Start a child whose store is on a small disk of its own, or whose files may not grow."""
    if not mounting():
        return Process(folder / "store")
    folder.mkdir()
    mount = 'mount -t tmpfs -o size=8m none "$0" && exec "$@"'
    return Process(folder / "store", before=(*mounting(), "sh", "-c", mount, str(folder)))


def one(folder: Path, case: int) -> float:
    """Fill the disk at one place of a run; return the seconds until the error came."""
    # Every size once, from no byte of room on, in small steps where the first commits are.
    room = case * 4_096 if case % 2 else random.Random(case).randrange(400_000)
    with child(folder) as process:
        run_id = process.ask("create")["run"]
        said = 2
        process.ask("fill" if mounting() else "limit", room)
        process.tell("steps", STEPS, STEP_BYTES)
        began = time.monotonic()
        while "acknowledged" in (answer := process.listen()):
            said, began = answer["acknowledged"], time.monotonic()
        took = time.monotonic() - began
        if "done" in answer:
            assert room > STEPS * STEP_BYTES, f"{room} bytes were enough"
        else:
            assert answer["error"] == "StoreFull", answer
            assert "free some space, then resume" in answer["message"], answer
            assert took < WITHIN_S, f"the error took {took:.1f} s"
            # Giving the run up takes writing too, and must not bar the way back.
            process.ask("release")
            assert process.ask("integrity") == {"integrity": "ok"}
            process.ask("free") if mounting() else process.ask("limit", None)
            claimed = process.ask("claim", run_id)
            assert claimed == {"fence": 2}, claimed
            assert process.ask("count", run_id) == {"events": said}, "an event was lost or added"
            process.tell("steps", STEPS, STEP_BYTES)
            while "acknowledged" in (answer := process.listen()):
                pass
        assert answer == {"done": STEPS}, answer
        assert process.ask("count", run_id) == {"events": 2 + 2 * STEPS}
        assert process.ask("check") == {"check": []}
    return took


def trial(trial: Trial) -> Facts:
    """Fill the disk, be told, free it, go on."""
    took = [one(trial.folder / f"disk{case}", case) for case in trial.numbers]
    return {"max seconds to the error": round(max(took), 2), "on a real disk": len(mounting()) > 0}


ROW = Row(
    id="R4",
    fault="the disk is full from the Nth byte on, then has room again",
    full=50,
    trial=trial,
    sample=(0, 5, 20),
    holds="StoreFull within 5 s, the file whole, nothing acknowledged lost; the run goes on",
)
