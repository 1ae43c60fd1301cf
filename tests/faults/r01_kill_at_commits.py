"""R1: the process is killed at every commit of a run of 50 steps, and another goes on."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

from portia_nb.model.events import StepDone, StepStarted
from portia_nb.storage.journal import JournalStore

from .chain import calls, expected
from .row import ROOT, Facts, Row, Trial

STEPS, SEEDS = 50, 5
COMMITS = STEPS + 2
"""Of a run that is left in peace: one before each call, one before them, one at the end."""
PHASES = ("before", "inside", "after")


def chain(folder: Path, seed: int, crash_at: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program, to be killed at `crash_at`, and return how it ended."""
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.chain", str(folder), str(seed), str(STEPS)],
        cwd=ROOT,
        env={**os.environ, "PORTIA_CRASH_AT": crash_at},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def journal_of(folder: Path) -> tuple[set[str], dict[str, str]]:
    """Check the journal, and return which steps it has as started, and the values of those done."""
    with contextlib.closing(sqlite3.connect(folder / "store" / "journal.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store = JournalStore(folder / "store")
    rows = store.find_runs()
    events = [r.event for row in rows for r in store.load_events(row.run_id)]
    store.close()
    done = [event for event in events if isinstance(event, StepDone)]
    assert len({event.path for event in done}) == len(done), "a step is done twice"
    started = {event.path for event in events if isinstance(event, StepStarted)}
    return started, {event.path: event.value for event in done}


def check_calls(before: list[str], after: list[str], started: set[str], done: set[str]) -> int:
    """Check which steps were called again after a kill, and return how many."""
    assert after[: len(before)] == before
    again = Counter(after[len(before) :])
    repeated = {name for name in again if name in before}
    assert max(again.values(), default=1) == 1, f"called twice by one process: {again}"
    assert not set(again) & done, f"finished, and called again: {set(again) & done}"
    assert repeated <= started - done, f"called again, and not under way: {repeated - started}"
    # Each call waits until what precedes it is on disk, so only the last can be missing there.
    assert set(before[:-1]) <= done, f"lost: {set(before[:-1]) - done}"
    return len(repeated)


def kill_at_a_commit(trial: Trial) -> Facts:
    """Kill the run of one seed at one point, resume it, and compare."""
    point, seed = divmod(trial.number, SEEDS)
    commit, phase = point // len(PHASES) + 1, PHASES[point % len(PHASES)]
    killed = chain(trial.folder, seed, f"{commit}:{phase}")
    assert killed.returncode == -signal.SIGKILL, f"commit {commit} never came: {killed}"
    started, done = journal_of(trial.folder)
    before = calls(trial.folder)

    resumed = chain(trial.folder, seed)
    assert resumed.stdout == f"COMPLETE {expected(seed, STEPS)}\n", resumed
    again = check_calls(before, calls(trial.folder), started, set(done))
    _, values = journal_of(trial.folder)
    assert done.items() <= values.items(), "a value that was kept has changed"
    assert len(values) == STEPS
    return {"steps done at the kill": len(done), "calls again of steps under way": again}


ROW = Row(
    id="R1",
    fault=f"kill -9 before, inside and after every commit of {STEPS} steps, {SEEDS} seeds",
    full=COMMITS * len(PHASES) * SEEDS,
    trial=kill_at_a_commit,
    sample=(0, 391, 397, 403, 779),
    holds="no finished step lost or called again, same outputs, integrity ok",
)
