"""Making a plan for a query: by a model, or one that was kept for the same query."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from portia_nb.model.ids import PlanUUID
from portia_nb.model.language import LanguageModel, ModelReply
from portia_nb.model.plan import Plan
from portia_nb.tools.registry import ToolRegistry

from .budgets import budget_in_force, make_meter, refuse_unknown_prices
from .metered import Metered
from .parts import Parts
from .plan_making import make_and_keep
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

    async def make(self) -> Plan:
        """Make the plan and keep it; for the background loop.

        Raises:
            PlanError: no plan could be made.
            ModelError: the planning model could not be asked.
        """
        from portia_nb.planning.planner import make_plan

        self.parts.start_log()
        offered = self.parts.offered(self.tools)
        if self.use_cached_plan:
            cached = self.parts.find_cached_plan(self.query, offered)
            if cached is not None:
                return cached
        budget = budget_in_force(self.parts, self.budget)
        if budget is not None:
            refuse_unknown_prices(self.parts, budget, None)

        def ask(model: LanguageModel, on_reply: Callable[[ModelReply], None]) -> Awaitable[Plan]:
            return make_plan(
                self.query,
                offered,
                model=model if budget is None else Metered(model, make_meter(self.parts, budget)),
                example_plans=self._examples(offered),
                plan_inputs=self.plan_inputs or (),
                schema=self.structured_output_schema,
                on_reply=on_reply,
            )

        return await make_and_keep(self.parts, ask)

    def _examples(self, offered: ToolRegistry) -> list[Plan]:
        """Return the plans that the planner is shown."""
        wanted = self.example_plans
        if wanted is None and self.parts.config.use_similar_plans:
            wanted = SIMILAR
        if wanted == SIMILAR:
            return find_examples(self.parts.store, self.query, offered)
        given = [wanted] if isinstance(wanted, str | Plan) else wanted or ()
        return [self.parts.find_plan(plan) for plan in given]


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
