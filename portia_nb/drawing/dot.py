"""A plan as Graphviz source, for those who want to lay it out or style it themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from portia_nb.model.order import Waits
from portia_nb.model.plan import Plan

from .clean import clean
from .looks import LINE_INK, LOOKS, NAME_INK
from .picture import Picture, ShownState
from .plan_picture import plan_picture

MAX_LABEL_CHARS = 200
_STYLES = {"data": "", "after": "style=dashed", "place": "style=dotted"}


def plan_to_dot(
    plan: Plan,
    states: Mapping[str, ShownState] | None = None,
    *,
    order: Mapping[str, Waits] | None = None,
) -> str:
    r"""Return Graphviz source that `dot` draws: a node for each step, an edge for each wait.

    Args:
        plan: any plan.
        states: how steps stand, by name; None leaves states out.
        order: what each step waits for, as in `plan_picture`.

    Guarantees: valid source whatever the names say, with no HTML label, link or tooltip. Dashed
    edges are `after=`, dotted ones are places kept.

    >>> print(plan_to_dot(Plan(steps=[{"task": "Say hello", "output": "$hello"}])))
    digraph plan {
        graph [rankdir=TB, nodesep=0.35, ranksep=0.5, bgcolor=transparent]
        node [shape=box, style="rounded,filled", fontname="Helvetica", fontcolor="#1f2328"]
        edge [color="#7d8793", arrowsize=0.7]
        n0 [label="hello\nmodel", fillcolor="#f6f8fa", color="#656e7a"]
    }
    """
    picture = plan_picture(plan, states, order=order)
    lines = [
        "digraph plan {",
        "    graph [rankdir=TB, nodesep=0.35, ranksep=0.5, bgcolor=transparent]",
        '    node [shape=box, style="rounded,filled", fontname="Helvetica", '
        f'fontcolor="{NAME_INK}"]',
        f'    edge [color="{LINE_INK}", arrowsize=0.7]',
    ]
    if plan.plan_context.query:
        lines.append(f'    labelloc="t"; label={quote(plan.plan_context.query)}')
    if picture.frames:
        lines.append("    compound=true")  # lines may end at a frame
    lines += _body(picture, None, "    ", with_states=states is not None)
    inside = _first_cards(picture)
    for line in picture.lines:
        tail, head = inside.get(line.tail, line.tail), inside.get(line.head, line.head)
        marks = [_STYLES[line.kind]] if _STYLES[line.kind] else []
        marks += [f"ltail=cluster_{line.tail}"] if line.tail in inside else []
        marks += [f"lhead=cluster_{line.head}"] if line.head in inside else []
        lines.append(f"    {tail} -> {head}" + (f" [{', '.join(marks)}]" if marks else ""))
    lines.append("}")
    return "\n".join(lines)


def _body(picture: Picture, frame: str | None, indent: str, *, with_states: bool) -> Iterator[str]:
    """Yield the lines of the cards and frames that stand in `frame`."""
    for card in picture.cards:
        if card.frame != frame:
            continue
        look = LOOKS[card.state]
        rows = [card.name, card.note]
        if with_states:
            rows.append(f"{look.symbol} {look.word}")
        colours = f'fillcolor="{look.fill}", color="{look.ink}"'
        yield f"{indent}{card.id} [label={quote(*rows)}, {colours}]"
    for inner in picture.frames:
        if inner.parent != frame:
            continue
        look = LOOKS[inner.state]
        rows = [row for row in (inner.title, inner.note) if row]
        if with_states:
            rows.append(f"{look.symbol} {look.word}")
        yield f"{indent}subgraph cluster_{inner.id} {{"
        yield f'{indent}    label={quote(*rows)}; labeljust=l; color="{look.ink}"'
        yield from _body(picture, inner.id, indent + "    ", with_states=with_states)
        yield f"{indent}}}"


def _first_cards(picture: Picture) -> dict[str, str]:
    """Return, for each frame, the first card inside it: `dot` draws lines between cards only."""
    parent = {frame.id: frame.parent for frame in picture.frames}
    first: dict[str, str] = {}
    for card in picture.cards:
        frame = card.frame
        while frame is not None:
            first.setdefault(frame, card.id)
            frame = parent[frame]
    return first


def quote(*rows: str) -> str:
    r"""Return a quoted Graphviz string that shows each of `rows` on a line, letter for letter.

    A backslash would start an escape (`\N` is the node's name), `&` an HTML entity, and an
    unescaped quote would end the string; nothing else is special between quotes.
    See https://graphviz.org/doc/info/lang.html

    >>> print(quote('say "hi"', "C:\\N & <b>"))
    "say \"hi\"\nC:\\N &amp; <b>"
    """
    shown = (clean(row) for row in rows)
    cut = (row if len(row) <= MAX_LABEL_CHARS else row[:MAX_LABEL_CHARS] + "…" for row in shown)
    escaped = (row.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") for row in cut)
    return '"' + "\\n".join(escaped) + '"'
