"""What exactly differs in each value of two runs, as text and as HTML: words, numbers, cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portia_nb.drawing.clean import clean, prose
from portia_nb.drawing.text import counted, cut_cells, short_text

from .value_difference import Change, Piece, ValueDifference, by_how_much, difference_of

if TYPE_CHECKING:
    from .comparison import RunComparison

MAX_VALUES = 20
"""Values whose difference is told; what it costs to find them is bounded by this, too."""
MAX_LINES = 20
"""Changes of one value that are told."""
MAX_PIECES = 80
_AROUND = 40
"""Characters of what is the same, before and after what differs."""
_LONGEST = 400
"""Characters of one part that differs."""
_VALUE = 60


@dataclass(frozen=True, slots=True)
class Detail:
    """Where one value of two runs differs."""

    name: str
    """What differs: a step's path, or ``input city``, or ``final output``."""
    difference: ValueDifference


def details_of(found: RunComparison) -> tuple[Detail, ...]:
    """Return where the values of a comparison differ, each value that says more than itself once.

    Guarantees: at most `MAX_VALUES`, in the order in which they are listed; what is a step's output
    isn't told again as the final output.
    """
    return tuple(_details(found))


def _details(found: RunComparison) -> Iterator[Detail]:
    left = MAX_VALUES
    for name, a, b in _pairs(found):
        if left and (difference := difference_of(a, b)) is not None:
            left -= 1
            yield Detail(name, difference)


def _pairs(found: RunComparison) -> Iterator[tuple[str, Any, Any]]:
    for word, values in (("input", found.inputs), ("answer", found.answers)):
        yield from ((f"{word} {v.name}", v.a, v.b) for v in values if v.how == "differs")
    seen: set[tuple[int, int]] = set()
    for step in found.steps:
        if step.how == "differs" and step.a is not None and step.b is not None:
            seen.add((id(step.a.value), id(step.b.value)))
            yield step.path, step.a.value, step.b.value
    final = found.final
    if final.how == "differs" and (id(final.a), id(final.b)) not in seen:
        yield "final output", final.a, final.b


def details_text(details: tuple[Detail, ...]) -> Iterator[str]:
    """Yield the lines that tell of the differences; ``[-gone-]`` and ``{+new+}`` mark words."""
    if details:
        yield from ("", "Differences")
    for detail in details:
        head, lines = clean(detail.name), list(_lines(detail.difference))
        if detail.difference.pieces:
            parts = "".join(_marked(each) for each in _shortened(detail.difference.pieces))
            lines = [" ".join(parts.split())]
        yield f"{cut_cells(head, _VALUE)}: {lines[0]}" if len(lines) == 1 else f"{head}:"
        yield from (f"  {line}" for line in lines if len(lines) > 1)
        if rest := _rest(detail.difference):
            yield f"  {rest}"


def details_html(details: tuple[Detail, ...]) -> str:
    """Return the differences as HTML on a single line; ``del`` and ``ins`` mark words."""
    items: list[str] = []
    for detail in details:
        difference = detail.difference
        if difference.pieces:
            told = "".join(_element(each) for each in _shortened(difference.pieces))
        else:
            lines = "".join(f"<li>{prose(line)}</li>" for line in _lines(difference))
            told = f"<ul>{lines}</ul>"
        rest = _rest(difference)
        more = f" <i>{prose(rest)}</i>" if rest else ""
        items.append(f"<li><b>{prose(detail.name)}</b>: {told}{more}</li>")
    return f"<p><b>Differences</b></p><ul>{''.join(items)}</ul>" if items else ""


def _lines(difference: ValueDifference) -> Iterator[str]:
    yield from map(_line, difference.changes[:MAX_LINES])


def _line(change: Change) -> str:
    # Names of places come from the data, and are cut as values are.
    place = f"{cut_cells(clean(change.place), _VALUE)}: " if change.place else ""
    if change.how == "removed":
        return f"{place}only in A: {_value(change.a)}"
    if change.how == "added":
        return f"{place}only in B: {_value(change.b)}"
    much = by_how_much(change.a, change.b)
    return f"{place}{_value(change.a)} → {_value(change.b)}{f' ({much})' if much else ''}"


def _value(value: Any) -> str:
    return cut_cells(short_text(value, 500), _VALUE)


def _rest(difference: ValueDifference) -> str:
    more = len(difference.changes) - MAX_LINES
    if difference.changes:
        if difference.is_cut:
            return "and more: it is too large to compare all of it" if more <= 0 else "and more"
        return f"and {counted(more, 'more change')}" if more > 0 else ""
    return "(too long to compare word by word)" if difference.is_cut else ""


def _shortened(pieces: tuple[Piece, ...]) -> Iterator[Piece]:
    """Yield the pieces with long ones cut; of what is the same, what stands beside a change."""
    last = len(pieces) - 1
    for n, piece in enumerate(pieces[:MAX_PIECES]):
        text = piece.text
        if piece.how != "same":
            text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
        elif len(text) > 2 * _AROUND:
            before = "" if n == 0 else text[:_AROUND]
            after = "" if n == last else text[-_AROUND:]
            text = f"{before}…{after}"
        yield Piece(piece.how, text)
    if last >= MAX_PIECES:
        yield Piece("same", " … and more")


def _marked(piece: Piece) -> str:
    text = clean(piece.text)
    match piece.how:
        case "removed":
            return f"[-{text}-]"
        case "added":
            return f"{{+{text}+}}"
        case _:
            return text


def _element(piece: Piece) -> str:
    text = prose(piece.text)
    match piece.how:
        case "removed":
            return f"<del>{text}</del>"
        case "added":
            return f"<ins>{text}</ins>"
        case _:
            return text
