"""A timeline as text: the same bars in characters, for terminals and front ends without HTML."""

from __future__ import annotations

from .looks import LOOKS
from .text import cells, cut_cells
from .timeline import MAX_ROWS, Bar, Timeline

CHART = 40
MAX_NAME = 30
_SIGNS = {"asked": "?", "paused": "·"}
_RAN = {"done": "█", "failed": "x", "stopped": "■", "skipped": "»", "running": ">"}
_LEGEND = {
    "█": "ran",
    "x": "failed",
    "?": "waited for a person",
    "·": "waited before the next try",
    "■": "stopped",
    "»": "skipped",
    ">": "runs",
}


def to_text(timeline: Timeline) -> str:
    """Return a timeline as text: no control, format or terminal sequence passes.

    >>> from portia_nb.model.stretches import StepTimes, Stretch
    >>> times = StepTimes("sky", "done", (Stretch("ran", 0, 2, "done"),))
    >>> print(to_text(Timeline.of([times])))
    Timeline: 1 step, 2 s in all
    sky  |████████████████████████████████████████|  ✓ done, ran 2 s
    █ ran
    """
    bars = timeline.folded()
    shown = bars[:MAX_ROWS]
    names = [cut_cells(bar.name, MAX_NAME) for bar in shown]
    width = max(map(cells, names), default=0)
    charts = [_chart(bar, timeline) for bar in shown]
    lines = [timeline.headline()]
    for bar, name, chart in zip(shown, names, charts, strict=True):
        look = LOOKS[bar.state]
        facts = ", ".join([f"{look.symbol} {look.word}", *bar.facts()])
        lines.append(f"{name}{' ' * (width - cells(name))}  |{chart}|  {facts}")
    if len(bars) > len(shown):
        lines.append(f"and {len(bars) - len(shown)} more")
    used = {sign for chart in charts for sign in chart}
    legend = [f"{sign} {word}" for sign, word in _LEGEND.items() if sign in used]
    return "\n".join([*lines, *(["   ".join(legend)] if legend else [])])


def _chart(bar: Bar, timeline: Timeline) -> str:
    scale = CHART / timeline.seconds if timeline.seconds > 0 else 0.0
    drawn = [" "] * CHART
    for stretch in bar.stretches:
        # What took no time is a sign all the same.
        first = min(int((stretch.start - timeline.start) * scale), CHART - 1)
        last = min(int(((stretch.end or 0.0) - timeline.start) * scale + 0.5), CHART)
        sign = _SIGNS.get(stretch.kind) or _RAN.get(stretch.state, "█")
        for place in range(first, max(last, first + 1)):
            drawn[place] = sign
    return "".join(drawn)
