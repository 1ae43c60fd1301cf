"""A tool of an MCP server as a `Tool`."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from portia_nb.model.json_schema import schema_violations
from portia_nb.model.plain import to_plain_json
from portia_nb.tools.arguments import listed as words, refused
from portia_nb.tools.base import Tool
from portia_nb.tools.context import ToolRunContext

from .connection import McpConnection
from .listing import ListedTool
from .result import read_result

_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?")


class McpTool(Tool[Any]):
    """A tool of an MCP server; made by `McpToolRegistry`.

    Arguments are checked against the schema that the server listed before anything is sent.
    """

    connection: McpConnection = Field(repr=False)
    """The session with its server."""
    listed: ListedTool = Field(repr=False)
    """What the server said of it."""
    loop: Literal["caller", "background"] = "background"

    async def arun(self, ctx: ToolRunContext, /, *_: Any, **arguments: Any) -> Any:
        """Call the tool and return its structured content, its text, or its parts.

        Raises:
            ToolSoftError: it failed, or its server hung, crashed or can't be reached.
            ToolHardError: it changed since it was listed, or its server doesn't keep to the
                protocol or to its own schema.
        """
        key = ctx.idempotency_key
        result = await self.connection.call(self.listed, arguments, self.id, key)
        return read_result(result, self.listed, self.id, self.connection.config.server_name)

    def json_schema(self) -> dict[str, Any]:
        """Return the arguments' JSON schema as the server gave it, cleaned; don't change it."""
        return self.listed.schema

    def parse_arguments(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """Check `raw` by the server's schema and return it as plain JSON; defaults are its affair.

        Raises:
            ToolSoftError: something is missing, wrong or not an argument.
        """
        arguments = self._plain(raw)
        problems = self._problems(arguments, frozenset())
        if problems:
            raise refused(self.id, problems)
        return arguments

    def argument_problems(
        self, raw: Mapping[str, Any], *, unknown: Collection[str] = ()
    ) -> list[str]:
        """Return what is wrong with `raw`, one sentence each; none: the tool can be called.

        Args:
            raw: the arguments that are known.
            unknown: names of arguments that are bound too, to values that aren't known yet.
        """
        return self._problems(self._plain(raw), frozenset(unknown))

    def _plain(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        plain: dict[str, Any] = to_plain_json(dict(raw))
        properties = self.listed.schema["properties"]
        return {name: _number(value, properties.get(name)) for name, value in plain.items()}

    def _problems(self, arguments: dict[str, Any], unknown: frozenset[str]) -> list[str]:
        schema = self.listed.checked_schema
        properties: dict[str, Any] = schema["properties"]
        problems: list[str] = []
        if schema.get("additionalProperties") is False:
            for name in [*arguments, *sorted(unknown - arguments.keys())]:
                if name not in properties:
                    near = get_close_matches(name, properties, n=1)
                    hint = f"did you mean {near[0]!r}?" if near else f"it takes {words(properties)}"
                    problems.append(f"{name!r:.80} is not an argument: {hint}")
        required = [name for name in schema.get("required", ()) if name not in unknown]
        problems += [f"argument {name!r} is missing" for name in required if name not in arguments]
        # Value by value: what isn't known yet can't be held against the object as a whole.
        root = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
        for name, value in arguments.items():
            wanted = properties.get(name)
            if isinstance(wanted, dict) and name not in unknown:
                found = schema_violations(value, {**root, **wanted})
                problems += [f"argument {name!r}: {one}" for one in found]
        if not problems and not unknown:
            problems = schema_violations(arguments, schema)
        return problems


def server_tool(connection: McpConnection, listed: ListedTool, *, trust_hints: bool) -> McpTool:
    """Return a tool of a server.

    Args:
        connection: the session with the server.
        listed: what the server says of the tool.
        trust_hints: False: a `readOnlyHint` isn't believed.

    Raises:
        InvalidToolDescriptionError: description and schema are too long.
    """
    server = connection.config.server_name
    own_words = listed.description or "it says nothing of it"
    return McpTool(
        id=f"mcp:{server}:{listed.name}",
        name=listed.title,
        # Planner and models read this: it must not pass for ours.
        description=f"A tool of the MCP server {server!r}, which describes it so: {own_words}",
        args_schema=_arguments_model(listed),
        side_effect=_side_effect(listed, trust_hints),
        connection=connection,
        listed=listed,
    )


def _side_effect(listed: ListedTool, trust_hints: bool) -> bool | None:
    # Both hints at once contradict each other: take the one that asks.
    if listed.destructive:
        return True
    return False if listed.read_only and trust_hints else None


def _arguments_model(listed: ListedTool) -> type[BaseModel]:
    """Return a model that names the arguments; they are checked by the JSON schema itself."""
    required = set(listed.schema.get("required", ()))
    fields: dict[str, Any] = {}
    for number, (name, shape) in enumerate(listed.schema["properties"].items()):
        about = shape.get("description") if isinstance(shape, dict) else None
        default = ... if name in required else None
        # Python's own names for private and special things can't be fields.
        plain = not name.startswith("_") and not hasattr(BaseModel, name)
        alias = None if plain else name
        field = Field(default=default, alias=alias, description=about)
        fields[name if plain else f"argument_{number}"] = (Any, field)
    config = ConfigDict(extra="allow", protected_namespaces=())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return create_model("Arguments", __config__=config, **fields)


def _number(value: Any, shape: Any) -> Any:
    """Return text that a plan made of a number as the number, where the schema wants one."""
    wanted = shape.get("type") if isinstance(shape, dict) else None
    if wanted in ("integer", "number") and isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    return value
