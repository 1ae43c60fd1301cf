"""Values as parts of a page to share: text, tables, JSON and pictures, everything escaped."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from portia_nb.drawing.clean import clean, esc
from portia_nb.model.codecs import Unkept, to_plain_json

from .run_document import LEFT_OUT

EACH_CHARS = 100_000
TOTAL_CHARS = 3_000_000
"""Characters of values on one page; the file for programs has all of them."""
MAX_ROWS, MAX_COLUMNS = 200, 30
MAX_CELL = 300
MAX_PICTURE_BYTES = 1_000_000
_LONG_CHARS = 600
_KINDS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
"""Pictures that are shown, by how they begin: none that could hold a script."""


class Room:
    """How many characters of values may still come on a page."""

    def __init__(self) -> None:
        self.left = TOTAL_CHARS

    def take(self, text: str) -> tuple[str, int]:
        """Return the beginning of `text` that there is room for, and how many are left out."""
        size = min(EACH_CHARS, max(self.left, 0))
        self.left -= min(len(text), size)
        return text[:size], max(len(text) - size, 0)


def value_html(value: Any, room: Room, summary: str | None = None) -> str:
    """Return a value as HTML: a table for rows, a picture for one, else text.

    Guarantees: no script, link or address but those of pictures in the page itself.
    """
    told = f"<p>{prose(summary)}</p>" if summary else ""
    if isinstance(value, Unkept):
        return f"{told}<p><i>{prose(_why(value))}</i></p>"
    if isinstance(value, bytes) and (kind := _picture_kind(value)) is not None:
        data = base64.b64encode(value).decode()
        return f'{told}<p><img alt="Picture" src="data:{kind};base64,{data}"></p>'
    if isinstance(value, str):
        return told + folded(value, room)
    plain = to_plain_json(value)
    rows = _rows(plain)
    if rows is not None:
        return told + _table_of(rows, room)
    if isinstance(plain, str):
        return told + folded(plain, room)
    return told + folded(json.dumps(plain, ensure_ascii=False, indent=2), room)


def _why(value: Unkept) -> str:
    is_cut = value.type_name == LEFT_OUT
    return value.text if is_cut else f"not kept: {value.type_name}"


def folded(text: str, room: Room) -> str:
    """Return text as it is; a long one folded below its first line."""
    shown, left = room.take(text)
    more = f"<p><i>… {left:,} more characters</i></p>" if left else ""
    body = f"<pre>{esc_lines(shown)}</pre>{more}"
    if len(shown) <= _LONG_CHARS:
        return body
    start = " ".join(clean(shown[:160]).split())[:100]
    return f"<details><summary>{prose(start)}… ({len(text):,} characters)</summary>{body}</details>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> str:
    """Return a table of texts."""
    top = "".join(f'<th scope="col">{prose(cell)}</th>' for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{prose(c)}</td>' for c in row)}</tr>" for row in rows)
    told = f"<caption>{prose(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll" tabindex="0"><table>{told}<thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def prose(text: str) -> str:
    """Return text on one line, cleaned and escaped."""
    return esc(text)


def esc_lines(text: str) -> str:
    """Return text cleaned and escaped, its lines kept."""
    return escape(clean(text, keep_lines=True), quote=True)


def _table_of(rows: Sequence[Mapping[str, Any]], room: Room) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    shown: list[list[str]] = []
    for row in rows[:MAX_ROWS]:
        cells = [_cell(row[key]) if key in row else "" for key in columns]
        _, left = room.take("".join(cells))
        if left:
            break
        shown.append(cells)
    more = f" (the first {len(shown):,} of {len(rows):,})" if len(shown) < len(rows) else ""
    return table(columns, shown, f"{len(rows):,} rows{more}" if len(rows) != 1 else "1 row")


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_CELL else f"{text[:MAX_CELL]}…"


def _rows(plain: Any) -> Sequence[Mapping[str, Any]] | None:
    """Return the rows of a table, None where `plain` isn't one."""
    if not isinstance(plain, list) or not plain or not all(isinstance(r, dict) for r in plain):
        return None
    columns = {key for row in plain for key in row}
    return plain if 0 < len(columns) <= MAX_COLUMNS else None


def _picture_kind(value: bytes) -> str | None:
    if len(value) > MAX_PICTURE_BYTES:
        return None
    if value[:4] == b"RIFF" and value[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _KINDS.items() if value.startswith(start)), None)
