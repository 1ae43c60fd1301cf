"""Which level each box stands on, and the arcs turned so that all of them point downwards."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from .graph import Arc


@dataclass(frozen=True, slots=True)
class Ranking:
    """Levels of boxes and the arcs between them."""

    rank: list[int]
    """The level of each box; 0 is the top."""
    arcs: list[Arc]
    """Each pair once, upper box first, without loops."""


def rank_boxes(count: int, arcs: Iterable[Arc]) -> Ranking:
    """Give each box the level of its longest path from the top, then shorten the arcs.

    A box with more arcs out than in moves down next to what it feeds. An arc that closes a
    cycle is turned round, so any input has a ranking.

    >>> rank_boxes(4, [(0, 1), (1, 2), (3, 2)]).rank
    [0, 1, 2, 1]
    """
    pairs = list(dict.fromkeys((tail, head) for tail, head in arcs if tail != head))
    place = _order(count, pairs)
    down = list(dict.fromkeys((a, b) if place[a] < place[b] else (b, a) for a, b in pairs))
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for upper, lower in down:
        above[lower].append(upper)
        below[upper].append(lower)
    order = sorted(range(count), key=place.__getitem__)
    rank = [0] * count
    for box in order:
        if above[box]:
            rank[box] = 1 + max([rank[other] for other in above[box]])
    for box in reversed(order):
        if len(below[box]) > len(above[box]):
            rank[box] = min([rank[other] for other in below[box]]) - 1
    return Ranking(rank, down)


def _order(count: int, arcs: list[Arc]) -> list[int]:
    """Return each box's place in an order that most arcs follow; all do if there is no cycle."""
    waits = [0] * count
    below: list[list[int]] = [[] for _ in range(count)]
    for tail, head in arcs:
        waits[head] += 1
        below[tail].append(head)
    place = [-1] * count
    ready = deque(box for box in range(count) if not waits[box])
    placed = 0
    oldest = 0
    while placed < count:
        if not ready:
            while place[oldest] >= 0:
                oldest += 1
            ready.append(oldest)
        box = ready.popleft()
        if place[box] >= 0:
            continue
        place[box] = placed
        placed += 1
        for head in below[box]:
            waits[head] -= 1
            if waits[head] == 0 and place[head] < 0:
                ready.append(head)
    return place
