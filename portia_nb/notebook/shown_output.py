"""Values as views show them: text, JSON, tables, images; cut to 2 kB each and 64 kB in all."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping
from itertools import islice
from typing import Any

from pydantic import BaseModel

from portia_nb.model.plain import describe, to_plain_json, to_text

from .shown_image import show_image
from .visible_text import cut_to_bytes, one_line

EACH_BYTES = 2_000
TOTAL_BYTES = 64_000
IMAGE_BYTES = 64_000
"""Of all images of one view, beside the other outputs."""
MAX_ITEMS = 50
"""Items that are looked at in one list or dict: a value of 50 MB costs no more than a small one."""
MAX_NODES = 600
MAX_DEPTH = 8
MAX_COLUMNS = 20
MAX_ROWS = 10
"""Rows of a table that are shown: a step's output is glanced at here and read in Python."""
MAX_CELL_CHARS = 120
_MANY_CELLS = 1_000
_LIMITS = ((MAX_ITEMS, EACH_BYTES), (20, 400), (10, 160), (6, 80), (4, 40), (3, 20))
"""Items of a list or dict, and characters of a string, from most to fewest."""

Shown = dict[str, Any]
"""One of `{"text": …}`, `{"json": …}`, `{"table": {"columns", "rows"}}`,
`{"image": {"mime", "data", "about"}}`, or none. JSON is indented, whole where there is room.

`cut` says in words what is left out, `summary` is the output's own summary. A table whose rows
aren't all there has their `count` beside them.
"""


class OutputRoom:
    """How many bytes outputs may still fill in one view; each output takes its part once."""

    def __init__(
        self,
        total_bytes: int = TOTAL_BYTES,
        each_bytes: int = EACH_BYTES,
        image_bytes: int = IMAGE_BYTES,
    ) -> None:
        """Start with all of it free."""
        self.left = total_bytes
        self.each = each_bytes
        self.images_left = image_bytes
        self._image: Any = None

    def show(self, value: Any, summary: str | None = None) -> Shown:
        """Return `value` cut to what is left.

        Guarantees: never raises, whatever `value` is; its JSON is about as long as its part.
        """
        shown = self._show_image(value)
        if shown is not None:
            return shown
        room = min(self.each, self.left)
        if room < 40:
            return {"cut": "not shown: this view is full; the output is whole in Python"}
        shown = show_output(value, room)
        if summary:
            shown["summary"] = cut_to_bytes(summary, room // 4)[0]
        self.left -= len(json.dumps(shown, ensure_ascii=False).encode())
        return shown

    def _show_image(self, value: Any) -> Shown | None:
        try:
            if self._image is not None and value is self._image:
                return {"cut": "the image that is shown as the result"}
            shown = show_image(value, self.images_left)
        except Exception:
            return None  # as other values are shown: the classes of users may raise anything
        if shown is not None and "image" in shown:
            self.images_left -= len(shown["image"]["data"])
            self._image = self._image if self._image is not None else value
        return shown


def show_output(value: Any, max_bytes: int = EACH_BYTES) -> Shown:
    """Return `value` as a view shows it, in at most about `max_bytes`.

    >>> show_output("plain")
    {'text': 'plain'}
    >>> show_output([{"a": 1}, {"a": 2}])
    {'table': {'columns': ['a'], 'rows': [['1'], ['2']]}}
    """
    try:
        if isinstance(value, str):
            return _text("text", str.__str__(value), max_bytes)
        return _table(value, max_bytes) or _json(value, max_bytes)
    except Exception as error:
        # The classes of users may raise anything when they are looked at.
        return {"text": f"<{type(value).__name__}, which can't be shown: {type(error).__name__}>"}


def _text(kind: str, text: str, max_bytes: int) -> Shown:
    shown, left = cut_to_bytes(text, max_bytes)
    return {kind: shown, "cut": f"{left:,} more characters"} if left else {kind: shown}


def _json(value: Any, max_bytes: int) -> Shown:
    """Return `value` as JSON, with fewer and shorter parts until it fits, so that it stays JSON."""
    text = ""
    for limits in _LIMITS:
        plain = to_plain_json(_pruned(value, 0, [MAX_NODES], limits))
        if isinstance(plain, str):
            return _text("text", plain, max_bytes)
        text = json.dumps(plain, ensure_ascii=False, indent=2)
        shown, left = cut_to_bytes(text, max_bytes)
        if not left:
            cut = {} if limits is _LIMITS[0] else {"cut": "shortened; it is whole in Python"}
            return {"json": shown, **cut}
    return _text("json", text, max_bytes)


def _pruned(value: Any, depth: int, left: list[int], limits: tuple[int, int]) -> Any:
    """Return a small copy of the beginning of `value`; strings stand where more was."""
    max_items, max_chars = limits
    left[0] -= 1
    if isinstance(value, str):
        return value if len(value) <= max_chars else value[:max_chars] + "…"
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= MAX_DEPTH or left[0] < 0:
        return "…"
    if isinstance(value, BaseModel):
        # `model_dump` would write all of it; a secret's own text hides it.
        value = dict(value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        kept = {
            key: _pruned(item, depth + 1, left, limits)
            for key, item in islice(value.items(), max_items)
        }
        more = len(value) - len(kept)
        return {**kept, "…": f"{more:,} more"} if more > 0 else kept
    if isinstance(value, list | tuple | set | frozenset):
        items = [_pruned(item, depth + 1, left, limits) for item in islice(value, max_items)]
        more = len(value) - len(items)
        return [*items, f"… {more:,} more"] if more > 0 else items
    return describe(value) if _is_large(value) else value


def _is_large(value: Any) -> bool:
    size = getattr(value, "size", None)
    return not isinstance(value, bytes | bytearray) and isinstance(size, int) and size > _MANY_CELLS


def _table(value: Any, max_bytes: int) -> Shown | None:
    """Return a list of records or a data frame as a table, None if `value` is neither."""
    rows, count = _records(value)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if not rows or not 0 < len(columns) <= MAX_COLUMNS:
        return None
    shown: list[list[str]] = []
    names = [one_line(str(column), MAX_CELL_CHARS) for column in columns]
    room = max_bytes - _size(names) - 40
    for row in rows[:MAX_ROWS]:
        cells = [_cell(row[column]) if column in row else "" for column in columns]
        room -= _size(cells)
        if room < 0:
            break
        shown.append(cells)
    if not shown:
        return None
    table: Shown = {"table": {"columns": names, "rows": shown}}
    more = count - len(shown)
    if more:
        table["table"]["count"] = count
        table["cut"] = f"{more:,} more rows"
    return table


def _records(value: Any) -> tuple[list[Mapping[Any, Any]], int]:
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.Series):
        value = value.to_frame("value" if value.name is None else value.name)
    if pandas is not None and isinstance(value, pandas.DataFrame):
        head = value.head(MAX_ROWS + 1)
        if not isinstance(value.index, pandas.RangeIndex):
            head = head.reset_index(names=_free_names(value))
        return head.to_dict("records"), len(value)
    if not isinstance(value, list | tuple):
        return [], 0
    rows: list[Mapping[Any, Any]] = []
    for item in islice(value, MAX_ITEMS):
        row = dict(item) if isinstance(item, BaseModel) else item
        if not isinstance(row, Mapping) or not row:
            return [], 0
        rows.append(row)
    return rows, len(value)


def _free_names(frame: Any) -> list[str]:
    """Return a column's name for each level of the index: its own where no column has it."""
    taken = {str(column) for column in frame.columns}
    names = [str(name) if name is not None else "" for name in frame.index.names]
    return [
        name if name and name not in taken else "index" if len(names) == 1 else f"index {level}"
        for level, name in enumerate(names, 1)
    ]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"  # numpy's float is one; a table is glanced at, not read off
    if type(value).__name__ == "Timestamp":
        return str(value).removesuffix(" 00:00:00")
    return one_line(to_text(_pruned(value, MAX_DEPTH - 2, [40], _LIMITS[0])), MAX_CELL_CHARS)


def _size(cells: list[str]) -> int:
    return len(json.dumps(cells, ensure_ascii=False, separators=(",", ":")).encode()) + 1
