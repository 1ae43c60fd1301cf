"""A run as one page to share: `run.html`, readable everywhere, with no script and no request.

The page holds everything itself: its style is allowed by its hash, pictures are data, and the
policy in its head lets nothing else in, whatever a tool or a model said. Times are UTC, and nothing
in it depends on when or where it was made.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from portia_nb.drawing.looks import LOOKS, REUSED
from portia_nb.drawing.plan_picture import shown_states
from portia_nb.drawing.plan_svg import plan_to_svg
from portia_nb.drawing.svg import data_uri
from portia_nb.drawing.timeline import Timeline
from portia_nb.errors import StepNotFoundError
from portia_nb.model.clarification import Clarification
from portia_nb.model.estimate import dollars
from portia_nb.model.events import (
    AgentToolCalled,
    AgentToolReturned,
    Recorded,
    RunStarted,
    StepFailed,
    StepStarted,
    ToolCalled,
)
from portia_nb.model.plan import AnyStep, Plan, tools_text
from portia_nb.model.prices import price_of
from portia_nb.model.refusal import refused_by, told_no
from portia_nb.model.run import Run, StepRecord
from portia_nb.model.stretches import times_of
from portia_nb.storage.history import RunWork, work_in

from .history import length, state_of
from .page_parts import Room, folded, prose, table, value_html
from .run_document import RunDocument, made_with

MAX_STEPS = 2_000
MAX_CALLS = 200
_STYLE = """
:root{color-scheme:light dark;--line:#8886;--soft:#8881}
body{background:Canvas;color:CanvasText;font:15px/1.5 system-ui,sans-serif;
max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.15rem;margin-top:2rem}
h3{font-size:1rem;margin:1rem 0 .25rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--soft);padding:.5rem;
border-radius:4px}
table{border-collapse:collapse;font-size:.9em}caption{text-align:left;font-style:italic}
th,td{text-align:left;vertical-align:top;border:1px solid var(--line);padding:.2rem .5rem;
overflow-wrap:anywhere}
.scroll{overflow-x:auto}img{max-width:100%;background:#fff;border-radius:4px}
li.step{border-top:1px solid var(--line);padding:.5rem 0}summary{cursor:pointer;padding:.2rem 0}
dt{font-weight:600}dd{margin:0 0 .4rem 1rem;overflow-wrap:anywhere}
@media print{details>*{display:block}}
"""


def run_page(document: RunDocument) -> str:
    """Return the page of a run."""
    events = document.recorded()
    run = document.run()
    work = work_in(document.plan, events)
    room = Room()
    parts = [
        _head(document, run, work),
        _ending(run, room),
        _pictures(document.plan, run),
        f"<h2>Steps</h2><ol>{''.join(_steps(document.plan, run, events, room))}</ol>",
        _questions(run, room),
        _cost(work),
        _plan(document, room),
        _provenance(document, run, events),
    ]
    return whole_page(_goal(document.plan), parts)


def whole_page(title: str, parts: Iterable[str]) -> str:
    """Return a page of parts that are HTML already; `title` is text."""
    sha = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{sha}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{prose(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><main>\n{chr(10).join(part for part in parts if part)}\n</main></body></html>\n"
    )


def _goal(plan: Plan) -> str:
    return " ".join(plan.plan_context.query.split())[:1_000] or "Plan"


def _head(document: RunDocument, run: Run, work: RunWork) -> str:
    is_no = refused_by(run.error, run.clarifications.values()) is not None
    word = "ended by a no" if is_no else state_of(document.row)
    look = LOOKS[_LOOKS.get(word, "stopped")]
    calls = sum(asked.calls for asked in work.asked.values())
    facts = [
        f"{look.symbol} {word}",
        f"{len(work.over)} of {work.steps} steps",
        f"took {length(work.seconds)}" if work.started_at is not None else "",
        f"{calls} model calls" if calls else "",
        f"started {_utc(work.started_at)}" if work.started_at is not None else "",
        "scripted model" if document.plan.scripted else "",
    ]
    said = " · ".join(fact for fact in facts if fact)
    return f"<h1>{prose(_goal(document.plan))}</h1><p>{prose(said)}</p>"


_LOOKS: Mapping[str, Any] = {
    "not started": "waiting",
    "running": "running",
    "needs you": "asking",
    "done": "done",
    "failed": "failed",
}


def _ending(run: Run, room: Room) -> str:
    if question := refused_by(run.error, run.clarifications.values()):
        return f"<h2>Ended by a no</h2><p>{prose(question.user_guidance)}</p>"
    if run.error is not None:
        where = f" in step {run.error.step}" if run.error.step else ""
        return f"<h2>Failed{prose(where)}</h2>{_error(run.error, room)}"
    if run.final is None:
        return ""
    return f"<h2>Result</h2>{value_html(run.final.value, room, run.final.summary)}"


def _error(error: Any, room: Room) -> str:
    trace = ""
    if error.traceback:
        trace = f"<details><summary>Traceback</summary>{folded(error.traceback, room)}</details>"
    return f"<p><b>{prose(error.type)}</b></p>{folded(error.message, room)}{trace}"


def _pictures(plan: Plan, run: Run) -> str:
    picture = data_uri(plan_to_svg(plan, shown_states(run)))
    names = ", ".join(step.name for step in plan.steps[:20])
    parts = [
        f'<h2>Picture</h2><p><img src="{picture}" alt="Graph of the steps: {prose(names)}"></p>'
    ]
    timeline = Timeline.of([times_of(record) for record in run.steps.values()])
    if timeline.bars:
        chart = data_uri(timeline.svg())
        parts.append(
            f'<h2>Timeline</h2><p><img src="{chart}" alt="{prose(timeline.headline())}"></p>'
        )
    return "".join(parts)


def _steps(plan: Plan, run: Run, events: list[Recorded], room: Room) -> Iterator[str]:
    told: dict[str, list[Recorded]] = {}
    for recorded in events:
        path = getattr(recorded.event, "path", None)
        if path:
            told.setdefault(path, []).append(recorded)
    for path in [p for p in run.steps if p[-1] != "]"][:MAX_STEPS]:
        try:
            step = plan.step(path)
        except StepNotFoundError:
            step = None
        yield _step(path, step, run.steps[path], told.get(path, []), room)
    more = len(run.steps) - MAX_STEPS
    if more > 0:
        yield f"<li>and {more:,} more</li>"
    symbol = LOOKS["waiting"].symbol
    for step in plan.steps:
        if step.name not in run.steps:
            yield f'<li class="step">{symbol} <b>{prose(step.name)}</b> not run</li>'


def _step(
    path: str, step: AnyStep | None, record: StepRecord, told: list[Recorded], room: Room
) -> str:
    is_no = told_no(record)
    look = LOOKS["uncertain" if record.uncertain else "stopped" if is_no else record.state.value]
    used = record.usage
    times = (record.started_at, record.ended_at)
    facts = [
        tools_text(step) if step is not None else "",
        length(times[1] - times[0]) if times[0] is not None and times[1] is not None else "",
        f"{used.calls} model calls, {used.input_tokens + used.output_tokens:,} tokens"
        if used.calls
        else "",
        REUSED.get(record.reused, "reused") if record.reused else "",
        "answered no" if is_no else record.reason,
    ]
    head = f"{look.symbol} {look.word} <b>{prose(path)}</b>"
    parts = [head + "".join(f" · {prose(fact)}" for fact in facts if fact)]
    if step is not None and step.task:
        parts.append(f"<p>{prose(step.task)}</p>")
    if not is_no:
        parts += _attempts(told, room)
    parts += _calls(told, room)
    if record.state.value == "done":
        parts.append(value_html(record.value, room, record.summary))
    return f'<li class="step">{"".join(parts)}</li>'


def _attempts(told: list[Recorded], room: Room) -> Iterator[str]:
    count = sum(isinstance(each.event, StepStarted) for each in told)
    for recorded in told:
        if isinstance(event := recorded.event, StepFailed):
            again = f", tried again after {length(event.retry_in_s)}" if event.retry_in_s else ""
            yield f"<p>Attempt {event.attempt} of {count} failed{again}:</p>"
            yield _error(event.error, room)


def _calls(told: list[Recorded], room: Room) -> Iterator[str]:
    calls = [each.event for each in told if isinstance(each.event, ToolCalled)]
    answers = {e.event.call: e.event for e in told if isinstance(e.event, AgentToolReturned)}
    for call in calls[:MAX_CALLS]:
        yield (
            f"<details><summary>Called {prose(call.tool_id)}</summary>"
            f"{value_html(call.arguments, room)}"
        )
        if isinstance(call, AgentToolCalled) and (back := answers.get(call.call)) is not None:
            yield "<p>which came back with</p>"
            yield (
                value_html(back.value, room, back.summary)
                if back.error is None
                else _error(back.error, room)
            )
        yield "</details>"
    if len(calls) > MAX_CALLS:
        yield f"<p>and {len(calls) - MAX_CALLS:,} more calls</p>"


def _questions(run: Run, room: Room) -> str:
    asked = list(run.clarifications.values())
    if not asked:
        return ""
    items = "".join(f"<li>{_question(each, room)}</li>" for each in asked)
    return f"<h2>Questions and answers</h2><ol>{items}</ol>"


def _question(asked: Clarification, room: Room) -> str:
    where = f" ({asked.path})" if asked.path else ""
    question = f"<b>{prose(asked.user_guidance)}</b>{prose(where)}"
    if not asked.resolved:
        return f"{question}<p>no answer yet</p>"
    by = f"by {asked.answered_by}" if asked.answered_by else ""
    at = f"at {_utc(asked.answered_at)}" if asked.answered_at is not None else ""
    told = " ".join(each for each in ("answered", by, at) if each)
    return f"{question}<p>{prose(told)}:</p>{value_html(asked.response, room)}"


def _cost(work: RunWork) -> str:
    rows: list[tuple[str, ...]] = []
    for model, asked in sorted(work.asked.items()):
        price = price_of(model)
        cost = 0.0 if not asked.calls else None
        if price is not None and asked.calls:
            cost = price.cost(asked.input_tokens, asked.output_tokens)
        rows.append(
            (
                model,
                f"{asked.calls:,}",
                f"{asked.input_tokens:,}",
                f"{asked.output_tokens:,}",
                dollars(cost),
            )
        )
    if not rows:
        return "<h2>Cost</h2><p>No model was asked.</p>"
    head = ("model", "calls", "tokens sent", "tokens back", "cost at list prices")
    return f"<h2>Cost</h2>{table(head, rows)}"


def _plan(document: RunDocument, room: Room) -> str:
    text = document.plan.pretty_print()
    whole = json.dumps(document.plan_json, ensure_ascii=False, indent=1)
    return (
        f"<h2>Plan</h2>{folded(text, room)}"
        f"<details><summary>Plan as JSON</summary>{folded(whole, room)}</details>"
    )


def _provenance(document: RunDocument, run: Run, events: list[Recorded]) -> str:
    starts = [each for each in events if isinstance(each.event, RunStarted)]
    facts = [
        ("Run", document.row.run_id),
        ("Plan", str(document.plan.id)),
        ("Hash of the plan's content", document.plan.content_hash()),
        ("Forked from", run.forked_from or ""),
        ("Started", ", ".join(_utc(each.at) for each in starts[:20])),
        ("Events", f"{len(events):,}"),
        ("Values", "" if document.has_values else "left out of this page"),
        ("Made with", made_with()),
    ]
    listed = "".join(f"<dt>{prose(n)}</dt><dd>{prose(v)}</dd>" for n, v in facts if v)
    taken = ""
    if document.redacted:
        rows = [(each.place, each.why) for each in document.redacted[:500]]
        told = f"{len(document.redacted):,} places were redacted"
        found = table(("place", "why"), rows)
        taken = f"<details><summary>{told}</summary>{found}</details>"
    return f"<h2>Where it comes from</h2><dl>{listed}</dl>{taken}"


def _utc(at: float | None) -> str:
    """Return a moment for people.

    >>> _utc(1_700_000_000.5)
    '2023-11-14 22:13:20 UTC'
    """
    moment = dt.datetime.fromtimestamp(at or 0.0, dt.UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
