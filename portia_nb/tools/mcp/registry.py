"""`McpToolRegistry`: the tools of an MCP server."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

from portia_nb.errors import InvalidToolDescriptionError, ToolNotFoundError
from portia_nb.tools.aside import run_aside
from portia_nb.tools.registry import ToolRegistry

from .configs import (
    AnyMcpClientConfig,
    SseMcpClientConfig,
    StdioMcpClientConfig,
    StreamableHttpMcpClientConfig,
    checked,
)
from .connection import McpConnection
from .listing import ListedTool
from .pinning import Pinned, as_digest, check_form, check_pinned, digest_of
from .server_tool import McpTool, server_tool

logger = logging.getLogger("portia_nb")


class McpToolRegistry(ToolRegistry):
    """The tools of one MCP server, as ``mcp:server:tool``.

    Make it with one of the `from_…` methods, in plain code or where an event loop runs; their
    `…_async` twins don't block. The server is asked for its tools once. One session serves them
    all, opened anew after a loss; it ends with `close`, at the end of a ``with`` block, when
    registry and tools are no longer used, and at exit.

    A server and what it says are not trusted. Its descriptions are marked as its own words; a
    `readOnlyHint` makes a tool one without side effects (``trust_hints=False``: not declared), a
    `destructiveHint` one that is approved first. A tool whose description or schema is no longer
    what was listed isn't called until `relist`. What can't be used is left out, see `left_out`.

    ``pinned=`` holds a server to what you have looked at (`probe_mcp`): the `digest` of all its
    tools, or the `pins` of each. Names, descriptions, schemas and hints count. A server that
    offers anything else is refused, when it is listed and when it is listed again.

    Raises:
        InvalidConfigError: a setting can't be used, or the package `mcp` isn't installed.
        ToolHardError: the server can't be reached, doesn't keep to the protocol, or offers other
            tools than were pinned: the message names what was added, removed or changed.
        ToolNotFoundError: it has no tool of a name in `only`.
    """

    def __init__(
        self,
        connection: McpConnection,
        tools: Mapping[str, ListedTool],
        left_out: Mapping[str, str],
        *,
        only: Collection[str] | None = None,
        trust_hints: bool = True,
        pinned: Pinned = None,
    ) -> None:
        """Take what a server listed; the `from_…` methods call this."""
        self._connection = connection
        self._only = None if only is None else frozenset(only)
        self._trust_hints = trust_hints
        self._pinned = pinned
        self.pins: dict[str, str] = {}
        """The digest of what the server says of each tool that is here, by the server's name."""
        self.left_out: dict[str, str] = {}
        """Why tools that the server lists are not here, by name."""
        super().__init__()
        self._take(tools, left_out)

    @classmethod
    def from_stdio_connection(
        cls,
        server_name: str,
        command: str,
        args: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        *,
        only: Collection[str] | None = None,
        trust_hints: bool = True,
        pinned: Pinned = None,
        **settings: Any,
    ) -> Self:
        """Start a program and list its tools.

        Args:
            server_name: names the server in tool ids.
            command: the program; no shell is involved.
            args: its arguments, one word each.
            env: environment variables that it gets beside the few that every program needs.
            only: names of the tools to take; None: all.
            trust_hints: False: a `readOnlyHint` isn't believed.
            pinned: the digest that the tools must have, or one for each.
            settings: further fields of `StdioMcpClientConfig`, e.g. ``tool_call_timeout_seconds``.
        """
        given = {"server_name": server_name, "command": command, "args": args, "env": env}
        config = checked(StdioMcpClientConfig, {**given, **settings})
        return cls.from_config(config, only=only, trust_hints=trust_hints, pinned=pinned)

    @classmethod
    async def from_stdio_connection_async(
        cls,
        server_name: str,
        command: str,
        args: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> Self:
        """Await what `from_stdio_connection` returns."""
        given = {"server_name": server_name, "command": command, "args": args, "env": env}
        return await cls._from_settings(StdioMcpClientConfig, {**given, **settings})

    @classmethod
    def from_stdio_connection_raw(
        cls,
        config: str | Mapping[str, Any],
        *,
        only: Collection[str] | None = None,
        trust_hints: bool = True,
        pinned: Pinned = None,
    ) -> Self:
        """Start the program that ``{"mcpServers": {name: {…}}}`` names, and list its tools."""
        read = StdioMcpClientConfig.from_raw(config)
        return cls.from_config(read, only=only, trust_hints=trust_hints, pinned=pinned)

    @classmethod
    def from_sse_connection(
        cls,
        server_name: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        only: Collection[str] | None = None,
        trust_hints: bool = True,
        pinned: Pinned = None,
        **settings: Any,
    ) -> Self:
        """Connect to a server over HTTP with server-sent events, and list its tools.

        Args:
            server_name: names the server in tool ids.
            url: its address.
            headers: sent with every request, e.g. ``Authorization``.
            only: names of the tools to take; None: all.
            trust_hints: False: a `readOnlyHint` isn't believed.
            pinned: the digest that the tools must have, or one for each.
            settings: further fields of `SseMcpClientConfig`.
        """
        given = {"server_name": server_name, "url": url, "headers": headers}
        config = checked(SseMcpClientConfig, {**given, **settings})
        return cls.from_config(config, only=only, trust_hints=trust_hints, pinned=pinned)

    @classmethod
    async def from_sse_connection_async(
        cls,
        server_name: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> Self:
        """Await what `from_sse_connection` returns."""
        given = {"server_name": server_name, "url": url, "headers": headers}
        return await cls._from_settings(SseMcpClientConfig, {**given, **settings})

    @classmethod
    def from_streamable_http_connection(
        cls,
        server_name: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        only: Collection[str] | None = None,
        trust_hints: bool = True,
        pinned: Pinned = None,
        **settings: Any,
    ) -> Self:
        """Connect to a server over streamable HTTP, and list its tools.

        Args:
            server_name: names the server in tool ids.
            url: its address.
            headers: sent with every request, e.g. ``Authorization``.
            only: names of the tools to take; None: all.
            trust_hints: False: a `readOnlyHint` isn't believed.
            pinned: the digest that the tools must have, or one for each.
            settings: further fields of `StreamableHttpMcpClientConfig`.
        """
        given = {"server_name": server_name, "url": url, "headers": headers}
        config = checked(StreamableHttpMcpClientConfig, {**given, **settings})
        return cls.from_config(config, only=only, trust_hints=trust_hints, pinned=pinned)

    @classmethod
    async def from_streamable_http_connection_async(
        cls,
        server_name: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> Self:
        """Await what `from_streamable_http_connection` returns."""
        given = {"server_name": server_name, "url": url, "headers": headers}
        return await cls._from_settings(StreamableHttpMcpClientConfig, {**given, **settings})

    @classmethod
    def from_config(
        cls,
        config: AnyMcpClientConfig,
        *,
        only: Collection[str] | None = None,
        trust_hints: bool = True,
        pinned: Pinned = None,
    ) -> Self:
        """Reach the server that `config` describes, and list its tools; blocks."""
        check_form(pinned)
        connection = McpConnection(config)
        try:
            listing = connection.list_tools()
            return cls(connection, *listing, only=only, trust_hints=trust_hints, pinned=pinned)
        except BaseException:
            connection.close()
            raise

    @classmethod
    async def from_config_async(
        cls,
        config: AnyMcpClientConfig,
        *,
        only: Collection[str] | None = None,
        trust_hints: bool = True,
        pinned: Pinned = None,
    ) -> Self:
        """Await what `from_config` returns."""
        check_form(pinned)
        connection = McpConnection(config)
        try:
            listing = await connection.alist_tools()
            return cls(connection, *listing, only=only, trust_hints=trust_hints, pinned=pinned)
        except BaseException:
            await run_aside(connection.close)
            raise

    @property
    def server_name(self) -> str:
        """The server's name, as its config says."""
        return self._connection.config.server_name

    @property
    def digest(self) -> str:
        """The digest of all that the server says of the tools that are here, to pin it by."""
        return digest_of(self.pins)

    def relist(self) -> list[str]:
        """Ask the server for its tools again, take them as they are now; blocks.

        Returns:
            The ids of the tools that are new, changed or gone: look at them before they are used.
            Descriptions that were added with `with_tool_description` stay with unchanged tools.

        Raises:
            ToolHardError: they are not what was pinned; this registry stays as it was.
        """
        return self._take(*self._connection.list_tools())

    def close(self) -> None:
        """End the session, and the server where it is a program; a later call starts it again."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @classmethod
    async def _from_settings(cls, kind: type[Any], settings: dict[str, Any]) -> Self:
        chosen = {
            name: settings.pop(name)
            for name in ("only", "trust_hints", "pinned")
            if name in settings
        }
        return await cls.from_config_async(checked(kind, settings), **chosen)

    def _take(self, listed: Mapping[str, ListedTool], left_out: Mapping[str, str]) -> list[str]:
        server = self.server_name
        unusable = dict(left_out)
        before = {tool.id: tool for tool in self if isinstance(tool, McpTool)}
        now: dict[str, McpTool] = {}
        for name, found in listed.items():
            if self._only is not None and name not in self._only:
                continue
            try:
                made = server_tool(self._connection, found, trust_hints=self._trust_hints)
            except InvalidToolDescriptionError as error:
                unusable[name] = str(error)
                continue
            now[made.id] = made
        pins = {tool.listed.name: as_digest(tool.listed.fingerprint) for tool in now.values()}
        check_pinned(server, self._pinned, pins)
        self._refuse_missing(server, listed, unusable)
        self.left_out, self.pins = unusable, pins
        for name, why in self.left_out.items():
            logger.warning("MCP server %r: tool %r is left out: %s", server, name, why)
        changed: list[str] = []
        for tool_id in {**before, **now}:
            old, new = before.get(tool_id), now.get(tool_id)
            if old is None or new is None or old.listed.fingerprint != new.listed.fingerprint:
                changed.append(tool_id)
                self._tools.pop(tool_id, None)
                if new is not None:
                    self.replace_tool(new)
        return changed

    def _refuse_missing(
        self, server: str, listed: Mapping[str, ListedTool], unusable: Mapping[str, str]
    ) -> None:
        missing = sorted((self._only or frozenset()) - listed.keys() - unusable.keys())
        if missing:
            raise ToolNotFoundError(
                f"MCP server {server!r} has no tool {', '.join(map(repr, missing))}: its tools: "
                f"{', '.join(list(listed)[:20]) or 'none'}",
                server_name=server,
            )
