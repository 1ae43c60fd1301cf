"""N30: what an MCP server offers is shown before it is used; its words stay words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from portia_nb import Config, McpToolRegistry, Portia, StdioMcpClientConfig, aprobe_mcp, probe_mcp
from portia_nb.errors import ToolHardError
from portia_nb.session.mcp_probe import reports_of

HERE = Path(__file__).parents[1] / "tools" / "mcp"
pytestmark = pytest.mark.timeout(60)


def config_of(mode: str, **settings: float) -> StdioMcpClientConfig:
    words = ("-S", str(HERE / "rogue_server.py"), mode)
    return StdioMcpClientConfig(server_name="rogue", command=sys.executable, args=words, **settings)


async def test_a_report_shows_tools_arguments_effects_and_the_digest_that_pins_them() -> None:
    words = (str(HERE / "official_server.py"), "stdio")
    config = StdioMcpClientConfig(server_name="local", command=sys.executable, args=words)
    report = await aprobe_mcp(config)
    facts = {each.name: each for each in report.tools}
    assert len(facts) == 8
    assert facts["add"].arguments == ("a", "b")
    effects = [facts[name].side_effect for name in ("add", "erase", "mirror")]
    assert effects == [False, True, None]
    text = str(report)
    assert "mcp:local:add   only reads\n  | Add two numbers.\n" in text
    assert "mcp:local:erase   changes something\n" in text
    assert "mcp:local:mirror   may change something\n" in text
    assert "  - | a: integer, needed\n  - | b: integer, may be left out\n" in text
    assert text.endswith(f"\nAll together: {report.digest}")

    with McpToolRegistry.from_config(config, pinned=report.digest) as registry:
        portia = Portia(Config(store="memory"), tools=[])
        more = portia.with_tools(portia.tools + registry)
        assert (len(portia.tools), len(more.tools)) == (0, 8)
        assert more.store is portia.store
        assert reports_of(more.tools) == [report]


def test_a_tool_that_says_it_only_reads_may_be_doubted() -> None:
    [believed] = probe_mcp(config_of("read_only")).tools
    [doubted] = probe_mcp(config_of("read_only"), trust_hints=False).tools
    assert (believed.side_effect, doubted.side_effect) == (False, None)
    assert believed.digest == doubted.digest


def test_markup_and_lines_that_pass_for_ours_stay_a_servers_words() -> None:
    report = probe_mcp(config_of("markup"))
    html = report.html()
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html
    assert html.startswith("<pre ")
    assert html.count("<") == 2, "all else is text"
    lines = report.text().splitlines()
    for line in lines:
        assert line.lstrip(" -").startswith("|") or not ("%portia" in line or "sha256:0" in line)
    assert [line for line in lines if line.startswith("All")] == [f"All together: {report.digest}"]


def test_tools_that_cant_be_used_are_named_with_the_reason() -> None:
    report = probe_mcp(config_of("twins"))
    assert [each.name for each in report.tools] == ["good"]
    assert "| t is left out: the server lists two tools of this name" in report.text()


async def test_a_server_that_never_answers_is_given_up_after_its_time() -> None:
    with pytest.raises(ToolHardError, match=r"MCP server 'rogue' did not answer within 0\.5 s"):
        await aprobe_mcp(config_of("silent", tool_list_read_timeout=0.5))
