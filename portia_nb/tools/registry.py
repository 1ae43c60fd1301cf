"""Registries: the tools that a planner may choose from, by id."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Self

from portia_nb.config import Config
from portia_nb.errors import (
    DuplicateToolError,
    InvalidConfigError,
    InvalidToolDescriptionError,
    ToolNotFoundError,
)

from .base import Tool, to_tool

logger = logging.getLogger("portia_nb")

_LOCAL_PREFIX = "local_function_"
_LLM_TOOL_ID = "llm_tool"
_MAX_LISTED = 20
_LEFT_OUT = {
    "browser_tool": (
        "a browser isn't built in, since it acts as the person who is logged in there; add one as "
        "an MCP server, e.g. McpToolRegistry.from_stdio_connection('browser', 'npx', "
        "['@playwright/mcp']), or read pages with extract_tool"
    ),
}
"""Tools of the reference SDK that aren't here, and what to use instead."""


class ToolRegistry:
    """Tools by id, in the order in which they were given.

    Each place that takes a tool takes an instance, a Tool class, or a function decorated with
    ``@tool``. `with_tool`, `replace_tool` and `with_tool_description` change the registry and
    return it, so that calls chain; `filter_tools` and ``+`` make a new one.

    >>> from portia_nb.tools.builtin.calculator import CalculatorTool
    >>> registry = ToolRegistry([CalculatorTool])
    >>> "calculator_tool" in registry, len(registry)
    (True, 1)
    >>> registry.get_tool("calculater_tool")
    Traceback (most recent call last):
        ...
    portia_nb.errors.ToolNotFoundError: no tool 'calculater_tool': did you mean 'calculator_tool'?
    """

    def __init__(self, tools: Iterable[Any] | Mapping[str, Any] | None = None) -> None:
        """Take `tools`: a list of tools, or a dict of them by id.

        Raises:
            DuplicateToolError: two tools share an id.
            InvalidToolDescriptionError: something is no tool, or a key isn't its tool's id.
        """
        self._tools: dict[str, Tool[Any]] = {}
        if isinstance(tools, Mapping):
            for tool_id, given in tools.items():
                tool = to_tool(given)
                if tool.id != tool_id:
                    raise InvalidToolDescriptionError(
                        f"the key {tool_id!r} stands for a tool with id {tool.id!r}: use its id",
                        tool_id=tool.id,
                    )
                self.with_tool(tool)
        else:
            for given in tools or ():
                self.with_tool(given)

    def get_tool(self, tool_id: str) -> Tool[Any]:
        """Return the tool with this id.

        ``local_function_<name>`` finds the function tool `name`, and ``llm_tool`` is found even
        where it isn't in the registry.

        Raises:
            ToolNotFoundError: there is none; the message names the nearest.
        """
        found = self._tools.get(tool_id) or self._tools.get(tool_id.removeprefix(_LOCAL_PREFIX))
        if found is not None:
            return found
        if tool_id == _LLM_TOOL_ID:
            from .builtin.llm import LLMTool

            return LLMTool()
        if tool_id in _LEFT_OUT:
            raise ToolNotFoundError(f"no tool {tool_id!r}: {_LEFT_OUT[tool_id]}", tool_id=tool_id)
        near = get_close_matches(tool_id, self._tools, n=1)
        listed = ", ".join(list(self._tools)[:_MAX_LISTED]) or "none"
        more = f" and {len(self) - _MAX_LISTED} more" if len(self) > _MAX_LISTED else ""
        hint = f"did you mean {near[0]!r}?" if near else f"the tools here: {listed}{more}"
        raise ToolNotFoundError(f"no tool {tool_id!r:.100}: {hint}", tool_id=tool_id)

    def get_tools(self) -> list[Tool[Any]]:
        """Return every tool, in order."""
        return list(self._tools.values())

    def with_tool(self, tool: Any, *, overwrite: bool = False) -> Self:
        """Add `tool`.

        Raises:
            DuplicateToolError: another tool has its id and `overwrite` is false.
        """
        made = to_tool(tool)
        if not overwrite and self._tools.get(made.id, made) is not made:
            raise DuplicateToolError(
                f"two tools have the id {made.id!r}: give one of them another id, or pass "
                "overwrite=True to take the later one",
                tool_id=made.id,
            )
        self._tools[made.id] = made
        return self

    def replace_tool(self, tool: Any) -> Self:
        """Put `tool` in the place of the one with the same id, or add it."""
        return self.with_tool(tool, overwrite=True)

    def filter_tools(self, predicate: Callable[[Tool[Any]], bool]) -> ToolRegistry:
        """Return a new registry of the tools for which `predicate` is true."""
        return ToolRegistry([tool for tool in self if predicate(tool)])

    def match_tools(
        self, query: str | None = None, tool_ids: Sequence[str] | None = None
    ) -> list[Tool[Any]]:
        """Return the tools to plan `query` with: those of `tool_ids` that are here, else all.

        Subclasses that hold many tools may choose by `query`; this one offers every tool.
        """
        if tool_ids is None:
            return self.get_tools()
        wanted = set(tool_ids)
        return [tool for tool in self if tool.id in wanted]

    def with_tool_description(
        self, tool_id: str, updated_description: str, *, overwrite: bool = False
    ) -> Self:
        """Say more about a tool, or with `overwrite` something else, in this registry only.

        Raises:
            ToolNotFoundError: there is no such tool.
            InvalidToolDescriptionError: the description became too long.
        """
        old = self.get_tool(tool_id)
        text = (
            updated_description
            if overwrite
            else f"{old.description.rstrip('.')}. {updated_description}"
        )
        # A copy, since other registries may hold the same instance.
        new = old.model_copy(update={"description": text})
        new.check_description()
        return self.replace_tool(new)

    def __add__(self, other: ToolRegistry | Iterable[Any]) -> ToolRegistry:
        return _joined(self, other)

    def __radd__(self, other: Iterable[Any]) -> ToolRegistry:
        return _joined(other, self)

    def __iter__(self) -> Iterator[Tool[Any]]:
        return iter(self.get_tools())

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, tool: object) -> bool:
        """Say whether a tool, or a tool with this id, is here."""
        return (tool.id if isinstance(tool, Tool) else tool) in self._tools

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self._tools)})"


def _joined(
    left: ToolRegistry | Iterable[Any], right: ToolRegistry | Iterable[Any]
) -> ToolRegistry:
    joined = ToolRegistry(left)
    for tool in ToolRegistry(right):
        if tool.id in joined and joined.get_tool(tool.id) is not tool:
            logger.warning(
                "tool %r is in both registries that are added: the later one counts", tool.id
            )
        joined.replace_tool(tool)
    return joined


class InMemoryToolRegistry(ToolRegistry):
    """A `ToolRegistry` under the name that the reference SDK gave it."""

    @classmethod
    def from_local_tools(cls, tools: Sequence[Any]) -> Self:
        """Make a registry of `tools`.

        Raises:
            DuplicateToolError: two of them share an id.
        """
        return cls(tools)


class DefaultToolRegistry(ToolRegistry):
    """The tools of a `Portia` that is given none: the most used ones that work with `config`.

    A tool that needs a key is here where the key is set: no plan is made with what can't work.
    """

    def __init__(
        self, config: Config | None = None, *, keyed: Collection[str] | None = None
    ) -> None:
        """Choose the tools.

        Args:
            config: whose keys count; None: `Config.from_default`.
            keyed: the ids of tools that need a key and are here whether it is set or not, while
                others that need one aren't; None: as the keys say.
        """
        from .examples import default_tools

        known = Config.from_default() if config is None else config
        super().__init__(
            tool
            for tool in default_tools()
            if (needed := getattr(tool, "key_setting", None)) is None
            or (known.key(needed) if keyed is None else tool.id in keyed)
        )


class PortiaToolRegistry(ToolRegistry):
    """The reference's cloud tools: not available."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """Refuse.

        Raises:
            InvalidConfigError: always; it says what to use instead.
        """
        raise InvalidConfigError(
            "PortiaToolRegistry listed the tools of Portia's cloud service, which is closed: use "
            "open_source_tool_registry, functions decorated with @tool, or McpToolRegistry for a "
            "service's own MCP server"
        )
