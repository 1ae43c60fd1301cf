"""Going on with a run never holds up the loop that waits for it, however long the disk takes."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portia_nb import Plan, PlanBuilderV2, PlanRun, Portia
from portia_nb.errors import FunctionsMissing, PlanError, StoreLocked
from portia_nb.notebook.cards import next_command
from portia_nb.planning import bound
from portia_nb.storage import schema
from portia_nb.storage.store import Hold

from .stage import portia


@contextlib.contextmanager
def locked(home: Portia) -> Iterator[None]:
    """Keep the journal locked, as another process that writes for long would."""
    path: Any = home.store.path  # type: ignore[attr-defined]
    home.store.close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as rival:
        rival.execute("BEGIN IMMEDIATE")
        yield
        rival.execute("ROLLBACK")


@pytest.fixture
def failed(tmp_path: Path) -> tuple[Portia, PlanRun, list[bool]]:
    """A run whose last step fails until it is told not to."""
    home, fails = portia(str(tmp_path)), [True]

    def check(text: str) -> str:
        if fails[0]:
            raise ValueError("not yet")
        return text

    plan = (
        PlanBuilderV2()
        .function_step(function=check, args={"text": "well"}, step_name="check", side_effect=False)
        .build()
    )
    return home, home.run_plan(plan), fails


async def resume(home: Portia, run: PlanRun) -> PlanRun:
    return await home.aresume(run)


async def retry(home: Portia, run: PlanRun) -> PlanRun:
    return await home.aretry(run)


Call = Callable[[Portia, PlanRun], Awaitable[PlanRun]]


@pytest.mark.parametrize("call", [resume, retry])
async def test_a_loop_goes_on_while_a_run_waits_for_a_locked_store(
    failed: tuple[Portia, PlanRun, list[bool]], call: Call, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(schema, "BUSY_TIMEOUT_S", 0.5)
    home, run, fails = failed
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    with locked(home):
        beating = asyncio.ensure_future(beat())
        with pytest.raises(StoreLocked):
            await call(home, run)
        beating.cancel()
    assert beats >= 5
    fails[0] = False
    assert (await call(home, run)).final_output.value == "well"


async def test_a_resume_that_is_cancelled_while_it_waits_gives_the_run_back(
    failed: tuple[Portia, PlanRun, list[bool]], monkeypatch: pytest.MonkeyPatch
):
    home, run, fails = failed
    claims, releases = told_of(home, "claim", monkeypatch), told_of(home, "release", monkeypatch)
    with locked(home):
        resuming = asyncio.ensure_future(home.aresume(run))
        await claims.wait()
        resuming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await resuming
        assert not releases.is_set()
    await releases.wait()
    home.store.close()  # once all that it was told of is on disk, the release too
    assert home.store.find_run(run.id).owner is None
    fails[0] = False
    assert (await home.aresume(run)).final_output.value == "well"


def told_of(home: Portia, name: str, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return an event that is set where this method of the store is called, on any thread.

    Of a claim, as it begins, since it waits; of a release, once the store was told of it.
    """
    event, loop, method = asyncio.Event(), asyncio.get_running_loop(), getattr(home.store, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        if name == "claim":
            loop.call_soon_threadsafe(event.set)
        returned = method(*args, **kwargs)
        loop.call_soon_threadsafe(event.set)
        return returned

    monkeypatch.setattr(home.store, name, call)
    return event


def test_an_interrupt_lands_at_once_while_a_plain_resume_waits_for_the_disk(
    failed: tuple[Portia, PlanRun, list[bool]], monkeypatch: pytest.MonkeyPatch
):
    home, run, fails = failed
    claim, claims, is_answered = home.store.claim, threading.Event(), threading.Event()

    def told(*args: Any, **kwargs: Any) -> Hold:
        claims.set()
        try:
            return claim(*args, **kwargs)
        finally:
            is_answered.set()

    def interrupt() -> None:
        assert claims.wait(10)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    monkeypatch.setattr(home.store, "claim", told)
    with locked(home):
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            home.resume(run)
        assert not is_answered.is_set()
        thread.join()
    fails[0] = False
    while home.store.find_run(run.id).owner is not None:  # it is given back once it is claimed
        time.sleep(0.01)
    assert home.resume(run).final_output.value == "well"


def built(source: str) -> Plan:
    """Return a plan of one function, defined by `source` as a cell would."""
    names: dict[str, Any] = {}
    exec(source, names)
    return PlanBuilderV2().function_step(function=names["work"], step_name="work").build()


def test_who_has_changed_the_code_since_is_told_how_to_go_on_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    us = portia(str(tmp_path))
    plan = built("def work():\n    raise ValueError('a mistake')")
    run = us.run_plan(plan)
    mended = built("def work():\n    return 'mended'")
    fork = rf"portia\.fork\('{run.id}', plan=…\)"
    with pytest.raises(PlanError, match=f"step 'work' differs in function.*{fork}"):
        us.resume(run, plan=mended)
    assert us.fork(run, plan=mended).state == "COMPLETE"

    # In another process the old code is gone.
    us = portia(str(tmp_path))
    monkeypatch.setattr(bound, "_built", {})
    bound.remember(mended)
    with pytest.raises(FunctionsMissing, match=f"reads otherwise here.*{fork}") as raised:
        us.resume(run)
    assert raised.value.changed == ("work",)
    assert next_command(raised.value) == f"%portia fork {run.id} --plan PLAN"
    monkeypatch.setattr(bound, "_built", {})
    with pytest.raises(FunctionsMissing, match="run the cell that builds the plan"):
        us.resume(run)
