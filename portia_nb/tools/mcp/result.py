"""Read what a server's tool answered: checked against what the server promised, made a value."""

from __future__ import annotations

from typing import Any

from portia_nb.errors import ToolHardError, ToolSoftError
from portia_nb.model.json_schema import schema_violations

from .listing import ListedTool, clean_text

_MAX_SHOWN_CHARS = 2_000


def read_result(result: dict[str, Any], listed: ListedTool, tool_id: str, server: str) -> Any:
    """Return the value of a `tools/call` result.

    Structured content is the value where there is some (and its one field ``result`` where the
    server's schema has no other, since that is how servers wrap what is no object). Else text is a
    string, and anything else the list of content parts as JSON.

    Args:
        result: the result as JSON.
        listed: the tool that was called.
        tool_id: for messages.
        server: its name, for messages.

    Raises:
        ToolSoftError: the tool says that it failed.
        ToolHardError: the result is not what the server's own schema allows.
    """
    parts = [part for part in result.get("content") or () if isinstance(part, dict)]
    text = "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")
    where = f"tool {tool_id!r} of MCP server {server!r}"
    if result.get("isError"):
        said = " ".join(clean_text(text).split())[:_MAX_SHOWN_CHARS] or "nothing more"
        raise ToolSoftError(f"{where} failed; it says: {said}", tool_id=tool_id, server_name=server)
    schema = listed.output_schema
    structured = result.get("structuredContent")
    if schema is not None:
        _check(structured, schema, where, tool_id, server)
    if structured is not None:
        fields = (schema or {}).get("properties", {})
        return structured["result"] if set(fields) == {"result"} == set(structured) else structured
    if all(part.get("type") == "text" for part in parts):
        return text
    return parts


def _check(value: Any, schema: dict[str, Any], where: str, tool_id: str, server: str) -> None:
    if value is None:
        problems = ["there is no structured content"]
    else:
        problems = schema_violations(value, schema)
    if problems:
        raise ToolHardError(
            f"{where} answered with what its own output schema doesn't allow: "
            + "; ".join(problems[:3]),
            tool_id=tool_id,
            server_name=server,
        )
