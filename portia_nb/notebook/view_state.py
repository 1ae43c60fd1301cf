"""What a view of a plan or a run shows, as JSON; pure functions of the plan and the run.

    {format, kind: "plan" | "run", id, title, state, steps: […], questions: […], …}

A step's `start` and `end` are milliseconds after the view's `began` (seconds since the epoch). Keys
whose value is empty are left out. Everything that others wrote is visible text (`visible_text`).
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from portia_nb.drawing.condense import collapse_finished, group_alike
from portia_nb.drawing.looks import REUSED
from portia_nb.drawing.plan_picture import kind_of, plain_waits, plan_picture, shown_states
from portia_nb.drawing.svg import draw_svg
from portia_nb.model.composite import Composite, bodies
from portia_nb.model.events import AnyEvent, ErrorRecord
from portia_nb.model.language import SCRIPTED
from portia_nb.model.order import Waits
from portia_nb.model.plan import AnyStep, Plan, UserInputStep, UserVerifyStep
from portia_nb.model.reference import show
from portia_nb.model.rounds import latest_records
from portia_nb.model.run import PlanRun, PlanRunState, Run, StepRecord, StepState
from portia_nb.planning.switched_off import off_notes

from .questions import show_question
from .shown_output import OutputRoom, Shown
from .visible_text import one_line, visible

FORMAT = 1
MAX_TITLE_CHARS = 1_000
MAX_TASK_CHARS = 600
MAX_PATH_CHARS = 200
MAX_ERROR_CHARS = 2_000
MAX_STREAM_CHARS = 20_000
SHOWN_ROUNDS = 20
"""Rounds of a loop, the last ones, that a whole view has rows for; and those that didn't end."""

_ASKING = ("user_verify", "user_input")
_ROUND = re.compile(r"\[(\d+)\]")

View = dict[str, Any]
Order = Mapping[str, Waits]
SideEffects = Mapping[str, bool | None]


def plan_view(
    plan: Plan, *, order: Order | None = None, side_effects: SideEffects | None = None
) -> View:
    """Return the view of a plan before any run of it.

    Args:
        plan: any plan, also one that no check has passed.
        order: what each step waits for, from `portia_nb.model.order.waits`; None: as far as the
            plan itself says it.
        side_effects: the effective side effect of steps by name; None: as the plan itself says.
    """
    return {
        "format": FORMAT,
        "kind": "plan",
        "id": str(plan.id),
        "title": _title(plan),
        **({"scripted": True} if plan.scripted else {}),
        "steps": plan_rows(plan, order, side_effects),
    }


def run_view(
    run: Run,
    *,
    order: Order | None = None,
    side_effects: SideEffects | None = None,
    room: OutputRoom | None = None,
) -> View:
    """Return the whole view of a run as it stands, without its picture."""
    room = room or OutputRoom()
    view = plan_view(run.plan, order=order, side_effects=side_effects)
    # The answer first: where room is short, it is what a reader came for.
    final = show_final(run, room)
    rows = {row["path"]: row for row in view["steps"]}
    for place, record in latest_records(run).items():
        if place not in run.steps and (row := rows.get(path_key(place))) is not None:
            row["state"] = record.state.value  # of the round that began last
    for raw, record in run.steps.items():
        if _is_old_round(run, raw):
            continue
        path = path_key(raw)
        row = rows.get(path)
        if row is None:
            row = rows[path] = {"path": path_key(path)}
        row.update(record_row(run, record, show_record(record, room)))
    return {
        **view,
        "kind": "run",
        "id": run.id,
        "began": run.created_at,
        **run_head(run),
        **({"final": final} if final else {}),
        "steps": list(rows.values()),
        "questions": [show_question(q) for q in run.outstanding()],
    }


def _is_old_round(run: Run, path: str) -> bool:
    """Tell whether `path` is in a round that a view leaves out: it ended well and long ago."""
    if "[" not in path or run.steps[path].state not in (StepState.DONE, StepState.SKIPPED):
        return False
    for found in _ROUND.finditer(path):
        left = run.rounds.get(path[: found.start()], 0) - int(found[1])
        if left > SHOWN_ROUNDS:
            return True
    return False


def path_key(path: str) -> str:
    """Return the path by which views tell steps apart.

    It is the path itself, without what no encoder takes; of a very long one the beginning and a
    hash, since each message and each saved record repeats it.
    """
    if len(path) > MAX_PATH_CHARS:
        mark = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        path = f"{path[:MAX_PATH_CHARS]}…{mark}"
    return path if path.isascii() else path.encode(errors="replace").decode()


def plan_rows(plan: Plan, order: Order | None, side_effects: SideEffects | None) -> list[View]:
    """Return one row a step, in plan order: what the plan itself says of it."""
    order = plain_waits(plan) if order is None else order
    ids = plan_picture(plan, order=order).ids or {}
    off = off_notes(plan)
    rows: list[View] = []
    for place, step in _placed(plan.steps):
        row: View = {
            "path": path_key(place),
            "el": ids[place],
            "tool": one_line(kind_of(step), 120),
            "task": one_line(_task(step), MAX_TASK_CHARS),
        }
        waits = order.get(place)
        why = why_it_waits(step, waits, plan, side_effects, place) if waits else ""
        if why := f"{off.get(place, '')} {why}".strip():
            row["why"] = why
        if step.side_effect is True or (side_effects or {}).get(place) is True:
            row["changes"] = True
        if step.condition:
            row["condition"] = one_line(step.condition, MAX_TASK_CHARS)
        if one_line(place, MAX_PATH_CHARS) != place:
            row["name"] = one_line(place, MAX_PATH_CHARS)
        rows.append(row)
    return rows


def why_it_waits(
    step: AnyStep,
    waits: Waits,
    plan: Plan,
    side_effects: SideEffects | None = None,
    place: str | None = None,
) -> str:
    """Say in plain words why `step` keeps its place, ``""`` if it only waits for what it reads."""
    if not waits.place:
        return ""
    own = step.name if place is None else place
    prefix = own[: own.rfind("/") + 1]

    def effect_of(other: str) -> bool | None:
        if side_effects is not None:
            return side_effects.get(other)
        step = plan.step(other)
        # What it holds isn't looked into: side effects that are known say it.
        return False if isinstance(step, Composite) else step.side_effect

    after = one_line(", ".join(waits.place), 200)
    if step.kind in _ASKING:
        return f"asks in its turn, after {after}"
    effect = effect_of(own)
    if effect is True:
        return f"keeps its place after {after}: it changes something"
    freed = "declare side_effect=False to free it"
    if side_effects is None:
        # A plan by itself doesn't know what its tools declare.
        if effect is None and _has_tools(step):
            return f"keeps its place after {after}, unless its tool only reads"
        if any(_is_tools_to_say(s) for s in plan.steps if s.name in waits.place):
            return f"waits for {after}, which keeps its place, unless its tool only reads"
    if effect is None:
        return f"keeps its place after {after}: it may change something; {freed}"
    others = [prefix + name for name in waits.place]
    if any(effect_of(o) is None and plan.step(o).kind not in _ASKING for o in others):
        return f"waits for {after}, which keeps its place: it may change something; {freed}"
    return f"waits for {after}, which keeps its place"


def _is_tools_to_say(step: AnyStep) -> bool:
    return step.side_effect is None and _has_tools(step)


def _has_tools(step: AnyStep) -> bool:
    return step.tool_id is not None or step.kind == "react"


def record_row(run: Run, record: StepRecord, output: Shown | None) -> View:
    """Return what a run adds to a step's row; `output` is its output, cut already."""
    row: View = {"state": "uncertain" if record.uncertain else record.state.value}
    if record.failures:
        # Not `record.attempt`: a step that asked was attempted before it asked, too.
        row["attempt"] = record.failures + (record.state is not StepState.FAILED)
    for key, at in (("start", record.started_at), ("end", record.ended_at)):
        if at is not None:
            row[key] = milliseconds(run, at)
    if record.error is not None:
        row["error"] = show_error(record.error)
    if record.reason:
        row["reason"] = one_line(record.reason, MAX_TASK_CHARS)
    elif record.reused:
        row["reason"] = REUSED.get(record.reused, "reused")
    if record.tool_under_way is not None and record.state is StepState.RUNNING:
        row["calls"] = one_line(_calls(record, record.tool_under_way.tool_id), 120)
    if record.model:
        row["model"] = one_line(record.model, 120)
    if record.text and record.state is StepState.RUNNING:
        row["text"] = visible(record.text[-MAX_STREAM_CHARS:])
    if output is not None:
        row["output"] = output
    return row


def _calls(record: StepRecord, latest: str) -> str:
    """Return what a step calls now; of an agent all its calls, and how many it has made."""
    if record.conversation is None:
        return latest
    made = sum(call.returned is not None for call in record.conversation.calls())
    now = record.conversation.under_way(record.attempt)
    names = ", ".join(call.tool_id for call in now) or latest
    return f"{names} ({made} made)" if made else names


def show_record(record: StepRecord, room: OutputRoom) -> Shown | None:
    """Return a done step's output, cut to what `room` has left; None where there is none."""
    if record.state is not StepState.DONE:
        return None
    return room.show(record.value, record.summary)


def run_head(run: Run) -> View:
    """Return what stands above the steps: how far the run is, why it ended, and what goes on."""
    head: View = {"state": run.state.value}
    if run.plan.scripted or any(record.model == SCRIPTED for record in run.steps.values()):
        head["scripted"] = True
    if run.ended_at is not None:
        head["end"] = milliseconds(run, run.ended_at)
    if run.error is not None:
        head["error"] = show_error(run.error)
    origin = f"Forked from {one_line(run.forked_from, 120)}." if run.forked_from else ""
    following = f"{origin} {what_goes_on(run)}".strip()
    if following:
        head["next"] = following
    return head


def what_goes_on(run: Run) -> str:
    """Say what a person can do next with a run that has not completed; ``""`` if nothing."""
    match run.state:
        case PlanRunState.FAILED:
            return f"What was done is kept. Mend the cause, then: %portia resume {run.id}"
        case PlanRunState.READY_TO_RESUME:
            return f"What was done is kept. Go on with: %portia resume {run.id}"
        case PlanRunState.NEED_CLARIFICATION:
            return f"Waits for an answer. Answer and go on with: %portia resume {run.id}"
        case _:
            return ""


def show_final(run: Run, room: OutputRoom) -> Shown | None:
    """Return the run's own output, None until it is complete."""
    if run.final is None or run.state is not PlanRunState.COMPLETE:
        return None
    return room.show(run.final.value, run.final.summary)


def show_error(error: ErrorRecord) -> View:
    """Return an error as a card shows it."""
    shown: View = {
        "type": one_line(error.type, 120),
        "message": visible(error.message[:MAX_ERROR_CHARS]),
    }
    if error.step:
        shown["step"] = one_line(error.step, 120)
    if error.traceback:
        shown["traceback"] = visible(error.traceback[-MAX_ERROR_CHARS:])
    return shown


def milliseconds(run: Run, at: float) -> int:
    """Return a moment as milliseconds after the run began."""
    return round((at - (run.created_at or at)) * 1000)


def touched(event: AnyEvent) -> str:
    """Return the path of the step whose row an event changes, ``""`` if only the run's head."""
    return getattr(event, "path", None) or ""


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return what turns `before` into `after`: new values by key, None for keys that went.

    >>> changes({"state": "running", "text": "a"}, {"state": "done"})
    {'state': 'done', 'text': None}
    """
    changed = {key: value for key, value in after.items() if before.get(key) != value}
    return changed | {key: None for key in before if key not in after}


def draw_picture(
    plan: Plan, run: Run | None = None, *, order: Order | None = None, live: bool = False
) -> str:
    """Return the picture of a plan, or of a run as it stands, as SVG.

    Args:
        plan: what is drawn.
        run: colours the steps by its states; None: all wait.
        order: as in `plan_view`.
        live: keep every step's own card and the looks of all states, so that a view can go on
            changing them; else finished levels of a picture with over 150 cards are folded.
    """
    states = shown_states(run) if run is not None else None
    picture = group_alike(plan_picture(plan, states, order=order))
    return draw_svg(picture if live else collapse_finished(picture), live=live)


def packed(svg: str) -> dict[str, str]:
    """Return a picture as views carry it: deflated, in base64; a 500-step picture is 20 kB so.

    >>> list(packed("<svg/>"))
    ['deflated']
    """
    return {"deflated": base64.b64encode(zlib.compress(svg.encode(), 9)).decode()}


def run_of(plan_run: PlanRun, plan: Plan | None = None) -> Run:
    """Return a run that shows what a `PlanRun` holds; times and attempts are not in it.

    Args:
        plan_run: a snapshot, perhaps loaded from JSON.
        plan: its plan; None, or a plan without those outputs, shows the outputs as steps.
    """
    outputs = plan_run.outputs.step_outputs
    if plan is None or not set(outputs) <= {p.step.output for p in plan.names.places}:
        steps = tuple({"task": "", "output": output} for output in outputs)
        plan = Plan.model_validate({"id": plan_run.plan_id, "steps": steps})
    run = Run(str(plan_run.id), plan)
    run.state, run.error, run.final = plan_run.state, plan_run.error, plan_run.final_output
    run.clarifications = {c.id: c for c in plan_run.outputs.clarifications}
    for place in plan.names.places:
        output = outputs.get(place.step.output)
        if output is not None:
            # Which round a step's output is of, a snapshot doesn't say.
            path = "/".join(step.name for step in (*place.around, place.step))
            record = run.record(path)
            record.state, record.value = StepState.DONE, output.value
            record.summary = output.summary
    if run.error is not None and run.error.step:
        record = run.record(run.error.step)
        record.state, record.error = StepState.FAILED, run.error
    for question in run.outstanding():
        if question.path:
            run.record(question.path).state = StepState.ASKING
    return run


def _placed(steps: Sequence[AnyStep], prefix: str = "") -> Iterator[tuple[str, AnyStep]]:
    """Yield each step with its place, those inside it after it."""
    for step in steps:
        yield prefix + step.name, step
        for body in bodies(step):
            yield from _placed(body, f"{prefix}{step.name}/")


def _title(plan: Plan) -> str:
    return one_line(plan.plan_context.query, MAX_TITLE_CHARS) or "Plan"


def _task(step: AnyStep) -> str:
    if not step.task and isinstance(step, UserVerifyStep | UserInputStep):
        return show(step.message)
    return step.task
