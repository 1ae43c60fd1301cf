"""R5: another program keeps the journal locked while runs write, and for a minute more."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable

from portia_nb import Config, PlanBuilderV2, Portia
from portia_nb.errors import StorageError, StoreLocked
from portia_nb.storage import schema
from portia_nb.storage.journal import JournalStore
from tests.storage.stories import OWNER, new_run, plan, step

from .row import Facts, Row, Trial

LOCKED_S = 60.0
SAMPLE_BUSY_S = 0.5
MOST_LAG_S = 0.1


class Beat:
    """Counts how late a loop wakes up."""

    def __init__(self) -> None:
        self.lags: list[float] = []

    async def __call__(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.01)
            self.lags.append(time.perf_counter() - began - 0.01)

    @property
    def lag(self) -> float:
        # One hiccup of the machine is not ours; a call that blocks the loop is late once a call.
        return sorted(self.lags)[-2]


async def refused(call: Callable[[], object]) -> float:
    """Return the seconds until `call`, made on a thread, was refused for the lock."""
    began = time.monotonic()
    try:
        await asyncio.to_thread(call)
    except StoreLocked as error:
        assert "kept locked by another process" in str(error), error
        return time.monotonic() - began
    raise AssertionError("a write went through a lock")


async def locked(store: JournalStore, portia: Portia, rounds: int) -> tuple[float, float]:
    """Do everything that writes; return the longest time to a refusal, and the worst lag."""
    runs = [new_run(store) for _ in range(2)]
    for run in runs:
        await store.kept(run.hold)
    free = new_run(store)
    store.release(free.kept().hold)
    again = PlanBuilderV2("x").function_step(function=lambda: 1, step_name="a").build()
    store.close()
    portia.store.find_runs()
    beat = Beat()
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as rival:
        rival.execute("BEGIN EXCLUSIVE")
        beating = asyncio.ensure_future(beat())
        took: list[float] = []
        calls: list[Callable[[], object]] = [
            lambda: store.save_plan(plan()),
            lambda: store.claim(free.id, owner=OWNER),
            lambda: store.delete_run(free.id),
        ]
        took += [await refused(call) for call in calls * rounds]
        began = time.monotonic()
        waits = [store.kept(run.add(*step("s0")).hold) for run in runs]
        for error in await asyncio.gather(*waits, return_exceptions=True):
            assert isinstance(error, StoreLocked), error
        took.append(time.monotonic() - began)
        began = time.monotonic()
        with contextlib.suppress(StorageError):  # a whole run, on the loop that also beats
            await portia.arun_plan(again)
            raise AssertionError("a run was kept through a lock")
        took.append(time.monotonic() - began)
        beating.cancel()
        rival.execute("ROLLBACK")
    for run in runs:
        store.release(run.hold)
    assert await asyncio.to_thread(store.claim, free.id, owner=OWNER)
    assert store.check().is_ok
    store.close()
    assert (await portia.arun_plan(again)).state == "COMPLETE"
    portia.store.close()
    return max(took), beat.lag


def trial(trial: Trial) -> Facts:
    """Lock, call, be refused in time, unlock, go on."""
    # As long as the product waits where the whole minute is tried; less in the sample.
    is_full = trial.number > 0
    busy_s = schema.BUSY_TIMEOUT_S if is_full else SAMPLE_BUSY_S
    before, schema.BUSY_TIMEOUT_S = schema.BUSY_TIMEOUT_S, busy_s
    rounds = int(LOCKED_S / busy_s / 3) if is_full else 1
    try:
        store = JournalStore(trial.folder / "store")
        portia = Portia(Config(store=str(store.folder)), tools=[])
        took, lag = asyncio.run(locked(store, portia, rounds))
    finally:
        schema.BUSY_TIMEOUT_S = before
    assert took < busy_s + 1, f"a refusal took {took:.2f} s with a busy timeout of {busy_s} s"
    assert lag < MOST_LAG_S, f"the loop was {lag * 1000:.0f} ms late"
    assert not [t for t in threading.enumerate() if t.name.startswith("portia-nb journal")]
    return {"max seconds over the timeout": round(took - busy_s, 2), "max lag ms": lag * 1000}


ROW = Row(
    id="R5",
    fault="another writer keeps the journal locked for a minute",
    full=5,
    trial=trial,
    sample=(0,),
    holds="StoreLocked within the busy timeout + 1 s; the loop is never 100 ms late",
    jobs=1,
    trial_s=180.0,
)
