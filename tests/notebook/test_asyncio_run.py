"""`asyncio.run` under a running loop, without a kernel."""

import asyncio
import contextvars
import threading
from collections.abc import Iterator

import pytest

from portia_nb.notebook.asyncio_run import AsyncioRun

PYTHONS_OWN = asyncio.run
WHO = contextvars.ContextVar("who", default="nobody")


@pytest.fixture
def replaced() -> Iterator[AsyncioRun]:
    patch = AsyncioRun(shell=object())
    patch.install()
    yield patch
    patch.restore()
    assert asyncio.run is PYTHONS_OWN


async def where() -> tuple[str, threading.Thread]:
    await asyncio.sleep(0)
    return WHO.get(), threading.current_thread()


async def test_a_program_runs_under_a_running_loop_with_the_callers_context(replaced: AsyncioRun):
    WHO.set("the cell")
    who, thread = asyncio.run(where())
    assert who == "the cell"
    assert thread is not threading.current_thread()


def test_without_a_running_loop_it_is_pythons_own(replaced: AsyncioRun):
    _, thread = asyncio.run(where())
    assert thread is threading.current_thread()


async def test_its_errors_reach_the_caller_system_exit_included(replaced: AsyncioRun):
    async def leave(error: BaseException):
        raise error

    with pytest.raises(ValueError, match="mine"):
        asyncio.run(leave(ValueError("mine")))
    with pytest.raises(SystemExit):
        asyncio.run(leave(SystemExit(3)))


async def test_what_is_no_coroutine_is_refused_as_python_does(replaced: AsyncioRun):
    with pytest.raises(ValueError, match="a coroutine was expected, got 3"):
        asyncio.run(3)


async def test_programs_nest(replaced: AsyncioRun):
    async def outer():
        return asyncio.run(where())

    who, _ = asyncio.run(outer())
    assert who == "nobody"


async def test_restored_it_is_pythons_own_also_for_who_kept_the_replacement():
    patch = AsyncioRun(shell=object())
    patch.install()
    patch.install()
    kept = asyncio.run
    patch.restore()
    assert asyncio.run is PYTHONS_OWN
    program = where()
    with pytest.raises(RuntimeError, match="running event loop"):
        kept(program)
    program.close()


def test_somebody_elses_later_replacement_is_left_in_place(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(asyncio, "run", asyncio.run)
    patch = AsyncioRun(shell=object())
    patch.install()

    def theirs(main):
        return main

    asyncio.run = theirs
    patch.restore()
    assert asyncio.run is theirs
