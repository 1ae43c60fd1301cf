"""Large pictures made readable: a panel for steps that stand alike, a card for finished levels."""

from __future__ import annotations

from dataclasses import replace

from .picture import Card, Frame, Line, Picture, ShownState
from .ranks import rank_boxes

MIN_PANEL = 6
"""So many steps that wait for the same and feed the same stand in a panel."""
MAX_CARDS = 150
MAX_OPEN_END = 8
FINISHED: frozenset[ShownState] = frozenset(("done", "skipped"))


def readable(picture: Picture) -> Picture:
    """Return the picture as the static views show it: finished levels folded, alike steps grouped.

    A live view groups only (`group_alike`): its cards must stay where they are.
    """
    return group_alike(collapse_finished(picture))


def group_alike(picture: Picture) -> Picture:
    """Put steps that have the same lines in and out into an untitled panel.

    Twenty parallel searches become a block of rows instead of a row 5,000 pixels wide, and
    forty lines become two. Ids of cards stay, so live updates find them.
    """
    around: dict[str, list[tuple[str, str, str]]] = {card.id: [] for card in picture.cards}
    for line in picture.lines:
        if line.tail in around:
            around[line.tail].append(("out", line.head, line.kind))
        if line.head in around:
            around[line.head].append(("in", line.tail, line.kind))
    alike: dict[tuple[str | None, frozenset[tuple[str, str, str]]], list[str]] = {}
    for card in picture.cards:
        alike.setdefault((card.frame, frozenset(around[card.id])), []).append(card.id)
    panels: list[Frame] = []
    panel_of: dict[str, str] = {}
    for (frame, _), members in alike.items():
        everything = len(members) == len(picture.cards) and not picture.frames
        if len(members) >= MIN_PANEL and not everything:
            panel = f"g{len(panels)}"
            panels.append(Frame(panel, parent=frame))
            panel_of.update(dict.fromkeys(members, panel))
    if not panels:
        return picture
    return replace(
        picture,
        cards=tuple(replace(c, frame=panel_of.get(c.id, c.frame)) for c in picture.cards),
        lines=_moved(picture.lines, panel_of),
        frames=picture.frames + tuple(panels),
    )


def collapse_finished(picture: Picture, *, max_cards: int = MAX_CARDS) -> Picture:
    """Fold levels that are finished from top to bottom into one card for each run of them.

    A picture of at most `max_cards` cards comes back as it is. Only cards outside frames, or
    frames as a whole, are folded; the last level stays open if it has at most eight.
    A folded card's id is the first id that it stands for; `ids` leads every step to its card.
    """
    if len(picture.cards) <= max_cards:
        return picture
    top_of = _tops(picture)
    units = list(dict.fromkeys(top_of[card.id] for card in picture.cards))
    place = {unit: index for index, unit in enumerate(units)}
    arcs = [(place[top_of[line.tail]], place[top_of[line.head]]) for line in picture.lines]
    rank = rank_boxes(len(units), arcs).rank
    open_levels = {
        rank[place[top_of[card.id]]] for card in picture.cards if card.state not in FINISHED
    }
    last = max(rank, default=0)
    if rank.count(last) <= MAX_OPEN_END:
        open_levels.add(last)
    fold_of: dict[str, str] = {}
    heads: dict[int, str] = {}
    for unit in sorted(units, key=lambda unit: (rank[place[unit]], place[unit])):
        level = rank[place[unit]]
        if level in open_levels:
            continue
        # The run of finished levels that this level belongs to is known by its first level.
        first = level
        while first > 0 and first - 1 not in open_levels:
            first -= 1
        fold_of[unit] = heads.setdefault(first, unit)
    return _folded(picture, top_of, fold_of) if fold_of else picture


def _tops(picture: Picture) -> dict[str, str]:
    """Return for each card and frame the outermost frame around it, or itself."""
    parent = {frame.id: frame.parent for frame in picture.frames}
    parent.update((card.id, card.frame) for card in picture.cards)
    tops: dict[str, str] = {}
    for item in parent:
        top = item
        while (holder := parent[top]) is not None:
            top = holder
        tops[item] = top
    return tops


def _folded(picture: Picture, top_of: dict[str, str], fold_of: dict[str, str]) -> Picture:
    target = {item: fold_of.get(top, item) for item, top in top_of.items()}
    # A card's id must not be that of a frame that goes: name the fold by its first card.
    first_card: dict[str, str] = {}
    counts: dict[str, int] = {}
    states: dict[str, set[ShownState]] = {}
    for card in picture.cards:
        if top_of[card.id] in fold_of:
            fold = target[card.id]
            first_card.setdefault(fold, card.id)
            counts[fold] = counts.get(fold, 0) + card.count
            states.setdefault(fold, set()).add(card.state)
    target = {item: first_card.get(to, to) for item, to in target.items()}
    cards: list[Card] = []
    for card in picture.cards:
        if top_of[card.id] not in fold_of:
            cards.append(card)
        elif target[card.id] == card.id:
            fold = fold_of[top_of[card.id]]
            state: ShownState = "skipped" if states[fold] == {"skipped"} else "done"
            count = counts[fold]
            name = f"{count} steps" if count > 1 else card.name
            cards.append(Card(card.id, name, "finished", state, count=count))
    return Picture(
        cards=tuple(cards),
        lines=_moved(picture.lines, target),
        frames=tuple(frame for frame in picture.frames if top_of[frame.id] not in fold_of),
        ids={name: target.get(item, item) for name, item in (picture.ids or {}).items()},
    )


def _moved(lines: tuple[Line, ...], target: dict[str, str]) -> tuple[Line, ...]:
    """Return the lines between what now stands for their ends, each once."""
    moved: dict[tuple[str, str], Line] = {}
    for line in lines:
        tail, head = target.get(line.tail, line.tail), target.get(line.head, line.head)
        if tail == head:
            continue
        kept = moved.get((tail, head))
        if kept is None or (line.kind == "data" and kept.kind != "data"):
            moved[tail, head] = Line(tail, head, line.kind)
    return tuple(moved.values())
