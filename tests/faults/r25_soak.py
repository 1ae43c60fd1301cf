"""R25: one process does 50,000 steps; it and its log stay as small as they were."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from .row import ROOT, Facts, Row, Trial

MOST_GROWTH = 0.05
MOST_LOG_BYTES = 64 * 2**20
MOST_THREADS = 90
"""64 steps at once, and a few of ours."""
WARM = 2
"""Tenths of the steps after which everything that is kept on purpose is there."""


def trial(trial: Trial) -> Facts:
    """Let a process do them, and compare what it takes with what it took when it was warm."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.soak", str(trial.folder / "s"), str(trial.count)],
        cwd=ROOT,
        # Of many threads each gets an arena of malloc, which fills up slowly and is no leak.
        env={**os.environ, "PORTIA_LOG_LEVEL": "ERROR", "MALLOC_ARENA_MAX": "2"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    warm, last = facts[WARM - 1], facts[-1]
    growth = last["resident"] / warm["resident"] - 1
    log = max(each["log"] for each in facts)
    assert log < MOST_LOG_BYTES, f"the log has {log:,} bytes"
    assert last["files"] <= warm["files"] + 1, f"files: {warm['files']}, then {last['files']}"
    assert last["threads"] < MOST_THREADS, facts
    # Few steps say nothing about growth: the allocator takes its first steps, too.
    if trial.count >= ROW.full:
        assert growth < MOST_GROWTH, f"the process grew by {growth:.1%}: {facts}"
    return {
        "steps": last["steps"],
        "max growth %": round(100 * growth, 1),
        "max log MB": round(log / 2**20, 1),
        "max open files": last["files"],
    }


ROW = Row(
    id="R25",
    fault="50,000 steps in one process",
    full=50_000,
    batch=50_000,
    sample_batch=2_000,
    trial=trial,
    sample=(0,),
    holds="memory grows by less than 5 %, the log stays under 64 MB, files stay as many",
    jobs=1,
    trial_s=900.0,
)
