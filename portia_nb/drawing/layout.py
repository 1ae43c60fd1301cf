"""Where every card, frame and line of a picture goes: frames nest, engines see flat lists."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from .graph import Arc, Area, Box, Cluster, Engine, Flat, Graph, Placed, Point, Route, Size
from .graphviz_layout import DotFailed, has_dot, lay_with_dot
from .layered import lay_levels

MAX_BOXES_FOR_DOT = 300
"""`dot` takes seconds for more; the built-in engine takes 0.3 s for 1,000."""


def layout(graph: Graph, *, engine: Engine | None = None) -> Placed:
    """Place a graph: by Graphviz's `dot` if it is on PATH and can, else by the built-in engine.

    Args:
        graph: boxes, frames, links between any two of them.
        engine: the engine to use; its `DotFailed` also leads to the built-in one.

    A frame is laid out by itself and then stands as one box among its neighbours, so a link
    that crosses a frame's border ends at that border. A link between a frame and something
    inside it, or from a box to itself, has an empty route.

    Raises:
        ValueError: an id is used twice, or a link or cluster names an id that is not there.

    >>> layout(Graph((Box("a", 80, 40), Box("b", 80, 40)), (("a", "b"),)), engine=lay_levels).height
    120.0
    """
    nest = _nest(graph)
    if engine is None:
        use_dot = len(graph.boxes) <= MAX_BOXES_FOR_DOT and has_dot()
        engine = lay_with_dot if use_dot else lay_levels
    try:
        return _place(graph, nest, engine)
    except DotFailed:
        return _place(graph, nest, lay_levels)


@dataclass(slots=True)
class _Nest:
    """Who sits in what."""

    parent: dict[str, str | None]
    inside: dict[str | None, list[str]]
    clusters: dict[str, Cluster]
    boxes: dict[str, Box]
    inwards: list[str] = field(default_factory=list)
    """Cluster ids, each before those inside it."""


def _nest(graph: Graph) -> _Nest:
    clusters = {cluster.id: cluster for cluster in graph.clusters}
    boxes = {box.id: box for box in graph.boxes}
    parent: dict[str, str | None] = {cluster.id: cluster.parent for cluster in graph.clusters}
    parent.update((box.id, box.cluster) for box in graph.boxes)
    if len(parent) < len(graph.boxes) + len(graph.clusters):
        raise ValueError("two boxes or clusters of a graph have the same id")
    ends = {end for link in graph.links for end in link}
    missing = (ends - parent.keys()) | (set(parent.values()) - clusters.keys() - {None})
    if missing:
        names = sorted(map(repr, missing))
        raise ValueError(f"no box or cluster of the graph has the id {', '.join(names)}")
    inside: dict[str | None, list[str]] = defaultdict(list)
    for item, holder in parent.items():
        inside[holder].append(item)
    nest = _Nest(parent, inside, clusters, boxes)
    queue = [item for item in inside[None] if item in clusters]
    for item in queue:
        nest.inwards.append(item)
        queue += [inner for inner in inside[item] if inner in clusters]
    if len(nest.inwards) < len(clusters):
        raise ValueError("clusters of a graph contain each other in a circle")
    # A frame stands among its neighbours where its first box stands in the plan.
    given = {box.id: index for index, box in enumerate(graph.boxes)}
    first = _first_inside(nest, given)
    for items in inside.values():
        items.sort(key=lambda item: given.get(item, first.get(item, len(given))))
    return nest


def _first_inside(nest: _Nest, given: dict[str, int]) -> dict[str, int]:
    """Return for each cluster the position of the first box inside it."""
    first: dict[str, int] = {}
    for cluster in reversed(nest.inwards):
        places = [given.get(item, first.get(item, len(given))) for item in nest.inside[cluster]]
        first[cluster] = min(places, default=len(given))
    return first


def _place(graph: Graph, nest: _Nest, engine: Engine) -> Placed:
    lifted = [_lift(nest, tail, head) for tail, head in graph.links]
    sizes: dict[str, Size] = {box.id: (box.width, box.height) for box in graph.boxes}
    flats: dict[str | None, Flat] = {}
    arcs_in: dict[str | None, dict[tuple[str, str], int]] = defaultdict(dict)
    for where in lifted:
        if where is not None:
            holder, tail, head = where
            arcs_in[holder].setdefault((tail, head), len(arcs_in[holder]))
    for holder in [*reversed(nest.inwards), None]:
        items = nest.inside[holder]
        index = {item: place for place, item in enumerate(items)}
        arcs: list[Arc] = [(index[tail], index[head]) for tail, head in arcs_in[holder]]
        # Without lines `dot` would make one endless row; the built-in engine makes a grid.
        flat = (engine if arcs else lay_levels)([sizes[item] for item in items], arcs)
        flats[holder] = flat
        if holder is not None:
            cluster = nest.clusters[holder]
            sizes[holder] = (
                max(flat.width, cluster.min_width) + 2 * cluster.padding,
                flat.height + 2 * cluster.padding + cluster.header,
            )
    return _assemble(nest, flats, sizes, arcs_in, lifted)


def _lift(nest: _Nest, tail: str, head: str) -> tuple[str | None, str, str] | None:
    """Return the innermost frame around both ends, and what stands for each end in it."""
    up_tail, up_head = _upwards(nest, tail), _upwards(nest, head)
    while up_tail and up_head and up_tail[-1] == up_head[-1]:
        up_tail.pop()
        up_head.pop()
    if not up_tail or not up_head:
        return None
    return nest.parent[up_tail[-1]], up_tail[-1], up_head[-1]


def _upwards(nest: _Nest, item: str) -> list[str]:
    chain = [item]
    while (holder := nest.parent[chain[-1]]) is not None:
        chain.append(holder)
    return chain


def _assemble(
    nest: _Nest,
    flats: dict[str | None, Flat],
    sizes: dict[str, Size],
    arcs_in: dict[str | None, dict[tuple[str, str], int]],
    lifted: list[tuple[str | None, str, str] | None],
) -> Placed:
    """Move each frame's layout to where the frame came to stand."""
    corner: dict[str | None, Point] = {None: (0.0, 0.0)}
    centres: dict[str, Point] = {}
    areas: dict[str, Area] = {}
    for holder in [None, *nest.inwards]:
        left, top = corner[holder]
        for item, (x, y) in zip(nest.inside[holder], flats[holder].centres, strict=True):
            if item in nest.boxes:
                centres[item] = (left + x, top + y)
                continue
            cluster, (width, height) = nest.clusters[item], sizes[item]
            areas[item] = Area(left + x - width / 2, top + y - height / 2, width, height)
            spare = width - 2 * cluster.padding - flats[item].width
            corner[item] = (
                areas[item].left + cluster.padding + spare / 2,
                areas[item].top + cluster.padding + cluster.header,
            )
    routes: list[Route] = []
    for where in lifted:
        if where is None:
            routes.append(())
            continue
        holder, tail, head = where
        left, top = corner[holder]
        route = flats[holder].routes[arcs_in[holder][tail, head]]
        routes.append(tuple((left + x, top + y) for x, y in route))
    return Placed(centres, areas, tuple(routes), flats[None].width, flats[None].height)
