"""What can be said of a server, and what is refused."""

from __future__ import annotations

import re

import pytest

from portia_nb.errors import InvalidConfigError
from portia_nb.tools.mcp.configs import (
    SseMcpClientConfig,
    StdioMcpClientConfig,
    StreamableHttpMcpClientConfig,
    checked,
)
from portia_nb.tools.mcp.registry import McpToolRegistry


@pytest.mark.parametrize(
    "name", ["", "a:b", "a,b", "a b", "a\n", "-x", "x" * 65, "\u202ea", "../a"]
)
def test_a_servers_name_can_stand_in_a_tools_id(name: str) -> None:
    with pytest.raises(InvalidConfigError, match="letters, digits"):
        McpToolRegistry.from_stdio_connection(name, "python")


@pytest.mark.parametrize(
    "url", ["", "example.org", "file:///etc/passwd", "http://", "https://a\nb", "javascript:x"]
)
@pytest.mark.parametrize("kind", [SseMcpClientConfig, StreamableHttpMcpClientConfig])
def test_an_address_is_one_of_the_web(url: str, kind: type) -> None:
    with pytest.raises(InvalidConfigError, match="starts with https://"):
        checked(kind, {"server_name": "s", "url": url})


def test_arguments_are_words_since_no_shell_splits_them() -> None:
    with pytest.raises(InvalidConfigError, match="give a list with one word each"):
        McpToolRegistry.from_stdio_connection("s", "python", "-m server; rm -rf /")


def test_a_shells_words_are_only_words() -> None:
    with pytest.raises(Exception, match="there is no program 'echo x; touch /tmp/owned'"):
        McpToolRegistry.from_stdio_connection("s", "echo x; touch /tmp/owned")


def test_secrets_are_neither_shown_nor_repeated_in_errors() -> None:
    config = StreamableHttpMcpClientConfig(
        server_name="s", url="https://example.org/mcp", headers={"Authorization": "canary"}
    )
    assert "canary" not in repr(config)
    assert "canary" not in repr(
        StdioMcpClientConfig(server_name="s", command="c", env={"K": "canary"})
    )
    with pytest.raises(InvalidConfigError) as caught:
        checked(StdioMcpClientConfig, {"server_name": "s", "command": "c", "env": ["canary"]})
    assert "canary" not in str(caught.value)


def test_the_form_that_other_clients_keep_in_a_file_is_read() -> None:
    raw = {"mcpServers": {"sums": {"command": "sums", "args": ["-v"], "env": {"A": "1"}}}}
    config = StdioMcpClientConfig.from_raw(raw)
    assert (config.server_name, config.command, config.args, config.env) == (
        "sums",
        "sums",
        ("-v",),
        {"A": "1"},
    )


@pytest.mark.parametrize(
    "raw", ["", "[]", "{}", '{"a": 1}', '{"a": {}, "b": {}}', '{"a": {"x": 1}}']
)
def test_another_form_is_refused_with_the_right_one(raw: str) -> None:
    with pytest.raises(InvalidConfigError, match=re.escape("MCP server")):
        StdioMcpClientConfig.from_raw(raw)
