"""R21: the process is killed while a tool with side effects is being called."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from portia_nb.running.recovery import DONE, FAIL, REPEAT

from .payer import portia_of
from .row import ROOT, Facts, Row, Trial

KINDS = ("plain", "async", "program")


def payer(folder: Path, patience_s: float, kind: str) -> subprocess.Popen[str]:
    """Start the program."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.payer", str(folder), str(patience_s), kind],
        cwd=ROOT,
        env={**os.environ, "PORTIA_LOG_LEVEL": "ERROR"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def result_of(folder: Path, kind: str) -> dict[str, Any]:
    """Run the program to its end."""
    with payer(folder, 0.0, kind) as process:
        out, _ = process.communicate(timeout=50)
    assert process.returncode == 0, f"exit code {process.returncode}"
    return json.loads(out)


def calls(folder: Path) -> list[str]:
    """Return what was called, in order."""
    path = folder / "calls.txt"
    return path.read_text().splitlines() if path.exists() else []


def kill_in_the_call(folder: Path, kind: str, rng: random.Random) -> str:
    """Kill the program while it pays, and return the payment's line."""
    with payer(folder, 60.0, kind) as process:
        while len(calls(folder)) < 2:
            assert process.poll() is None, "it ended before it paid"
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
    _, payment = calls(folder)
    return payment


def kill(trial: Trial) -> Facts:
    """Kill in the call; the run must ask, whoever resumes it and however often; then answer."""
    rng, folder, kind = random.Random(trial.number), trial.folder, KINDS[trial.number % len(KINDS)]
    payment = kill_in_the_call(folder, kind, rng)
    assert payment.startswith("pay ")
    assert len(payment) > len("pay ") + 16
    questions = set()
    for _ in range(2):
        asks = result_of(folder, kind)
        assert asks["state"] == "NEED_CLARIFICATION"
        ((question, says),) = asks["asked"]
        questions.add(question)
        assert "nobody here knows what became of the call" in says
        assert calls(folder) == ["prepare", payment], "repeated silently"
        if rng.random() < 0.5:
            break
    assert len(questions) == 1
    answer = (REPEAT, DONE, FAIL)[trial.number // len(KINDS) % 3]
    portia = portia_of(folder)
    (row,) = portia.store.find_runs()
    run = portia.get_run(row.run_id)
    (asked,) = run.get_outstanding_clarifications()
    portia.resolve_clarification(asked, answer)
    portia.store.close()
    ended = result_of(folder, kind)
    after = {
        # The same key: a service that drops repeated requests can drop this one.
        REPEAT: ("COMPLETE", "report: paid 7", [payment, "report"]),
        DONE: ("COMPLETE", "report: None", ["report"]),
        FAIL: ("FAILED", ended["final"], []),
    }[answer]
    found = (ended["state"], ended["final"], calls(folder)[2:])
    assert found == after, f"{answer!r}: {found}"
    return {f"answered {answer!r}": 1}


ROW = Row(
    id="R21",
    fault="kill -9 within the call of a tool with side effects: plain, async, a program",
    full=54,
    trial=kill,
    sample=(1, 5),
    holds="asked each time, never repeated silently, the same idempotency key when told to repeat",
)
