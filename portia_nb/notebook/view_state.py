"""What a view of a plan or a run shows, as JSON; pure functions of the plan and the run.

    {format, kind: "plan" | "run", id, title, state, steps: […], questions: […], …}

A step's `start` and `end` are milliseconds after the view's `began` (seconds since the epoch); its
`past` holds tries and waits before that: kind, start, end (null: it lasts), and how it ended, as in
`portia_nb.model.stretches`. Keys whose value is empty are left out. Everything that others wrote is
visible text (`visible_text`).
"""

from __future__ import annotations

import re

from portia_nb.model.approval import approved_text
from portia_nb.model.language import SCRIPTED
from portia_nb.model.plan import Plan
from portia_nb.model.refusal import EXPIRED, refused_by
from portia_nb.model.rounds import latest_records
from portia_nb.model.run import PlanRunState, Run, StepState
from portia_nb.planning.needs import needs_of

from .plan_rows import Order, SideEffects, View, path_key, plan_rows
from .questions import show_question
from .shown_output import OutputRoom, Shown
from .spent_words import spent_by_run
from .step_row import milliseconds, record_row, show_error, show_record, shown_state
from .visible_text import one_line

FORMAT = 1
MAX_TITLE_CHARS = 1_000
MAX_NEEDS_CHARS = 2_000
SHOWN_ROUNDS = 20
"""Rounds of a loop, the last ones, that a whole view has rows for; and those that didn't end."""

_ROUND = re.compile(r"\[(\d+)\]")


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
        "next": one_line(" ".join(needs_of(plan, side_effects).sentences()), MAX_NEEDS_CHARS),
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
    del view["next"]  # what a run would need is no news of one that there is
    # The answer first: where room is short, it is what a reader came for.
    final = show_final(run, room)
    rows = {row["path"]: row for row in view["steps"]}
    for place, record in latest_records(run).items():
        if place not in run.steps and (row := rows.get(path_key(place))) is not None:
            # Of the round that began last.
            row["state"] = shown_state(run, record).value
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


def run_head(run: Run) -> View:
    """Return what stands above the steps: how far the run is, why it ended, and what goes on."""
    state = PlanRunState.READY_TO_RESUME if run.has_died else run.state
    head: View = {"state": state.value}
    if run.plan.scripted or any(record.model == SCRIPTED for record in run.steps.values()):
        head["scripted"] = True
    if spent := spent_by_run(run):
        head["spent"] = spent
    if run.ended_at is not None:
        head["end"] = milliseconds(run, run.ended_at)
    if refused_by(run.error, run.clarifications.values()):
        head["refused"] = True
    elif run.error is not None:
        head["error"] = show_error(run.error)
    if (told := run.approval) is not None:
        by, how = one_line(told.by, 80), one_line(told.how, 40)
        head["approved"] = approved_text(by, how, told.approved_at)
    origin = f"Forked from {one_line(run.forked_from, 120)}." if run.forked_from else ""
    following = f"{origin} {what_goes_on(run)}".strip()
    if following:
        head["next"] = following
    return head


def what_goes_on(run: Run) -> str:
    """Say what a person can do next with a run that has not completed; ``""`` if nothing."""
    match run.state:
        case PlanRunState.IN_PROGRESS if run.has_died:
            return (
                "Its process ended while it was under way. What was done is kept. Go on with: "
                f"%portia resume {run.id}"
            )
        case PlanRunState.FAILED:
            if question := refused_by(run.error, run.clarifications.values()):
                asked = one_line(question.user_guidance, MAX_TITLE_CHARS)
                return (
                    f"The answer to “{asked}” was no, so the run ended there. What was done is "
                    f"kept. To be asked again: %portia resume {run.id}"
                )
            is_expired = run.error is not None and run.error.type == EXPIRED
            how = "To be asked again" if is_expired else "Mend the cause, then"
            return f"What was done is kept. {how}: %portia resume {run.id}"
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


def _title(plan: Plan) -> str:
    return one_line(plan.plan_context.query, MAX_TITLE_CHARS) or "Plan"
