"""When each step ran: a bar for each, with waits for a person and for a retry of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from portia_nb.model.stretches import StepTimes, Stretch

from .clean import clean, esc, prose
from .looks import LOOKS
from .picture import ShownState
from .text import counted

MAX_OPEN = 60
"""Bars above which neighbours that went through without a wait or a failure are drawn as one."""
LONGEST = 20
KEEP_AT_END = 8
MIN_FOLD = 3
MAX_ROWS = 200
_WAITS = {"asked": "waited for a person", "paused": "waited before the next try"}


@dataclass(frozen=True, slots=True)
class Bar:
    """The stretches of one step, oldest first; or of several that are drawn as one."""

    path: str
    """Of the step; of several, the first one's."""
    state: ShownState
    stretches: tuple[Stretch, ...]
    """Each of them ended: what lasts, at the timeline's end."""
    last_path: str = ""
    """Of several steps, the last one's."""
    count: int = 1

    @property
    def start(self) -> float:
        """When it began, in seconds since the epoch."""
        return self.stretches[0].start

    @property
    def end(self) -> float:
        """When it ended so far."""
        return max(_end(stretch) for stretch in self.stretches)

    @property
    def name(self) -> str:
        """What it is called, as safe text on one line."""
        name = clean(self.path)
        if self.count == 1:
            return name
        return f"{counted(self.count, 'step')}: {name} … {clean(self.last_path)}"

    @property
    def tries(self) -> int:
        """How often it was tried; what a question interrupted counts once."""
        failed = [s for s in self.stretches if s.kind == "ran" and s.state == "failed"]
        return len(failed) + (self.state != "failed") if failed else 1

    def seconds(self, kind: str) -> float:
        """Return how long it ``ran``, was ``asked`` about, or ``paused``."""
        return sum(_end(s) - s.start for s in self.stretches if s.kind == kind)

    def facts(self, *, short: bool = False) -> list[str]:
        """Return what is to be said beside its state; `short`: not what each wait was for.

        >>> Bar("a", "done", (Stretch("ran", 0, 2, "asking"), Stretch("asked", 2, 12, "waiting"),
        ...                   Stretch("ran", 12, 13, "done"))).facts()
        ['ran 3 s', 'waited 10 s for a person']
        """
        facts = [f"ran {length(self.seconds('ran'))}"] if self.state != "skipped" else []
        for kind, what in (("asked", "for a person"), ("paused", "before the next try")):
            if any(stretch.kind == kind for stretch in self.stretches):
                facts.append(f"waited {length(self.seconds(kind))}{'' if short else f' {what}'}")
        if self.count == 1 and self.tries > 1:
            facts.append(f"{self.tries} tries")
        return facts


@dataclass(frozen=True, slots=True, repr=False)
class Timeline:
    """When each step of a run worked and what it waited for.

    It shows itself in notebooks as a picture with a table, and prints as text.
    """

    bars: tuple[Bar, ...]
    """One for each step, and for each round of one in a loop, in the order in which they began."""
    start: float
    """When the first of them began, in seconds since the epoch."""
    end: float
    """When the last of them ended, or ends so far."""

    @classmethod
    def of(cls, times: Iterable[StepTimes], *, now: float | None = None) -> Timeline:
        """Return the timeline of steps.

        Args:
            times: the steps; those that have neither begun nor asked are left out.
            now: where unfinished stretches end, in the events' clock; None: the last that is known.
        """
        known = [each for each in times if each.stretches]
        last = max((_end(s) for each in known for s in each.stretches), default=0.0)
        end = last if now is None else max(now, last)
        bars = [
            Bar(each.path, cast("ShownState", each.state), tuple(_ended(each.stretches, end)))
            for each in known
        ]
        bars.sort(key=lambda bar: bar.start)
        return cls(tuple(bars), bars[0].start if bars else 0.0, end)

    @property
    def seconds(self) -> float:
        """How long the run took, from the first step's start to the last one's end."""
        return max(self.end - self.start, 0.0)

    def folded(self, above: int = MAX_OPEN) -> list[Bar]:
        """Return the bars; of more than `above`, neighbours that only ran become one each.

        The longest twenty stay, so do the last eight, and all that failed, asked or were tried
        again.
        """
        if len(self.bars) <= above:
            return list(self.bars)
        ranked = sorted(self.bars, key=lambda bar: bar.end - bar.start, reverse=True)
        open_ones = {bar.path for bar in (*ranked[:LONGEST], *self.bars[-KEEP_AT_END:])}
        folded: list[Bar] = []
        group: list[Bar] = []
        for bar in self.bars:
            is_plain = bar.state in ("done", "skipped") and len(bar.stretches) == 1
            if is_plain and bar.path not in open_ones:
                group.append(bar)
                continue
            folded += _as_one(group)
            group = []
            folded.append(bar)
        return folded + _as_one(group)

    def headline(self) -> str:
        """Say in a sentence what the whole is.

        >>> Timeline.of([StepTimes("a", "done", (Stretch("ran", 5, 7, "done"),))]).headline()
        'Timeline: 1 step, 2 s in all'
        """
        asked, paused = (sum(bar.seconds(kind) for bar in self.bars) for kind in _WAITS)
        parts = [counted(len(self.bars), "step"), f"{length(self.seconds)} in all"]
        parts += [f"{length(asked)} of waiting for a person"] if asked else []
        parts += [f"{length(paused)} of waiting before the next try"] if paused else []
        return "Timeline: " + ", ".join(parts)

    def svg(self) -> str:
        """Return it as one `<svg>` element: a bar a step, the time from left to right."""
        from .timeline_svg import draw_timeline

        return draw_timeline(self)

    def to_frame(self) -> Any:
        """Return the stretches as a pandas `DataFrame`, one row each, in the order of the bars.

        Columns: ``step``; ``what`` (``ran``, ``waited for a person``, ``waited before the next
        try``); ``ended`` (how: ``done``, ``failed``, …); ``start`` (UTC); ``after_s``, seconds from
        the timeline's start; ``seconds``.

        Raises:
            ImportError: pandas isn't installed.
        """
        import pandas

        rows = [
            {
                "step": bar.path,
                "what": _WAITS.get(stretch.kind, "ran"),
                "ended": stretch.state,
                "start": datetime.fromtimestamp(stretch.start, UTC),
                "after_s": round(stretch.start - self.start, 6),
                "seconds": round(_end(stretch) - stretch.start, 6),
            }
            for bar in self.bars
            for stretch in bar.stretches
        ]
        columns = ["step", "what", "ended", "start", "after_s", "seconds"]
        return pandas.DataFrame(rows, columns=pandas.Index(columns))

    def __repr__(self) -> str:
        from .timeline_text import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        """Return it as HTML for a notebook: no script, everything escaped, on one line."""
        from .svg import data_uri

        bars = self.folded()
        head = "".join(f'<th scope="col">{name}</th>' for name in ("step", "state", "what"))
        rows = "".join(map(_html_row, bars[:MAX_ROWS]))
        more = f"<p>{_more(len(bars))}</p>" if len(bars) > MAX_ROWS else ""
        told = esc(self.headline())
        return (
            f'<div class="portia-record"><p><b>{told}</b></p>'
            f'<p><img src="{data_uri(self.svg())}" alt="{told}; the table below says the same" '
            f'style="max-width:100%"></p><details><summary>As a table</summary>'
            f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"
            "</details></div>"
        )


def length(seconds: float) -> str:
    """Return a length of time in at most three digits and its unit.

    >>> [length(v) for v in (0, 0.0024, 0.2, 3.25, 75, 7260)]
    ['0 s', '2 ms', '0.2 s', '3.2 s', '1 min 15 s', '2 h 1 min']
    """
    if seconds >= 3600:
        return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
    if seconds >= 60:
        return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"
    if 0 < seconds < 0.1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s".replace(".0 s", " s")


def _more(count: int) -> str:
    return f"and {count - MAX_ROWS} more"


def _html_row(bar: Bar) -> str:
    look = LOOKS[bar.state]
    cells = (bar.name[:500], f"{look.symbol} {look.word}", ", ".join(bar.facts()))
    return "<tr>" + "".join(f"<td>{prose(cell)}</td>" for cell in cells) + "</tr>"


def _end(stretch: Stretch) -> float:
    return stretch.start if stretch.end is None else stretch.end


def _ended(stretches: Iterable[Stretch], end: float) -> Iterable[Stretch]:
    for each in stretches:
        # Clocks jump: what ended before it began lasted no time.
        until = end if each.end is None else each.end
        yield Stretch(each.kind, each.start, max(until, each.start), each.state)


def _as_one(group: Sequence[Bar]) -> list[Bar]:
    if len(group) < MIN_FOLD:
        return list(group)
    # Where they overlap or touch they are one stretch; what lies between was nobody's.
    spans: list[list[float]] = []
    for bar in group:
        if spans and bar.start <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], bar.end)
        else:
            spans.append([bar.start, bar.end])
    state: ShownState = "done" if any(bar.state == "done" for bar in group) else "skipped"
    merged = tuple(Stretch("ran", start, end, state) for start, end in spans)
    return [Bar(group[0].path, state, merged, group[-1].path, len(group))]
