"""Approving a plan: by Python, by a form, by ``--yes``; each is kept, and told in the run."""

from __future__ import annotations

from portia_nb.model.approval import Approval
from portia_nb.model.plan import Plan

from .answering import side_effects
from .approvals import approve_plan, spelt_out_calls
from .parts import Parts


def approve(parts: Parts, plan: Plan, *, by: str = "", how: str = "python") -> Approval:
    """Keep that `plan` is approved, with the calls that it spells out; see `Portia.approve`.

    Raises:
        PlanCheckError: it can't run.
    """
    parts.check(plan, parts.tools)
    calls = spelt_out_calls(plan, side_effects(plan, parts.tools), parts.tools)
    return approve_plan(parts.store, plan, calls, by=by, how=how, stands=True)
