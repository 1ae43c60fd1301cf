"""A timeline as SVG: a bar for each step, each kind of stretch with a shape of its own.

It stands on a light ground of its own, so that it can be read on light and dark pages.
"""

from __future__ import annotations

from collections.abc import Iterable

from portia_nb.model.stretches import Stretch

from .clean import cut_to_width, esc, width_of
from .looks import LINE_INK, LOOKS, NAME_INK, NOTE_INK
from .picture import ShownState
from .svg import FONT
from .svg_check import check_svg
from .timeline import MAX_ROWS, Bar, Timeline, length

NAME_WIDTH, CHART_WIDTH, FACTS_WIDTH = 190, 470, 270
MARGIN = 14
ROW_HEIGHT, BAR_HEIGHT, TOP, LEGEND_HEIGHT = 24, 14, 36, 30
MIN_BAR = 3
MIN_SIGN = 13
"""Pixels of a bar in which a sign has room."""
TICKS = 5
_GROUND, _EDGE, _GRID = "#fbfcfd", "#d0d7de", "#e3e7ec"
_STEPS_S = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600),
)
_SIGN = 'fill="none" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"'
_CROSS = "M{x} {y}m-3 -3l6 6m0 -6l-6 6"
_LEGEND: dict[str, str] = {
    "done": "ran",
    "failed": "failed",
    "stopped": "stopped",
    "skipped": "skipped",
    "running": "runs",
    "asked": "waited for a person",
    "paused": "waited before the next try",
}


def draw_timeline(timeline: Timeline) -> str:
    """Draw a timeline as one `<svg>` element, with the same guarantees as `svg.draw_svg`.

    Of more than sixty bars, neighbours that only ran are one; at most two hundred are drawn.
    """
    every = timeline.folded()
    shown = every[:MAX_ROWS]
    scale = CHART_WIDTH / timeline.seconds if timeline.seconds > 0 else 0.0
    left = MARGIN + NAME_WIDTH
    width = left + CHART_WIDTH + FACTS_WIDTH
    more = len(every) - len(shown)
    bottom = TOP + ROW_HEIGHT * (len(shown) + bool(more)) + 6
    looks = list(dict.fromkeys(_look(s) for bar in shown for s in bar.stretches))
    height = bottom + (LEGEND_HEIGHT if looks else 0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{esc(timeline.headline())}" '
        f'font-family="{FONT}" font-size="12" fill="{NAME_INK}">'
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="10" '
        f'fill="{_GROUND}" stroke="{_EDGE}"/>',
        *_grid(timeline.seconds, scale, left, bottom),
    ]
    for row, bar in enumerate(shown):
        parts += _row(bar, TOP + row * ROW_HEIGHT, left, timeline.start, scale)
    if more:
        y = bottom - 12
        parts.append(f'<text x="{MARGIN}" y="{y}" fill="{NOTE_INK}">and {more} more</text>')
    parts += _legend(looks, bottom + LEGEND_HEIGHT / 2 - 3)
    parts.append("</svg>")
    svg = "".join(parts)
    check_svg(svg)
    return svg


def _grid(span: float, scale: float, left: float, bottom: float) -> Iterable[str]:
    if span <= 0:
        return
    step = next((s for s in _STEPS_S if span / s <= TICKS), None)
    if step is None:
        step = 3600 * (span // 3600 // TICKS + 1)
    for index in range(int(span / step) + 1):
        x = left + index * step * scale
        yield (
            f'<path d="M{x:.1f} {TOP - 6}V{bottom}" stroke="{_GRID}"/>'
            f'<text x="{x:.1f}" y="20" font-size="11" text-anchor="middle" fill="{NOTE_INK}">'
            f"{length(index * step)}</text>"
        )


def _row(bar: Bar, top: float, left: float, start: float, scale: float) -> Iterable[str]:
    middle = top + ROW_HEIGHT / 2
    look = LOOKS[bar.state]
    told = f"{bar.name[:500]}: {', '.join([look.word, *bar.facts()])}"
    yield f"<g><title>{esc(told)}</title>"
    name = esc(cut_to_width(bar.name, NAME_WIDTH - 16, 12))
    yield f'<text x="{MARGIN}" y="{middle + 4:g}">{name}</text>'
    for stretch in bar.stretches:
        x = left + (stretch.start - start) * scale
        size = max(((stretch.end or stretch.start) - stretch.start) * scale, MIN_BAR)
        yield _bar(
            _look(stretch),
            min(x, left + CHART_WIDTH - (MIN_SIGN if _look(stretch) == "skipped" else MIN_BAR)),
            middle,
            size,
        )
    x = left + CHART_WIDTH + 10
    # What a wait was for, its shape says.
    facts = ", ".join([f"{look.symbol} {look.word}", *bar.facts(short=True)])
    said = cut_to_width(facts, FACTS_WIDTH - 14, 11)
    y = middle + 4
    yield f'<text x="{x}" y="{y:g}" font-size="11" fill="{look.ink}">{esc(said)}</text></g>'


def _look(stretch: Stretch) -> str:
    """Return which of the legend's looks a stretch has."""
    if stretch.kind != "ran":
        return stretch.kind
    # Work that ended in a question was done until then.
    return stretch.state if stretch.state in _LEGEND else "done"


def _bar(look: str, x: float, middle: float, size: float) -> str:
    if look == "paused":
        # Nothing happens: a thin dotted line between two tries.
        return (
            f'<path d="M{x:.1f} {middle:g}h{size:.1f}" stroke="{LINE_INK}" '
            f'stroke-width="2.4" stroke-dasharray="2 3"/>'
        )
    if look == "skipped":
        d = f"M{x:.1f} {middle - 4:g}l4 4l-4 4m5 -8l4 4l-4 4"
        return f'<path d="{d}" stroke="{LOOKS["skipped"].ink}" {_SIGN}/>'
    state: ShownState = "asking" if look == "asked" else look  # type: ignore[assignment]
    ink, fill = LOOKS[state].ink, LOOKS[state].fill
    top, at = middle - BAR_HEIGHT / 2, x + size / 2
    where = f'x="{x:.1f}" y="{top:g}" width="{size:.1f}" height="{BAR_HEIGHT}" rx="3"'
    centre = f"{at:.1f}", f"{middle:g}"
    if look in ("asked", "running"):
        dashes = ' stroke-dasharray="4 2"' if look == "asked" else ""
        drawn = f'<rect {where} fill="{fill}" stroke="{ink}" stroke-width="1.4"{dashes}/>'
        if look == "asked" and size >= MIN_SIGN:
            drawn += (
                f'<text x="{centre[0]}" y="{middle + 4:g}" font-size="11" font-weight="700" '
                f'text-anchor="middle" fill="{ink}">?</text>'
            )
        elif size >= MIN_SIGN:
            drawn += f'<path d="M{centre[0]} {centre[1]}m-2.5 -3.5l6 3.5l-6 3.5Z" fill="{ink}"/>'
        return drawn
    drawn = f'<rect {where} fill="{ink}"/>'
    if look == "failed":
        # A failed try too short for its sign is told by a bar that stands out above and below.
        if size >= MIN_SIGN:
            d = _CROSS.format(x=centre[0], y=centre[1])
            return f'{drawn}<path d="{d}" stroke="#fff" {_SIGN}/>'
        return f'{drawn}<path d="M{at:.1f} {top - 3:g}v{BAR_HEIGHT + 6}" stroke="{ink}" {_SIGN}/>'
    if look == "stopped" and size >= MIN_SIGN:
        return (
            f'{drawn}<rect x="{at - 3:.1f}" y="{middle - 3:g}" width="6" height="6" fill="#fff"/>'
        )
    return drawn


def _legend(looks: list[str], middle: float) -> Iterable[str]:
    x = float(MARGIN)
    for look, word in _LEGEND.items():
        if look in looks:
            yield _bar(look, x, middle, 26)
            yield (
                f'<text x="{x + 33:g}" y="{middle + 4:g}" font-size="11" fill="{NOTE_INK}">'
                f"{word}</text>"
            )
            x += 33 + width_of(word, 11) * 0.8 + 20
