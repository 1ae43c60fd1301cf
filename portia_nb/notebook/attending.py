"""A cell attends a run: it waits, relays questions, hears the interrupt, and says how it ended."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import cards
from .asking import Ladder, Prompts, stdin_allowed
from .interrupts import HEARTBEAT_S, sigint_calls

if TYPE_CHECKING:
    from portia_nb.model.run import PlanRun
    from portia_nb.session.live import LiveRun
    from portia_nb.session.portia import Portia

    from .face import Face

STOP_TIME_S = 1.7
"""Seconds that a stopped run may take to end before the prompt comes back without it."""

CLEANUP_TIME_S = 10.0
"""Seconds after which a run that is still cleaning up is shown as it stands."""


@dataclass(slots=True)
class Attended:
    """A run that this face started, with what stands around it."""

    portia: Portia
    live: LiveRun
    ladder: Ladder
    view: Any


async def until_done(
    future: concurrent.futures.Future[Any], prompts: Prompts | None = None, *, limit_s: float = 0
) -> bool:
    """Wait for `future` with a heartbeat, on any loop, and tell whether it is done.

    Args:
        future: anything that another thread resolves; neither cancelled nor looked into here.
        prompts: questions for `input()` that this thread shall serve meanwhile.
        limit_s: seconds to wait at most; 0: no limit.
    """
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def wake(_: Any) -> None:
        # The loop may be gone by then: a cell that was interrupted no longer waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(done.set)

    future.add_done_callback(wake)
    end = loop.time() + limit_s if limit_s else None
    waiting = asyncio.ensure_future(done.wait())
    try:
        while not future.done() and (end is None or loop.time() < end):
            if prompts is not None:
                prompts.serve()
            # SIGINT alone doesn't wake a selector that sleeps.
            await asyncio.wait({waiting}, timeout=HEARTBEAT_S)
    finally:
        waiting.cancel()
    return future.done()


async def attend(
    face: Face,
    attended: Attended,
    *,
    prompts: Prompts,
    serves: bool,
    output: str | None = None,
    stops: bool = True,
) -> PlanRun:
    """Wait for the run to end, give its result to the notebook, and return it.

    Args:
        face: the notebook face.
        attended: the run.
        prompts: questions for `input()`.
        serves: whether this thread is the main thread and serves them.
        output: variable to bind the result to, before anything is raised.
        stops: whether an interrupt stops the run, or only the waiting.

    Raises:
        PlanRunFailed: the run failed.
        WaitingForAnswer: it waits for an answer that nobody gave.
        InvalidAnswer: a declared answer was refused by its question.
        KeyboardInterrupt: the cell was interrupted, or the run was stopped by hand.
    """
    live = attended.live
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    try:
        with sigint_calls(lambda: _cancel(loop, task)):
            await until_done(live.done, prompts if serves else None)
    except (asyncio.CancelledError, KeyboardInterrupt):
        task.uncancel()
        prompts.close()
        if not stops:
            raise face.carded(cards.left(live.id)) from None
        live.stop("interrupted")
        if not await _ended_in_time(live):
            leave_behind(attended)
            raise face.carded(cards.stopped(live.id, cleaning_up=True)) from None
    finally:
        prompts.close()
    if attended.view.ready.is_set():
        face.hearing.note(awaits=serves, reached=True)
    plan_run = result_of(face, attended, output)
    return judge(face, attended, plan_run)


def _cancel(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    loop.call_soon_threadsafe(task.cancel)


async def _ended_in_time(live: LiveRun) -> bool:
    try:
        return await until_done(live.done, limit_s=STOP_TIME_S)
    except asyncio.CancelledError:
        # Interrupted again: the prompt comes back now.
        return live.done.done()


def result_of(face: Face, attended: Attended, output: str | None) -> PlanRun:
    """Show how a run ended, bind its result, and return that.

    Raises:
        Exception: what kept the run from having a result, such as a full disk; carded.
    """
    try:
        plan_run = attended.live.done.result(timeout=0)
    except concurrent.futures.CancelledError:
        plan_run = attended.live.run.snapshot()
    except Exception as error:
        attended.view.finish()
        raise face.carded(error, [("next", _resume(attended.live))]) from error
    attended.view.finish()
    face.give(output, plan_run)
    return plan_run


def judge(face: Face, attended: Attended, plan_run: PlanRun) -> PlanRun:
    """Return `plan_run` where it is complete, and raise what it ended with else."""
    from portia_nb.model.run import PlanRunState

    if attended.ladder.problem is not None:
        again = f"{_resume(attended.live)} --answer {attended.ladder.problem.declared}=VALUE"
        raise face.carded(attended.ladder.problem, [("next", again)])
    match plan_run.state:
        case PlanRunState.COMPLETE:
            if unused := attended.ladder.unused():
                face.say(unused_text(unused))
            return plan_run
        case PlanRunState.FAILED:
            raise face.carded(cards.failed(plan_run))
        case PlanRunState.NEED_CLARIFICATION:
            can_ask = stdin_allowed(face.shell)
            unused = attended.ladder.unused()
            raise face.carded(cards.waiting(plan_run, unused=unused, is_headless=not can_ask))
        case _ if "budget" in plan_run.stop_reason:
            raise face.carded(cards.budget_reached(plan_run))
        case _:
            raise face.carded(cards.stopped(str(plan_run.id)))


def unused_text(names: Sequence[str]) -> str:
    """Say which declared answers no question asked for."""
    what = "answer was" if len(names) == 1 else "answers were"
    return f"No question asked for {', '.join(names)}: the declared {what} not used."


def finish_at_end(attended: Attended) -> Callable[[], None]:
    """Let the view become the record once the run ends; return what does it at once instead.

    Before `live.done` resolves, since who waits for that may close the cell that the view is in.
    """
    once = threading.Lock()

    def finish(_: Any = None) -> None:
        if once.acquire(blocking=False):
            attended.view.finish()

    attended.live.at_end(finish)
    attended.live.done.add_done_callback(finish)  # where it ended before anybody could say so
    return finish


def leave_behind(attended: Attended) -> None:
    """Let a run end without its cell: its view says how, at the latest after `CLEANUP_TIME_S`."""
    finish = finish_at_end(attended)
    timer = threading.Timer(CLEANUP_TIME_S, finish)
    timer.daemon = True
    timer.start()
    attended.live.done.add_done_callback(lambda _: timer.cancel())


def _resume(live: LiveRun) -> str:
    return f"%portia resume {live.id}"
