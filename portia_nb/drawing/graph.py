"""What a layout engine is given and what it gives back: opaque ids, sizes, points, no text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
"""x to the right, y downwards, in pixels; the picture's top left corner is (0, 0)."""

Route: TypeAlias = tuple[Point, ...]
"""A chain of cubic curves: a start, then two handles and an end for each; empty when not drawn."""


@dataclass(frozen=True, slots=True)
class Box:
    """One card to place."""

    id: str
    width: float
    height: float
    cluster: str | None = None
    """The cluster that it sits in; None at the top."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A frame around boxes and other clusters."""

    id: str
    parent: str | None = None
    padding: float = 16
    """Room between the frame and what it holds, in pixels."""
    header: float = 0
    """Extra room at the top for a title, in pixels."""
    min_width: float = 0


@dataclass(frozen=True, slots=True)
class Graph:
    """Boxes, the frames around them, and links `(tail, head)` between boxes or frames."""

    boxes: tuple[Box, ...]
    links: tuple[tuple[str, str], ...] = ()
    clusters: tuple[Cluster, ...] = ()


@dataclass(frozen=True, slots=True)
class Area:
    """Where a frame is."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Placed:
    """A finished layout."""

    centres: dict[str, Point]
    """The centre of each box, by id."""
    areas: dict[str, Area]
    """The frame of each cluster, by id."""
    routes: tuple[Route, ...]
    """One for each link, in the order of `Graph.links`."""
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Flat:
    """A layout without frames, as engines return it; places and routes are in input order."""

    centres: list[Point]
    routes: list[Route]
    width: float
    height: float


Size: TypeAlias = tuple[float, float]
Arc: TypeAlias = tuple[int, int]
Engine: TypeAlias = Callable[[Sequence[Size], Sequence[Arc]], Flat]
"""Places boxes, given as sizes, with arcs between their positions in that list."""
