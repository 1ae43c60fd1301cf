"""JSON of something large, in pieces: long texts in it aren't in memory once more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .codecs import dumps

LONG = 2**18
"""Characters from which a text is written piece by piece."""
_PIECE = 2**20
_MOST = 10_000  # entries of a container that is looked into
_DEEPEST = 4


def holds_long_text(data: Any, depth: int = 0) -> bool:
    """Return whether long text stands in JSON `data`, near enough to its top to matter."""
    if type(data) is str:
        return len(data) > LONG
    if depth > _DEEPEST or type(data) not in (dict, list) or len(data) > _MOST:
        return False
    inner = data.values() if type(data) is dict else data
    return any(holds_long_text(each, depth + 1) for each in inner)


class JsonParts:
    """JSON as `codecs.dumps` writes it, a few pieces at a time.

    All but long texts is written when it is made: what changes afterwards isn't seen.

    >>> "".join(JsonParts({"a": [1, 2]}).pieces())
    '{"a":[1,2]}'
    """

    __slots__ = ("_parts",)

    def __init__(self, data: Any) -> None:
        """Prepare to write `data`.

        Raises:
            ValueError: as `codecs.dumps`.
        """
        self._parts: list[str | _LongText] = []
        self._add(data)

    def _add(self, data: Any) -> None:
        if not holds_long_text(data):
            self._parts.append(dumps(data))
        elif type(data) is str:
            self._parts.append(_LongText(data))
        elif type(data) is dict:
            for number, (key, value) in enumerate(data.items()):
                self._parts.append(f"{',' if number else '{'}{dumps(str(key))}:")
                self._add(value)
            self._parts.append("}")
        else:
            for number, value in enumerate(data):
                self._parts.append("," if number else "[")
                self._add(value)
            self._parts.append("]")

    def is_longer_than(self, length: int) -> bool:
        """Return whether the JSON has more than `length` characters, at least."""
        return sum(len(part) for part in self._parts) > length

    def pieces(self) -> Iterator[str]:
        """Yield the JSON, all ASCII, in pieces of some megabytes at most."""
        for part in self._parts:
            if isinstance(part, _LongText):
                yield from part.pieces()
            else:
                for start in range(0, len(part), _PIECE):
                    yield part[start : start + _PIECE]


class _LongText:
    """A text that is written when it is needed; it can't change meanwhile."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __len__(self) -> int:
        """Return the least length of its JSON."""
        return len(self._text) + 2

    def pieces(self) -> Iterator[str]:
        yield '"'
        for start in range(0, len(self._text), _PIECE):
            # Each character is escaped by itself, so that texts may be cut anywhere.
            yield dumps(self._text[start : start + _PIECE])[1:-1]
        yield '"'
