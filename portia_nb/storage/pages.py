"""Reading the records in a SQLite file page by page, whatever became of its trees and its schema.

The format is https://sqlite.org/fileformat2.html. Nothing that is read here is trusted: pages may
hold anything, and records may be of the past. Who asks checks each record by its own checksum.
"""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_WAL_HEADER, _FRAME_HEADER = 32, 24
_DEFAULT_PAGE_SIZE = 4096
_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR = 0x0D, 0x0A, 0x02
_INT_SIZES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_MAX_RECORD_BYTES = 2**30

_COPY = "import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read())"

Record = tuple[Any, ...]


def records(path: Path) -> Iterator[Record]:
    """Yield every record that can be made out in a database and its log; one may come twice.

    Raises:
        OSError: the file can't be read.
    """
    data = read_aside(path)
    size = _page_size(data)
    written = [data[start : start + size] for start in range(0, len(data), size)]
    logged = _logged_pages(path.with_name(f"{path.name}-wal"), size)
    # First as the log left it; then without the log, which may be what is damaged.
    newest = [logged.pop(number, page) for number, page in enumerate(written)]
    newest += [page for _, page in sorted(logged.items())]
    seen: set[bytes] = set()
    for pages in (newest, written):
        for number, page in enumerate(pages):
            if page not in seen:
                seen.add(page)
                # The first page begins with the file's header, unless that was cut off.
                for header in (100, 0) if number == 0 else (0,):
                    yield from _Page(page, header, pages).records()


def read_aside(path: Path) -> bytes:
    """Return a database file's bytes, read by another process.

    When a process closes any descriptor of a file, POSIX takes away all the locks that it holds
    there, also those of a connection that is open (https://sqlite.org/howtocorrupt.html).

    Raises:
        OSError: it can't be read.
    """
    path.stat()
    command = [sys.executable, "-I", "-S", "-c", _COPY, str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise OSError(f"{path} can't be read: {last}")
    return done.stdout


def _page_size(data: bytes) -> int:
    """Return the page size that the header names where it can be one, else ours."""
    size = int.from_bytes(data[16:18], "big")
    size = 65_536 if size == 1 else size
    return size if size >= 512 and size & (size - 1) == 0 else _DEFAULT_PAGE_SIZE


def _logged_pages(path: Path, size: int) -> dict[int, bytes]:
    """Return the last version of each page in a write-ahead log, by the page's index."""
    try:
        data = path.read_bytes()
    except OSError:
        return {}
    found: dict[int, bytes] = {}
    salts = data[16:24]
    for start in range(_WAL_HEADER, len(data) - size - _FRAME_HEADER + 1, _FRAME_HEADER + size):
        if data[start + 8 : start + 16] != salts:
            break  # left over from before the log was begun anew
        number = int.from_bytes(data[start : start + 4], "big")
        found[number - 1] = data[start + _FRAME_HEADER : start + _FRAME_HEADER + size]
    return found


class _Page:
    """One page of a b-tree, if it is one."""

    def __init__(self, data: bytes, header: int, pages: list[bytes]) -> None:
        self._data = data
        self._header = header
        self._pages = pages

    def records(self) -> Iterator[Record]:
        data, header = self._data, self._header
        if len(data) < header + 12 or data[header] not in (
            _TABLE_LEAF,
            _INDEX_LEAF,
            _INDEX_INTERIOR,
        ):
            return
        kind = data[header]
        count = int.from_bytes(data[header + 3 : header + 5], "big")
        first = header + (12 if kind == _INDEX_INTERIOR else 8)
        for place in range(first, min(first + 2 * count, len(data) - 1), 2):
            start = int.from_bytes(data[place : place + 2], "big")
            try:
                yield _read_record(self._payload(kind, start))
            except (IndexError, ValueError, struct.error, OverflowError):
                continue

    def _payload(self, kind: int, at: int) -> bytes:
        """Return a cell's whole payload, the part on overflow pages too."""
        at += 4 if kind == _INDEX_INTERIOR else 0
        length, at = _varint(self._data, at)
        if kind == _TABLE_LEAF:
            _, at = _varint(self._data, at)  # the row's number
        if not 0 < length <= _MAX_RECORD_BYTES:
            raise ValueError("no length of a record")
        here = _local_size(length, len(self._data), is_table=kind == _TABLE_LEAF)
        if at + here > len(self._data):
            raise ValueError("the record leaves its page")
        parts, left = [self._data[at : at + here]], length - here
        following = int.from_bytes(self._data[at + here : at + here + 4], "big") if left else 0
        while left > 0:
            if following == 0:
                raise ValueError("the record ends early")
            page = self._pages[following - 1]
            parts.append(page[4 : 4 + left])
            # A page that gives nothing would let a circle of pages go on for ever.
            if len(parts[-1]) == 0:
                raise ValueError("an overflow page is cut")
            left -= len(parts[-1])
            following = int.from_bytes(page[:4], "big")
        return b"".join(parts)


def _local_size(length: int, page_size: int, *, is_table: bool) -> int:
    """Return how much of a payload stands on the page itself."""
    least = (page_size - 12) * 32 // 255 - 23
    most = page_size - 35 if is_table else (page_size - 12) * 64 // 255 - 23
    if length <= most:
        return length
    fitting = least + (length - least) % (page_size - 4)
    return fitting if fitting <= most else least


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable-length integer and where it ends."""
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    value = value << 8 | data[at + 8]
    return value - 2**64 if value >= 2**63 else value, at + 9


def _read_record(payload: bytes) -> Record:
    """Return a record's values.

    Raises:
        ValueError: it is none.
    """
    end, at = _varint(payload, 0)
    if not 0 < end <= len(payload):
        raise ValueError("no header of a record")
    types: list[int] = []
    while at < end:
        serial, at = _varint(payload, at)
        types.append(serial)
    values: list[Any] = []
    for serial in types:
        value, at = _value(serial, payload, at)
        values.append(value)
    if at != len(payload):
        raise ValueError("the record doesn't fill its payload")
    return tuple(values)


def _value(serial: int, payload: bytes, at: int) -> tuple[Any, int]:
    if serial == 0:
        return None, at
    if serial in (8, 9):
        return serial - 8, at
    size = 8 if serial == 7 else _INT_SIZES.get(serial, (serial - 12) // 2)
    part = payload[at : at + size]
    if serial < 0 or serial in (10, 11) or len(part) != size:
        raise ValueError("no value")
    if serial in _INT_SIZES:
        return int.from_bytes(part, "big", signed=True), at + size
    if serial == 7:
        return struct.unpack(">d", part)[0], at + size
    return part if serial % 2 == 0 else part.decode("utf-8"), at + size
