"""N30: an MCP server is held to what was looked at; one that says else is refused by name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from portia_nb.config import Config
from portia_nb.errors import InvalidConfigError, ToolHardError
from portia_nb.tools.context import ToolRunContext
from portia_nb.tools.mcp import connection
from portia_nb.tools.mcp.registry import McpToolRegistry

ROGUE = str(Path(__file__).with_name("rogue_server.py"))
pytestmark = pytest.mark.timeout(60)


def rogue(mode: str, **settings: Any) -> McpToolRegistry:
    return McpToolRegistry.from_stdio_connection(
        "rogue", sys.executable, ["-S", ROGUE, mode], **settings
    )


def seen(mode: str) -> McpToolRegistry:
    with rogue(mode) as registry:
        return registry


@pytest.mark.parametrize("how", ["all", "each"])
async def test_a_server_that_says_what_was_pinned_is_taken(how: str) -> None:
    known = seen("two")
    pinned = known.digest if how == "all" else known.pins
    made = await McpToolRegistry.from_stdio_connection_async(
        "rogue", sys.executable, ["-S", ROGUE, "two"], pinned=pinned
    )
    with made as registry:
        assert set(registry.pins) == {"t", "good"}
        assert registry.relist() == []


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("plain", "two", "added: 'good' ({new[good]})"),
        ("two", "plain", "removed: 'good' ({old[good]})"),
        ("plain", "read_only", "changed: 't' (from {old[t]} to {new[t]})"),
        ("plain", "markup", "changed: 't' (from {old[t]} to {new[t]})"),
    ],
)
def test_a_server_that_offers_else_is_refused_and_what_changed_is_named(
    before: str, after: str, says: str
) -> None:
    old, new = seen(before), seen(after)
    with pytest.raises(ToolHardError) as caught:
        rogue(after, pinned=old.pins)
    assert says.format(old=old.pins, new=new.pins) in str(caught.value)
    assert "MCP server 'rogue' offers other tools than were pinned" in str(caught.value)


def test_pinned_as_a_whole_the_old_and_the_new_digest_are_named() -> None:
    old, new = seen("plain"), seen("two")
    with pytest.raises(ToolHardError) as caught:
        rogue("two", pinned=old.digest)
    assert f"pinned {old.digest}, now {new.digest}; its tools now: good, t" in str(caught.value)


def test_only_the_tools_that_are_taken_are_held_to_it() -> None:
    with rogue("two", only=["t"], pinned=seen("plain").pins) as registry:
        assert list(registry.pins) == ["t"]


async def test_tools_that_change_after_they_were_listed_are_neither_called_nor_taken_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "LISTING_AGE_S", 0.0)
    with rogue("changes_after_listing", pinned=seen("plain").pins) as registry:
        tool = registry.get_tool("mcp:rogue:t")
        with pytest.raises(ToolHardError, match=r"'mcp:rogue:t' .* has changed its description"):
            await tool.arun(ToolRunContext(config=Config()), n=1)
        with pytest.raises(ToolHardError, match="changed: 't' "):
            registry.relist()
        assert registry.get_tool("mcp:rogue:t") is tool


@pytest.mark.parametrize("pinned", ["sha256", "sha256:12", {"t": "md5:1"}])
def test_what_can_be_no_digest_is_refused_before_a_server_is_started(pinned: Any) -> None:
    with pytest.raises(InvalidConfigError, match="is no digest: it looks like sha256: and 64"):
        McpToolRegistry.from_stdio_connection("rogue", "no-such-program", pinned=pinned)
