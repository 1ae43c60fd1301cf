"""`McpToolRegistry` against real servers, written with the official package (N30)."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from portia_nb.config import Config
from portia_nb.errors import InvalidConfigError, ToolHardError, ToolNotFoundError, ToolSoftError
from portia_nb.tools.context import ToolRunContext
from portia_nb.tools.mcp.registry import McpToolRegistry

SERVER = str(Path(__file__).with_name("official_server.py"))
CONTEXT = ToolRunContext(config=Config())
pytestmark = pytest.mark.timeout(
    60
)  # the official package takes seconds to import on a busy machine


async def call(registry: McpToolRegistry, name: str, **arguments: Any) -> Any:
    server = registry.get_tools()[0].id.split(":")[1]
    tool = registry.get_tool(f"mcp:{server}:{name}")
    return await tool.arun(CONTEXT, **tool.parse_arguments(arguments))


@pytest.fixture(scope="module")
def stdio() -> Iterator[McpToolRegistry]:
    with McpToolRegistry.from_stdio_connection(
        "local", sys.executable, [SERVER, "stdio"], {"GIVEN": "1"}
    ) as registry:
        yield registry


@contextmanager
def http_server(way: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen([sys.executable, SERVER, way], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"running on (http://127\.0\.0\.1:\d+)", line):
                break
        else:
            raise AssertionError("the server did not start")
        # Its log must not fill the pipe.
        drain = threading.Thread(target=process.stderr.read, daemon=True)
        drain.start()
        yield process, found[1]
        process.kill()
        drain.join()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture(scope="module")
def streamable() -> Iterator[McpToolRegistry]:
    with (
        http_server("streamable-http") as (_, url),
        McpToolRegistry.from_streamable_http_connection("web", f"{url}/mcp") as registry,
    ):
        yield registry


@pytest.fixture(scope="module")
def sse() -> Iterator[McpToolRegistry]:
    with (
        http_server("sse") as (_, url),
        McpToolRegistry.from_sse_connection("events", f"{url}/sse") as registry,
    ):
        yield registry


@pytest.mark.parametrize("way", ["stdio", "streamable", "sse"])
async def test_tools_are_listed_and_called_over_each_kind_of_connection(
    way: str, request: pytest.FixtureRequest
) -> None:
    registry: McpToolRegistry = request.getfixturevalue(way)
    assert len(registry) == 8
    assert not registry.left_out
    assert await call(registry, "add", a=1) == 3
    assert await call(registry, "mirror", point={"x": 1, "y": 2.5}) == {"x": -1.0, "y": -2.5}
    assert await call(registry, "two_parts") == "one\ntwo"
    with pytest.raises(ToolSoftError, match=r"tool 'mcp:\w+:fail' of MCP server '\w+' failed"):
        await call(registry, "fail")


@pytest.mark.parametrize("way", ["stdio", "streamable", "sse"])
async def test_many_calls_at_once_share_one_session(
    way: str, request: pytest.FixtureRequest
) -> None:
    registry: McpToolRegistry = request.getfixturevalue(way)
    results = await asyncio.gather(*(call(registry, "add", a=n, b=n) for n in range(30)))
    assert results == [2 * n for n in range(30)]


def test_annotations_become_side_effects(stdio: McpToolRegistry) -> None:
    found = {tool.id: tool.side_effect for tool in stdio}
    assert found["mcp:local:add"] is False
    assert found["mcp:local:erase"] is True
    assert found["mcp:local:mirror"] is None


def test_a_server_sees_no_key_of_this_process(
    stdio: McpToolRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_API_KEY", "canary")
    stdio.close()  # the next call starts it anew, under this environment
    names = asyncio.run(call(stdio, "environment")).split()
    assert "GIVEN" in names
    assert "PATH" in names
    assert not {name for name in names if "KEY" in name or "TOKEN" in name}


def test_descriptions_are_marked_as_the_servers_own_words(stdio: McpToolRegistry) -> None:
    tool = stdio.get_tool("mcp:local:add")
    assert tool.description == (
        "A tool of the MCP server 'local', which describes it so: Add two numbers."
    )
    assert tool.to_spec().name.startswith("mcp_local_add_")


def test_arguments_are_checked_by_the_servers_schema_before_anything_is_sent(
    stdio: McpToolRegistry,
) -> None:
    tool = stdio.get_tool("mcp:local:add")
    assert tool.parse_arguments({"a": "5"}) == {"a": 5}
    assert tool.argument_problems({}, unknown=["a"]) == []
    assert tool.argument_problems({"b": 1}) == ["argument 'a' is missing"]
    assert tool.argument_problems({"a": 1, "c": 1}) == ["'c' is not an argument: it takes a, b"]
    mirror = stdio.get_tool("mcp:local:mirror")
    with pytest.raises(ToolSoftError, match=r"argument 'point': x: 'left' is not a number"):
        mirror.parse_arguments({"point": {"x": "left", "y": 0}})


def test_the_registry_is_made_and_used_in_plain_code_on_several_loops_and_inside_a_running_one(
    streamable: McpToolRegistry,
) -> None:
    url = streamable._connection.config.url

    async def inside() -> Any:
        with McpToolRegistry.from_streamable_http_connection("again", url, only=["add"]) as made:
            assert [tool.id for tool in made] == ["mcp:again:add"]
            return await call(made, "add", a=1)

    assert asyncio.run(call(streamable, "add", a=2)) == 4
    assert asyncio.run(call(streamable, "add", a=3)) == 5
    assert asyncio.run(inside()) == 3


async def test_a_cancelled_call_ends_at_once_and_the_session_goes_on(
    stdio: McpToolRegistry,
) -> None:
    waiting = asyncio.create_task(call(stdio, "wait"))
    assert await call(stdio, "add", a=1) == 3
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await call(stdio, "add", a=2) == 4


async def test_a_crash_is_a_soft_error_and_the_next_call_starts_the_server_again(
    stdio: McpToolRegistry,
) -> None:
    with pytest.raises(
        ToolSoftError, match="tool 'mcp:local:crash' of MCP server 'local' did not answer"
    ):
        await call(stdio, "crash")
    assert await call(stdio, "add", a=1) == 3


@pytest.mark.parametrize("way", ["streamable-http", "sse"])
async def test_a_server_that_is_killed_or_stopped_in_the_middle_of_a_call_is_a_typed_error(
    way: str,
) -> None:
    path = {"streamable-http": "mcp", "sse": "sse"}[way]
    make = {
        "streamable-http": McpToolRegistry.from_streamable_http_connection_async,
        "sse": McpToolRegistry.from_sse_connection_async,
    }[way]
    with http_server(way) as (process, url):
        registry = await make("web", f"{url}/{path}", tool_call_timeout_seconds=0.5)
        try:
            process.send_signal(signal.SIGSTOP)
            with pytest.raises(ToolSoftError, match=r"did not answer within 0\.5 s"):
                await call(registry, "add", a=1)
            process.send_signal(signal.SIGCONT)
            assert await call(registry, "add", a=1) == 3
            process.kill()
            with pytest.raises(ToolSoftError, match="tool 'mcp:web:add' of MCP server 'web' "):
                await call(registry, "add", a=1)
        finally:
            process.send_signal(signal.SIGCONT)
            await asyncio.to_thread(registry.close)


def test_a_server_that_is_not_there_is_a_hard_error_that_names_it() -> None:
    with pytest.raises(ToolHardError, match="MCP server 'gone'"):
        McpToolRegistry.from_streamable_http_connection("gone", "http://127.0.0.1:9/mcp")
    with pytest.raises(ToolHardError, match="MCP server 'gone'"):
        McpToolRegistry.from_sse_connection("gone", "http://127.0.0.1:9/sse")
    with pytest.raises(ToolHardError, match="'gone' can't be started: there is no program"):
        McpToolRegistry.from_stdio_connection("gone", "no-such-program-anywhere")


def test_only_the_tools_that_are_asked_for_are_taken_and_they_must_be_there(
    streamable: McpToolRegistry,
) -> None:
    url = streamable._connection.config.url
    with pytest.raises(ToolNotFoundError, match="'web' has no tool 'nope': its tools: add"):
        McpToolRegistry.from_streamable_http_connection("web", url, only=["add", "nope"])


def test_without_the_mcp_package_the_error_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "mcp.client.session", None)
    with pytest.raises(InvalidConfigError, match=r'pip install "portia-nb\[mcp\]"'):
        McpToolRegistry.from_stdio_connection("any", sys.executable)
