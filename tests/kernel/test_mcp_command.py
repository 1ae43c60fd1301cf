"""N30: ``%portia mcp`` in a kernel: look at a server, add it as it was seen, list."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROGUE = str(Path(__file__).parents[1] / "tools" / "mcp" / "rogue_server.py")


def config(mode: str) -> str:
    words = f"command={sys.executable!r}, args=['-S', {ROGUE!r}, {mode!r}]"
    return f"shop = portia_nb.StdioMcpClientConfig(server_name='shop', {words})"


def test_a_server_is_looked_at_then_added_as_it_was_seen_and_no_other(start_kernel):
    kernel = start_kernel()
    kernel.run("import portia_nb\n%load_ext portia_nb").raise_for_error()
    kernel.run(f"portia = 7\n{config('markup')}").raise_for_error()
    kept = kernel.run(f"%portia mcp shop --add sha256:{'0' * 64}")
    assert "portia holds a int, which is kept: name the new Portia with -o NAME" in kept.card
    assert kernel.evaluate("portia") == 7
    kernel.run("portia = portia_nb.Portia(portia_nb.Config(store='memory'), tools=[])")
    assert "has no tools of MCP servers" in kernel.run("%portia mcp").raise_for_error().text

    looked = kernel.run("%portia mcp shop -o report").raise_for_error()
    assert "mcp:shop:t   may change something" in looked.text
    assert "<img" not in looked.displays[0]["text/html"]
    assert kernel.evaluate("len(portia.tools)") == 0, "nothing was added"
    [line] = re.findall(r"^%portia mcp shop --add sha256:\w{64}$", looked.text, re.MULTILINE)

    # It says something else by now, as a server may once it has been approved.
    kernel.run(config("two")).raise_for_error()
    refused = kernel.run(line)
    assert refused.ename == "ToolHardError"
    assert "offers other tools than were pinned" in refused.card
    assert kernel.evaluate("len(portia.tools)") == 0

    kernel.run(config("markup")).raise_for_error()
    for _ in range(2):  # a cell may be run again
        added = kernel.run(line).raise_for_error()
        assert "1 tool of shop added, pinned to what is shown" in added.text
        assert kernel.evaluate("[tool.id for tool in portia.tools]") == ["mcp:shop:t"]
    listed = kernel.run("%portia mcp").raise_for_error()
    assert line.split()[-1] in listed.text

    kernel.run(f"named = {line}").raise_for_error()
    kernel.run("portia = 7").raise_for_error()
    assert "mcp:shop:t" in kernel.run("%portia tools").raise_for_error().text
    wrong = kernel.run("%portia mcp shp")
    assert wrong.ename == "InvalidOption"
    assert "did you mean 'shop'?" in wrong.card
