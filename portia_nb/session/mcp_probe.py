"""`probe_mcp`: what an MCP server offers, looked at before anything of it is used."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from portia_nb.drawing.clean import clean, esc
from portia_nb.drawing.text import counted
from portia_nb.tools.aside import run_aside
from portia_nb.tools.mcp.configs import AnyMcpClientConfig
from portia_nb.tools.mcp.pinning import as_digest, digest_of
from portia_nb.tools.mcp.registry import McpToolRegistry
from portia_nb.tools.mcp.server_tool import McpTool

EFFECTS = {True: "changes something", False: "only reads", None: "may change something"}
"""What a tool does to the world, by its `side_effect`."""
_WIDTH = 96
_FOREIGN = "| "
"""Stands before each line in a server's own words, so that none of them passes for ours."""


@dataclass(frozen=True, slots=True)
class McpToolFacts:
    """What a server says of one of its tools; all text is its own, and not to be trusted."""

    id: str
    """``mcp:server:tool``, by which plans name it."""
    name: str
    """As the server knows it."""
    description: str
    schema: Mapping[str, Any]
    """JSON schema of the arguments."""
    side_effect: bool | None
    """True: it changes something; False: it says that it only reads; None: it doesn't say."""
    digest: str
    """Of all that the server says of it."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments."""
        return tuple(self.schema["properties"])


@dataclass(frozen=True, slots=True)
class McpReport:
    """The tools of an MCP server: shows itself as text and HTML, with everything escaped."""

    server_name: str
    tools: tuple[McpToolFacts, ...]
    left_out: Mapping[str, str]
    """Why tools can't be used, by name."""

    @property
    def pins(self) -> dict[str, str]:
        """The digest of each tool by its name, for ``pinned=``; a change is then named."""
        return {each.name: each.digest for each in self.tools}

    @property
    def digest(self) -> str:
        """The digest of all of them, for ``pinned=``."""
        return digest_of(self.pins)

    def text(self) -> str:
        """Return it as plain text; a line in the server's own words begins with ``|``."""
        return "\n".join(self._lines())

    def html(self) -> str:
        """Return the same as HTML: preformatted, so that what is copied is the text itself."""
        shown = "\n".join(esc(line) for line in self._lines())
        return f'<pre style="white-space:pre-wrap">{shown}</pre>'

    def bundle(self) -> dict[str, str]:
        """Return the MIME bundle, of HTML and text."""
        return {"text/html": self.html(), "text/plain": self.text()}

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return self.bundle()

    def __str__(self) -> str:
        return self.text()

    def _lines(self) -> Iterator[str]:
        yield f"MCP server {self.server_name}: {counted(len(self.tools), 'tool')}"
        yield "Lines with | are in the server's own words, which nobody checked."
        for tool in self.tools:
            yield ""
            yield f"{clean(tool.id)}   {EFFECTS[tool.side_effect]}"
            yield from _foreign(tool.description or "(it says nothing of it)", "  ")
            required = tool.schema.get("required", ())
            for name, shape in tool.schema["properties"].items():
                need = "needed" if name in required else "may be left out"
                yield from _foreign(f"{name}: {_type(shape)}, {need}", "  - ")
                about = shape.get("description") if isinstance(shape, dict) else None
                if about:
                    yield from _foreign(str(about), "    ")
            yield f"  {tool.digest}"
        for name, why in self.left_out.items():
            yield ""
            yield from _foreign(f"{name} is left out: {why}", "")
        yield ""
        yield f"All together: {self.digest}"


def probe_mcp(config: AnyMcpClientConfig, *, trust_hints: bool = True) -> McpReport:
    """Connect to an MCP server, list its tools, and end the connection; nothing is called; blocks.

    Look at what it shows, then take the server as it is, and no other:
    ``McpToolRegistry.from_config(config, pinned=report.pins)``.

    Args:
        config: how to reach it, e.g. a `StdioMcpClientConfig`; its time limits hold.
        trust_hints: False: a tool that says it only reads isn't believed.

    Raises:
        InvalidConfigError: the package `mcp` isn't installed.
        ToolHardError: the server can't be reached, or doesn't keep to the protocol.
    """
    with McpToolRegistry.from_config(config, trust_hints=trust_hints) as found:
        return report_of(found)


async def aprobe_mcp(config: AnyMcpClientConfig, *, trust_hints: bool = True) -> McpReport:
    """Await what `probe_mcp` returns."""
    found = await McpToolRegistry.from_config_async(config, trust_hints=trust_hints)
    try:
        return report_of(found)
    finally:
        await run_aside(found.close)


def report_of(registry: McpToolRegistry) -> McpReport:
    """Return what is known of the tools of a registry, without asking its server."""
    return McpReport(registry.server_name, _facts(registry), dict(registry.left_out))


def reports_of(tools: Iterable[Any]) -> list[McpReport]:
    """Return what is known of the MCP tools among `tools`, a report for each server."""
    servers: dict[str, list[McpTool]] = {}
    for tool in tools:
        if isinstance(tool, McpTool):
            servers.setdefault(tool.connection.config.server_name, []).append(tool)
    return [McpReport(name, _facts(its), {}) for name, its in servers.items()]


def _facts(tools: Iterable[Any]) -> tuple[McpToolFacts, ...]:
    return tuple(
        McpToolFacts(
            tool.id,
            tool.listed.name,
            tool.listed.description,
            tool.listed.schema,
            tool.side_effect,
            as_digest(tool.listed.fingerprint),
        )
        for tool in tools
        if isinstance(tool, McpTool)
    )


def _foreign(text: str, indent: str) -> list[str]:
    """Return a server's words as lines that show whose they are."""
    wrapped = textwrap.wrap(" ".join(clean(text, keep_lines=True).split()), _WIDTH) or [""]
    rest = " " * len(indent)
    return [f"{rest if n else indent}{_FOREIGN}{line}" for n, line in enumerate(wrapped)]


def _type(shape: Any) -> str:
    wanted = shape.get("type", "anything") if isinstance(shape, dict) else "anything"
    return " or ".join(map(str, wanted)) if isinstance(wanted, list) else str(wanted)
