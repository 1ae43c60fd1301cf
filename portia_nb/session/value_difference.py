"""How two values differ: texts by words, numbers by how much, tables and nested data by cell.

What a step put out may be of any size, so each way has a limit; where it is passed, less is told
and `is_cut` says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, Literal

from portia_nb.model import codecs

MAX_CHANGES = 200
MAX_READ = 50_000
"""Places of tables and nested data that are looked at."""
MAX_DEPTH = 8
MAX_CHARS = 20_000
"""Of texts, from where they first differ to where they last do, what is split into words."""
MAX_PAIRS = 250_000
"""Pairs of words that are compared: 500 words with 500 others take about 40 ms."""

_WORD = re.compile(r"\s+|\w+|[^\w\s]")
_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of two texts."""

    how: Literal["same", "removed", "added"]
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One place of two tables or nested values where they differ."""

    place: str
    """E.g. ``[2].price``; of a table ``row 2, price``."""
    how: Literal["changed", "removed", "added"]
    a: Any = None
    b: Any = None


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """Where two values differ."""

    pieces: tuple[Piece, ...] = ()
    """Of two texts: all of both, in order."""
    changes: tuple[Change, ...] = ()
    """Of numbers, tables and nested data; the place of a number is empty."""
    is_cut: bool = False
    """There may be more than is told."""


def difference_of(a: Any, b: Any) -> ValueDifference | None:
    """Return where two values differ, None where there is nothing to say beyond both of them.

    Guarantees: at most `MAX_CHANGES` changes; time and memory are bounded, and nothing of the
    values is called but how pandas, pydantic and dataclasses are read.

    >>> [(p.how, p.text) for p in difference_of("a red fox", "a brown fox").pieces]
    [('same', 'a '), ('removed', 'red'), ('added', 'brown'), ('same', ' fox')]
    >>> difference_of([{"n": 1}], [{"n": 2}]).changes
    (Change(place='[0].n', how='changed', a=1, b=2),)
    """
    match a, b:
        case str(), str():
            return _of_texts(a, b)
        case _ if _is_number(a) and _is_number(b):
            return ValueDifference(changes=(Change("", "changed", a, b),))
        case _:
            return _of_data(a, b)


def by_how_much(a: Any, b: Any) -> str:
    """Return by how much one number differs from another, empty where they aren't numbers.

    >>> by_how_much(8, 12), by_how_much(0.5, 0.25), by_how_much(0, 1), by_how_much("a", "b")
    ('+4, +50 %', '-0.25, -50 %', '+1', '')
    """
    if not (_is_number(a) and _is_number(b)):
        return ""
    try:
        more = b - a if type(a) is type(b) else float(b) - float(a)
        told = f"{more:+,.6g}" if isinstance(more, float) else f"{more:+,}"
        share = float(more) / abs(float(a)) if a else 0.0
        percent = f", {share * 100:+.3g} %"
    except (ArithmeticError, ValueError, TypeError):
        return ""  # such as a number that no float holds
    return told[:40] + (percent if share and abs(share) < 10 else "")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


# -- texts ---------------------------------------------------------------------------------------


def _of_texts(a: str, b: str) -> ValueDifference | None:
    start = _alike(a, b, lambda n: a[:n] == b[:n])
    while start and start < max(len(a), len(b)) and a[start - 1].isalnum():
        start -= 1  # whole words
    left_a, left_b = a[start:], b[start:]
    end = _alike(left_a, left_b, lambda n: left_a[len(left_a) - n :] == left_b[len(left_b) - n :])
    while end and left_a[len(left_a) - end].isalnum():
        end -= 1
    middle_a, middle_b = left_a[: len(left_a) - end], left_b[: len(left_b) - end]
    between, is_cut = _words(middle_a, middle_b)
    pieces = [Piece("same", a[:start]), *between, Piece("same", left_a[len(left_a) - end :])]
    told = tuple(each for each in pieces if each.text)
    if not any(each.how == "same" and each.text.strip() for each in told):
        return None
    return ValueDifference(pieces=told, is_cut=is_cut)


def _alike(a: str, b: str, is_alike: Callable[[int], bool]) -> int:
    """Return the largest number for which `is_alike`, by halving: a text may have megabytes."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        n = (low + high + 1) // 2
        low, high = (n, high) if is_alike(n) else (low, n - 1)
    return low


def _words(a: str, b: str) -> tuple[list[Piece], bool]:
    if max(len(a), len(b)) <= MAX_CHARS:
        one, other = _WORD.findall(a), _WORD.findall(b)
        if len(one) * len(other) <= MAX_PAIRS:
            return _merged(_aligned(one, other)), False
    return [Piece("removed", a), Piece("added", b)], True


def _aligned(one: list[str], other: list[str]) -> Iterator[Piece]:
    """Yield the words of both, those of their longest common subsequence as the same."""
    # Not difflib, whose time is cubic where the same few words come again and again.
    lengths = [[0] * (len(other) + 1)]
    for word in reversed(one):
        below, row = lengths[-1], [0]
        for n, each in enumerate(reversed(other)):
            row.append(below[n] + 1 if word == each else max(below[n + 1], row[n]))
        lengths.append(row)
    i, j = len(one), len(other)
    while i and j:
        word, each = one[-i], other[-j]
        if word == each:
            yield Piece("same", word)
            i, j = i - 1, j - 1
        elif lengths[i - 1][j] >= lengths[i][j - 1]:
            yield Piece("removed", word)
            i -= 1
        else:
            yield Piece("added", each)
            j -= 1
    yield from (Piece("removed", word) for word in one[len(one) - i :])
    yield from (Piece("added", word) for word in other[len(other) - j :])


def _merged(words: Iterator[Piece]) -> list[Piece]:
    """Put neighbours together: what was removed before what was added; a lone blank joins them."""
    merged: list[Piece] = []
    gone = come = ""
    waiting = ""
    for piece in words:
        if piece.how == "same" and (gone or come) and not waiting and piece.text.isspace():
            waiting = piece.text
        elif piece.how == "same":
            merged += [Piece("removed", gone), Piece("added", come)]
            merged.append(Piece("same", waiting + piece.text))
            gone = come = waiting = ""
        else:
            gone, come, waiting = gone + waiting, come + waiting, ""
            if piece.how == "removed":
                gone += piece.text
            else:
                come += piece.text
    merged += [Piece("removed", gone), Piece("added", come), Piece("same", waiting)]
    joined: list[Piece] = []
    for piece in merged:
        if not piece.text:
            continue
        if joined and joined[-1].how == piece.how:
            piece = Piece(piece.how, joined.pop().text + piece.text)
        joined.append(piece)
    return joined


# -- tables and nested data ----------------------------------------------------------------------


def _of_data(a: Any, b: Any) -> ValueDifference | None:
    one, other = _readable(a), _readable(b)
    if type(one) is not type(other) or not isinstance(one, list | dict | _Rows):
        return None
    walk = _Walk()
    found = tuple(islice(walk.changes("", one, other, 0), MAX_CHANGES + 1))
    if not found:
        return None
    is_cut = walk.is_cut or len(found) > MAX_CHANGES
    return ValueDifference(changes=found[:MAX_CHANGES], is_cut=is_cut)


class _Rows(dict[Any, Any]):
    """A table as rows by their labels, each a dict by column."""

    is_cut = False


def _readable(value: Any) -> Any:
    """Return `value` as lists and dicts where it is a table, a model or a dataclass."""
    match value:
        case list() | tuple():
            return list(value)
        case dict():
            return value
        case _ if hasattr(value, "model_dump") or hasattr(value, "__dataclass_fields__"):
            return codecs.to_plain_json(value)
        case _ if type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "iloc"):
            return _rows_of(value)
        case _:
            return value


def _rows_of(frame: Any) -> _Rows:
    columns = [str(each) for each in getattr(frame, "columns", [frame.__class__.__name__])]
    count = max(MAX_READ // max(len(columns), 1), 1)
    labels = list(frame.index[:count])
    if len(set(map(str, labels))) < len(labels):
        labels = list(range(len(labels)))  # labels that come twice say nothing of which row
    cells = frame.iloc[:count]
    lines = cells.itertuples(index=False, name=None) if hasattr(frame, "columns") else zip(cells)
    rows = _Rows(
        (str(label), dict(zip(columns, line, strict=True)))
        for label, line in zip(labels, lines, strict=True)
    )
    rows.is_cut = len(frame) > count
    return rows


class _Walk:
    """Goes through two values side by side, up to a limit."""

    def __init__(self) -> None:
        self._left = MAX_READ
        self.is_cut = False

    def changes(self, place: str, a: Any, b: Any, depth: int) -> Iterator[Change]:
        """Yield where `a` and `b`, which stand at `place`, differ."""
        self._left -= 1
        if self._left < 0:
            self.is_cut = True
            return
        if isinstance(a, _Rows) and isinstance(b, _Rows):
            self.is_cut = self.is_cut or a.is_cut or b.is_cut
            yield from self._of_dicts(place, a, b, depth, lambda row: f"row {row}")
        elif depth < MAX_DEPTH and isinstance(a, dict) and isinstance(b, dict):
            yield from self._of_dicts(place, a, b, depth, str)
        elif depth < MAX_DEPTH and isinstance(a, list | tuple) and isinstance(b, list | tuple):
            one, other = dict(enumerate(a)), dict(enumerate(b))
            yield from self._of_dicts(place, one, other, depth, lambda n: f"[{n}]")
        elif not _is_same(a, b):
            yield Change(place, "changed", a, b)

    def _of_dicts(
        self,
        place: str,
        a: Mapping[Any, Any],
        b: Mapping[Any, Any],
        depth: int,
        named: Callable[[Any], str],
    ) -> Iterator[Change]:
        separator = ", " if place.startswith("row ") else "."
        for key in {**a, **b}:
            if self._left < 0:
                self.is_cut = True
                return
            name = named(key)
            at = f"{place}{'' if name.startswith('[') or not place else separator}{name}"
            if key not in b:
                yield Change(at, "removed", a=a[key])
            elif key not in a:
                yield Change(at, "added", b=b[key])
            else:
                yield from self.changes(at, a[key], b[key], depth + 1)


def _is_same(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if type(a) is type(b) and isinstance(a, _PLAIN):
        return a == b or (a != a and b != b)  # a cell that holds no number is as empty as another
    return codecs.are_same(a, b) is not False
