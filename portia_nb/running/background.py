"""The one background thread with its own event loop, on which every run's engine lives.

One for the process and never stopped: clients (HTTP connections, locks) that were made on this loop
stay usable from run to run. It is a daemon, so it never keeps the interpreter from exiting.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from .mailbox import Mailbox, mailbox_of

T = TypeVar("T")

logger = logging.getLogger("portia_nb")


class Background:
    """A daemon thread that runs an event loop."""

    def __init__(self, name: str = "portia-nb") -> None:
        """Prepare; the thread starts with the first `loop`."""
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._mailbox: Mailbox | None = None
        self._thread: threading.Thread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, running; started where it isn't."""
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._loop = asyncio.new_event_loop()
                self._mailbox = mailbox_of(self._loop)
                self._thread = threading.Thread(
                    target=_run_for_ever, args=(self._loop,), name=self._name, daemon=True
                )
                self._thread.start()
            assert self._loop is not None
            return self._loop

    def post(self, call: Callable[..., Any], *given: Any) -> None:
        """Let the loop call ``call(*given)`` soon, in the order of posting; from any thread."""
        loop = self.loop
        assert self._mailbox is not None and self._mailbox.loop is loop
        self._mailbox.post(call, *given)

    @property
    def is_here(self) -> bool:
        """True on the background thread itself."""
        return self._thread is threading.current_thread()

    def submit(
        self,
        coroutine: Coroutine[Any, Any, T],
        context: contextvars.Context | None = None,
    ) -> concurrent.futures.Future[T]:
        """Run `coroutine` on the loop, and return a future of what it returns; from any thread.

        Args:
            coroutine: what to run; a task of its own.
            context: context variables that it sees; None: a copy of this thread's. A print of the
                coroutine lands in the notebook cell that the context belongs to.

        Guarantees:
            The future is resolved after the coroutine has ended, its clean-up included. Cancelling
            the future asks the coroutine to stop and leaves the future unresolved until it has.
        """
        seen = contextvars.copy_context() if context is None else context.copy()
        done: Submitted[T] = Submitted(self)

        async def follow() -> None:
            try:
                value = await coroutine
            except asyncio.CancelledError:
                done.finish(error=concurrent.futures.CancelledError())
            except BaseException as error:
                done.finish(error=error)
            else:
                done.finish(value)

        def never_began(_: object) -> None:
            # Cancelled before its first turn, a task runs nothing: no line of `follow` either.
            if not done.done():
                coroutine.close()
                done.finish(error=concurrent.futures.CancelledError())

        def start() -> None:
            task = asyncio.get_running_loop().create_task(follow(), context=seen)
            task.add_done_callback(never_began)
            done.task = task
            if done.asked_to_stop:
                task.cancel()

        self.post(start)
        return done


def _run_for_ever(loop: asyncio.AbstractEventLoop) -> None:
    """Run `loop` as long as the process lives: all runs and clients of the process depend on it."""
    while not loop.is_closed():
        try:
            loop.run_forever()
        except BaseException as error:
            # asyncio raises these out of any task or callback, such as one that a tool has started.
            # Who awaits that task is told; to all others it must not matter.
            logger.warning(
                "%s was raised on portia_nb's own event loop, outside of any step; it goes on",
                type(error).__name__,
            )


class Submitted(concurrent.futures.Future[T]):
    """A future whose `cancel` only asks: it is resolved when the coroutine has ended."""

    def __init__(self, background: Background) -> None:
        """Belong to a coroutine on the loop of `background`."""
        super().__init__()
        self._background = background
        self.task: asyncio.Task[None] | None = None
        self.asked_to_stop = False

    def cancel(self) -> bool:
        """Ask the coroutine to stop; False where it has ended already."""
        if self.done():
            return False
        self.asked_to_stop = True
        self._background.post(lambda: self.task and self.task.cancel())
        return True

    def finish(self, value: Any = None, error: BaseException | None = None) -> None:
        """Resolve the future; called once, by the coroutine's follower."""
        if error is not None:
            self.set_exception(error)
        else:
            self.set_result(value)


# Module state on purpose: a second loop would split clients and locks between loops.
background = Background()
