"""R7: 2 to 8 processes resume one run at the same moment."""

from __future__ import annotations

import json
import os
import random
import selectors
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from portia_nb.model.events import StepDone

from .racer import plan_of, portia_of
from .row import ROOT, Facts, Row, Trial

MOST = 8


class Racer:
    """One process, killed at the end of its ``with``."""

    def __init__(self, folder: Path, module: str = "tests.faults.racer", *before: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *before, str(folder)],
            cwd=ROOT,
            env={**os.environ, "PORTIA_LOG_LEVEL": "ERROR"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Racer:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def listen(self) -> str:
        """Return the next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, line: str) -> None:
        """Send a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


def failed_run(folder: Path) -> str:
    """Return the id of a run whose first step is done and whose second has failed."""
    portia = portia_of(folder)
    run = portia.run_plan(plan_of(folder))
    assert run.state == "FAILED"
    portia.store.close()
    return str(run.id)


def race(folder: Path, racers: list[Racer], run_id: str) -> dict[int, dict[str, Any]]:
    """Let them all resume the run; the winner goes on only when the losers have been told."""
    for racer in racers:
        racer.tell(run_id)
    answers: dict[int, dict[str, Any]] = {}
    with selectors.DefaultSelector() as pipes:
        for racer in racers:
            assert racer.process.stdout is not None
            pipes.register(racer.process.stdout, selectors.EVENT_READ, racer)
        while len(answers) < len(racers):
            if len(answers) == len(racers) - 1:
                (folder / "go on").touch()
            ready = pipes.select(timeout=20)
            assert ready, f"{len(racers) - len(answers)} have not answered: {answers}"
            for key, _ in ready:
                pipes.unregister(key.fileobj)
                answers[key.data.process.pid] = json.loads(key.data.listen())
    return answers


def race_once(trial: Trial, number: int, racers: list[Racer]) -> int:
    """Let some of `racers` race for a new run, and return how many lost."""
    folder = trial.folder
    for name in ("may pass", "go on", "calls.txt"):
        (folder / name).unlink(missing_ok=True)
    run_id = failed_run(folder)
    (folder / "may pass").touch()
    rng = random.Random(number)
    chosen = rng.sample(racers, rng.randint(2, MOST))
    answers = race(folder, chosen, run_id)
    winners = [pid for pid, answer in answers.items() if "state" in answer]
    assert len(winners) == 1, answers
    assert answers[winners[0]] == {"state": "COMPLETE", "final": 3}
    for pid, answer in answers.items():
        if pid != winners[0]:
            assert answer["error"] == "RunHeldElsewhere", answer
            assert f"process {winners[0]} on" in answer["message"], answer
    called = [line.split() for line in (folder / "calls.txt").read_text().splitlines()]
    winner = str(winners[0])
    assert called == [["first", str(os.getpid())], ["second", winner], ["third", winner]]
    portia = portia_of(folder)
    events = [recorded.event for recorded in portia.store.load_events(run_id)]
    portia.store.close()
    done = [event.path for event in events if isinstance(event, StepDone)]
    assert done == ["first", "second", "third"]
    return len(answers) - 1


def race_often(trial: Trial) -> Facts:
    """Race `trial.count` times with the same processes."""
    with ExitStack() as stack:
        racers = [stack.enter_context(Racer(trial.folder)) for _ in range(MOST)]
        for racer in racers:
            assert racer.listen() == "ready"
        lost = sum(race_once(trial, number, racers) for number in trial.numbers)
    return {"losers, each told who has the run": lost}


ROW = Row(
    id="R7",
    fault=f"2 to {MOST} processes resume one run at once",
    full=100,
    trial_s=180,
    batch=10,
    sample_batch=3,
    trial=race_often,
    sample=(0,),
    holds="one owner each time, no step done twice",
)
