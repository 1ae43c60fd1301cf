"""The built-in layout engine: levels from top to bottom, in plain Python.

The scheme is Sugiyama's (levels, lanes for long arcs, few crossings, columns), with columns by
isotonic regression. Curves bend only between levels, where no box is.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt

from .columns import BOX_GAP, place_columns
from .graph import Arc, Flat, Point, Route, Size
from .levels import Levels, build_levels, reduce_crossings
from .ranks import Ranking, rank_boxes

MIN_LEVEL_GAP = 40.0
MAX_LEVEL_GAP = 88.0
GRID_ROW_GAP = 20.0
GRID_COLUMNS = 4


def lay_levels(sizes: Sequence[Size], arcs: Sequence[Arc]) -> Flat:
    """Place boxes on levels so that every arc outside a cycle points downwards.

    Args:
        sizes: width and height of each box, in pixels.
        arcs: pairs `(tail, head)` of positions in `sizes`; loops get an empty route.

    Guarantees: no two boxes overlap, no curve crosses a box, and the same input gives the same
    layout in any process. Boxes without any arc between them form a grid.

    >>> lay_levels([(100, 40), (100, 40)], [(0, 1)]).centres
    [(50.0, 20.0), (50.0, 100.0)]
    """
    ranking = rank_boxes(len(sizes), arcs)
    if not ranking.arcs:
        return _grid(sizes, len(arcs))
    levels = build_levels(ranking)
    reduce_crossings(levels)
    x = place_columns(levels, [width for width, _ in sizes])
    bands, height = _bands(levels, sizes, x)
    rank = ranking.rank
    # At the top of its level: beside a tall frame a card stands where its level starts.
    centres = [(x[box], bands[rank[box]][0] + sizes[box][1] / 2) for box in range(len(sizes))]
    routes: list[Route] = []
    for tail, head in arcs:
        if tail == head:
            routes.append(())
        elif (tail, head) in levels.lanes:
            routes.append(_route((tail, head), levels, ranking, x, bands, sizes))
        else:
            route = _route((head, tail), levels, ranking, x, bands, sizes)
            routes.append(tuple(reversed(route)))
    width = max(centre + size[0] / 2 for (centre, _), size in zip(centres, sizes, strict=True))
    lanes = x[levels.box_count :]
    return Flat(centres, routes, max(width, max(lanes, default=0.0) + 1), height)


def _grid(sizes: Sequence[Size], arc_count: int) -> Flat:
    """Place boxes that wait for nothing, row by row."""
    if not sizes:
        return Flat([], [()] * arc_count, 0.0, 0.0)
    count = len(sizes)
    rows = ceil(count / max(GRID_COLUMNS, ceil(sqrt(count / 2))))
    columns = ceil(count / rows)
    widths = [max([w for w, _ in sizes[index::columns]]) for index in range(columns)]
    lefts = [sum(widths[:index]) + BOX_GAP * index for index in range(columns)]
    centres: list[Point] = []
    top = 0.0
    for start in range(0, count, columns):
        row = sizes[start : start + columns]
        height = max([h for _, h in row])
        centres.extend(
            (lefts[index] + widths[index] / 2, top + height / 2) for index in range(len(row))
        )
        top += height + GRID_ROW_GAP
    return Flat(centres, [()] * arc_count, lefts[-1] + widths[-1], top - GRID_ROW_GAP)


def _bands(
    levels: Levels, sizes: Sequence[Size], x: list[float]
) -> tuple[list[tuple[float, float]], float]:
    """Return the top and bottom y of each level, and the whole height."""
    bands: list[tuple[float, float]] = []
    top = bottom = 0.0
    for row in levels.rows:
        bottom = top + max([sizes[item][1] for item in row if item < levels.box_count], default=0)
        bands.append((top, bottom))
        reach = max(
            [abs(x[item] - x[end]) for item in row for end in levels.below[item]], default=0
        )
        # A wide fan needs more room than a chain, or its curves lie almost flat.
        top = bottom + min(MAX_LEVEL_GAP, MIN_LEVEL_GAP + reach / 16)
    return bands, bottom


def _route(
    arc: Arc,
    levels: Levels,
    ranking: Ranking,
    x: list[float],
    bands: list[tuple[float, float]],
    sizes: Sequence[Size],
) -> Route:
    """Return the curve of one arc: straight beside boxes, bent between levels."""
    upper, lower = arc
    level = ranking.rank[upper]
    here: Point = (x[upper], bands[level][0] + sizes[upper][1])
    points: list[Point] = [here]
    stops = (*levels.lanes[arc], lower)
    for stop in stops:
        bottom = bands[level][1]
        level += 1
        top = bands[level][0]
        here = _straight(points, here, bottom)
        if x[stop] != here[0]:
            middle = (bottom + top) / 2
            points += [(here[0], middle), (x[stop], middle), (x[stop], top)]
            here = (x[stop], top)
        else:
            here = _straight(points, here, top)
    return tuple(points)


def _straight(points: list[Point], here: Point, y: float) -> Point:
    """Go down to `y` and return that point; longer straight runs stay one curve."""
    there = (here[0], y)
    if y == here[1]:
        return here
    if len(points) >= 4 and points[-2][0] == points[-3][0] == points[-4][0] == here[0]:
        del points[-3:]
    points += [here, there, there]
    return there
