"""Open the streams to a server, by whichever way its config says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import Any, assert_never

from portia_nb.errors import InvalidConfigError

from .configs import (
    AnyMcpClientConfig,
    SseMcpClientConfig,
    StdioMcpClientConfig,
    StreamableHttpMcpClientConfig,
)
from .process import MAX_MESSAGE_BYTES, ServerProcess, server_process


def require_mcp() -> None:
    """Check that the `mcp` package is installed.

    Raises:
        InvalidConfigError: it isn't; the message says how to install it.
    """
    try:
        import_module("mcp.client.session")
    except ImportError as error:
        raise InvalidConfigError(
            'MCP servers need the mcp package: pip install "portia-nb[mcp]"'
        ) from error


@asynccontextmanager
async def open_streams(
    config: AnyMcpClientConfig, known: ServerProcess, on_end: Callable[[], None]
) -> AsyncGenerator[tuple[Any, Any]]:
    """Yield the streams that a session reads from and writes to.

    Args:
        config: how to reach the server.
        known: told about the program, where the server is one.
        on_end: called once where a program ends.

    Raises:
        OSError: the program can't be started, or the server can't be reached.
    """
    async with AsyncExitStack() as stack:
        match config:
            case StdioMcpClientConfig():
                opened = await stack.enter_async_context(server_process(config, known, on_end))
            case SseMcpClientConfig():
                from mcp.client.sse import sse_client

                opened = await stack.enter_async_context(
                    sse_client(
                        config.url,
                        headers=config.headers,
                        timeout=config.timeout,
                        sse_read_timeout=config.sse_read_timeout,
                        auth=config.auth,
                    )
                )
            case StreamableHttpMcpClientConfig():
                opened = await _open_http(config, stack)
            case _:
                assert_never(config)
        yield opened[0], opened[1]


async def _open_http(config: StreamableHttpMcpClientConfig, stack: AsyncExitStack) -> Any:
    import inspect

    way: Any = import_module("mcp.client.streamable_http")
    client: Any = way.create_mcp_http_client(headers=config.headers, auth=config.auth)
    once, events = config.timeout, config.sse_read_timeout
    client.timeout = (once, events, once, once)
    # Headers and arguments are for this server only. (mcp 2 goes along within its origin itself.)
    client.follow_redirects = False
    await stack.enter_async_context(client)
    known = inspect.signature(way.streamable_http_client).parameters
    more = {"max_sse_event_size": MAX_MESSAGE_BYTES} if "max_sse_event_size" in known else {}
    return await stack.enter_async_context(
        way.streamable_http_client(
            config.url,
            http_client=client,
            terminate_on_close=config.terminate_on_close,
            **more,
        )
    )
