"""Tables in files, as rows for a map: CSV, a JSON array, or JSON lines. What they say is data."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

from portia_nb.errors import InvalidOption

_LINES = (".jsonl", ".ndjson")


def read_rows_file(name: str) -> list[dict[str, Any]]:
    """Return the rows of a file, a dict each.

    Args:
        name: a file, whose suffix says what it is: ``.csv`` (in UTF-8, its first line names the
            columns, every cell is text), ``.json`` (an array of objects), ``.jsonl`` or
            ``.ndjson`` (an object a line); ``-``: JSON lines, or an array, on standard input.

    Raises:
        InvalidOption: it can't be read, or holds no table; the message says where.
    """
    path = Path(name).expanduser()
    try:
        data = sys.stdin.buffer.read() if name == "-" else path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise InvalidOption(f"{name}: no rows can be read there: {error}", option="ROWS") from error
    match path.suffix.lower():
        case ".csv":
            return _csv_rows(text, name)
        case ".json":
            return _json_rows(text, name)
        case suffix if suffix in _LINES:
            return _line_rows(text, name)
        case _ if name == "-":
            return _json_rows(text, name) if text.lstrip()[:1] == "[" else _line_rows(text, name)
        case _:
            raise InvalidOption(
                f"{name}: rows are a .csv, .json, .jsonl or .ndjson file, or '-' for JSON lines on "
                "standard input",
                option="ROWS",
            )


def _csv_rows(text: str, name: str) -> list[dict[str, Any]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        heads = next(reader, [])
        twice = {head for head in heads if heads.count(head) > 1}
        if twice:
            raise InvalidOption(
                f"{name}: {len(twice)} columns are there twice, such as {min(twice)!r}: give each "
                "its own name",
                option="ROWS",
            )
        rows: list[dict[str, Any]] = []
        for cells in reader:
            if not cells:
                continue  # a blank line
            if len(cells) != len(heads):
                raise InvalidOption(
                    f"{name}, line {reader.line_num}: {len(cells)} cells, and there are "
                    f"{len(heads)} columns",
                    option="ROWS",
                )
            rows.append(dict(zip(heads, cells, strict=True)))
    except csv.Error as error:
        raise InvalidOption(f"{name}, line {reader.line_num}: {error}", option="ROWS") from error
    return rows


def _json_rows(text: str, name: str) -> list[dict[str, Any]]:
    found = _loaded(text, name)
    if not isinstance(found, list):
        raise InvalidOption(
            f"{name} holds {type(found).__name__}: an array of objects is needed, one for each row",
            option="ROWS",
        )
    return [_object(row, f"{name}, row {number}") for number, row in enumerate(found)]


def _line_rows(text: str, name: str) -> list[dict[str, Any]]:
    lines = [(n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
    return [_object(_loaded(line, f"{name}, line {n}"), f"{name}, line {n}") for n, line in lines]


def _loaded(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidOption(f"{where}: no JSON: {error}", option="ROWS") from error


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidOption(
            f"{where}: {type(value).__name__} {value!r:.80}: each row is an object of values by "
            "column",
            option="ROWS",
        )
    return value
