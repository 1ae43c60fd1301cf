"""Follow a path such as ``items.0.name`` into a value; only data is entered."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from portia_nb.errors import PlanError


def walk(value: Any, path: str | None, what: str) -> Any:
    """Return what `path` leads to inside `value`: fields, keys and indexes, joined by dots.

    Args:
        value: data.
        path: such as ``"items.0.name"``; None or ``""`` is `value` itself.
        what: what `value` is, for the message.

    Raises:
        PlanError: the path leads nowhere; the message says how far it went and what is there.

    >>> walk({"items": [{"name": "a"}]}, "items.0.name", "it")
    'a'
    """
    if not path:
        return value
    been: list[str] = []
    for part in path.split("."):
        try:
            value = _enter(value, part)
        except (LookupError, ValueError) as error:
            where = f"{what} at {'.'.join(been)!r}" if been else what
            raise PlanError(
                f"{where} has no {part!r}: {error.args[0] if error.args else error}", path=path
            ) from None
        been.append(part)
    return value


def _enter(value: Any, part: str) -> Any:
    """Take one step into `value`; only data is entered, never an attribute that isn't a field."""
    match value:
        case Mapping():
            if part in value:
                return value[part]
            if _is_index(part) and int(part) in value:
                return value[int(part)]
            raise LookupError("its keys are " + _few(value))
        case BaseModel():
            fields = type(value).model_fields
            if part in fields or part in (value.model_extra or {}):
                return getattr(value, part)
            raise LookupError(f"the fields of {type(value).__name__} are " + _few(fields))
        case str() | bytes():
            raise LookupError("it is text, which has no parts")
        case Sequence():
            return _enter_sequence(value, part)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [f.name for f in dataclasses.fields(value)]
            if part in names:
                return getattr(value, part)
            raise LookupError(f"the fields of {type(value).__name__} are " + _few(names))
        case _:
            return _enter_table(value, part)


def _enter_sequence(value: Sequence[Any], part: str) -> Any:
    """Take one step into a list or a tuple: by index, or in a named tuple by field."""
    fields = getattr(value, "_fields", ()) if isinstance(value, tuple) else ()
    if part in fields:
        return value[fields.index(part)]
    if not _is_index(part):
        raise LookupError(f"it is a list of {len(value)}, entered by index")
    if not -len(value) <= int(part) < len(value):
        raise LookupError(f"it is a list of {len(value)}")
    return value[int(part)]


def _enter_table(value: Any, part: str) -> Any:
    """Take one step into a DataFrame (a column), a Series (a label) or an array (an index)."""
    pandas, numpy = sys.modules.get("pandas"), sys.modules.get("numpy")
    if pandas is not None and isinstance(value, pandas.DataFrame):
        if part in value.columns:
            return value[part]
        raise LookupError("its columns are " + _few(value.columns))
    if pandas is not None and isinstance(value, pandas.Series):
        if part in value.index:
            return value.loc[part]
        if _is_index(part) and -len(value) <= int(part) < len(value):
            return value.iloc[int(part)]
        raise LookupError(f"it is a series of {len(value)}")
    if numpy is not None and isinstance(value, numpy.ndarray) and _is_index(part):
        return value[int(part)]
    raise LookupError(f"it is a {type(value).__name__}, which can't be entered")


def _is_index(part: str) -> bool:
    return part.removeprefix("-").isdecimal() and part.isascii()


def _few(names: Any) -> str:
    shown = [str(name)[:40] for name in list(names)[:12]]
    return (", ".join(shown) or "none") + (", …" if len(names) > 12 else "")
