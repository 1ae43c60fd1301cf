"""What a picture of a plan holds before it is laid out: cards, frames and lines, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .graph import Box, Cluster, Graph, Placed
from .layout import layout

ShownState: TypeAlias = Literal[
    "waiting", "running", "done", "failed", "asking", "skipped", "stopped", "uncertain"
]
"""How a step stands, as a person sees it; `looks.LOOKS` has shape, word and colour of each.

`asking` needs the person; `stopped` was cancelled; `uncertain` was killed in the middle of a side
effect.
"""

LineKind: TypeAlias = Literal["data", "after", "place"]
"""Why one waits for the other: it reads its output, `after=` says so, or it keeps its place."""

CARD_WIDTH = 240.0
CARD_HEIGHT = 54.0
FRAME_HEADER = 36.0
FRAME_PADDING = 16.0


@dataclass(frozen=True, slots=True)
class Card:
    """One step, or many that stand collapsed in one card."""

    id: str
    """Opaque, `n0`, `n1`, …; the id of its group in the SVG."""
    name: str
    note: str
    """The second line: its tool, or its kind."""
    state: ShownState = "waiting"
    task: str = ""
    frame: str | None = None
    count: int = 1
    """How many steps it stands for."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A step that holds steps; without a title, only a panel behind steps that stand alike."""

    id: str
    title: str = ""
    note: str = ""
    state: ShownState = "waiting"
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """`head` waits for `tail`; both are ids of cards or frames."""

    tail: str
    head: str
    kind: LineKind = "data"


@dataclass(frozen=True, slots=True)
class Picture:
    """Cards in plan order, the frames around them and the lines between them."""

    cards: tuple[Card, ...]
    lines: tuple[Line, ...] = ()
    frames: tuple[Frame, ...] = ()
    ids: Mapping[str, str] | None = None
    """Step name → id of the card or frame that shows it, for live updates."""

    def counts(self) -> dict[ShownState, int]:
        """Return how many steps stand in each state that occurs."""
        counts: dict[ShownState, int] = {}
        for card in self.cards:
            counts[card.state] = counts.get(card.state, 0) + card.count
        return counts


def place(picture: Picture) -> Placed:
    """Lay a picture out; the engine sees ids and sizes, never a word of the plan."""
    return layout(
        Graph(
            boxes=tuple(
                Box(card.id, CARD_WIDTH, CARD_HEIGHT, card.frame) for card in picture.cards
            ),
            links=tuple((line.tail, line.head) for line in picture.lines),
            clusters=tuple(
                Cluster(
                    frame.id,
                    frame.parent,
                    padding=FRAME_PADDING,
                    header=FRAME_HEADER if frame.title else 0,
                    min_width=CARD_WIDTH,
                )
                for frame in picture.frames
            ),
        )
    )
