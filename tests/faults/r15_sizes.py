"""R15: a step returns something very large, very deep, or without an end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import sizes
from .row import ROOT, Facts, Row, Trial

FULL_MB, SAMPLE_MB = 100, 25
OVERHEAD_BYTES = 30 * 2**20
"""What the interpreter may keep beside: arenas, the picture, an import."""
MOST_SHOWN_BYTES = 64 * 1024
UNKEPT = ("deep", "lazy")


def told(kind: str, folder: Path, mb: int, *again: str) -> dict[str, Any]:
    """Run the program, and return what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.sizes", kind, str(folder), str(mb), *again],
        cwd=ROOT,
        env={**os.environ, "PORTIA_LOG_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return json.loads(done.stdout)


def one(kind: str, folder: Path, mb: int) -> float:
    """Run it; return how many times its payload the process grew by, the payload included."""
    facts = told(kind, folder, mb)
    assert facts["state"] == "COMPLETE", facts
    assert sum(facts["shown"].values()) < MOST_SHOWN_BYTES, facts["shown"]
    assert facts["journal"] < 2**20, "it is in a file of its own, or described"
    grown = max(0, facts["grown"] - OVERHEAD_BYTES) / max(facts["payload"], 1)
    if kind not in UNKEPT:
        assert grown < 3, f"{kind}: the process grew by {grown:.1f} times the payload"
    else:
        assert facts["grown"] < OVERHEAD_BYTES, facts
    again = told(kind, folder, mb, "again")
    assert again == {"value": "unkept" if kind in UNKEPT else "True"}, again
    return 0.0 if kind in UNKEPT else grown


def trial(trial: Trial) -> Facts:
    """Let a step return each kind of large thing."""
    kinds = list(sizes.KINDS)
    is_full = trial.number >= len(kinds)
    kind = kinds[trial.number % len(kinds)]
    times = one(kind, trial.folder / "store", FULL_MB if is_full else SAMPLE_MB)
    return {f"max times the payload ({kind})": round(times, 2)}


ROW = Row(
    id="R15",
    fault="outputs of 25 and 100 MB, a million items, 10,000 levels deep, without an end",
    full=2 * len(sizes.KINDS),
    trial=trial,
    sample=(0, 4),
    holds="kept in a file of its own, or described; memory under 3 times it; shown in 64 KB",
    jobs=1,
    trial_s=180.0,
)
