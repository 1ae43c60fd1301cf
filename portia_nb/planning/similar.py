"""How alike two queries are, told from their words alone: nothing is sent anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import TypeVar

T = TypeVar("T")

MAX_CHARS = 1_000
"""Of a query that are compared: the time goes up with the square."""
_WORD = re.compile(r"\w+")


def similarity(query: str, other: str, at_least: float = 0.0) -> float:
    """Return how alike two queries are, from 0 (no word in common) to 1 (the same words).

    The mean of two figures: the share of words that both have (Dice's coefficient), and how much of
    the text stays when the words are put in order (`difflib`), which sees that *stock* and *stocks*
    are near. Case, punctuation and the order of the words don't count.

    Args:
        query: the one.
        other: the other.
        at_least: below this the exact figure doesn't matter, and 0 is returned at less cost.

    >>> round(similarity("Is it warm in Oslo?", "is it warm in Bergen"), 2)
    0.74
    >>> similarity("Is it warm in Oslo?", "Compare two stocks") < 0.3
    True
    """
    mine, theirs = _words(query), _words(other)
    if not mine or not theirs:
        return 0.0
    shared = 2 * len(mine & theirs) / (len(mine) + len(theirs))
    texts = SequenceMatcher(None, " ".join(sorted(mine)), " ".join(sorted(theirs)), autojunk=False)
    if (shared + texts.quick_ratio()) / 2 < at_least:
        return 0.0
    return (shared + texts.ratio()) / 2


def most_similar(
    query: str, candidates: Iterable[tuple[str, T]], *, threshold: float, limit: int
) -> list[T]:
    """Return what stands beside the queries most like `query`, the likest first.

    Args:
        query: what is wanted.
        candidates: queries, and what is returned for each; of equals the earlier comes first.
        threshold: the least similarity, 0 to 1.
        limit: at most so many.
    """
    scored = [(similarity(query, other, threshold), found) for other, found in candidates]
    near = [entry for entry in scored if entry[0] >= threshold and entry[0] > 0]
    return [found for _, found in sorted(near, key=lambda entry: -entry[0])[: max(limit, 0)]]


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text[:MAX_CHARS].casefold()))
