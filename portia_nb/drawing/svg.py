"""A picture as SVG that we write ourselves: small, always well-formed, nothing active in it.

Every word of a plan passes `esc`; there is no link, image, style sheet, script or foreign object,
and `check_svg` makes sure of that on the finished text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from urllib.parse import quote

from .clean import clean, cut_to_width, esc, width_of
from .graph import Area, Placed, Point, Route
from .looks import LINE_INK, LOOKS, NAME_INK, NOTE_INK
from .picture import (
    CARD_HEIGHT,
    CARD_WIDTH,
    Card,
    Frame,
    Line,
    Picture,
    ShownState,
    place as place_picture,
)
from .svg_check import check_svg

FONT = "-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
MARGIN = 8
NAME_X, NAME_Y = 42, 24
NAME_PX, NOTE_PX = 13, 11
NAME_ROOM = CARD_WIDTH - NAME_X - 10
# The widest word, "needs you", stands to the right of the note on the same line.
NOTE_ROOM = CARD_WIDTH - NAME_X - 12 - 62
COMMON_FACE = 0.87
"""How wide Arial's bold is, where `width_of` is the widest; `textLength` holds others to it."""
MIN_SHARED = 3
"""A note on so many cards is written once."""
MAX_CARDS_WITH_TASKS = 150
"""Above that, a title holds only what was cut from a name: 500 cards stay under 115 kB."""
MAX_TITLE_CHARS = 2_000

_DASHES = {"data": "", "after": ' stroke-dasharray="7 4"', "place": ' stroke-dasharray="2 5"'}
_TOLD: tuple[ShownState, ...] = (
    *("done", "skipped", "running", "asking", "uncertain", "failed", "stopped", "waiting"),
)
LEGEND_WIDTH = 330
_LEGEND = "dotted: keeps its place, as it asks or has side effects"


def draw_svg(
    picture: Picture, placed: Placed | None = None, *, prefix: str = "p", live: bool = False
) -> str:
    """Draw a picture as one `<svg>` element.

    Args:
        picture: what to draw.
        placed: where things stand, from `picture.place`; worked out here if not given.
        prefix: letters and digits put before every id, so that pictures can share a page.
        live: hold the looks of all states, not only of those that occur.

    Each card and titled frame is `<g id="{prefix}{id}" class="{state}">` whose first `<use>`
    shows the state; a live view changes it by setting `class` and `href="#{prefix}-{state}"`
    (`"#{prefix}-f-{state}"` for a frame).

    Guarantees: well-formed XML for any text whatever; the page behind stays transparent.

    Raises:
        ValueError: `prefix` is not letters and digits.
    """
    if not (prefix.isascii() and prefix.isalnum() and prefix[0].isalpha()):
        raise ValueError(f"prefix {prefix!r}: it must be ASCII letters and digits, a letter first")
    placed = placed or place_picture(picture)
    legend = any(line.kind == "place" for line in picture.lines)
    width = max(placed.width, LEGEND_WIDTH if legend else 0) + 2 * MARGIN
    height = placed.height + 2 * MARGIN + (34 if legend else 0)
    states = dict.fromkeys(LOOKS) if live else _states_of(picture)
    notes = _shared_notes(picture.cards, prefix)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(width)}" height="{_n(height)}" '
        f'viewBox="{-MARGIN} {-MARGIN} {_n(width)} {_n(height)}" role="img" '
        f'aria-label="{esc(describe(picture))}" font-family="{FONT}" '
        f'font-size="{NAME_PX}" font-weight="600" fill="{NAME_INK}">',
        "<defs>",
        *_symbols(prefix, states, bool(picture.frames)),
        *(_note(text, f' id="{name}"') for text, name in notes.items()),
        f'<marker id="{prefix}-tip" viewBox="0 0 8 8" refX="7.4" refY="4" markerWidth="8" '
        f'markerHeight="8" orient="auto" markerUnits="userSpaceOnUse">'
        f'<path d="M0 .4L8 4L0 7.6L1.8 4Z" fill="{LINE_INK}"/></marker>',
        "</defs>",
    ]
    depth: dict[str, int] = {}
    for frame in _outer_first(picture.frames):
        depth[frame.id] = depth.get(frame.parent or "", 0) + 1
        parts.append(_frame(frame, placed.areas[frame.id], prefix, depth[frame.id]))
    parts += _lines(picture.lines, placed.routes, prefix)
    with_task = len(picture.cards) <= MAX_CARDS_WITH_TASKS
    parts += [
        _card(card, placed.centres[card.id], prefix, notes, with_task) for card in picture.cards
    ]
    if legend:
        parts.append(_legend(placed.height + 12))
    parts.append("</svg>")
    svg = "".join(parts)
    check_svg(svg)
    return svg


def describe(picture: Picture) -> str:
    """Say in one line what a picture shows, for those who don't see it.

    >>> describe(Picture((Card("n0", "find", "search_tool", "done"), Card("n1", "sum", "llm"))))
    'Plan of 2 steps: 1 done, 1 waiting'
    """
    counts = picture.counts()
    total = sum(counts.values())
    shown = ", ".join(f"{counts[state]} {LOOKS[state].word}" for state in _TOLD if state in counts)
    noun = "step" if total == 1 else "steps"
    return f"Plan of {total} {noun}" + (f": {shown}" if shown else "")


def data_uri(svg: str) -> str:
    """Return `svg` as a percent-encoded URI for `<img src="…">`, safe inside double quotes.

    >>> data_uri('<svg a="1"/>')
    "data:image/svg+xml,%3Csvg a='1'/%3E"
    """
    # Attributes that hold a single quote (the font list) keep theirs as an entity.
    swapped = svg.replace("'", "&#39;").replace('"', "'")
    return "data:image/svg+xml," + quote(swapped, safe=" =:/'(),;~!$*+@-._")


def _states_of(picture: Picture) -> dict[ShownState, None]:
    things = (*picture.cards, *picture.frames)
    return dict.fromkeys(state for state in LOOKS if any(state == t.state for t in things))


def _symbols(prefix: str, states: Iterable[ShownState], frames: bool) -> Iterable[str]:
    for state in states:
        look = LOOKS[state]
        icon = look.icon.replace("{ink}", look.ink)
        dashes = f' stroke-dasharray="{look.dashes}"' if look.dashes else ""
        word = f'font-size="{NOTE_PX}" fill="{look.ink}"'
        yield (
            f'<g id="{prefix}-{state}" transform="translate(-{NAME_X} -{NAME_Y})">'
            f'<rect width="{CARD_WIDTH:g}" height="{CARD_HEIGHT:g}" rx="10" '
            f'fill="{look.fill}" stroke="{look.ink}" stroke-width="1.3"{dashes}/>'
            f'<g transform="translate(22 {CARD_HEIGHT / 2:g})">{icon}</g>'
            f'<text x="{CARD_WIDTH - 12:g}" y="42" text-anchor="end" {word}>{look.word}</text></g>'
        )
        if frames:
            yield (
                f'<g id="{prefix}-f-{state}"><g transform="translate(24 22)">{icon}</g>'
                f'<text x="40" y="40" {word}>{look.word}</text></g>'
            )


def _outer_first(frames: Iterable[Frame]) -> list[Frame]:
    waiting: dict[str | None, list[Frame]] = {}
    for frame in frames:
        waiting.setdefault(frame.parent, []).append(frame)
    ordered = waiting.get(None, [])[:]
    for frame in ordered:
        ordered += waiting.get(frame.id, [])
    return ordered


def _frame(frame: Frame, area: Area, prefix: str, depth: int) -> str:
    where = (
        f'x="{_n(area.left)}" y="{_n(area.top)}" width="{_n(area.width)}" '
        f'height="{_n(area.height)}" rx="14"'
    )
    if not frame.title:
        return f'<rect {where} fill="{LINE_INK}" fill-opacity=".13"/>'
    ground = "#fbfcfd" if depth % 2 else "#eef1f5"
    room = area.width - 40 - 12
    title = clean(frame.title)
    note = cut_to_width(clean(frame.note), max(room - 74, 20), NOTE_PX)
    return (
        f'<g id="{prefix}{frame.id}" class="{frame.state}">'
        f"<title>{esc(_limit(f'{title} · {frame.note}'))}</title>"
        f'<rect {where} fill="{ground}" stroke="#9aa4b0"/>'
        f'<g transform="translate({_n(area.left)} {_n(area.top)})">'
        f'<use href="#{prefix}-f-{frame.state}"/>'
        f'<text x="40" y="24">{esc(cut_to_width(title, room, NAME_PX))}</text>'
        f'<text x="{_n(area.width - 12)}" y="40" text-anchor="end" font-size="{NOTE_PX}" '
        f'font-weight="400" fill="{NOTE_INK}">{esc(note)}</text></g></g>'
    )


def _lines(lines: Iterable[Line], routes: Iterable[Route], prefix: str) -> Iterable[str]:
    paths: dict[str, dict[str, None]] = {}
    drawn: set[str] = set()
    # Data first: where two lines would lie on each other, only the one that carries data is drawn.
    order = {"data": 0, "after": 1, "place": 2}
    for line, route in sorted(
        zip(lines, routes, strict=True), key=lambda pair: order[pair[0].kind]
    ):
        path = _path(route)
        if path and path not in drawn:
            drawn.add(path)
            paths.setdefault(line.kind, {})[path] = None
    for kind in order:
        if kind in paths:
            shapes = "".join(f'<path d="{path}"/>' for path in paths[kind])
            yield (
                f'<g class="{kind}" fill="none" stroke="{LINE_INK}" stroke-width="1.5"'
                f'{_DASHES[kind]} marker-end="url(#{prefix}-tip)">{shapes}</g>'
            )


def _path(route: Route) -> str:
    """Write a route as SVG path data: relative, and `v` for what goes straight down."""
    if not route:
        return ""
    points = [(round(x), round(y)) for x, y in route]
    x, y = points[0]
    text = f"M{x} {y}"
    for start in range(1, len(points) - 2, 3):
        (ax, ay), (bx, by), (ex, ey) = points[start : start + 3]
        if ax == bx == ex == x:
            text += f"v{ey - y}"
        else:
            text += f"c{ax - x} {ay - y} {bx - x} {by - y} {ex - x} {ey - y}"
        x, y = ex, ey
    return text


def _shared_notes(cards: Iterable[Card], prefix: str) -> dict[str, str]:
    """Return an id for each note that stands on several cards."""
    counts = Counter(card.note for card in cards)
    shared = [note for note, count in counts.items() if count >= MIN_SHARED]
    return {note: f"{prefix}-t{index}" for index, note in enumerate(shared)}


def _note(note: str, attributes: str = "") -> str:
    text = esc(cut_to_width(clean(note), NOTE_ROOM / COMMON_FACE, NOTE_PX))
    return (
        f'<text{attributes} y="18" font-size="{NOTE_PX}" font-weight="400" fill="{NOTE_INK}">'
        f"{text}</text>"
    )


def _card(card: Card, centre: Point, prefix: str, notes: dict[str, str], with_task: bool) -> str:
    """Write one card, with the start of its name as the origin: that is the shortest."""
    name = clean(card.name)
    shown = cut_to_width(name, NAME_ROOM / COMMON_FACE, NAME_PX)
    width = width_of(shown, NAME_PX)
    length = f' textLength="{_n(width * COMMON_FACE)}"' if width > NAME_ROOM else ""
    if length:
        length += ' lengthAdjust="spacingAndGlyphs"'
    title = ""
    if with_task:
        full = f"{name} · {card.note}" + (f": {card.task}" if card.task else "")
        title = f"<title>{esc(_limit(full))}</title>"
    elif shown != name:
        title = f"<title>{esc(_limit(name))}</title>"
    x = _n(centre[0] - CARD_WIDTH / 2 + NAME_X)
    y = _n(centre[1] - CARD_HEIGHT / 2 + NAME_Y)
    note = f'<use href="#{notes[card.note]}"/>' if card.note in notes else _note(card.note)
    return (
        f'<g id="{prefix}{card.id}" class="{card.state}" transform="translate({x} {y})">{title}'
        f'<use href="#{prefix}-{card.state}"/>{note}<text{length}>{esc(shown)}</text></g>'
    )


def _legend(y: float) -> str:
    return (
        f'<g transform="translate(0 {_n(y)})">'
        f'<rect width="{LEGEND_WIDTH}" height="22" rx="11" fill="#f6f8fa"/>'
        f'<path d="M12 11H36" stroke="{LINE_INK}" stroke-width="1.5"{_DASHES["place"]}/>'
        f'<text x="44" y="15" font-size="{NOTE_PX}" font-weight="400" '
        f'fill="{NOTE_INK}">{esc(_LEGEND)}</text></g>'
    )


def _limit(text: str) -> str:
    return text if len(text) <= MAX_TITLE_CHARS else text[:MAX_TITLE_CHARS] + "…"


def _n(value: float) -> str:
    """Whole pixels: a fraction is not seen and costs a third of the picture's size."""
    return str(round(value))
