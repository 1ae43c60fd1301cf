"""The one thread that writes to a journal: takes what is queued, commits it as a group.

Appending never waits. A commit is made at once when somebody waits for it, else after a short
linger, so that a run of reading steps costs a few commits and not one for each event. A thread
without work goes away, and comes back with the next write.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NamedTuple

from portia_nb.errors import PortiaBaseError, StorageError, StoreDamaged, StoreLocked

from . import schema
from .crash import CrashPoint
from .faults import no_text, typed
from .store import Hold
from .transaction import transaction

_LINGER_S = 0.01
_IDLE_S = 10.0
_MAX_GROUP = 1_000
_MAX_GROUP_BYTES = 16 * 2**20

Job = Callable[[sqlite3.Connection], Any]


class Work(NamedTuple):
    """One thing to do inside a transaction."""

    job: Job
    hold: Hold | None = None
    """Under which it is done: it is left out once that has failed."""
    result: Future[Any] | None = None
    """Where what `job` returns or raises goes, if anyone asks."""
    prepare: Callable[[], None] | None = None
    """Done before the transaction begins: slow writes of files."""
    size: int = 0
    """Bytes that it writes, about."""


class Writer:
    """The queue, the thread and its connection."""

    def __init__(self, path: Path) -> None:
        """Write to the journal at `path`, which `schema.prepare` has seen."""
        self.path = path
        self._queue: deque[Work] = deque()
        # Every wait is on this one lock; it is re-entrant because a collection of garbage may
        # finalise something of ours at any allocation inside.
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._hurried = False
        self._busy = False
        self._closing = False
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._pid = os.getpid()
        self._crash = CrashPoint.from_environment()

    def put(self, work: Work, *, hurry: bool = False) -> None:
        """Queue `work`; `hurry` asks that it be committed without lingering."""
        with self._changed:
            self._forget_parent()
            first = not self._queue
            self._queue.append(work)
            self._hurried = self._hurried or hurry
            if self._thread is None:
                self._thread = self._started()
            elif first or hurry or len(self._queue) == _MAX_GROUP:
                self._changed.notify_all()
            if self._thread is None:
                self._commit(self._take_all())
                self._disconnect()

    def _started(self) -> threading.Thread | None:
        """Return the thread, started; None where the interpreter ends and starts no more."""
        thread = threading.Thread(
            target=self._run, name=f"portia-nb journal {self.path.name}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            return None
        return thread

    def hurry(self) -> None:
        """Ask that what is queued be committed without lingering."""
        with self._changed:
            if not self._hurried:
                self._hurried = True
                self._changed.notify_all()

    def call(self, job: Job, timeout_s: float | None = None) -> Any:
        """Do `job` in its turn, and return what it returns once that is on disk.

        Raises:
            StorageError: it can't be written; or what `job` raised.
            TimeoutError: `timeout_s` have passed; the job may still be done.
        """
        result: Future[Any] = Future()
        self.put(Work(job, result=result), hurry=True)
        return result.result(timeout_s)

    def is_idle(self) -> bool:
        """Return whether nothing is queued or being written."""
        with self._changed:
            return not self._queue and not self._busy

    def close(self, timeout_s: float | None = None) -> None:
        """Write what is queued, end the thread and close the file; a later `put` opens it again."""
        with self._changed:
            thread = self._thread
            if thread is None or self._pid != os.getpid():
                return
            self._closing = self._hurried = True
            self._changed.notify_all()
        if thread is not threading.current_thread():
            thread.join(timeout_s)

    def _forget_parent(self) -> None:
        """After a fork: the thread stayed in the parent, and its connection is the parent's.

        The connection isn't closed here: that would drop the parent's locks. It is left alone.
        """
        if self._pid != os.getpid():
            self._pid = os.getpid()
            self._parents_connection = self._connection
            self._queue, self._connection, self._thread = deque(), None, None
            self._hurried = self._busy = self._closing = False

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while (group := self._next_group()) is not None:
            self._commit(group)
            with self._changed:
                self._busy = False

    def _commit(self, group: list[Work]) -> None:
        try:
            self._write(group)
        except Exception as error:
            # Whatever went wrong, those who wait are told, and the thread goes on.
            found = self._typed(error)
            if isinstance(found, StoreLocked):
                # They have waited too, and would now wait as long again.
                group += self._take_all()
            _fail(group, found)
            self._disconnect()

    def _take_all(self) -> list[Work]:
        with self._changed:
            taken = list(self._queue)
            self._queue.clear()
            return taken

    def _next_group(self) -> list[Work] | None:
        """Wait for work; return what is to be committed together, None to end the thread."""
        with self._changed:
            if not self._queue and not self._closing:
                self._changed.wait_for(lambda: self._queue or self._closing, _IDLE_S)
            if self._queue and not self._hurried:
                self._changed.wait_for(
                    lambda: self._hurried or len(self._queue) >= _MAX_GROUP, _LINGER_S
                )
            if not self._queue:
                self._disconnect()
                self._closing = self._hurried = False
                self._thread = None
                return None
            group, size = [], 0
            while self._queue and len(group) < _MAX_GROUP and size < _MAX_GROUP_BYTES:
                work = self._queue.popleft()
                group.append(work)
                size += work.size
            self._hurried = bool(self._queue) and self._hurried
            self._busy = True
            return group

    def _write(self, group: list[Work]) -> None:
        for work in group:
            if work.prepare is not None and not _is_vain(work):
                work.prepare()
        connection = self._connected()
        self._crash.reach("before")
        with transaction(connection):
            outcomes = [_do(work, connection) for work in group]
            self._crash.reach("inside")
        self._crash.reach("after")
        _settle(outcomes)

    def _connected(self) -> sqlite3.Connection:
        found = self.path.stat()
        inode = (found.st_dev, found.st_ino)
        if self._connection is None:
            self._connection, self._inode = schema.connect(self.path), inode
        elif inode != self._inode:
            # Deleted or replaced while open: SQLite would write on into the file without a name.
            self._disconnect()
            raise StoreDamaged(
                f"{self.path} was replaced by another file while it was open: nothing more was "
                "written; resume the run to go on with the file that is there now",
                path=self.path,
            )
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection, self._inode = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _typed(self, error: Exception) -> PortiaBaseError:
        if isinstance(error, PortiaBaseError):
            return error
        return typed(error, self.path)


def _is_vain(work: Work) -> bool:
    return work.hold is not None and work.hold.ledger.error is not None


def _do(work: Work, connection: sqlite3.Connection) -> tuple[Work, Any, Exception | None]:
    """Do one piece of work; a refusal concerns it alone, what ails the file concerns the group."""
    if _is_vain(work):
        return work, None, work.hold.ledger.error if work.hold else None
    try:
        return work, work.job(connection), None
    except (PortiaBaseError, UnicodeEncodeError) as error:
        found = no_text(error) if isinstance(error, UnicodeEncodeError) else error
        if work.hold is not None:
            # At once, so that what follows under this hold is left out.
            work.hold.ledger.fail(_as_storage_error(found))
        return work, None, found


def _settle(outcomes: list[tuple[Work, Any, Exception | None]]) -> None:
    kept: dict[int, tuple[Hold, int]] = {}
    for work, returned, error in outcomes:
        if work.hold is not None and error is None:
            hold, count = kept.get(id(work.hold), (work.hold, 0))
            kept[id(work.hold)] = (hold, count + 1)
        if work.result is not None:
            if error is None:
                work.result.set_result(returned)
            else:
                work.result.set_exception(error)
    for hold, count in kept.values():
        hold.ledger.settle(count)


def _fail(group: list[Work], error: PortiaBaseError) -> None:
    for work in group:
        if work.hold is not None:
            work.hold.ledger.fail(_as_storage_error(error))
        if work.result is not None and not work.result.done():
            work.result.set_exception(error)


def _as_storage_error(error: PortiaBaseError) -> StorageError:
    if isinstance(error, StorageError):
        return error
    return StorageError(str(error), **error.facts)
