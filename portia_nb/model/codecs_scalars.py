"""Codecs of Python's own types. See `codecs`."""

from __future__ import annotations

import base64
import datetime as dt
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

Inner = Callable[[Any], Any]

_FACTORIES: Mapping[str, Any] = {f.__name__: f for f in (int, float, str, list, dict, set, tuple)}


def write(value: Any, inner: Inner) -> dict[str, Any] | None:
    """Return `value` as a tagged dict, or None where its type isn't one of these, exactly."""
    writer = _WRITERS.get(type(value))
    return writer(value, inner) if writer is not None else None


def write_surrogates(value: str) -> dict[str, Any]:
    """Return text that holds surrogates; JSON would join a pair of lone ones into one character."""
    return {"$": "str", "v": to_base64(value.encode("utf-8", "surrogatepass"))}


def to_base64(data: bytes | bytearray) -> str:
    """Return `data` as base64 text."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str) -> bytes:
    """Return the bytes that `to_base64` made `text` from."""
    return base64.b64decode(text, validate=True)


_PIECE = 3 * 2**18  # a multiple of three bytes is base64 without padding


def _write_bytes(value: bytes, inner: Inner) -> dict[str, Any]:
    """Write bytes as one text, and many as several: one text more of that size is too many."""
    if len(value) <= _PIECE:
        return {"$": "bytes", "v": to_base64(value)}
    starts = range(0, len(value), _PIECE)
    return {"$": "bytes", "v": [to_base64(value[start : start + _PIECE]) for start in starts]}


def _read_bytes(data: Mapping[str, Any], inner: Inner) -> bytes:
    found = data["v"]
    if isinstance(found, list):
        return b"".join(from_base64(piece) for piece in found)
    return from_base64(found)


def _as_list(tag: str) -> Callable[[Any, Inner], dict[str, Any]]:
    return lambda value, inner: {"$": tag, "v": [inner(item) for item in value]}


def _as_pairs(tag: str) -> Callable[[Any, Inner], dict[str, Any]]:
    return lambda value, inner: {"$": tag, "v": [[inner(k), inner(v)] for k, v in value.items()]}


def _as_text(tag: str) -> Callable[[Any, Inner], dict[str, Any]]:
    return lambda value, inner: {"$": tag, "v": inner(str(value))}


def _write_set(tag: str) -> Callable[[Any, Inner], dict[str, Any]]:
    def write_set(value: Any, inner: Inner) -> dict[str, Any]:
        items = [inner(item) for item in value]
        # Equal sets print alike: hashes of text differ from process to process.
        return {"$": tag, "v": sorted(items, key=repr)}

    return write_set


def _write_moment(tag: str) -> Callable[[Any, Inner], dict[str, Any]]:
    def write_moment(value: Any, inner: Inner) -> dict[str, Any]:
        written: dict[str, Any] = {"$": tag, "v": value.isoformat()}
        if value.fold:
            written["fold"] = 1
        zone = value.tzinfo
        if type(zone) is ZoneInfo and zone.key:
            written["zone"] = zone.key
            written["v"] = value.replace(tzinfo=None).isoformat()
        return written

    return write_moment


def _write_defaultdict(value: Any, inner: Inner) -> dict[str, Any] | None:
    factory = value.default_factory
    name = getattr(factory, "__name__", None)
    if factory is not None and (not isinstance(name, str) or _FACTORIES.get(name) is not factory):
        return None
    return _as_pairs("defaultdict")(value, inner) | {"default": name}


_WRITERS: Mapping[type, Callable[[Any, Inner], dict[str, Any] | None]] = {
    tuple: _as_list("tuple"),
    set: _write_set("set"),
    frozenset: _write_set("frozenset"),
    deque: lambda value, inner: _as_list("deque")(value, inner) | {"maxlen": value.maxlen},
    OrderedDict: _as_pairs("ordereddict"),
    Counter: _as_pairs("counter"),
    defaultdict: _write_defaultdict,
    bytes: _write_bytes,
    bytearray: lambda value, inner: {"$": "bytearray", "v": to_base64(value)},
    complex: lambda value, inner: {"$": "complex", "v": [inner(value.real), inner(value.imag)]},
    range: lambda value, inner: {"$": "range", "v": [value.start, value.stop, value.step]},
    Decimal: _as_text("decimal"),
    Fraction: lambda value, inner: {
        "$": "fraction",
        "v": [inner(value.numerator), inner(value.denominator)],
    },
    UUID: _as_text("uuid"),
    type(Path()): _as_text("path"),
    PurePosixPath: _as_text("posixpath"),
    PureWindowsPath: _as_text("windowspath"),
    dt.datetime: _write_moment("datetime"),
    dt.time: _write_moment("time"),
    dt.date: lambda value, inner: {"$": "date", "v": value.isoformat()},
    dt.timedelta: lambda value, inner: {
        "$": "timedelta",
        "v": [value.days, value.seconds, value.microseconds],
    },
}


def _read_items(make: Callable[[Any], Any]) -> Callable[[Any, Inner], Any]:
    return lambda data, inner: make([inner(item) for item in data["v"]])


def _read_pairs(data: Any, inner: Inner) -> list[tuple[Any, Any]]:
    return [(inner(key), inner(item)) for key, item in data["v"]]


def _read_counter(data: Any, inner: Inner) -> Counter[Any]:
    # Not by counting: a Counter may hold any value under a key.
    return Counter(dict(_read_pairs(data, inner)))


def _read_defaultdict(data: Any, inner: Inner) -> defaultdict[Any, Any]:
    name = data["default"]
    return defaultdict(None if name is None else _FACTORIES[name], _read_pairs(data, inner))


def _read_moment(kind: type[dt.datetime] | type[dt.time]) -> Callable[[Any, Inner], Any]:
    def read_moment(data: Any, inner: Inner) -> Any:
        # Interning keeps `==` on zones fast; ZoneInfo itself refuses keys that leave its folder.
        value = kind.fromisoformat(data["v"])
        if "zone" in data:
            value = value.replace(tzinfo=ZoneInfo(sys.intern(str(data["zone"]))))
        return value.replace(fold=1) if data.get("fold") else value

    return read_moment


def _read_path(make: type[PurePath]) -> Callable[[Any, Inner], Any]:
    return lambda data, inner: make(inner(data["v"]))


def _read_int(data: Any, inner: Inner) -> int:
    return int(data["v"], 16)


READERS: Mapping[str, Callable[[Any, Inner], Any]] = {
    "int": _read_int,
    "float": lambda data, inner: float(data["v"]),
    "str": lambda data, inner: from_base64(data["v"]).decode("utf-8", "surrogatepass"),
    "tuple": _read_items(tuple),
    "set": _read_items(set),
    "frozenset": _read_items(frozenset),
    "deque": lambda data, inner: deque(map(inner, data["v"]), data["maxlen"]),
    "ordereddict": lambda data, inner: OrderedDict(_read_pairs(data, inner)),
    "counter": _read_counter,
    "defaultdict": _read_defaultdict,
    "bytes": _read_bytes,
    "bytearray": lambda data, inner: bytearray(from_base64(data["v"])),
    "complex": lambda data, inner: complex(inner(data["v"][0]), inner(data["v"][1])),
    "range": lambda data, inner: range(*data["v"]),
    "decimal": lambda data, inner: Decimal(data["v"]),
    "fraction": lambda data, inner: Fraction(*map(inner, data["v"])),
    "uuid": lambda data, inner: UUID(data["v"]),
    "path": _read_path(Path),
    "posixpath": _read_path(PurePosixPath),
    "windowspath": _read_path(PureWindowsPath),
    "datetime": _read_moment(dt.datetime),
    "time": _read_moment(dt.time),
    "date": lambda data, inner: dt.date.fromisoformat(data["v"]),
    "timedelta": lambda data, inner: dt.timedelta(*data["v"]),
}
"""Each takes the tagged dict and the function that decodes a part of it."""
