"""An agent's memory: values too large for a prompt, or of no use in one, go by reference.

A prompt shows such a value's name, type, size and beginning. The model can hand the value on, by
passing its reference as an argument, and look into it, a bounded piece at a time. Only what the
model itself passes as a whole argument is looked up, once: a reference that stands inside data is
data, and one that was never given out stands for nothing.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from portia_nb.errors import PlanError, ToolSoftError
from portia_nb.model import codecs
from portia_nb.model.language import ToolSpec

from .walk import walk

REFERENCE = "by_reference"
"""Key of what stands for a value, in prompts and in arguments."""
CHARS_A_TOKEN = 4
"""The usual estimate, of UTF-8 bytes."""
PREVIEW_CHARS = 400
_MAX_COLUMNS = 30
_SCANNED = 2_000
"""Items of a value that are looked through for binary data and tables."""
_SCANNED_DEPTH = 6

_AS_ARGUMENT: dict[str, Any] = {
    "type": "object",
    "description": "a value that is known by its reference, or the part of it at `path`",
    "properties": {REFERENCE: {"type": "string"}, "path": {"type": "string"}},
    "required": [REFERENCE],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class _Kept:
    """One value behind a reference."""

    name: str
    value: Any


class Memory:
    """The values of one agent that it knows by reference.

    >>> memory = Memory(threshold_tokens=5)
    >>> memory.show("$city", "Oslo")
    'Oslo'
    >>> card = memory.show("$news", "All is well. " * 2 + "All is well.")
    >>> card["size"], memory.settle({"text": {"by_reference": card["by_reference"]}}, {})
    ('38 characters', {'text': 'All is well. All is well. All is well.'})
    """

    def __init__(self, threshold_tokens: int) -> None:
        """Keep what is estimated at more than `threshold_tokens` by reference."""
        self._max_bytes = threshold_tokens * CHARS_A_TOKEN
        self._kept: dict[str, _Kept] = {}

    def __bool__(self) -> bool:
        """Tell whether any value is known by reference."""
        return bool(self._kept)

    def show(self, name: str, value: Any, summary: str | None = None) -> Any:
        """Return what a prompt shows of `value`: itself as plain JSON, or what stands for it."""
        plain = name.removeprefix("$")
        if not _is_opaque(value):
            if isinstance(value, str):
                size = len(value.encode("utf-8", "replace"))
                if size <= self._max_bytes:
                    return codecs.to_plain_json(value)
            else:
                shown = codecs.to_plain_json(value)
                text = json.dumps(shown, ensure_ascii=False)
                if len(text.encode("utf-8", "replace")) <= self._max_bytes and not _holds_opaque(
                    value
                ):
                    return shown
        return self._card(plain, value, summary)

    def show_all(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a prompt shows of each of `values`."""
        return {name: self.show(name, value) for name, value in values.items()}

    def _card(self, name: str, value: Any, summary: str | None) -> dict[str, Any]:
        card: dict[str, Any] = {"type": type(value).__name__, "size": _size(value)}
        if (preview := _preview(value)) is not None:
            card["preview"] = preview
        if summary is not None:
            card["summary"] = summary[:PREVIEW_CHARS]
        # Of what only who has seen the value can know, so that no other data can name it.
        mark = hashlib.sha256(json.dumps([name, card]).encode()).hexdigest()[:8]
        reference = f"{name}#{mark}"
        self._kept[reference] = _Kept(name, value)
        return {REFERENCE: reference, **card}

    def with_references(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return an arguments' schema in which each may be given by reference, where any can be."""
        properties = schema.get("properties", {})
        if not self._kept or not properties:
            return dict(schema)
        return {**schema, "properties": {n: _or_reference(s) for n, s in properties.items()}}

    def settle(self, arguments: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
        """Return `arguments`, those that are references replaced by the values themselves.

        Where `schema` wants text, a value that isn't text comes as its JSON.

        Args:
            arguments: as the model gave them.
            schema: the tool's own, of all arguments.

        Raises:
            ToolSoftError: a reference leads nowhere; the message lists what there is.
        """
        settled = dict(arguments)
        properties = schema.get("properties", {})
        for name, given in arguments.items():
            if not self._kept or not _is_reference(given):
                continue
            value = self._find(given[REFERENCE], given.get("path"))
            wants_text = properties.get(name, {}).get("type") == "string"
            if wants_text and not isinstance(value, str) and not _is_opaque(value):
                value = codecs.to_text(value)
            settled[name] = value
        return settled

    def _find(self, reference: Any, path: Any) -> Any:
        kept = self._kept.get(reference) if isinstance(reference, str) else None
        if kept is None:
            known = ", ".join(self._kept) or "none"
            raise ToolSoftError(
                f"there is no value {reference!r:.100}; known by reference: {known}"
            )
        try:
            return walk(kept.value, str(path) if path else None, f"value {kept.name!r}")
        except PlanError as error:
            raise ToolSoftError(str(error)) from error

    def read(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return a piece of a value: of a table some rows, else some characters of its JSON.

        Args:
            arguments: what `reading_tool` takes.

        Raises:
            ToolSoftError: it can't be read so.
        """
        reference, path = arguments.get("reference"), arguments.get("path")
        value = self._find(reference, path)
        start = _whole(arguments.get("start"), 0, "start")
        if isinstance(value, bytes | bytearray | memoryview):
            raise ToolSoftError(
                f"{reference!r} is binary and can't be read as text: pass it on by reference"
            )
        piece: dict[str, Any] = {"reference": reference}
        if path:
            piece["path"] = path
        if _is_table(value):
            count = _whole(arguments.get("length"), 20, "length")
            rows = codecs.to_plain_json(_rows(value, start, count))
            text = json.dumps(rows, ensure_ascii=False)[: self._max_bytes]
            shown = {"unit": "rows", "from": start, "of": len(value), "text": text}
        else:
            whole = codecs.to_text(value)
            count = min(_whole(arguments.get("length"), self._max_bytes, "length"), self._max_bytes)
            text = whole[start : start + count]
            shown = {"unit": "characters", "from": start, "of": len(whole), "text": text}
        return {**piece, **shown}

    def reading_tool(self, taken: Iterable[str]) -> ToolSpec:
        """Describe `read` to a model, under a name that none of `taken` is."""
        return ToolSpec(
            free_name("read_value", taken),
            "Reads a piece of a value that is known by its reference: characters of its JSON, of a "
            f"table rows. At most {self._max_bytes:,} characters come back.",
            {
                "type": "object",
                "properties": {
                    "reference": {"type": "string"},
                    "path": {
                        "type": "string",
                        "description": "the part to read: keys and indexes, as in items.0.name",
                    },
                    "start": {"type": "integer", "description": "where to begin; 0 if left out"},
                    "length": {"type": "integer", "description": "how much to read"},
                },
                "required": ["reference"],
                "additionalProperties": False,
            },
        )


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return `name`, with underscores where a tool has that name already."""
    others = set(taken)
    while name in others:
        name += "_"
    return name


def _or_reference(shape: Mapping[str, Any]) -> dict[str, Any]:
    inner = dict(shape)
    told = {key: inner.pop(key) for key in ("description", "default") if key in inner}
    return {"anyOf": [inner, _AS_ARGUMENT], **told}


def _is_reference(given: Any) -> bool:
    return isinstance(given, dict) and REFERENCE in given and set(given) <= {REFERENCE, "path"}


def _whole(given: Any, default: int, name: str) -> int:
    if given is None:
        return default
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise ToolSoftError(f"{name!r} is a whole number, 0 or more, not {given!r:.40}")
    return given


def _is_opaque(value: Any) -> bool:
    """Tell whether a value never goes into a prompt as text: binary data and tables."""
    return isinstance(value, bytes | bytearray | memoryview) or _is_table(value)


def _is_table(value: Any) -> bool:
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series):
        return True
    return numpy is not None and isinstance(value, numpy.ndarray) and value.ndim > 0


def _holds_opaque(value: Any) -> bool:
    """Tell whether binary data or a table stands inside a list or a dict."""
    left = _SCANNED
    level: list[Any] = [value]
    for _ in range(_SCANNED_DEPTH):
        inner: list[Any] = []
        for item in level:
            held = item.values() if isinstance(item, Mapping) else item
            if not isinstance(item, Mapping | list | tuple):
                continue
            for each in held:
                left -= 1
                if left < 0:
                    return False
                if _is_opaque(each):
                    return True
                inner.append(each)
        level = inner
    return False


def _rows(table: Any, start: int, count: int) -> Any:
    end = start + count
    return table.iloc[start:end] if hasattr(table, "iloc") else table[start:end]


def _size(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{memoryview(value).nbytes:,} bytes"
    if _is_table(value):
        columns = getattr(value, "columns", None)
        if columns is None:
            return f"{len(value):,} items"
        names = ", ".join(str(name)[:60] for name in list(columns)[:_MAX_COLUMNS])
        more = ", …" if len(columns) > _MAX_COLUMNS else ""
        return f"{len(value):,} rows of {len(columns)} columns: {names}{more}"
    if isinstance(value, str):
        return f"{len(value):,} characters"
    characters = f"{len(codecs.to_text(value)):,} characters of JSON"
    if isinstance(value, Mapping):
        return f"{len(value):,} {'entry' if len(value) == 1 else 'entries'}, {characters}"
    if isinstance(value, list | tuple):
        return f"{len(value):,} items, {characters}"
    return characters


def _preview(value: Any) -> str | None:
    if isinstance(value, bytes | bytearray | memoryview):
        return None
    shown = _rows(value, 0, 3) if _is_table(value) else value
    text = shown if isinstance(shown, str) else codecs.to_text(shown)
    clean = codecs.to_plain_json(text[: PREVIEW_CHARS + 1])
    return clean if len(clean) <= PREVIEW_CHARS else f"{clean[:PREVIEW_CHARS]}…"
