"""What a server says of its tools: read as untrusted data, cleaned, bounded and fingerprinted."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from portia_nb.model.json_schema import resolve_reference

MAX_TEXT_CHARS = 4_000
_MAX_NAME_CHARS = 128
_MAX_DEPTH = 40
_MAX_WEIGHT = 20_000
"""Most parts that a schema may have once every reference in it is followed."""

_OF_SCHEMAS = ("properties", "$defs", "definitions", "dependentSchemas", "patternProperties")
_LIST_OF_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SCHEMA = (
    "additionalProperties", "items", "contains", "propertyNames", "not", "if", "then", "else",
    "unevaluatedItems", "unevaluatedProperties", "contentSchema",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListedTool:
    """A tool as its server listed it, cleaned."""

    name: str
    """As the server knows it."""
    title: str
    """As people read it."""
    description: str
    """In the server's own words."""
    schema: dict[str, Any]
    """JSON schema of the arguments, an object at the root, as it is shown."""
    checked_schema: dict[str, Any]
    """The same as arguments are checked by it: without patterns, since those can be made to take
    Python's engine for ever; the server checks them itself."""
    output_schema: dict[str, Any] | None
    """What structured results are checked by; None: the server promises nothing."""
    read_only: bool
    """`readOnlyHint`."""
    destructive: bool
    """`destructiveHint`."""
    fingerprint: str = field(repr=False)
    """Changes whenever the server says anything else of the tool."""


class UnusableTool(Exception):
    """A tool that can't be offered; the text says why."""


def read_listing(raw_tools: Iterable[Any]) -> tuple[dict[str, ListedTool], dict[str, str]]:
    """Return the tools of a listing by name, and why others are left out, by name.

    Args:
        raw_tools: the `tools` of the server's answer, as JSON.
    """
    tools: dict[str, ListedTool] = {}
    left_out: dict[str, str] = {}
    for raw in raw_tools:
        name = str(raw.get("name"))
        shown = clean_text(name)[:_MAX_NAME_CHARS]
        try:
            if name in tools:
                raise UnusableTool("the server lists two tools of this name")
            tools[name] = _read_tool(name, raw)
        except UnusableTool as error:
            left_out[shown] = str(error)
            tools.pop(name, None)  # of twins neither can be told from the other
    return tools, left_out


def fingerprint(raw: Mapping[str, Any]) -> str:
    """Return the sha256 of all that a listing says of one tool."""
    text = json.dumps(raw, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def clean_text(text: str) -> str:
    r"""Drop what can't be seen and could deceive: control, bidi, tag and private characters.

    >>> clean_text("adds\u202e two\x1b[2J numbers\U000e0041")
    'adds two[2J numbers'
    """
    return "".join(c for c in text if c in "\n\t" or not unicodedata.category(c).startswith("C"))


def _read_tool(name: str, raw: Mapping[str, Any]) -> ListedTool:
    if not name or len(name) > _MAX_NAME_CHARS or "," in name or not name.isprintable():
        raise UnusableTool(
            f"a tool's name has 1 to {_MAX_NAME_CHARS} printable characters and no comma"
        )
    given = raw.get("inputSchema")
    if not isinstance(given, dict) or given.get("type", "object") != "object":
        raise UnusableTool("the schema of its arguments is no object")
    given = {**given, "type": "object"}
    given.setdefault("properties", {})
    schema = _checked(given, "arguments")
    if given["properties"]:
        # Servers rarely say it, but a name that isn't listed is a mistake of whoever calls.
        schema.setdefault("additionalProperties", False)
    output = raw.get("outputSchema")
    notes = raw.get("annotations") or {}
    return ListedTool(
        name=name,
        title=clean_text(str(raw.get("title") or notes.get("title") or name))[:_MAX_NAME_CHARS],
        description=clean_text(str(raw.get("description") or ""))[:MAX_TEXT_CHARS],
        schema=schema,
        checked_schema=_without_patterns(schema),
        output_schema=None if output is None else _without_patterns(_checked(output, "result")),
        read_only=notes.get("readOnlyHint") is True,
        destructive=notes.get("destructiveHint") is True,
        fingerprint=fingerprint(raw),
    )


def _checked(schema: Any, what: str) -> dict[str, Any]:
    """Return a cleaned copy of a schema that can be checked against in bounded time.

    Raises:
        UnusableTool: it is no JSON schema, too large, or too deep.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if not isinstance(schema, dict):
        raise UnusableTool(f"the schema of its {what} is no object")
    try:
        cleaned = _mapped(schema, _clean_words)
        _Weight(schema).of(schema)
        Draft202012Validator.check_schema(cleaned)
    except SchemaError as error:
        raise UnusableTool(
            f"the schema of its {what} is no JSON schema ({error.message[:100]})"
        ) from error
    except RecursionError as error:
        raise UnusableTool(f"the schema of its {what} is nested too deep") from error
    if not all(str(key).isprintable() for key in cleaned.get("properties", {})):
        raise UnusableTool("an argument's name has control characters")
    return cleaned


def _clean_words(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        key: clean_text(value)[:MAX_TEXT_CHARS]
        if key in ("title", "description", "$comment") and isinstance(value, str)
        else value
        for key, value in schema.items()
    }


def _without_patterns(schema: dict[str, Any]) -> dict[str, Any]:
    def drop(one: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in one.items() if k not in ("pattern", "patternProperties")}

    return _mapped(schema, drop)


def _mapped(schema: Any, change: Callable[[dict[str, Any]], dict[str, Any]], depth: int = 0) -> Any:
    """Return a copy of `schema` with `change` made to it and to each schema inside it."""
    if depth > _MAX_DEPTH:
        raise RecursionError
    if not isinstance(schema, dict):
        return schema
    mapped: dict[str, Any] = {}
    for key, value in change(schema).items():
        if key in _OF_SCHEMAS and isinstance(value, dict):
            mapped[key] = {k: _mapped(v, change, depth + 1) for k, v in value.items()}
        elif key in _LIST_OF_SCHEMAS and isinstance(value, list):
            mapped[key] = [_mapped(each, change, depth + 1) for each in value]
        elif key in _SCHEMA:
            mapped[key] = _mapped(value, change, depth + 1)
        else:
            mapped[key] = value
    return mapped


class _Weight:
    """How much work checking against a schema is: references may double it at each step."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._known: dict[str, int] = {}

    def of(self, schema: Any) -> int:
        """Return the number of parts of `schema` with its references followed.

        Raises:
            UnusableTool: it is too large.
        """
        if isinstance(schema, list):
            total = 1 + sum(self.of(each) for each in schema)
        elif isinstance(schema, dict):
            total = 1 + sum(self.of(value) for value in schema.values())
            if isinstance(schema.get("$ref"), str):
                total += self._of_reference(schema)
        else:
            total = 1
        if total > _MAX_WEIGHT:
            raise UnusableTool(f"its schema has more than {_MAX_WEIGHT:,} parts")
        return total

    def _of_reference(self, schema: dict[str, Any]) -> int:
        path = schema["$ref"]
        if path not in self._known:
            self._known[path] = 1  # inside itself it goes on only as far as the value does
            self._known[path] = self.of(resolve_reference(schema, self._root))
        return self._known[path]
