"""Estimate what running a plan will cost, from the plan alone and without asking any model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from portia_nb.config import Config
from portia_nb.model.estimate import PlanCostEstimate
from portia_nb.model.language import SCRIPTED
from portia_nb.model.plan import Plan
from portia_nb.model.prices import Price
from portia_nb.tools.registry import ToolRegistry

from .sizes import (
    AGENT_CALLS,
    ARGUMENT_TOKENS,
    CHARACTERS_A_TOKEN,
    DATA_TOKENS,
    ROUNDS,
    TEXT_TOKENS,
    TOOL_OUTPUT_TOKENS,
    sizes_of_inputs,
)
from .spending import Known, Rows

METHOD = (
    "Each model call that the plan makes is written out as it will be sent, with stand-ins for "
    f"what isn't known yet; {CHARACTERS_A_TOKEN} characters count as a token. Assumed are "
    f"{TEXT_TOKENS} tokens for a text that a model writes, {DATA_TOKENS} for data in a shape, "
    f"{ARGUMENT_TOKENS} for arguments of a tool, {TOOL_OUTPUT_TOKENS} for what a tool puts out, "
    f"{ROUNDS} rounds of a loop of unknown length, and {AGENT_CALLS} tool calls of a ReAct agent. "
    "Of branches the one that costs most counts. No model is asked."
)
LIMITS = (
    "An estimate before the run: not in it are repairs and retries, hidden reasoning that "
    "providers charge as output, discounts, what tools cost themselves, and the planning."
)


class CostEstimator:
    """Tells what running a plan will probably cost, before anything is spent on it.

    Prices come from a small table with a date to each (`portia_nb.model.prices`); yours come before
    it. A model whose price isn't known makes the cost None, and the estimate says which it is; its
    calls and tokens are there all the same.

    >>> from portia_nb import Config, PlanBuilderV2
    >>> plan = PlanBuilderV2().llm_step(task="Say hello", step_name="greet").build()
    >>> config = Config(default_model="openai/gpt-5.4", openai_api_key="sk-…")
    >>> estimate = CostEstimator(config, prices={"openai/gpt-5.4": (2.0, 10.0)}).plan_estimate(plan)
    >>> estimate.total_model_calls, estimate.total_estimated_cost > 0.003
    (1, True)
    """

    def __init__(
        self,
        config: Config | None = None,
        tools: ToolRegistry | Sequence[Any] | None = None,
        prices: Mapping[str, Price | tuple[float, float]] | None = None,
    ) -> None:
        """Set up; nothing is opened or asked.

        Args:
            config: says which models are asked; None: `Config.from_default`.
            tools: whose descriptions models will see; None: the open-source tools.
            prices: US dollars for a million tokens, sent and coming back, by ``provider/name``.
        """
        own = {
            name: price if isinstance(price, Price) else Price(*price)
            for name, price in (prices or {}).items()
        }
        self._known = Known(Config.from_default() if config is None else config, tools, own)

    def plan_estimate(self, plan: Plan) -> PlanCostEstimate:
        """Return what running `plan` once will probably cost.

        Raises:
            InvalidConfigError: a model that the plan or the settings name can't be one.
        """
        rows = Rows(self._known)
        rows.steps(plan.steps, "", 1, sizes_of_inputs(plan.plan_inputs))
        rows.ending(plan)
        asked = sorted({row.model for row in rows.made if row.model} | rows.judges)
        prices = {model: self._known.price(model) for model in asked}
        unpriced = [model for model, price in prices.items() if price is None]
        known = [row.estimated_cost for row in rows.made if row.estimated_cost is not None]
        return PlanCostEstimate(
            total_estimated_cost=None if unpriced else sum(known),
            step_estimates=rows.made,
            model_used=self._known.model_name("execution"),
            methodology=METHOD,
            limitations=" ".join([LIMITS, *map(_unpriced, unpriced), *_dated(prices)]),
            unpriced_models=unpriced,
            prices_as_of={model: price.as_of for model, price in prices.items() if price},
        )

    async def aplan_estimate(self, plan: Plan) -> PlanCostEstimate:
        """Return what `plan_estimate` does; it takes no time worth waiting for."""
        return self.plan_estimate(plan)


def _unpriced(model: str) -> str:
    if model == SCRIPTED:
        return "No model is set: a key or default_model says which is asked."
    return f"The price of {model} isn't known: pass prices={{{model!r}: (input, output)}}."


def _dated(prices: Mapping[str, Price | None]) -> list[str]:
    months = sorted({price.as_of for price in prices.values() if price is not None and price.as_of})
    return [f"List prices as of {', '.join(months)}."] if months else []
