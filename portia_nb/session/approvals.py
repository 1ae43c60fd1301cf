"""Approvals of whole plans: what they cover, who gave them, and how a run finds its own again.

An approval is the store's own note, under the seal of who gave it. What a run's events tell of it
is for people: events, and whole stores, may come from somebody else, and no call is ever let
through for what such a file says.
"""

from __future__ import annotations

import getpass
import json
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from portia_nb.model.approval import Approval
from portia_nb.model.clarification import UserVerificationClarification
from portia_nb.model.composite import AnyStep, Composite, LoopStep, bodies
from portia_nb.model.events import AnyEvent, PlanApproved
from portia_nb.model.plan import FunctionStep, InvokeToolStep, Plan
from portia_nb.model.reference import Value
from portia_nb.running.calls import APPROVAL, approval_subject
from portia_nb.storage.memory import MemoryStore
from portia_nb.storage.seal import is_sealed, sealed
from portia_nb.tools.registry import ToolRegistry

from .answering import plan_approval_text
from .launch import tool_of

if TYPE_CHECKING:
    from portia_nb.model.run import Run
    from portia_nb.storage.store import Store

MAX_SHOWN_CHARS = 10_000
"""Characters of the arguments of all calls that are approved with a plan; those beyond are asked
about one by one: nothing is approved that wasn't shown whole."""

Calls = dict[str, dict[str, Any]]
"""By place: the tool, its exact arguments, and the hash of both, as `approval_subject` has them."""


def who() -> str:
    """Return the name of the person whose process this is, as the system knows it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"


def whether_to_run(
    plan: Plan, effects: Mapping[str, bool | None], tools: ToolRegistry
) -> tuple[str | None, Calls]:
    """Return the question whether `plan` may run, and the calls that a yes to it approves.

    The question is None where no step of the plan changes the world. Arguments are as those of
    `spelt_out_calls`.
    """
    calls = spelt_out_calls(plan, effects, tools)
    return plan_approval_text(plan, effects, tuple(calls)), calls


def approval_question(plan: Plan, text: str, calls: Calls) -> UserVerificationClarification:
    """Return the question `text` about `plan`, with the `calls` that it shows."""
    subject: dict[str, Any] = {"plan_sha256": plan.content_hash()}
    if calls:
        subject["calls"] = calls
    return UserVerificationClarification(user_guidance=text, source=APPROVAL, subject=subject)


def spelt_out_calls(plan: Plan, effects: Mapping[str, bool | None], tools: ToolRegistry) -> Calls:
    """Return the calls that change the world and whose exact arguments stand in the plan itself.

    A step in a loop makes its call more than once, one with a reference isn't known before it runs,
    and what an agent calls is its own choice: those are asked about one by one.

    Args:
        plan: any plan.
        effects: as `side_effects` returns them; places that aren't in it don't count.
        tools: what tool ids mean.
    """
    found: Calls = {}
    room = MAX_SHOWN_CHARS

    def look(steps: Sequence[AnyStep], prefix: str) -> None:
        nonlocal room
        for step in steps:
            place = prefix + step.name
            if step.disabled or isinstance(step, LoopStep):
                continue
            if isinstance(step, Composite):
                for body in bodies(step):
                    look(body, f"{place}/")
            elif effects.get(place) is True and (call := _call_of(step, tools)) is not None:
                size = len(json.dumps(call["arguments"], ensure_ascii=False, default=repr))
                if size <= room:
                    found[place], room = call, room - size

    look(plan.steps, "")
    return found


def _call_of(step: AnyStep, tools: ToolRegistry) -> dict[str, Any] | None:
    if not isinstance(step, InvokeToolStep | FunctionStep):
        return None
    if not all(isinstance(given, Value) for given in step.args.values()):
        return None
    arguments = {name: given.value for name, given in step.args.items()}
    if isinstance(step, FunctionStep):
        return approval_subject(step.function.name, arguments)
    try:
        tool = tool_of(step, tools)
        # With the defaults that the tool adds: this is what it will be called with.
        return approval_subject(tool.id, tool.parse_arguments(arguments))
    except Exception:  # no such tool, or its own validator refuses: the run will say so
        return None


def approve_plan(
    store: Store, plan: Plan, calls: Calls, *, by: str, how: str, stands: bool
) -> Approval:
    """Keep that somebody approves `plan`, and return that.

    Args:
        store: where it is kept, with the plan.
        plan: what is approved.
        calls: those of its calls that are approved with it.
        by: who; empty: the person whose process this is.
        how: by which way.
        stands: True: for every later run of the plan. False: for one run.
    """
    store.save_plan(plan)
    approval = Approval(
        plan_id=str(plan.id),
        plan_hash=plan.content_hash(),
        by=by or who(),
        how=how,
        at=time.time(),
        stands=stands,
        calls={place: str(call["sha256"]) for place, call in calls.items()},
    )
    if not isinstance(store, MemoryStore):
        approval = sealed(approval)
    store.keep_approval(approval)
    return approval


def standing_approval(store: Store, plan: Plan) -> Approval | None:
    """Return the latest approval that stands for every run of a plan of this content, or None.

    Only what the person who runs this program has approved counts: the store may be another's.
    """
    found = store.find_approvals(plan_hash=plan.content_hash())
    return next((each for each in found if each.stands and _is_own(store, each)), None)


def _is_own(store: Store, approval: Approval) -> bool:
    # Into memory nobody else can put anything.
    return isinstance(store, MemoryStore) or is_sealed(approval)


def approval_event(approval: Approval) -> PlanApproved:
    """Return what a run keeps of an approval."""
    return PlanApproved(
        plan_hash=approval.plan_hash,
        by=approval.by,
        how=approval.how,
        approved_at=approval.at,
        approval_id=approval.id,
        covers=list(approval.calls) or None,
    )


def approved_calls(store: Store, run: Run, first: Sequence[AnyEvent]) -> Mapping[str, str]:
    """Return which calls a run may make without a further question: the hash of each, by path.

    Args:
        store: whose own notes count.
        run: a run that begins or goes on.
        first: the events that it begins with.
    """
    told = next((event for event in first if isinstance(event, PlanApproved)), run.approval)
    if told is None or not told.covers:
        return {}
    for approval in store.find_approvals(approval_id=told.approval_id):
        if approval.plan_hash == run.plan.content_hash() and _is_own(store, approval):
            return approval.calls
    return {}
