"""What stays in the notebook: plans and runs as bundles that need no script, kernel or extension.

One view (`view_state`) is said three times: `text/html` with the picture as an `<img>`,
`text/plain`, and JSON for our own extension. A front end shows the best of them that it trusts.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from portia_nb.drawing.clean import untypeset
from portia_nb.drawing.looks import LOOKS
from portia_nb.drawing.picture import ShownState
from portia_nb.drawing.svg import data_uri
from portia_nb.drawing.timeline import Timeline
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun, Run
from portia_nb.model.stretches import times_of

from .plan_rows import Order, SideEffects, View
from .record_text import view_to_text
from .shown_output import OutputRoom, Shown
from .snapshot_view import run_of
from .view_picture import draw_picture, packed
from .view_rows import (
    Fold,
    again_line,
    by_round,
    duration,
    fold_finished,
    said_of,
    state_words,
    waits_of,
)
from .view_state import plan_view, run_view
from .visible_text import one_line

PLAN_MIME = "application/vnd.portia.plan+json"
RUN_MIME = "application/vnd.portia.run+json"
LARGE = 150
"""Steps above which finished ones are folded and outputs get less room."""
LARGE_TOTAL_BYTES = 20_000
LARGE_IMAGE_BYTES = 8_000
LARGE_TASK_CHARS = 50
MAX_PICTURE_CHARS = 110_000
FOLD_AWAY_CHARS = 400

Bundle = dict[str, Any]


def plan_bundle(
    plan: Plan, *, order: Order | None = None, side_effects: SideEffects | None = None
) -> Bundle:
    """Return the bundle of a plan that has not run.

    Args:
        plan: any plan.
        order: what each step waits for, from `portia_nb.model.order.waits`.
        side_effects: the effective side effect of steps by name.

    Guarantees: no script, link, style sheet or address; all text of the plan is escaped; under
    200 kB for 500 steps.
    """
    view = _trimmed(plan_view(plan, order=order, side_effects=side_effects))
    return _bundle(PLAN_MIME, view, draw_picture(plan, order=order))


def run_bundle(
    run: Run | PlanRun,
    plan: Plan | None = None,
    *,
    order: Order | None = None,
    side_effects: SideEffects | None = None,
) -> Bundle:
    """Return the bundle of a run as it stands, with outputs of 2 kB each and 64 kB in all.

    Args:
        run: a run, or a snapshot of one, which knows no times.
        plan: the plan of a snapshot; None shows its outputs as the steps.
        order: as in `plan_bundle`.
        side_effects: as in `plan_bundle`.

    Guarantees: as `plan_bundle`; images take 128 kB more at most, 16 kB above 150 steps.
    """
    if isinstance(run, PlanRun):
        run = run_of(run, plan)
    room = OutputRoom()
    if len(run.plan.steps) > LARGE:
        room = OutputRoom(LARGE_TOTAL_BYTES, image_bytes=LARGE_IMAGE_BYTES)
    view = run_view(run, order=order, side_effects=side_effects, room=room)
    svg = draw_picture(run.plan, run, order=order)
    timeline = Timeline.of([times_of(record) for record in run.steps.values()])
    return _bundle(RUN_MIME, _trimmed(view), svg, timeline)


def _trimmed(view: View) -> View:
    if len(view["steps"]) > LARGE:
        for row in view["steps"]:
            if len(row.get("task", "")) > LARGE_TASK_CHARS:
                row["task"] = row["task"][: LARGE_TASK_CHARS - 1] + "…"
    return view


def _bundle(mime: str, view: View, svg: str, timeline: Timeline | None = None) -> Bundle:
    return {
        "text/html": view_to_html(view, svg, timeline),
        "text/plain": view_to_text(view),
        mime: {**view, "picture": packed(svg)},
    }


# -- html ----------------------------------------------------------------------------------------


def view_to_html(view: View, svg: str | None = None, timeline: Timeline | None = None) -> str:
    r"""Return a view as HTML on a single line.

    A blank line would end the HTML block where this is put into Markdown (nbconvert), and what a
    tool said after it would be read as Markdown, remote images included.

    Guarantees: every text is escaped; there is no line end, script, link or remote address.
    """
    folded = fold_finished(by_round(view["steps"]), above=LARGE)
    parts = [f"<p>{_headline(view)}</p>"]
    if "error" in view:
        parts.append(_error(view["error"]))
    if "final" in view:
        parts.append(f"<p><b>Result</b></p>{_output(view['final'], fold=False)}")
    parts += [
        f"<p><b>{_word('asking')}</b> {_prose(question['text'])}</p>"
        for question in view.get("questions", ())
    ]
    if "next" in view:
        parts.append(f"<p>{_prose(view['next'])}</p>")
    uri = data_uri(svg) if svg is not None else ""
    if uri and len(uri) <= MAX_PICTURE_CHARS:
        parts.append(
            f'<p><img src="{uri}" alt="{_escaped(_alt(view))}" style="max-width:100%"></p>'
        )
    parts.append(f"<ol>{''.join(map(_row, folded))}</ol>")
    if again := again_line(view):
        parts.append(f"<p>{_prose(again)}</p>")
    if timeline is not None and len(timeline.bars) > 1 and timeline.seconds > 0:
        parts.append(_timeline(timeline))
    return f'<div class="portia-record">{"".join(parts)}</div>'


def _timeline(timeline: Timeline) -> str:
    """Show when steps ran, folded away: the list above says the same of each step in words."""
    told = _escaped(timeline.headline())
    return (
        f"<details><summary>{told}</summary>"
        f'<p><img src="{data_uri(timeline.svg())}" alt="{told}" style="max-width:100%"></p>'
        "</details>"
    )


def _headline(view: View) -> str:
    looks, word = state_words(view)
    steps = view["steps"]
    done = sum(row.get("state") in ("done", "skipped") for row in steps)
    count = f"{len(steps)} step{'' if len(steps) == 1 else 's'}"
    facts = [
        f"{done} of {count}" if view["kind"] == "run" else count,
        *([duration(view["end"])] if view.get("end") else []),
        *([view["spent"]] if "spent" in view else []),
        *(["scripted model"] if view.get("scripted") else []),
        *([view["approved"]] if view.get("approved") else []),
    ]
    symbol = LOOKS[looks].symbol
    return f"<b>{symbol} {word}</b> · <b>{_prose(view['title'])}</b> · {_prose(' · '.join(facts))}"


def _row(row: View | Fold) -> str:
    if isinstance(row, Fold):
        # Numbers go on after the steps that are folded.
        return f'<li value="{row.first}">{_prose(row.sentence())}</li>'
    state = row.get("state")
    head = f"{_word(state)} <b>{_prose(row.get('name', row['path']))}</b>"
    facts = [
        row.get("tool", ""),
        duration(row["end"] - row["start"]) if "end" in row and "start" in row else "",
        f"attempt {row['attempt']}" if "attempt" in row else "",
        *waits_of(row),
        row.get("spent", ""),
    ]
    lines = [head + "".join(f" · {_prose(fact)}" for fact in facts if fact)]
    lines += map(_prose, said_of(row))
    text = "<br>".join(lines)
    if "error" in row:
        text += _error(row["error"])
    if "output" in row:
        text += _output(row["output"])
    return f"<li>{text}</li>"


def _word(state: ShownState | None) -> str:
    return f"{LOOKS[state].symbol} {LOOKS[state].word}" if state else ""


def _error(error: View) -> str:
    where = f" in step {error['step']}" if "step" in error else ""
    return f"<p><b>{_prose(error['type'] + where)}</b></p>{_pre(error['message'])}"


def _output(output: Shown, *, fold: bool = True) -> str:
    parts: list[str] = []
    if "summary" in output:
        parts.append(f"<p>{_prose(output['summary'])}</p>")
    if "table" in output:
        parts.append(_table(output["table"]))
    if "image" in output:
        image = output["image"]
        source = f"data:{image['mime']};base64,{image['data']}"
        about = _escaped(image["about"])
        parts.append(f'<p><img src="{source}" alt="{about}" style="max-width:100%"></p>')
    text = output.get("text", output.get("json"))
    if text is not None:
        body = _pre(text)
        if fold and len(text) > FOLD_AWAY_CHARS:
            start = " ".join(text[:120].split())
            body = f"<details><summary>{_prose(start)}…</summary>{body}</details>"
        parts.append(body)
    if "cut" in output:
        parts.append(f"<p><i>… {_prose(output['cut'])}</i></p>")
    return "".join(parts)


def _table(table: dict[str, Any]) -> str:
    head = "".join(f'<th scope="col">{_prose(name)}</th>' for name in table["columns"])
    rows = (
        "<tr>" + "".join(f"<td>{_prose(cell)}</td>" for cell in row) + "</tr>"
        for row in table["rows"]
    )
    count = table.get("count", len(table["rows"]))
    said = f"<p>{count:,} row{'' if count == 1 else 's'}</p>"
    return f"{said}<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _pre(text: str) -> str:
    # Math is never typeset inside <pre>.
    return f'<pre style="white-space:pre-wrap">{_escaped(text)}</pre>'


def _prose(text: str) -> str:
    """Escape text outside `<pre>`, where notebooks would typeset what stands between dollars."""
    return untypeset(_escaped(text))


def _escaped(text: str) -> str:
    return escape(text, quote=True).replace("\n", "&#10;")


def _alt(view: View) -> str:
    names: Iterable[str] = (row.get("name", row["path"]) for row in view["steps"][:12])
    more = len(view["steps"]) - 12
    listed = ", ".join(names) + (f" and {more} more" if more > 0 else "")
    return one_line(f"Graph of the plan's steps: {listed}", 600)
