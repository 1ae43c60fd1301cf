"""Daemon threads for users' synchronous callables.

Not asyncio's default executor: that has few threads, and one tool that hangs in it keeps the
interpreter from exiting.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from typing import Any

_IDLE_S = 30.0


class DaemonThreads:
    """Threads that are made when needed, kept for a while, and never waited for.

    How many run at once is the caller's business: the executor holds it to `max_parallel_steps`. A thread
    whose caller has given up goes on until its function returns and is replaced in the meantime.
    """

    def __init__(self, name: str = "portia-nb-tool") -> None:
        """Start no thread yet."""
        self._name = name
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._made = 0

    async def call(
        self, function: Callable[[], Any], context: contextvars.Context | None = None
    ) -> Any:
        """Call `function` in a thread and return what it returns, or raise what it raises.

        On cancellation the wait ends at once and the thread is left to itself.

        Args:
            function: called once, without arguments.
            context: context variables that it sees, as a copy; None: a copy of this task's.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        seen = contextvars.copy_context() if context is None else context.copy()

        def deliver(value: Any, error: BaseException | None) -> None:
            if done.done():
                return
            if error is None:
                done.set_result(value)
            elif isinstance(error, StopIteration):
                # A future refuses StopIteration.
                done.set_exception(RuntimeError(f"the function raised {error!r}"))
            else:
                done.set_exception(error)

        def work() -> None:
            try:
                value, error = seen.run(function), None
            except BaseException as raised:
                value, error = None, raised
            try:
                loop.call_soon_threadsafe(deliver, value, error)
            except RuntimeError:
                return  # the loop is closed: nobody waits any more

        self._worker().work.put(work)
        return await done

    def _worker(self) -> _Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
            self._made += 1
            number = self._made
        return _Worker(self, f"{self._name}-{number}")

    def _rest(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)

    def _retire(self, worker: _Worker) -> bool:
        """Let `worker` end, unless it has just been given work."""
        with self._lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            return True


class _Worker:
    """One thread: does what is put into `work`, then rests, and ends when nobody wants it."""

    def __init__(self, threads: DaemonThreads, name: str) -> None:
        self.work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._threads = threads
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                job = self.work.get(timeout=_IDLE_S)
            except queue.Empty:
                if self._threads._retire(self):
                    return
                continue
            job()
            del job  # a waiting thread must not keep the last call's arguments alive
            self._threads._rest(self)


# Module state on purpose: threads are the process's, and idle ones serve every run.
threads = DaemonThreads()
