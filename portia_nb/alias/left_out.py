"""What the reference SDK offers and ours leaves out, and why: said by errors and the docs alike."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ONE_AGENT = "one agent stands behind every setting, reached through the steps of a plan"
_NO_TELEMETRY = "nothing is ever sent; the argument `telemetry` is accepted and ignored"
_LOGGING = "the log goes through the standard library's `logging`, logger 'portia_nb'"
_BROWSER = (
    "it drives a browser on your accounts; connect a browser's MCP server with `McpToolRegistry`"
)
_CLOUD = "it belongs to a cloud service that is closed; plans and runs are kept on this machine"

LEFT_OUT: Mapping[str, str] = {
    "PortiaCloudClient": _CLOUD,
    "PortiaCloudStorage": f"{_CLOUD}, see `Portia.storage`",
    "PortiaRemoteTool": "its tools ran in a cloud service that is closed; use `McpToolRegistry`, "
    "or write the tool with `@tool`",
    "BaseTelemetry": _NO_TELEMETRY,
    "ProductTelemetry": _NO_TELEMETRY,
    "BrowserTool": _BROWSER,
    "DefaultExecutionAgent": _ONE_AGENT,
    "OneShotAgent": _ONE_AGENT,
    "DefaultPlanningAgent": "one planner stands behind `Portia.plan`",
    "LangChainGenerativeModel": "models are reached through the `openai` client; any object with "
    "`LanguageModel`'s methods may be given instead",
    "PlanBuilderError": "the builder raises `PlanCheckError`, which lists every problem",
    "logger_manager": _LOGGING,
    "LoggerManager": _LOGGING,
    "cloud": _CLOUD,
    "telemetry": "nothing is ever sent",
    "open_source_tools.browser_tool": _BROWSER,
    "planning_agents": "one planner stands behind `Portia.plan`",
}
"""By name, or by module path below ``portia``."""

_PATTERNS: Mapping[str, str] = {
    r"[A-Z]\w+GenerativeModel": "one client stands behind all providers: give the model as text, "
    "such as default_model='openai/NAME', or take one from `Config.get_generative_model`",
    r"SUPPORTED_\w+_MODELS": "no list of models is kept: any name that a provider knows can be "
    "given, as 'provider/name'",
}


def why_left_out(name: str) -> str | None:
    """Return why `name` is left out, or None where nothing is known of it.

    >>> why_left_out("SUPPORTED_OPENAI_MODELS").partition(":")[0]
    'no list of models is kept'
    """
    for path in _prefixes(name):
        if path in LEFT_OUT:
            return LEFT_OUT[path]
    last = name.rpartition(".")[2]
    if last in LEFT_OUT:
        return LEFT_OUT[last]
    return next((why for form, why in _PATTERNS.items() if re.fullmatch(form, last)), None)


def _prefixes(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
