"""One session with one MCP server, on a thread and a loop of its own.

A session belongs to the loop on which it was opened, and tools are called from many: the kernel's,
the engine's, none. A thread for each server also keeps a server that floods us from holding up
anything else.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import threading
import weakref
from collections.abc import Awaitable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from portia_nb.errors import PortiaBaseError, ToolHardError, ToolSoftError

from .configs import AnyMcpClientConfig
from .listing import ListedTool, read_listing
from .process import ServerProcess
from .session import Session, innermost, open_session
from .streams import require_mcp

logger = logging.getLogger("portia_nb")

T = TypeVar("T")
LISTING_AGE_S = 5.0
"""Seconds for which a listing is believed to be what the server would still say."""
_PING_S = 2.0
_CLOSE_S = 8.0


class McpConnection:
    """Calls the tools of one server; connects when first needed, and again after a loss.

    Thread-safe. Closed by `close`, when nothing refers to it any more, and at exit.
    """

    def __init__(self, config: AnyMcpClientConfig) -> None:
        """Do nothing yet.

        Args:
            config: how to reach the server.
        """
        self.config = config
        self._line = _Line(config)
        # The thread must not know this object, or it would never be collected.
        self._finalizer = _when_collected(self, self._line)

    def list_tools(self) -> tuple[dict[str, ListedTool], dict[str, str]]:
        """Return the server's tools by name, and why others are left out; blocks.

        Raises:
            InvalidConfigError: the `mcp` package isn't installed.
            ToolHardError: the server can't be reached or doesn't speak as it should.
        """
        return self._line.submit(self._line.list_tools()).result()

    async def alist_tools(self) -> tuple[dict[str, ListedTool], dict[str, str]]:
        """Await what `list_tools` returns."""
        return await asyncio.wrap_future(self._line.submit(self._line.list_tools()))

    async def call(
        self, listed: ListedTool, arguments: dict[str, Any], tool_id: str, key: str | None = None
    ) -> dict[str, Any]:
        """Call a tool and return the server's result as JSON; on cancellation the server is told.

        Args:
            listed: the tool as it was listed; a server that says otherwise now isn't called.
            arguments: plain JSON.
            tool_id: for messages.
            key: the call's idempotency key, which the server is told.

        Raises:
            ToolSoftError: the server hung, crashed or can't be reached: a second try may help.
            ToolHardError: the tool changed or is gone, or the answer is not what MCP allows.
        """
        return await asyncio.wrap_future(
            self._line.submit(self._line.call(listed, arguments, tool_id, key))
        )

    def close(self) -> None:
        """End the session, and the server where it is a program of ours; blocks until it is gone.

        The next call connects anew.
        """
        line, self._line = self._line, _Line(self.config)
        self._finalizer.detach()
        self._finalizer = _when_collected(self, self._line)
        line.close()


def _when_collected(connection: McpConnection, line: _Line) -> weakref.finalize[Any, Any]:
    finalizer = weakref.finalize(connection, line.release)
    finalizer.atexit = False  # at exit `_Line.close` is called, which waits
    return finalizer


class _Line:
    """The thread, its loop and what lives on it."""

    def __init__(self, config: AnyMcpClientConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._session: Session | None = None
        self._processes: weakref.WeakSet[ServerProcess] = weakref.WeakSet()
        self._chores: set[asyncio.Task[None]] = set()
        self._check: asyncio.Task[None] | None = None
        self._opening: asyncio.Lock | None = None

    # -- from any thread -------------------------------------------------------------------------

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Do `work` on the loop."""
        try:
            require_mcp()
        except PortiaBaseError:
            work.close()
            raise
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=_run_loop,
                    args=(self._loop,),
                    name=f"portia-nb-mcp-{self._config.server_name}",
                    daemon=True,
                )
                self._thread.start()
                atexit.register(self.close)
            loop = self._loop
        return asyncio.run_coroutine_threadsafe(work, loop)

    def close(self) -> None:
        """End session and thread and wait for it; where that takes too long, kill the program."""
        thread = self.release()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_CLOSE_S)
            for process in list(self._processes):
                process.kill()

    def release(self) -> threading.Thread | None:
        """End session and thread without waiting; return the thread where there is one."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is not None:
            atexit.unregister(self.close)
            loop.call_soon_threadsafe(lambda: loop.create_task(self._end(loop)))
        return thread

    # -- on the loop -----------------------------------------------------------------------------

    async def list_tools(self) -> tuple[dict[str, ListedTool], dict[str, str]]:
        """List what the server has now."""
        where = f"MCP server {self._config.server_name!r}"
        session = await self._connected(where, ToolHardError)
        raw = await self._in_time(
            session, session.list_tools(), self._config.connect_timeout_s, where, ToolHardError
        )
        return read_listing(raw)

    async def call(
        self, listed: ListedTool, arguments: dict[str, Any], tool_id: str, key: str | None = None
    ) -> dict[str, Any]:
        """Check that the tool is still what it was, and call it; `key` as in `McpConnection`."""
        where = f"tool {tool_id!r} of MCP server {self._config.server_name!r}"
        session = await self._connected(where, ToolSoftError)
        if session.listing_age_s > LISTING_AGE_S:
            await self._in_time(
                session, session.list_tools(), self._config.connect_timeout_s, where, ToolSoftError
            )
        self._check_unchanged(session, listed, where, tool_id)
        timeout_s = self._config.call_timeout_s
        call = session.call_tool(listed.name, arguments, key)
        return await self._in_time(session, call, timeout_s, where, ToolSoftError)

    def _check_unchanged(
        self, session: Session, listed: ListedTool, where: str, tool_id: str
    ) -> None:
        now = session.fingerprints.get(listed.name)
        if now == listed.fingerprint:
            return
        what = "is gone" if now is None else "has changed its description or schema"
        raise ToolHardError(
            f"{where} {what} since it was listed, so it was not called: list the server's tools "
            "again with relist() of its registry, and look at them before you use them",
            tool_id=tool_id,
            server_name=self._config.server_name,
        )

    async def _connected(self, where: str, kind: type[PortiaBaseError]) -> Session:
        # One at a time: many calls at once must not start many servers.
        self._opening = self._opening or asyncio.Lock()
        async with self._opening:
            if self._check is not None:
                await asyncio.wait({self._check})
            if self._session is not None and self._session.is_open:
                return self._session
            self._retire()
            timeout_s = self._config.connect_timeout_s
            session = self._session = open_session(self._config)
            self._processes.add(session.process)
            await self._in_time(session, session.opened(), timeout_s, where, kind)
            return session

    async def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._retire()
            await asyncio.gather(*self._chores, return_exceptions=True)
        finally:
            loop.stop()

    def _retire(self) -> None:
        """Let the session go; nobody who calls waits for its end."""
        session, self._session = self._session, None
        if session is not None:
            self._do_aside(session.close())

    def _doubt(self, session: Session) -> None:
        """Find out whether a session still lives; the next call waits for that."""
        if self._check is None or self._check.done():
            self._check = self._do_aside(self._drop_if_dead(session))

    def _do_aside(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)
        return task

    async def _in_time(
        self,
        session: Session,
        work: Coroutine[Any, Any, T],
        timeout_s: float,
        where: str,
        kind: type[PortiaBaseError],
    ) -> T:
        """Await `work` of `session`, as long as the session lives and for at most `timeout_s`.

        Raises:
            ToolHardError: the answer is not what the protocol allows.
            PortiaBaseError: of the class `kind`, for all else that goes wrong.
        """
        facts = {"server_name": self._config.server_name}
        try:
            return await session.ask(work, timeout_s)
        except PortiaBaseError:
            raise
        except TimeoutError as error:
            self._doubt(session)
            raise kind(
                f"{where} did not answer within {timeout_s:g} s{session.process.remarks}", **facts
            ) from error
        except Exception as error:
            self._doubt(session)
            found = session.explain(error)
            raised = ToolHardError if found.is_final else kind
            # Their own error without the task groups around it, and without frames of their inside.
            cause = innermost(error).with_traceback(None)
            raise raised(f"{where} {found.text}{session.process.remarks}", **facts) from cause

    async def _drop_if_dead(self, session: Session) -> None:
        """End a session whose server doesn't even answer a ping: the next call connects anew."""
        if not session.is_open:
            return
        try:
            if session.is_ready:
                await session.ask(session.ping(), _PING_S)
                return
        except Exception as error:
            logger.debug("MCP server %r doesn't answer: %r", self._config.server_name, error)
        session.process.kill()
        if self._session is session:
            self._retire()


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        for task in (left := asyncio.all_tasks(loop)):
            task.cancel()
        _settle(loop, _gathered(left))
        _settle(loop, loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _gathered(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


def _settle(loop: asyncio.AbstractEventLoop, work: Awaitable[Any]) -> None:
    with suppress(TimeoutError):
        loop.run_until_complete(asyncio.wait_for(work, _CLOSE_S))
