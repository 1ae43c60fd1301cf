"""Values as JSON and back, exactly, by a closed list of codecs.

JSON stands for itself. Anything else is a dict whose key ``"$"`` names the codec, as in
``{"$": "decimal", "v": "0.1"}``. A dict of the user's that has that key is itself encoded (as
``dict``, a list of pairs), so no data can pass for a codec.

The tag picks the codec; a class's name in the data never does, and is never imported. Classes (of
models, dataclasses, enums) are brought by the caller of `decode`; without its class a value comes
back as the plain data that it held. There is no pickle here and no fallback: what isn't on the list
is `Unkeepable`.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from . import codecs_classes, codecs_scalars, codecs_tables
from .plain import Unkept, describe, to_plain_json, to_text, type_name

__all__ = [
    "Unkeepable",
    "Unkept",
    "are_same",
    "comes_back",
    "decode",
    "dumps",
    "encode",
    "encode_or_describe",
    "is_unkept",
    "loads",
    "to_plain_json",
    "to_text",
]

TAG = "$"
MAX_DEPTH = 200
"""Nesting beyond this is refused: Python's own JSON writer recurses, and a loop has no end."""
MAX_ITEMS = 50_000_000
"""A few shared lists can stand for more items than any memory holds; a million is usual."""
_COST_OF_A_CONTAINER = 32  # as many items as take the time of one more list or dict

_MAX_INT_BITS = 14_000  # Python refuses to print integers of more than 4,300 digits, 14,284 bits.
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNKEPT = "unkept"


class Unkeepable(ValueError):
    """The value has no codec; `type_name` says of which class it, or the part that has none, is."""

    def __init__(self, type_name: str, why: str, text: str = "") -> None:
        """Say that a value of `type_name` can't be kept because of `why`."""
        super().__init__(f"a value of type {type_name} can't be kept: {why}")
        self.type_name = type_name
        self.text = text or why


def encode(value: Any) -> Any:
    """Return `value` as JSON from which `decode` makes an equal value of the same type.

    Plain JSON (None, bool, int, finite float, str, and lists and dicts of them) comes back as *the
    same object*; only what needs a codec is copied.

    Raises:
        Unkeepable: something in `value` has no codec, is nested deeper than `MAX_DEPTH` (a value
            that contains itself always is), or there are more than `MAX_ITEMS` items.

    >>> encode({"a": [1, "x"]})
    {'a': [1, 'x']}
    >>> encode((1, b"x"))
    {'$': 'tuple', 'v': [1, {'$': 'bytes', 'v': 'eA=='}]}
    """
    try:
        return _Encoder().encode(value, 0)
    except Unkeepable:
        raise
    except (RecursionError, MemoryError) as error:
        raise Unkeepable(type_name(value), "it is too large or nested too deep") from error
    except Exception as error:
        # The classes of users may raise anything when they are looked at.
        raise Unkeepable(type_name(value), f"reading it raised {describe(error)}") from error


def decode(data: Any, classes: Mapping[str, Any] | None = None) -> Any:
    """Return the value that `encode` or `encode_or_describe` made `data` from.

    Args:
        data: JSON.
        classes: classes by qualified name, or types such as ``list[City]``, whose own classes and
            those of their fields are found. A model, dataclass, named tuple or enum that is not
            among them comes back as the plain data in it, and so does one that its class, changed
            since, no longer takes.

    Raises:
        ValueError: `data` has an unknown tag, or is malformed.

    >>> decode(encode({1: "a", (2, 3): 4.5}))
    {1: 'a', (2, 3): 4.5}
    """
    try:
        return _Decoder(classes).decode(data)
    except RecursionError:
        raise ValueError("kept data is nested too deep to be read") from None
    except (KeyError, TypeError, AttributeError, IndexError, ArithmeticError) as error:
        raise ValueError(f"kept data is malformed: {describe(error)}") from error


def encode_or_describe(value: Any) -> Any:
    """Return `encode` of `value`, or where that can't be, a description that `is_unkept` knows.

    Never raises.

    >>> is_unkept(encode_or_describe({"lock": object()}))
    True
    """
    try:
        return encode(value)
    except Unkeepable as error:
        return {TAG: _UNKEPT, "type": error.type_name, "text": error.text}


def comes_back(value: Any, classes: Mapping[str, Any] | None = None) -> bool:
    """Tell whether `decode` with `classes` makes of what is kept of `value` what it was.

    Else it can't be kept, or a class in it isn't among them and plain data would come back.

    >>> from fractions import Fraction
    >>> comes_back([Fraction(1, 3)]), comes_back(object())
    (True, False)
    """
    kept = encode_or_describe(value)
    if is_unkept(kept):
        return False
    known = codecs_classes.reachable(classes or {})
    level: list[Any] = [kept]
    while level:
        dicts = (each for each in level if isinstance(each, dict))
        written = (each for each in dicts if each.get(TAG) in codecs_classes.READERS)
        if any(each[TAG] != "url" and each["class"] not in known for each in written):
            return False
        holders = (each for each in level if isinstance(each, dict | list))
        level = [item for each in holders for item in _items_of(each)]
    return True


def _items_of(container: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def is_unkept(data: Any) -> bool:
    """Return whether `data` is the description of a value that could not be kept."""
    return isinstance(data, dict) and data.get(TAG) == _UNKEPT


def are_same(one: Any, other: Any) -> bool | None:
    """Tell whether two values are the same by what is kept of them; None: it can't be told.

    `==` would ask the values themselves, and arrays answer item by item.

    >>> are_same((1, 2.0), (1, 2.0)), are_same((1, 2), [1, 2]), are_same(object(), object())
    (True, False, None)
    """
    if one is other:
        return True
    kept = [encode_or_describe(value) for value in (one, other)]
    if any(is_unkept(each) for each in kept):
        return None
    return dumps(kept[0]) == dumps(kept[1])


def dumps(data: Any) -> str:
    """Return JSON as compact ASCII text: strict, and taken by every store.

    Raises:
        ValueError: not-a-number, infinity, or another value that isn't JSON.
    """
    try:
        return _WRITER.encode(data)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error


def loads(text: str | bytes) -> Any:
    """Return the JSON in `text`.

    Raises:
        ValueError: it isn't JSON, or is nested too deep.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("JSON is nested too deep to be read") from None


# ASCII, because SQLite takes no lone surrogates and cuts text at NUL.
_WRITER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"not strict JSON: {name}")


class _Encoder:
    """One pass over one value."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_ITEMS

    def encode(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            if value.isascii() or not _SURROGATE.search(value):
                return value
            return codecs_scalars.write_surrogates(value)
        if kind is bool or value is None:
            return value
        if kind is int:
            return value if value.bit_length() < _MAX_INT_BITS else {TAG: "int", "v": hex(value)}
        if kind is float:
            # Infinity minus itself is not a number either.
            return value if value - value == 0.0 else {TAG: "float", "v": repr(value)}
        if depth > MAX_DEPTH:
            raise Unkeepable(
                type_name(value), f"it is nested deeper than {MAX_DEPTH}, or contains itself"
            )
        if kind is dict:
            return self._dict(value, depth + 1)
        if kind is list:
            return self._list(value, depth + 1)
        return self._other(value, depth + 1)

    def _list(self, value: list[Any], depth: int) -> list[Any]:
        self._spend(value)
        encoded = [self.encode(item, depth) for item in value]
        changed = any(a is not b for a, b in zip(encoded, value, strict=True))
        return encoded if changed else value

    def _dict(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        self._spend(value)
        if TAG in value or not all(_is_plain_key(key) for key in value):
            pairs = [[self.encode(k, depth), self.encode(v, depth)] for k, v in value.items()]
            return {TAG: "dict", "v": pairs}
        encoded = {key: self.encode(item, depth) for key, item in value.items()}
        changed = any(encoded[key] is not item for key, item in value.items())
        return encoded if changed else value

    def _other(self, value: Any, depth: int) -> dict[str, Any]:
        if type(value) is Unkept:
            raise Unkeepable(value.type_name, "it was not kept the first time", value.text)

        def inner(part: Any) -> Any:
            return self.encode(part, depth)

        if isinstance(value, tuple | set | frozenset | deque | dict):
            self._spend(value)
        for writers in (codecs_scalars, codecs_classes, codecs_tables):
            written = writers.write(value, inner)
            if written is not None:
                return written
        raise Unkeepable(type_name(value), "it has no codec", describe(value))

    def _spend(self, container: Any) -> None:
        self.left -= len(container) + _COST_OF_A_CONTAINER
        if self.left < 0:
            raise Unkeepable(type_name(container), f"it has more than {MAX_ITEMS:,} items")


class _Decoder:
    """One pass over the JSON of one value."""

    __slots__ = ("classes", "given")

    def __init__(self, classes: Mapping[str, Any] | None) -> None:
        self.given = classes
        self.classes: dict[str, type] | None = None

    def decode(self, data: Any) -> Any:
        if isinstance(data, list):
            return [self.decode(item) for item in data]
        if not isinstance(data, dict):
            return data
        if TAG not in data:
            return {key: self.decode(item) for key, item in data.items()}
        return self._tagged(data[TAG], data)

    def _tagged(self, tag: Any, data: dict[str, Any]) -> Any:
        if tag == "dict":
            return {self.decode(key): self.decode(item) for key, item in data["v"]}
        if tag == _UNKEPT:
            return Unkept(str(data["type"]), str(data["text"]))
        if tag in codecs_scalars.READERS:
            return codecs_scalars.READERS[tag](data, self.decode)
        if tag in codecs_classes.READERS:
            return codecs_classes.READERS[tag](data, self.decode, self._class_named)
        if tag in codecs_tables.READERS:
            return codecs_tables.READERS[tag](data, self.decode)
        raise ValueError(f"kept data has an unknown codec {tag!r:.40}: a later version wrote it")

    def _class_named(self, name: str) -> type | None:
        if self.classes is None:
            self.classes = codecs_classes.reachable(self.given or {})
        return self.classes.get(name)


def _is_plain_key(key: Any) -> bool:
    return type(key) is str and (key.isascii() or not _SURROGATE.search(key))
