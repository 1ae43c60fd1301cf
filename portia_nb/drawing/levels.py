"""Levels of boxes and lanes: the left to right order that has few crossings."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass

from .graph import Arc
from .ranks import Ranking

MAX_SWEEPS = 12
PATIENCE = 3
"""Sweeps without a better order before it stops."""
MAX_EXCHANGE_ROUNDS = 4


@dataclass(slots=True)
class Levels:
    """Boxes and the lanes that long arcs run in, level by level.

    A lane is a place kept free on a level between an arc's two ends. Arcs that leave one box
    share their lanes as far as they go together.
    """

    rows: list[list[int]]
    above: list[list[int]]
    below: list[list[int]]
    lanes: dict[Arc, tuple[int, ...]]
    """The lanes that an arc passes, top to bottom."""
    box_count: int
    """Items from this number on are lanes."""


def build_levels(ranking: Ranking) -> Levels:
    """Put boxes in rows by level, in their given order, with a lane wherever an arc passes."""
    rank, count = ranking.rank, len(ranking.rank)
    rows: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    heads: list[list[int]] = [[] for _ in range(count)]
    for box in range(count):
        rows[rank[box]].append(box)
    for upper, lower in ranking.arcs:
        heads[upper].append(lower)
    lanes: dict[Arc, tuple[int, ...]] = {}
    for box in range(count):
        trunk: list[int] = []
        top = rank[box] + 1
        for head in sorted(heads[box], key=rank.__getitem__):
            while top + len(trunk) < rank[head]:
                lane = len(above)
                last = trunk[-1] if trunk else box
                above.append([last])
                below.append([])
                below[last].append(lane)
                rows[top + len(trunk)].append(lane)
                trunk.append(lane)
            end = trunk[rank[head] - top - 1] if rank[head] > top else box
            below[end].append(head)
            above[head].append(end)
            lanes[box, head] = tuple(trunk[: rank[head] - top])
    return Levels(rows, above, below, lanes, count)


def reduce_crossings(levels: Levels) -> int:
    """Reorder the rows in place so that few lines cross, and return how many still do.

    Sweeps down and up by the mean place of neighbours, keeps the best order seen, then
    exchanges neighbours while that helps. The same input always gives the same order.
    """
    rows = levels.rows
    place = [0] * len(levels.above)
    for row in rows:
        _note(row, place)
    best = _crossings(levels, place)
    kept = [row[:] for row in rows]
    stale = 0
    for sweep in range(MAX_SWEEPS):
        if best == 0 or stale >= PATIENCE:
            break
        if sweep % 2 == 0:
            _sweep(rows[1:], levels.above, place)
        else:
            _sweep(rows[-2::-1], levels.below, place)
        found = _crossings(levels, place)
        stale += 1
        if found < best:
            best, stale, kept = found, 0, [row[:] for row in rows]
    rows[:] = kept
    for row in rows:
        _note(row, place)
    if best:
        _exchange(levels, place)
        best = _crossings(levels, place)
    return best


def _note(row: list[int], place: list[int]) -> None:
    for index, item in enumerate(row):
        place[item] = index


def _sweep(rows: list[list[int]], neighbours: list[list[int]], place: list[int]) -> None:
    for row in rows:
        wanted: dict[int, float] = {}
        for item in row:
            near = neighbours[item]
            if len(near) == 1:
                wanted[item] = place[near[0]]
            elif near:
                wanted[item] = sum([place[other] for other in near]) / len(near)
            else:
                wanted[item] = place[item]
        row.sort(key=wanted.__getitem__)
        _note(row, place)


def _crossings(levels: Levels, place: list[int]) -> int:
    total = 0
    for row in levels.rows:
        seen: list[int] = []
        for item in row:
            ends = sorted([place[other] for other in levels.below[item]])
            for end in ends:
                total += len(seen) - bisect_right(seen, end)
            for end in ends:
                insort(seen, end)
    return total


def _exchange(levels: Levels, place: list[int]) -> None:
    for _ in range(MAX_EXCHANGE_ROUNDS):
        changed = False
        for row in levels.rows:
            up = [sorted([place[other] for other in levels.above[item]]) for item in row]
            down = [sorted([place[other] for other in levels.below[item]]) for item in row]
            for left in range(len(row) - 1):
                right = left + 1
                gain = _inversions(up[left], up[right]) + _inversions(down[left], down[right])
                if gain == 0:
                    continue
                loss = _inversions(up[right], up[left]) + _inversions(down[right], down[left])
                if loss < gain:
                    row[left], row[right] = row[right], row[left]
                    up[left], up[right] = up[right], up[left]
                    down[left], down[right] = down[right], down[left]
                    changed = True
            _note(row, place)
        if not changed:
            return


def _inversions(first: list[int], second: list[int]) -> int:
    """Count pairs where a place in `first` is right of one in `second`; both are sorted."""
    if not first or not second or first[-1] <= second[0]:
        return 0
    return sum([bisect_left(second, end) for end in first])
