"""Waiting for a run, in a thread or on any event loop, so that an interrupt lands.

A main thread that sleeps in a lock, or a loop that sleeps in its selector, notices ■ and Ctrl-C
only when it wakes; so whoever waits here wakes ten times a second.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import logging
import signal
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from portia_nb.errors import PortiaBaseError
from portia_nb.model.run import PlanRun
from portia_nb.running.background import background
from portia_nb.running.mailbox import mailbox_of

if TYPE_CHECKING:
    from .live import LiveRun

logger = logging.getLogger("portia_nb")

T = TypeVar("T")
BEAT_S = 0.1
GRACE_S = 2.0
"""Seconds that a stopped run is given to end before the prompt comes back without it."""


def refuse_own_loop(twin: str = "the async form") -> None:
    """Refuse to wait on the background loop's own thread, which would then wait for itself.

    Args:
        twin: what to await instead.

    Raises:
        RuntimeError: this is that thread.
    """
    if background.is_here:
        raise RuntimeError(
            "this would wait for itself for ever: code that runs on portia_nb's own loop awaits "
            f"{twin} instead"
        )


def wait_here(future: concurrent.futures.Future[T], *, stop: Callable[[], Any] | None = None) -> T:
    """Wait in this thread and return what `future` holds, or raise what it raises.

    Args:
        future: of something on the background loop.
        stop: called once when this thread is interrupted; None: the future's own `cancel`.

    Raises:
        KeyboardInterrupt: the thread was interrupted; what it waited for has been stopped, and has
            ended or goes on cleaning up after `GRACE_S`. The same holds for whatever else a signal
            handler of the program raises here, such as SystemExit at SIGTERM.
        RuntimeError: this is the background loop's own thread, which must not wait for itself.
    """
    refuse_own_loop()
    # A bare lock: a handler may raise between any two lines, and must not leave one locked that
    # the background loop takes.
    ended = threading.Lock()
    ended.acquire()
    future.add_done_callback(lambda _: ended.release())
    try:
        while not ended.acquire(timeout=BEAT_S):
            pass
    except BaseException:
        if not future.done():
            (stop or future.cancel)()
            ended.acquire(timeout=GRACE_S)
        raise
    return future.result()


async def await_here(
    future: concurrent.futures.Future[T], *, stop: Callable[[], Any] | None = None
) -> T:
    """Await `future` on this loop, whichever it is, and return what it holds.

    Args:
        future: of something on the background loop.
        stop: called once when this task is cancelled; None: the future's own `cancel`.

    Raises:
        asyncio.CancelledError: the task was cancelled; what it waited for has been stopped, and has
            ended or goes on cleaning up after `GRACE_S`.
        KeyboardInterrupt: likewise, by Ctrl-C where nothing else turns that into a cancellation.
    """
    loop = asyncio.get_running_loop()
    mailbox = mailbox_of(loop)
    ended = loop.create_future()
    future.add_done_callback(lambda _: mailbox.post(_wake, ended))
    with _heart_of(loop).beating() as heart:
        try:
            await asyncio.shield(ended)
        except (asyncio.CancelledError, GeneratorExit) as left:
            if not future.done():
                (stop or future.cancel)()
                if isinstance(left, asyncio.CancelledError):
                    await asyncio.wait({ended}, timeout=GRACE_S)
            heart.raise_interrupt()
            raise
    try:
        return future.result()
    except concurrent.futures.CancelledError:
        raise asyncio.CancelledError from None


def _wake(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)


def run_here(
    prepare: Callable[..., LiveRun | PlanRun],
    aside: Coroutine[Any, Any, T] | None = None,
    unwanted: Callable[[T], Any] = lambda _: None,
) -> PlanRun:
    """Start the run that `prepare` returns and wait for it in this thread.

    Args:
        prepare: called here, with what `aside` returns if there is any. No interrupt lands in it,
            so it should not take long.
        aside: what is awaited first, on the background loop.
        unwanted: is given what `aside` has returned where an interrupt comes before `prepare`.

    Raises:
        KeyboardInterrupt: as `wait_here`; the run has been stopped and can be resumed.
    """
    looked: concurrent.futures.Future[T] | None = None
    live: LiveRun | None = None
    is_stopped = False

    def stop() -> None:
        nonlocal is_stopped
        is_stopped = True
        if live is not None:
            live.stop()

    try:
        if aside is not None:
            with interrupts_held():
                looked = background.submit(aside)
            wait_here(looked)
        with interrupts_held():
            given, looked = () if looked is None else (looked.result(),), None
            found = prepare(*given)
            if isinstance(found, PlanRun):
                return found
            live = found.start()
        return wait_here(live.done, stop=stop)
    except PortiaBaseError as error:
        _drop_frames(error)
        raise error.with_traceback(None) from error.__cause__
    except BaseException:
        if looked is not None:
            _take_back(looked, unwanted)
        if live is not None and not is_stopped and not live.done.done():  # before the wait
            stop()
            concurrent.futures.wait([live.done], timeout=GRACE_S)
        raise


def _take_back(looked: concurrent.futures.Future[T], unwanted: Callable[[T], Any]) -> None:
    """Let nothing come of what was begun for a run that isn't wanted any more."""
    looked.cancel()
    concurrent.futures.wait([looked], timeout=GRACE_S)
    if looked.done() and looked.exception() is None:
        unwanted(looked.result())


async def run_on_this_loop(
    prepare: Callable[..., LiveRun | PlanRun], aside: Coroutine[Any, Any, Any] | None = None
) -> PlanRun:
    """Start the run that `prepare` returns and await it.

    Args:
        prepare: called here, with what `aside` returns if there is any; must not wait.
        aside: what is awaited first, such as work on a thread.

    Raises:
        asyncio.CancelledError: as `await_here`; the run has been stopped and can be resumed.
    """
    live: LiveRun | None = None
    try:
        given = () if aside is None else (await aside,)
        with interrupts_held():
            found = prepare(*given)
            if isinstance(found, PlanRun):
                return found
            live = found.start()
        return await await_here(live.done, stop=live.stop)
    except PortiaBaseError as error:
        _drop_frames(error)
        raise error.with_traceback(None) from error.__cause__
    except BaseException:
        if live is not None and not live.done.done():  # also where it came before the wait
            live.stop()
        raise


def _drop_frames(error: BaseException) -> None:
    """Take from `error` and its causes the frames in which they were raised: messages say it all.

    A notebook would show pages of them below the line that the caller wrote. At DEBUG the log has
    them.
    """
    logger.debug("refused: %s", error, exc_info=error)
    cause = error.__cause__
    while cause is not None:
        cause.__traceback__ = None
        cause = cause.__cause__


@contextmanager
def interrupts_held() -> Generator[None]:
    """Let ■ and Ctrl-C land at the end of the ``with``, not inside it.

    For the moments between claiming a run and waiting for it: an interrupt there would leave a run
    that nobody runs, held by this very process.
    """
    before = _get_handler(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    came: list[tuple[int, Any]] = []
    _set_handler(signal.SIGINT, lambda number, frame: came.append((number, frame)))
    try:
        yield
    finally:
        _set_handler(signal.SIGINT, before)
        if came:
            before(*came[0])


# Without their wrappers, which look each handler up among the named ones, and for the error that
# tells them that it isn't there print it, the whole task of `asyncio.run` with its result included.
_get_handler = inspect.unwrap(signal.getsignal)
_set_handler = inspect.unwrap(signal.signal)


class _Heart:
    """Wakes one loop ten times a second while anybody waits there, and hears Ctrl-C for them.

    `asyncio.run` and kernels turn SIGINT into a cancellation. Where nobody does, as in a terminal's
    IPython or under ``run_until_complete``, it would be raised out of the loop, between the tasks:
    those that wait would never hear of it, and their runs go on.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waiting: list[asyncio.Task[Any]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._was_interrupted = False

    @contextmanager
    def beating(self) -> Generator[_Heart]:
        """Beat for the task that calls this."""
        task = asyncio.current_task()
        assert task is not None
        if not self._waiting:
            self._hear_interrupts()
        self._waiting.append(task)
        if self._timer is None:
            self._beat()
        try:
            yield self
        finally:
            self._waiting.remove(task)
            if not self._waiting and _get_handler(signal.SIGINT) == self._interrupted:
                _set_handler(signal.SIGINT, signal.default_int_handler)

    def raise_interrupt(self) -> None:
        """Raise KeyboardInterrupt where only Ctrl-C has cancelled this task, and it is alone.

        Of several, one that raises this ends the loop under all others, and again when it is next
        run: they are cancelled, and who runs the loop hears of that.
        """
        task = asyncio.current_task()
        is_alone = asyncio.all_tasks() == {task}
        if self._was_interrupted and is_alone and task is not None and task.uncancel() <= 0:
            raise KeyboardInterrupt from None

    def _hear_interrupts(self) -> None:
        self._was_interrupted = False
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and _get_handler(signal.SIGINT) is signal.default_int_handler:
            _set_handler(signal.SIGINT, self._interrupted)

    def _interrupted(self, number: int, frame: Any) -> None:
        self._was_interrupted = True
        self.loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        for task in self._waiting:
            task.cancel()

    def _beat(self) -> None:
        self._timer = self.loop.call_later(BEAT_S, self._beat) if self._waiting else None


# One heart a loop, however many runs are awaited on it. By id, and only while somebody waits: a
# heart holds its loop, so the loop can't be a weak key.
_hearts: WeakValueDictionary[int, _Heart] = WeakValueDictionary()


def _heart_of(loop: asyncio.AbstractEventLoop) -> _Heart:
    found = _hearts.get(id(loop))
    if found is None or found.loop is not loop:
        found = _hearts[id(loop)] = _Heart(loop)
    return found
