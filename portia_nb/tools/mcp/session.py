"""A session with an MCP server: opened, asked and closed on one loop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from .configs import AnyMcpClientConfig
from .listing import clean_text, fingerprint
from .process import GRACE_S, ServerProcess
from .streams import open_streams

T = TypeVar("T")
_CLOSE_S = 3 * GRACE_S + 2
_MAX_PAGES = 100
_MAX_TOOLS = 1_000
_CLOSED, _UNKNOWN_METHOD, _BAD_ARGUMENTS = -32000, -32601, -32602
_LOST = "did not answer: the server ended the connection"
_CHANGED = "notifications/tools/list_changed"


IDEMPOTENCY_KEY = "portia-nb/idempotency-key"
"""In the ``_meta`` of each call: the same text when a call is made again, after a kill too. A
server that knows it makes no call twice; others ignore it."""


class SessionLost(Exception):
    """The session ended while something was asked."""


class NotMcp(Exception):
    """The server's answer is not what MCP allows."""


@dataclass(frozen=True, slots=True)
class Explained:
    """An error in words that fit after the tool's name."""

    text: str
    is_final: bool
    """True: trying again can't mend it."""


def open_session(config: AnyMcpClientConfig) -> Session:
    """Begin to open a session; `Session.opened` waits for it."""
    session = Session(config)
    session.begin()
    return session


class Session:
    """One session; its connection is held by one task from beginning to end."""

    def __init__(self, config: AnyMcpClientConfig) -> None:
        self.process = ServerProcess()
        """The server's program, where it is one of ours."""
        self.fingerprints: dict[str, str] = {}
        """What the server said of each tool when last asked, by name."""
        self._config = config
        self._listed_at: float | None = None
        self._ended = asyncio.Event()
        self._ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._holder: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start the task that holds the connection."""
        self._holder = asyncio.create_task(self._hold())

    @property
    def is_open(self) -> bool:
        """Whether something can be asked."""
        return self._holder is not None and not self._holder.done() and not self._ended.is_set()

    @property
    def is_ready(self) -> bool:
        """Whether the server has greeted us."""
        return self._ready.done() and not self._ready.cancelled() and not self._ready.exception()

    @property
    def listing_age_s(self) -> float:
        """Seconds since the tools were listed; infinite where they changed since, or never were."""
        if self._listed_at is None:
            return float("inf")
        return asyncio.get_running_loop().time() - self._listed_at

    async def opened(self) -> None:
        """Wait until the session is open.

        Raises:
            Exception: whatever kept it from opening.
        """
        await asyncio.shield(self._ready)

    async def ping(self) -> None:
        """Wait for any answer at all."""
        await (await self._open()).send_ping()

    async def list_tools(self) -> list[dict[str, Any]]:
        """Return all that the server says of its tools, as JSON, and remember it.

        Raises:
            NotMcp: it has no end.
        """
        from mcp import types

        session = await self._open()
        tools: list[dict[str, Any]] = []
        cursor: str | None = None
        # Before asking: a change that is told meanwhile makes the listing old.
        self._listed_at = asyncio.get_running_loop().time()
        for _ in range(_MAX_PAGES):
            page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            answer = page.model_dump(by_alias=True, mode="json", exclude_none=True)
            tools += answer["tools"]
            cursor = answer.get("nextCursor")
            if len(tools) > _MAX_TOOLS:
                raise NotMcp(f"lists more than {_MAX_TOOLS:,} tools")
            if not cursor:
                self.fingerprints = {str(raw.get("name")): fingerprint(raw) for raw in tools}
                return tools
        raise NotMcp(f"lists its tools on more than {_MAX_PAGES} pages")

    async def call_tool(
        self, name: str, arguments: dict[str, Any], key: str | None = None
    ) -> dict[str, Any]:
        """Call a tool and return the result as JSON; `key` goes along as `IDEMPOTENCY_KEY`."""
        meta: Any = None if key is None else {IDEMPOTENCY_KEY: key}
        result = await (await self._open()).call_tool(name, arguments, meta=meta)
        return result.model_dump(by_alias=True, mode="json", exclude_none=True)

    async def ask(self, work: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Await `work`, as long as the connection is held and for at most `timeout_s`.

        Raises:
            TimeoutError: the time is over; `work` was cancelled.
            SessionLost: the connection ended first.
            Exception: whatever `work` raises.
        """
        asked = asyncio.ensure_future(work)
        holder = self._holder
        assert holder is not None
        try:
            await asyncio.wait(
                {asked, holder}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
            if asked.done():
                return asked.result()
            if holder.done():
                raise SessionLost
            raise TimeoutError
        finally:
            if not asked.done():
                asked.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await asked

    async def close(self) -> None:
        """End the session, and the server where it is a program of ours; takes 6 s at most."""
        self._ended.set()
        holder = self._holder
        if holder is None:
            return
        if not self.is_ready:
            holder.cancel()  # it waits for the server, not for us
        await asyncio.wait({holder}, timeout=_CLOSE_S)
        if not holder.done():
            holder.cancel()
            await asyncio.wait({holder}, timeout=GRACE_S)
        self.process.kill()

    def explain(self, error: Exception) -> Explained:
        """Say in words what went wrong."""
        inner = innermost(error)
        code = getattr(getattr(inner, "error", None), "code", None)
        match inner:
            case SessionLost():
                return Explained(_LOST, is_final=False)
            case _ if code == _CLOSED:
                return Explained(_LOST, is_final=False)
            case NotMcp() as found:
                return Explained(f"doesn't keep to the protocol: it {found}", is_final=True)
            case ValidationError() as found:
                what = (
                    f"its answer is not of the form that MCP allows ({found.error_count()} flaws)"
                )
                return Explained(f"doesn't keep to the protocol: {what}", is_final=True)
            case FileNotFoundError() | PermissionError() as found:
                return Explained(f"can't be started: {found}", is_final=True)
            case found if code == _UNKNOWN_METHOD:
                return Explained(f"refused: {_words(found)}", is_final=True)
            case found if code == _BAD_ARGUMENTS:
                return Explained(f"refused the arguments: {_words(found)}", is_final=False)
            case found:
                return Explained(f"failed: {_words(found)}", is_final=False)

    async def _open(self) -> Any:
        return await asyncio.shield(self._ready)

    async def _hold(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                streams = await stack.enter_async_context(
                    open_streams(self._config, self.process, self._ended.set)
                )
                session = await stack.enter_async_context(_client(*streams, self._notified))
                starting = asyncio.ensure_future(session.initialize())
                ended = asyncio.ensure_future(self._ended.wait())
                try:
                    await asyncio.wait({starting, ended}, return_when=asyncio.FIRST_COMPLETED)
                    if not starting.done():
                        raise SessionLost
                    starting.result()
                    self._ready.set_result(session)
                    await ended
                finally:
                    for task in (starting, ended):
                        task.cancel()
                    await asyncio.gather(starting, ended, return_exceptions=True)
        except Exception as error:
            if not self._ready.done():
                self._ready.set_exception(error)
                self._ready.exception()  # somebody may have given up waiting for it
        finally:
            self._ended.set()
            if not self._ready.done():
                self._ready.cancel()

    async def _notified(self, message: Any) -> None:
        if getattr(getattr(message, "root", message), "method", None) == _CHANGED:
            self._listed_at = None


def _client(incoming: Any, outgoing: Any, notified: Any) -> Any:
    from mcp import ClientSession

    class _Client(ClientSession):
        # The package would check results by the server's own schema, patterns included, and a
        # pattern can be made to hold the interpreter for ever: `result.py` does it without them.
        async def validate_tool_result(self, name: str, result: Any) -> None:
            """Leave it to us."""

        async def _validate_tool_result(self, name: str, result: Any) -> None:
            """Leave it to us; so called in mcp 1.x."""

    return _Client(incoming, outgoing, message_handler=notified)


def innermost(error: BaseException) -> BaseException:
    """Return what a task group wrapped."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _words(error: BaseException) -> str:
    text = " ".join(clean_text(str(error)).split())
    return text[:400] or type(error).__name__
