"""``%portia mcp``: the MCP servers in use, what one offers, and adding its tools as shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portia_nb.errors import InvalidOption

from .nearness import nearest
from .offered import MCP_CONFIGS, holds, variables

if TYPE_CHECKING:
    from portia_nb.session.mcp_probe import McpReport
    from portia_nb.session.portia import Portia

    from .call import Call


async def mcp(call: Call) -> Any:
    """List the servers in use, or look at the one of a variable, or add its tools."""
    from portia_nb.session.mcp_probe import aprobe_mcp, reports_of

    word, digest = call.options.word, call.options.one("add")
    if word is None:
        if digest is not None:
            raise InvalidOption("%portia mcp --add needs the variable of a server", option="--add")
        reports = reports_of(call.face.portia().tools)
        for report in reports:
            call.face.show_bundle(report.bundle())
        if not reports:
            call.face.say(
                "This Portia has no tools of MCP servers: %portia mcp VARIABLE looks at the server "
                "that a StdioMcpClientConfig, or another config, in a variable describes."
            )
        _give(call, reports)
        return reports
    config = _config_named(call, word)
    if digest is not None:
        return await _add(call, word, config, digest)
    report = await aprobe_mcp(config)
    call.face.show_bundle(report.bundle())
    call.face.say(
        "Nothing was called or added. To add these tools, as they are and no others:\n"
        f"%portia mcp {word} --add {report.digest}"
    )
    _give(call, report)
    return report


async def _add(call: Call, word: str, config: Any, digest: str) -> Portia:
    from portia_nb.drawing.text import counted
    from portia_nb.session.mcp_probe import report_of
    from portia_nb.tools.mcp.registry import McpToolRegistry
    from portia_nb.tools.mcp.server_tool import McpTool

    name = call.options.one("output") or _free_name(call)
    portia = call.face.portia()
    registry = await McpToolRegistry.from_config_async(config, pinned=digest)
    server = registry.server_name

    def is_other(tool: Any) -> bool:
        return not (isinstance(tool, McpTool) and tool.connection.config.server_name == server)

    # A cell that is run again adds nothing twice, and tools that a server had before go.
    made = portia.with_tools(portia.tools.filter_tools(is_other) + registry)
    call.face.give(name, made)
    call.face.use(name)
    call.face.show_bundle(report_of(registry).bundle())
    call.face.say(
        f"{counted(len(registry), 'tool')} of {word} added, pinned to what is shown: {name} is a "
        "Portia that has them, and %%portia uses it from here on."
    )
    return made


def _free_name(call: Call) -> str:
    """Return the variable of the Portia in force.

    Raises:
        InvalidOption: something else is called so.
    """
    from portia_nb.session.portia import Portia

    name = call.face.used_name
    held = call.face.shell.user_ns.get(name)
    if held is not None and not isinstance(held, Portia):
        raise InvalidOption(
            f"%portia mcp --add: {name} holds a {type(held).__name__}, which is kept: name the new "
            "Portia with -o NAME",
            option="--output",
        )
    return name


def _give(call: Call, value: McpReport | list[McpReport]) -> None:
    call.face.give(call.options.one("output"), value)


def _config_named(call: Call, word: str) -> Any:
    from portia_nb.tools.mcp.configs import McpClientConfig

    held = call.face.shell.user_ns.get(word)
    if isinstance(held, McpClientConfig):
        return held
    found = f"holds a {type(held).__name__}" if held is not None else "is no variable"
    raise InvalidOption(
        f"%portia mcp: {word!r} {found}, not a {', '.join(MCP_CONFIGS[:-1])} or {MCP_CONFIGS[-1]}: "
        f"{nearest(word, variables(call.face, holds(*MCP_CONFIGS)))}",
        option=word,
    )
