"""The horizontal place of boxes and lanes: near their neighbours, never overlapping."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from .levels import Levels

BOX_GAP = 28.0
LANE_GAP = 16.0
LANE_WIDTH = 2.0
ROUNDS = 10
SNAP = 14.0
"""A line that is off the vertical by no more is made straight where there is room."""

# A bend in a long line disturbs more than a box that stands a little off its neighbours.
LANE_TO_LANE = 8.0
LANE_TO_BOX = 0.5
BOX_TO_LANE = 2.0
BOX_TO_BOX = 1.0


def place_columns(levels: Levels, box_widths: Sequence[float]) -> list[float]:
    """Return the centre x of every box and lane; the leftmost edge is at 0.

    Each row in turn takes the places that are nearest (least squares) to the mean of its
    neighbours' and that keep its order and gaps, downwards and upwards by turns.
    """
    count = levels.box_count
    widths = [*box_widths, *([LANE_WIDTH] * (len(levels.above) - count))]
    offsets = [_offsets(row, widths, count) for row in levels.rows]
    x = [0.0] * len(widths)
    for row, offset in zip(levels.rows, offsets, strict=True):
        middle = offset[-1] / 2
        for item, place in zip(row, offset, strict=True):
            x[item] = place - middle
    above = _weighted(levels.above, count)
    below = _weighted(levels.below, count)
    both = [up + down for up, down in zip(above, below, strict=True)]
    last = len(levels.rows) - 1
    for turn in range(ROUNDS):
        downwards = turn % 2 == 0
        near = both if turn >= ROUNDS - 3 else above if downwards else below
        order = range(last + 1) if downwards else range(last, -1, -1)
        for index in order:
            _settle(levels.rows[index], offsets[index], near, x)
    _snap(levels, offsets, x)
    left = min(x[item] - widths[item] / 2 for item in range(len(widths)))
    return [place - left for place in x]


def _snap(levels: Levels, offsets: list[list[float]], x: list[float]) -> None:
    """Move items that stand almost under the end of a line from above to stand right under it."""
    for row, offset in zip(levels.rows, offsets, strict=True):
        last = len(row) - 1
        for index, item in enumerate(row):
            if not levels.above[item]:
                continue
            here = x[item]
            target = min([x[other] for other in levels.above[item]], key=lambda p: abs(p - here))
            if here == target or abs(here - target) > SNAP:
                continue
            gap_left = offset[index] - offset[index - 1] if index else 0.0
            gap_right = offset[index + 1] - offset[index] if index < last else 0.0
            if (index == 0 or target - x[row[index - 1]] >= gap_left) and (
                index == last or x[row[index + 1]] - target >= gap_right
            ):
                x[item] = target


def _offsets(row: list[int], widths: list[float], box_count: int) -> list[float]:
    """Return how far right of the row's first centre each centre must at least be."""
    offsets = [0.0]
    for left, right in itertools.pairwise(row):
        gap = BOX_GAP if left < box_count and right < box_count else LANE_GAP
        offsets.append(offsets[-1] + (widths[left] + widths[right]) / 2 + gap)
    return offsets


def _weighted(neighbours: list[list[int]], box_count: int) -> list[list[tuple[int, float]]]:
    weighted: list[list[tuple[int, float]]] = []
    for item, near in enumerate(neighbours):
        lane = item >= box_count
        pairs: list[tuple[int, float]] = []
        for other in near:
            if other >= box_count:
                pairs.append((other, LANE_TO_LANE if lane else BOX_TO_LANE))
            else:
                pairs.append((other, LANE_TO_BOX if lane else BOX_TO_BOX))
        weighted.append(pairs)
    return weighted


def _settle(
    row: list[int],
    offset: list[float],
    near: list[list[tuple[int, float]]],
    x: list[float],
) -> None:
    """Move one row: isotonic regression by pooling neighbours that would overlap."""
    sums: list[float] = []
    weights: list[float] = []
    counts: list[int] = []
    for item, start in zip(row, offset, strict=True):
        pull = total = 0.0
        for other, weight in near[item]:
            pull += x[other] * weight
            total += weight
        if not total:
            # Nothing holds it on this side: it stays where it is, and gives way easily.
            total = 0.01
            pull = x[item] * total
        sums.append(pull - start * total)
        weights.append(total)
        counts.append(1)
        while len(sums) > 1 and sums[-2] * weights[-1] > sums[-1] * weights[-2]:
            last_sum, last_weight, last_count = sums.pop(), weights.pop(), counts.pop()
            sums[-1] += last_sum
            weights[-1] += last_weight
            counts[-1] += last_count
    index = 0
    for pull, total, members in zip(sums, weights, counts, strict=True):
        start = pull / total
        for _ in range(members):
            x[row[index]] = start + offset[index]
            index += 1
