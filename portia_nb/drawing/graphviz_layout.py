"""The layout engine that asks Graphviz's `dot`; only numbers go in and only numbers come out."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from itertools import pairwise

from .graph import Arc, Flat, Point, Route, Size

POINTS_PER_INCH = 72.0
TIMEOUT_S = 3.0


class DotFailed(Exception):
    """`dot` is missing, was too slow, or said something that is not a layout of the input."""


def has_dot() -> bool:
    """Tell whether `dot` is on PATH now."""
    return shutil.which("dot") is not None


def lay_with_dot(
    sizes: Sequence[Size], arcs: Sequence[Arc], *, timeout_s: float = TIMEOUT_S
) -> Flat:
    """Place boxes as Graphviz would, with its curves.

    Args:
        sizes: width and height of each box, in pixels.
        arcs: pairs `(tail, head)` of positions in `sizes`; loops get an empty route.
        timeout_s: seconds after which `dot` is ended.

    Raises:
        DotFailed: for any reason at all; `layout.layout` then uses the built-in engine.
    """
    path = shutil.which("dot")
    if path is None:
        raise DotFailed("'dot' is not on PATH; install Graphviz, or use the built-in layout")
    source = _source(sizes, arcs)
    try:
        # `dot` prints decimals by locale; the C locale has points.
        done = subprocess.run(
            [path, "-Tplain"],
            input=source.encode(),
            capture_output=True,
            timeout=timeout_s,
            check=True,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DotFailed(f"{path!r} gave no layout of {len(sizes)} boxes: {error}") from error
    try:
        return _parse(done.stdout.decode("ascii", "replace"), sizes, arcs)
    except (ValueError, IndexError, KeyError) as error:
        raise DotFailed(f"{path!r} printed what is not a layout: {error!r}") from error


def _source(sizes: Sequence[Size], arcs: Sequence[Arc]) -> str:
    from graphviz import Digraph

    inches = 1 / POINTS_PER_INCH
    graph = Digraph(strict=True)
    graph.attr("graph", nodesep=f"{28 * inches:.3f}", ranksep=f"{44 * inches:.3f}")
    graph.attr("node", shape="box", fixedsize="true", label="")
    graph.attr("edge", arrowhead="none")
    for index, (width, height) in enumerate(sizes):
        graph.node(f"n{index}", width=f"{width * inches:.4f}", height=f"{height * inches:.4f}")
    for tail, head in arcs:
        if tail != head:
            graph.edge(f"n{tail}", f"n{head}")
    return graph.source


def _parse(text: str, sizes: Sequence[Size], arcs: Sequence[Arc]) -> Flat:
    """Read the `plain` format: https://graphviz.org/docs/outputs/plain/ (y is upwards there)."""
    width = height = 0.0
    centres = {}
    routes: dict[Arc, Route] = {}
    for line in text.splitlines():
        kind, *words = line.split()
        match kind:
            case "graph":
                width, height = (float(word) * POINTS_PER_INCH for word in words[1:3])
            case "node":
                x, y = (float(word) * POINTS_PER_INCH for word in words[1:3])
                centres[int(words[0][1:])] = (x, height - y)
            case "edge":
                count = int(words[2])
                values = [float(word) * POINTS_PER_INCH for word in words[3 : 3 + 2 * count]]
                pairs = zip(values[::2], values[1::2], strict=True)
                points = [(x, height - y) for x, y in pairs]
                if len(points) != count or count % 3 != 1:
                    raise ValueError(f"an edge of {len(points)} points")
                routes[int(words[0][1:]), int(words[1][1:])] = tuple(points)
            case _:
                pass  # "stop"
    places = [centres[index] for index in range(len(sizes))]
    lines = [() if tail == head else routes[tail, head] for tail, head in arcs]
    if _runs_backwards(places):
        places = [(width - x, y) for x, y in places]
        lines = [tuple((width - x, y) for x, y in line) for line in lines]
    return Flat(places, lines, width, height)


def _runs_backwards(places: Sequence[Point]) -> bool:
    """Tell whether most neighbours in the plan that share a level stand in the opposite order.

    `dot` takes either of two mirrored layouts; people read a plan from the left.
    """
    turned = 0
    for (x, y), (next_x, next_y) in pairwise(places):
        if abs(y - next_y) < 1:
            turned += 1 if next_x < x else -1
    return turned > 0
