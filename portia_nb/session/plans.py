"""Making a plan for a query: by a model, or one that was kept for the same query."""

from __future__ import annotations

import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from portia_nb.model.events import AnyEvent, ModelReplied
from portia_nb.model.ids import PlanUUID
from portia_nb.model.language import ModelReply
from portia_nb.model.plan import Plan
from portia_nb.planning.bound import remember
from portia_nb.tools.registry import ToolRegistry

from .budgets import budget_in_force, make_meter, refuse_unknown_prices
from .log import log_plan
from .metered import Metered
from .parts import Parts
from .stored import find_examples

SIMILAR = "similar"
"""For `example_plans`: those that are found among the kept plans."""


@dataclass
class Planning:
    """One query on its way to a plan."""

    parts: Parts
    query: str
    tools: Any = None
    example_plans: Sequence[Plan | PlanUUID | str] | None = None
    """Plans or ids; ``"similar"``: kept plans of similar queries."""
    plan_inputs: Any = None
    structured_output_schema: Any = None
    use_cached_plan: bool = False
    budget: Any = None
    """The most that may be spent, on the run that follows too."""
    cost: list[AnyEvent] = field(default_factory=list)
    """What each model call cost, for the record of the run that follows."""

    def make(self) -> Coroutine[Any, Any, Plan]:
        """Return the coroutine that makes the plan and keeps it, for the background loop.

        Raises:
            PlanError: no plan could be made.
            ModelError: the planning model could not be asked.
        """
        return self._make()

    async def _make(self) -> Plan:
        from portia_nb.planning.planner import make_plan

        parts = self.parts
        parts.start_log()
        offered = parts.offered(self.tools)
        if self.use_cached_plan:
            cached = parts.find_cached_plan(self.query, offered)
            if cached is not None:
                return cached
        self._began = time.monotonic()
        model, tape = parts.model("planning"), parts.tape()
        asked = model if tape is None else tape.planner(model)
        budget = budget_in_force(parts, self.budget)
        if budget is not None:
            refuse_unknown_prices(parts, budget, None)
            asked = Metered(asked, make_meter(parts, budget))
        try:
            made = await make_plan(
                self.query,
                offered,
                model=asked,
                example_plans=self._examples(offered),
                plan_inputs=self.plan_inputs or (),
                schema=self.structured_output_schema,
                on_reply=self._count,
            )
        finally:
            if tape is not None:
                await tape.kept()
        if tape is not None:
            made = made.model_copy(update={"id": PlanUUID(tape.draw_id("plan"))})
        parts.store.save_plan(made)
        parts.planning_cost[made.id] = self.cost
        remember(made)
        log_plan(made)
        return made

    def _examples(self, offered: ToolRegistry) -> list[Plan]:
        """Return the plans that the planner is shown."""
        wanted = self.example_plans
        if wanted is None and self.parts.config.use_similar_plans:
            wanted = SIMILAR
        if wanted == SIMILAR:
            return find_examples(self.parts.store, self.query, offered)
        given = [wanted] if isinstance(wanted, str | Plan) else wanted or ()
        return [self.parts.find_plan(plan) for plan in given]

    def _count(self, reply: ModelReply) -> None:
        now = time.monotonic()
        took_s, self._began = now - self._began, now
        self.cost.append(ModelReplied("", "planning", reply.model, took_s, reply.usage))


def names_of_inputs(given: Any) -> Any:
    """Return a caller's plan run inputs as plan inputs: their names, without values.

    >>> names_of_inputs({"city": "Oslo"})
    ('city',)
    """
    match given:
        case None:
            return ()
        case dict() if set(given) == {"name", "value"}:
            return (given["name"],)
        case dict():
            return tuple(given)
        case _:
            return tuple(i["name"] if isinstance(i, dict) else i.name for i in given)
