"""Any value as plain JSON or text for a person to read: lossy, and it never raises."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import math
import re
import sys
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from pydantic import BaseModel

_MAX_DEPTH = 100
_MAX_CONTAINERS = 1_200_000  # shared lists can stand for more than any memory holds
_MAX_INT_BITS = 14_000  # Python refuses to print integers of more than 4,300 digits, 14,284 bits.
_BYTES_SHOWN = 16
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclasses.dataclass(frozen=True, slots=True)
class Unkept:
    """Stands where a value could not be kept.

    >>> to_plain_json(Unkept("_thread.lock", "<unlocked _thread.lock object>"))
    '<not kept: _thread.lock>'
    """

    type_name: str
    """Full name of the class of the value, or of the part of it that has no codec."""
    text: str
    """A short text about it, for people."""


def to_plain_json(value: Any) -> Any:
    """Return `value` as strict JSON that reads well: `json.dumps(…, allow_nan=False)` takes it.

    Tuples and sets become lists, dates ISO text, decimals text, models and dataclasses dicts,
    tables lists of records, not-a-number null, and what has no JSON form a short description.

    Never raises, whatever `value` is. Nothing reads this back: `codecs.encode` is for that.

    >>> to_plain_json({"at": dt.date(2024, 1, 31), "share": Decimal("0.1"), "ids": (1, 2)})
    {'at': '2024-01-31', 'share': '0.1', 'ids': [1, 2]}
    """
    return _plain(value, 0, _Pass())


def to_text(value: Any) -> str:
    """Return a string as itself, and anything else as compact JSON of `to_plain_json`.

    >>> to_text("as it is"), to_text([1, None, "é"])
    ('as it is', '[1, null, "é"]')
    """
    if isinstance(value, str):
        return _clean(value)
    return json.dumps(to_plain_json(value), ensure_ascii=False, allow_nan=False)


def describe(value: Any, max_chars: int = 200) -> str:
    """Return a short text about `value`: its ``repr``, cut, or what kept that from working."""
    try:
        shown = repr(value)
        text = _clean(shown) if type(shown) is str else ""
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        text = f"<{type_name(value)}: its repr raised {type(error).__name__}>"
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"


def type_name(value: Any) -> str:
    """Return the full name of `value`'s class, e.g. ``"_thread.lock"``."""
    return full_name(type(value))


def full_name(cls: type) -> str:
    """Return the module and qualified name of `cls`; builtins go without their module."""
    module, name = cls.__module__, cls.__qualname__
    return str(name) if module == "builtins" else f"{module}.{name}"


class _Pass:
    """What one pass over a value has seen: how much, and inside of what it is."""

    __slots__ = ("left", "under_way")

    def __init__(self) -> None:
        self.left = _MAX_CONTAINERS
        self.under_way: set[int] = set()


def _plain(value: Any, depth: int, state: _Pass) -> Any:
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return _clean(value)
    if kind is int:
        return (
            value if value.bit_length() < _MAX_INT_BITS else f"<int of {value.bit_length()} bits>"
        )
    if kind is float:
        return value if math.isfinite(value) else None
    state.left -= 1
    if depth > _MAX_DEPTH or state.left < 0 or id(value) in state.under_way:
        return "…"
    state.under_way.add(id(value))
    try:
        return _plain_object(value, depth + 1, state)
    except KeyboardInterrupt:
        raise
    except BaseException:
        # A hostile class may raise anything, SystemExit included, from any of its methods.
        return describe(value)
    finally:
        state.under_way.discard(id(value))


def _plain_object(value: Any, depth: int, state: _Pass) -> Any:
    match value:
        case dict() | Mapping():
            return {_key(key): _plain(item, depth, state) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item, depth, state) for item in value]
        case BaseModel():
            return _plain(_model_fields(value), depth, state)
        case Unkept():
            return _clean(f"<not kept: {value.type_name}>")
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
            return _plain(fields, depth, state)
        case _:
            return _plain_scalar(value, depth, state)


def _plain_scalar(value: Any, depth: int, state: _Pass) -> Any:
    match value:
        case Enum():
            return _plain(value.value, depth, state)
        case str():
            return _clean(str.__str__(value))
        case int():
            return _plain(int(value), depth, state)
        case float():
            return _plain(float(value), depth, state)
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case Decimal() | UUID() | PurePath() | dt.timedelta() | complex():
            return _clean(str(value))
        case bytes() | bytearray() | memoryview():
            return _bytes_text(value)
        case _:
            return _plain_table(value, depth, state)


def _bytes_text(value: bytes | bytearray | memoryview) -> str:
    """Return the length and how it begins, which tells a person what kind of file it is."""
    shown = memoryview(value).tobytes()
    begins = repr(shown[:_BYTES_SHOWN])[1:].strip("'\"")
    more = "…" if len(shown) > _BYTES_SHOWN else ""
    unit = "byte" if len(shown) == 1 else "bytes"
    return f"{len(shown):,} {unit}: {begins}{more}" if shown else "0 bytes"


def _plain_table(value: Any, depth: int, state: _Pass) -> Any:
    """Show arrays and tables of libraries that are loaded anyway; describe the rest."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic):
        return _plain(value.tolist(), depth, state)
    if pandas is not None:
        if value is pandas.NA or value is pandas.NaT:
            return None
        if isinstance(value, pandas.DataFrame):
            rows = value if _is_counted(value.index, pandas) else value.reset_index()
            return _plain(rows.to_dict("records"), depth, state)
        if isinstance(value, pandas.Series) and not _is_counted(value.index, pandas):
            labelled = dict(zip(value.index.astype(str), value.tolist(), strict=True))
            # Labels that stand twice can't be keys; then the values alone are shown.
            return _plain(labelled if len(labelled) == len(value) else value.tolist(), depth, state)
        if isinstance(value, pandas.Series | pandas.Index):
            return _plain(value.tolist(), depth, state)
    return describe(value)


def _is_counted(index: Any, pandas: Any) -> bool:
    """Tell whether an index merely counts its rows, so that it says nothing."""
    return isinstance(index, pandas.RangeIndex) and index.name is None


def _model_fields(value: BaseModel) -> Any:
    try:
        return value.model_dump(mode="json", warnings=False)
    except Exception:
        # A field that pydantic can't write as JSON: show the others all the same.
        return dict(value)


def _key(key: Any) -> str:
    if isinstance(key, Enum):
        key = key.value
    match key:
        case str():
            return _clean(str.__str__(key))
        case True | False | None:
            return {True: "true", False: "false", None: "null"}[key]
        case dt.date() | dt.time():
            return key.isoformat()
        case _:
            return describe(key)


def _clean(text: str) -> str:
    """Replace lone surrogates: no encoder of UTF-8 takes them."""
    return text if text.isascii() else _SURROGATE.sub("�", text)
