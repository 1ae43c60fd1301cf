"""When each step ran: a bar for each, with waits for a person and for a retry of their own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from portia_nb.model.events import (
    AnyEvent,
    ClarificationRaised,
    ClarificationResolved,
    Recorded,
    StepCancelled,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)

from .clean import clean, cut_to_width, esc
from .looks import LOOKS, NAME_INK, NOTE_INK
from .picture import ShownState
from .svg import FONT
from .svg_check import check_svg

SegmentKind: TypeAlias = Literal["ran", "asked", "paused"]
"""Worked; waited for a person's answer; waited before the next try."""

NAME_WIDTH, CHART_WIDTH, END_WIDTH = 200, 620, 150
ROW_HEIGHT, BAR_HEIGHT, TOP = 26, 14, 34
MIN_BAR = 3
MAX_ROWS = 300
TICKS = 5
_GROUND, _GRID = "#ffffff", "#dfe3e8"
_STEPS_S = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    30,
    60,
    120,
    300,
    600,
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a step's time, in seconds of the same clock as the events'."""

    start: float
    end: float
    kind: SegmentKind
    state: ShownState
    """How it ended; `running` while it lasts."""


@dataclass(slots=True)
class Bar:
    """The stretches of one step, oldest first."""

    name: str
    segments: list[Segment] = field(default_factory=list)

    @property
    def state(self) -> ShownState:
        """How the step stands."""
        return self.segments[-1].state if self.segments else "waiting"


def bars_of(events: Iterable[Recorded], *, now: float | None = None) -> list[Bar]:
    """Return a bar for each path that has started or asked, in the order in which they did.

    Args:
        events: a run's events, in order.
        now: where unfinished stretches end, in the events' clock; None means the last event.
    """
    chart = _Chart()
    last = 0.0
    for recorded in events:
        last = recorded.at
        chart.add(recorded.event, last)
    unfinished: dict[SegmentKind, ShownState]
    unfinished = {"ran": "running", "asked": "asking", "paused": "waiting"}
    for path, (_, kind) in list(chart.open.items()):
        chart.end(path, last if now is None else max(now, last), unfinished[kind])
    return list(chart.bars.values())


@dataclass(slots=True)
class _Chart:
    """Bars as far as events have told of them."""

    bars: dict[str, Bar] = field(default_factory=dict)
    open: dict[str, tuple[float, SegmentKind]] = field(default_factory=dict)
    """Since when a path has been doing what."""
    askers: dict[str, str] = field(default_factory=dict)
    """Clarification id → the path that asked."""

    def add(self, event: AnyEvent, at: float) -> None:
        match event:
            case StepStarted(path):
                self.begin(path, at, "ran", before="waiting")
            case StepDone(path):
                self.end(path, at, "done")
            case StepFailed(path, retry_in_s=retry_in_s):
                self.end(path, at, "failed")
                if retry_in_s is not None:
                    self.begin(path, at, "paused", before="failed")
            case StepCancelled(path):
                self.end(path, at, "stopped")
            case StepSkipped(path):
                self.end(path, at, "skipped")
            case ClarificationRaised(path, clarification) if path:
                self.begin(path, at, "asked", before="asking")
                self.askers[clarification.id] = path
            case ClarificationResolved(clarification_id):
                path = self.askers.get(clarification_id, "")
                if self.open.get(path, (at, "ran"))[1] == "asked":
                    self.end(path, at, "waiting")
            case _:
                pass

    def begin(self, path: str, at: float, kind: SegmentKind, *, before: ShownState) -> None:
        """Open a stretch; one that is open still ends in the state `before`."""
        self.bars.setdefault(path, Bar(path))
        if path in self.open:
            self.end(path, at, before)
        self.open[path] = (at, kind)

    def end(self, path: str, at: float, state: ShownState) -> None:
        since, kind = self.open.pop(path, (at, "ran"))
        self.bars.setdefault(path, Bar(path)).segments.append(Segment(since, at, kind, state))


def draw_timeline(bars: Iterable[Bar]) -> str:
    """Draw bars as one `<svg>` element, with the same guarantees as `svg.draw_svg`.

    Time runs from the earliest start to the latest end; the first 300 bars are drawn.
    """
    every = list(bars)
    shown = every[:MAX_ROWS]
    start = min((s.start for bar in shown for s in bar.segments), default=0.0)
    span = max((s.end for bar in shown for s in bar.segments), default=0.0) - start
    scale = CHART_WIDTH / span if span > 0 else 0.0
    width = NAME_WIDTH + CHART_WIDTH + END_WIDTH
    more = len(every) - len(shown)
    height = TOP + ROW_HEIGHT * (len(shown) + bool(more)) + 10
    told = f"Timeline of {len(every)} steps, {_seconds(span)} in all"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{esc(told)}" '
        f'font-family="{FONT}" font-size="12" fill="{NAME_INK}">'
        f'<rect width="{width}" height="{height}" rx="10" fill="{_GROUND}"/>',
        *_grid(span, scale, height),
    ]
    for row, bar in enumerate(shown):
        parts += _row(bar, TOP + row * ROW_HEIGHT, start, scale)
    if more:
        y = TOP + len(shown) * ROW_HEIGHT + 16
        parts.append(f'<text x="12" y="{y}" fill="{NOTE_INK}">and {more} more</text>')
    parts.append("</svg>")
    svg = "".join(parts)
    check_svg(svg)
    return svg


def _grid(span: float, scale: float, height: float) -> Iterable[str]:
    if span <= 0:
        return
    step = next((s for s in _STEPS_S if span / s <= TICKS), None)
    if step is None:
        step = 3600 * (span // 3600 // TICKS + 1)
    for index in range(int(span / step) + 1):
        x = NAME_WIDTH + index * step * scale
        yield (
            f'<path d="M{x:.1f} {TOP - 6}V{height - 8}" stroke="{_GRID}"/>'
            f'<text x="{x:.1f}" y="18" font-size="11" text-anchor="middle" fill="{NOTE_INK}">'
            f"{_seconds(index * step)}</text>"
        )


def _row(bar: Bar, top: float, start: float, scale: float) -> Iterable[str]:
    name = clean(bar.name)
    middle = top + ROW_HEIGHT / 2
    spent = sum(s.end - s.start for s in bar.segments if s.kind == "ran")
    yield f"<g><title>{esc(name[:500])}</title>"
    yield f'<text x="12" y="{middle + 4:g}">{esc(cut_to_width(name, NAME_WIDTH - 24, 12))}</text>'
    right = float(NAME_WIDTH)
    for segment in bar.segments:
        x = NAME_WIDTH + (segment.start - start) * scale
        length = max((segment.end - segment.start) * scale, MIN_BAR)
        right = x + length
        yield _bar(segment, x, middle, length)
    look = LOOKS[bar.state]
    yield (
        f'<text x="{right + 8:.1f}" y="{middle + 4:g}" font-size="11" fill="{look.ink}">'
        f"{look.symbol} {look.word} · {_seconds(spent)}</text></g>"
    )


def _bar(segment: Segment, x: float, middle: float, length: float) -> str:
    if segment.kind == "paused":
        # Nothing happens: a thin dashed line between two tries.
        return (
            f'<path d="M{x:.1f} {middle:g}H{x + length:.1f}" stroke="{NOTE_INK}" '
            f'stroke-width="2" stroke-dasharray="3 3"/>'
        )
    top = middle - BAR_HEIGHT / 2
    where = f'x="{x:.1f}" y="{top:g}" width="{length:.1f}" height="{BAR_HEIGHT}" rx="3"'
    if segment.kind == "asked":
        look = LOOKS["asking"]
        return (
            f'<rect {where} fill="{look.fill}" stroke="{look.ink}" '
            f'stroke-width="1.2" stroke-dasharray="4 2"/>'
        )
    # A stretch that ended in a question did its work until then.
    state = "done" if segment.state in ("asking", "waiting") else segment.state
    return f'<rect {where} fill="{LOOKS[state].ink}"/>'


def _seconds(value: float) -> str:
    """Return a length of time in at most three digits and its unit.

    >>> [_seconds(v) for v in (0, 0.0024, 0.2, 3.25, 75, 7260)]
    ['0 s', '2 ms', '0.2 s', '3.2 s', '1 min 15 s', '2 h 1 min']
    """
    if value >= 3600:
        return f"{value // 3600:.0f} h {value % 3600 // 60:.0f} min"
    if value >= 60:
        return f"{value // 60:.0f} min {value % 60:.0f} s"
    if 0 < value < 0.1:
        return f"{value * 1000:.0f} ms"
    return f"{value:.1f} s".replace(".0 s", " s")
