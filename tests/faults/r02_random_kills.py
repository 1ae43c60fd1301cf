"""R2: a process with 20 runs of real programs is killed again and again, at random times."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil

from portia_nb.model.events import StepDone, StepStarted
from portia_nb.storage.journal import JournalStore

from .crowd import digest
from .row import ROOT, Facts, Row, Trial

RUNS, STEPS, KILLS = 20, 8, 5
ORPHAN_S = 5.0


def expected() -> list[str]:
    """Return what the runs must put out, worked out without running anything."""
    found: list[str] = []
    for number in range(RUNS):
        outputs: list[str] = []
        for place in range(STEPS):
            text = f"{number} {place} {outputs[-1] if outputs else ''}".encode()
            outputs.append(f"{_cksum(text)} {len(text)}")
        found.append(digest(outputs))
    return found


def _cksum(data: bytes) -> int:
    """Return what POSIX ``cksum`` prints: CRC-32 without reflection, the length added."""
    length = len(data)
    tail = bytearray()
    while length:
        tail.append(length & 0xFF)
        length >>= 8
    crc = 0
    for byte in data + tail:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1) ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1
            crc &= 0xFFFFFFFF
    return crc ^ 0xFFFFFFFF


def left_over(folder: Path) -> list[psutil.Process]:
    """Return the programs, and their wardens, that belong to this trial and live."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if str(folder) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for_orphans(folder: Path) -> float:
    """Wait until none is left, and return how long that took."""
    began = time.monotonic()
    while orphans := left_over(folder):
        waited = time.monotonic() - began
        assert waited < ORPHAN_S, f"still there after {waited:.1f} s: {orphans}"
        time.sleep(0.05)
    return time.monotonic() - began


def steps_of(folder: Path) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Return which steps of which runs the journal has as started, and as done."""
    started: set[tuple[str, str]] = set()
    done: list[tuple[str, str]] = []
    store = JournalStore(folder / "store")
    for row in store.find_runs():
        number = row.query.removeprefix("run ")
        for recorded in store.load_events(row.run_id):
            match recorded.event:
                case StepStarted(path=path):
                    started.add((number, path.removeprefix("s")))
                case StepDone(path=path):
                    done.append((number, path.removeprefix("s")))
    store.close()
    assert len(set(done)) == len(done), "a step is done twice"
    return started, set(done)


def calls(folder: Path) -> list[tuple[str, str]]:
    """Return the calls that the programs wrote down, in order."""
    path = folder / "calls.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [tuple(line.split(" ")) for line in lines]  # type: ignore[misc]


def start(folder: Path) -> subprocess.Popen[str]:
    """Start the process, and wait until it begins."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.crowd", str(folder), str(RUNS), str(STEPS)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONFAULTHANDLER": "1"},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def wait_for_calls(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many calls are written down: a time alone would depend on the machine."""
    while len(calls(folder)) < count and process.poll() is None:
        time.sleep(0.005)


def kill_at_random(trial: Trial) -> Facts:
    """Kill the process `trial.count` times, let it finish, and compare."""
    folder, rng = trial.folder, random.Random(trial.first)
    before: list[tuple[str, str]] = []
    started: set[tuple[str, str]] = set()
    done: set[tuple[str, str]] = set()
    again = orphans = 0
    slowest = 0.0

    def check() -> int:
        now = calls(folder)
        new = Counter(now[len(before) :])
        assert max(new.values(), default=1) == 1, "called twice by one process"
        assert not set(new) & done, f"finished, and called again: {set(new) & done}"
        repeated = set(new) & set(before)
        assert repeated <= started - done, f"called again, and not under way: {repeated}"
        return len(repeated)

    for _ in range(trial.count):
        with start(folder) as process:
            wait_for_calls(folder, len(before) + rng.randint(0, 20), process)
            time.sleep(rng.uniform(0.0, 0.2))
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
        orphans += len(left_over(folder))
        slowest = max(slowest, wait_for_orphans(folder))
        again += check()
        before = calls(folder)
        started, now_done = steps_of(folder)
        assert done <= now_done, f"lost: {done - now_done}"
        done = now_done
    with start(folder) as process:
        out, _ = process.communicate(timeout=100)
    assert process.returncode == 0, f"exit code {process.returncode}"
    assert json.loads(out) == expected()
    again += check()
    assert len(steps_of(folder)[1]) == RUNS * STEPS
    return {
        "steps": RUNS * STEPS,
        "calls again of steps under way": again,
        "programs and wardens alive just after the kill": orphans,
        "max s until no program was left": slowest,
    }


ROW = Row(
    id="R2",
    fault=f"kill -9 at random times, {RUNS} runs at once, each step a program",
    full=500,
    batch=KILLS,
    sample_batch=1,
    trial=kill_at_random,
    sample=(0,),
    trial_s=180.0,
    holds="no finished step lost or called again, same outputs, no orphan after 5 s",
)
