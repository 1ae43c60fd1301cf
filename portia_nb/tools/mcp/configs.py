"""How to reach an MCP server: as a program of one's own, or over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from portia_nb.errors import InvalidConfigError

CONNECT_TIMEOUT_S = 30.0
CALL_TIMEOUT_S = 120.0


def _check_server_name(value: str) -> str:
    # It is a part of tool ids: mcp:server:tool.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
        raise ValueError(
            "a server's name has 1 to 64 letters, digits, dots, hyphens and underscores, and "
            "starts with a letter or digit"
        )
    return value


def _check_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or not value.isprintable():
        raise ValueError("an MCP server's address starts with https:// or http://, and has a host")
    return value


def _check_no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("it holds a NUL character, which no program can be given")
    return value


ServerName = Annotated[str, AfterValidator(_check_server_name)]
Address = Annotated[str, AfterValidator(_check_url)]
Word = Annotated[str, AfterValidator(_check_no_nul)]


class McpClientConfig(BaseModel):
    """What holds for every kind of connection."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    server_name: ServerName
    """Names the server in tool ids (``mcp:server:tool``) and messages."""
    tool_list_read_timeout: float | None = Field(default=None, gt=0)
    """Seconds for connecting and listing; None: 30."""
    tool_call_timeout_seconds: float | None = Field(default=None, gt=0)
    """Seconds for one call of a tool; None: 120."""

    @property
    def connect_timeout_s(self) -> float:
        """Seconds for connecting and listing."""
        return self.tool_list_read_timeout or CONNECT_TIMEOUT_S

    @property
    def call_timeout_s(self) -> float:
        """Seconds for one call of a tool."""
        return self.tool_call_timeout_seconds or CALL_TIMEOUT_S


class StdioMcpClientConfig(McpClientConfig):
    """A server that is a program: started here, spoken to over its standard streams.

    It is started from a list of words, never by a shell. Of this process's environment it sees only
    what programs need to work (`PATH`, `HOME`, the locale …) and what `env` gives it: no keys.

    >>> StdioMcpClientConfig(server_name="sums", command="python", args=["-m", "sums"]).args
    ('-m', 'sums')
    """

    command: Annotated[Word, Field(min_length=1)]
    """The program: a name that is on the PATH, or a path."""
    args: tuple[Word, ...] = ()
    """Its arguments, one word each."""
    env: dict[Word, Word] | None = Field(default=None, repr=False)
    """Further environment variables, e.g. the one key that the server needs."""
    cwd: Path | None = None
    """The folder to start it in; None: the working folder."""
    encoding: str = "utf-8"
    encoding_error_handler: Literal["strict", "ignore", "replace"] = "strict"

    @classmethod
    def from_raw(cls, raw: str | Mapping[str, Any]) -> StdioMcpClientConfig:
        """Read the form that many clients keep in a file: ``{"mcpServers": {name: {…}}}``.

        Args:
            raw: that object, or its JSON; it names one server, with or without the outer key.

        Raises:
            InvalidConfigError: it isn't of that form, or names more than one server.

        >>> StdioMcpClientConfig.from_raw('{"sums": {"command": "sums", "args": ["-v"]}}').command
        'sums'
        """
        try:
            found = json.loads(raw) if isinstance(raw, str) else dict(raw)
            servers = found.get("mcpServers", found)
            ((name, given),) = servers.items()
            wanted = {key: given[key] for key in ("command", "args", "env", "cwd") if key in given}
            return cls(server_name=name, **wanted)
        except ValidationError as error:
            raise InvalidConfigError(_told(error)) from None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InvalidConfigError(
                'an MCP server\'s settings look like {"mcpServers": {"name": {"command": …, '
                f'"args": […]}}}} and name one server: these can\'t be read ({error})'
            ) from error


class SseMcpClientConfig(McpClientConfig):
    """A server that is reached over HTTP with server-sent events, the older of the two ways."""

    url: Address
    headers: dict[str, str] | None = Field(default=None, repr=False)
    """Sent with every request, e.g. ``Authorization``."""
    timeout: float = Field(default=5.0, gt=0)
    """Seconds for one request."""
    sse_read_timeout: float = Field(default=300.0, gt=0)
    """Seconds without any event after which the connection counts as lost."""
    auth: Any = Field(default=None, repr=False)
    """An `Auth` object of the HTTP library that the `mcp` package uses."""


class StreamableHttpMcpClientConfig(McpClientConfig):
    """A server that is reached over streamable HTTP."""

    url: Address
    headers: dict[str, str] | None = Field(default=None, repr=False)
    """Sent with every request, e.g. ``Authorization``."""
    timeout: float = Field(default=30.0, gt=0)
    """Seconds for one request."""
    sse_read_timeout: float = Field(default=300.0, gt=0)
    """Seconds without any event after which an answer counts as lost."""
    terminate_on_close: bool = True
    """True: tell the server when the session is closed."""
    auth: Any = Field(default=None, repr=False)
    """An `Auth` object of the HTTP library that the `mcp` package uses."""


AnyMcpClientConfig = StdioMcpClientConfig | SseMcpClientConfig | StreamableHttpMcpClientConfig


def checked(kind: type[Any], settings: dict[str, Any]) -> Any:
    """Return a `kind` of these settings.

    Raises:
        InvalidConfigError: a setting can't be used; values, which may be secret, aren't repeated.
    """
    if isinstance(settings.get("args"), str):
        raise InvalidConfigError(
            f"args of the MCP server {settings.get('server_name')!r:.80} is one text: give a list "
            "with one word each, since no shell splits it"
        )
    try:
        return kind(**{name: value for name, value in settings.items() if value is not None})
    except ValidationError as error:
        raise InvalidConfigError(_told(error)) from None


def _told(error: ValidationError) -> str:
    problems = (
        f"{'.'.join(map(str, found['loc'])) or 'settings'}: {found['msg']}"
        for found in error.errors(include_url=False, include_input=False, include_context=False)
    )
    return f"the MCP server can't be reached like that: {'; '.join(problems)}"
