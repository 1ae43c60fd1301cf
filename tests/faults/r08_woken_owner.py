"""R8: the owner of a run is stopped, the run is taken over, and the owner wakes up."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

from portia_nb.model.events import StepDone
from portia_nb.storage import schema
from portia_nb.storage.journal import JournalStore
from tests.storage.processes import Process
from tests.storage.stories import OWNER, Run, step

from .row import Facts, Row, Trial

BUSY_S = 0.2


def one(folder: Path, case: int) -> dict[str, int]:
    """Stop, take over, go on here, wake: what the woken one writes is refused."""
    choose = random.Random(case)
    store = JournalStore(folder)
    with Process(folder) as child:
        run_id = child.ask("create")["run"]
        said = 2
        child.tell("steps", 200)
        for _ in range(choose.randrange(1, 30)):
            said = child.listen()["acknowledged"]
        # In the middle of its writing, wherever that is; perhaps inside a transaction.
        time.sleep(choose.random() * 0.01)
        child.process.send_signal(signal.SIGSTOP)
        held = None
        for attempt in range(20):
            try:
                held = store.claim(run_id, owner=OWNER, take_over=True)
                break
            except Exception as error:
                # Stopped while it held SQLite's write lock: it must be woken to give it back.
                assert type(error).__name__ == "StoreLocked", error
                child.process.send_signal(signal.SIGCONT)
                time.sleep(0.002 * (attempt + 1))
                child.process.send_signal(signal.SIGSTOP)
        assert held is not None
        assert held.fence == 2
        taken = store.load_events(run_id)
        assert len(taken) >= said
        mine = Run(store, held, start=len(taken)).add(*step("mine")).kept()
        child.process.send_signal(signal.SIGCONT)
        refused = 0
        while "acknowledged" in (answer := child.listen()):
            assert answer["acknowledged"] <= len(taken), "a stale write was acknowledged"
        if answer.get("error"):
            assert answer["error"] == "StaleOwner", answer
            refused += 1
        assert answer != {"done": 200}
        again = child.ask("steps", 200)
        assert again["error"] == "StaleOwner", again
        assert f"process {OWNER.pid} on" in again["message"], again
        mine.add(*step("mine too")).kept()
        assert store.load_events(run_id) == taken + mine.appended
        child.ask("release")
        assert store.find_run(run_id).owner == OWNER, "a stale owner gave the run away"
    store.release(held)
    done = [r.event.path for r in store.load_events(run_id) if type(r.event) is StepDone]
    assert len(done) == len(set(done))
    assert store.check().is_ok
    store.close()
    return {"stale writers refused": refused + 1}


def trial(trial: Trial) -> Facts:
    """Do it at another moment each time."""
    refused = 0
    # An owner that is stopped inside a transaction keeps SQLite's lock: not five seconds each time.
    before, schema.BUSY_TIMEOUT_S = schema.BUSY_TIMEOUT_S, BUSY_S
    try:
        for case in trial.numbers:
            refused += one(trial.folder / f"store{case}", case)["stale writers refused"]
    finally:
        schema.BUSY_TIMEOUT_S = before
    return {"stale writers refused": refused}


ROW = Row(
    id="R8",
    fault="the owner is stopped, its run taken over by --take-over, then it wakes up",
    full=20,
    trial=trial,
    sample=(0, 1),
    holds="nothing that the woken owner writes is kept, and it is told who has the run",
)
