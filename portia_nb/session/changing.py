"""Changing a plan in words: a model is asked once, and what it cost goes with the plan."""

from __future__ import annotations

from portia_nb.model.plan import Plan

from .parts import Parts
from .plan_making import make_and_keep


async def change_in_words(parts: Parts, plan: Plan, words: str) -> Plan:
    """Return `plan` changed as `words` say, and keep it; for the background loop.

    Raises:
        PlanError: no plan could be made of it.
        ModelError: the planning model could not be asked.
    """
    from portia_nb.planning.revising import revise_plan

    parts.start_log()
    return await make_and_keep(
        parts,
        lambda model, on_reply: revise_plan(
            plan, words, parts.tools, model=model, on_reply=on_reply
        ),
    )
