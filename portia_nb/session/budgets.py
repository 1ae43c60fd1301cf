"""Budgets of runs: whose word counts, whether it can be kept, and how to go on once it is spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from portia_nb.errors import InvalidOption, PortiaBaseError
from portia_nb.model.cost import Spent, dollars_of
from portia_nb.model.events import AnyEvent, ModelReplied
from portia_nb.model.language import SCRIPTED, Usage
from portia_nb.model.plan import Plan
from portia_nb.model.prices import Price, price_of
from portia_nb.running.meter import Meter
from portia_nb.settings.budget import Budget, read_budget

if TYPE_CHECKING:
    from portia_nb.model.run import Run

    from .parts import Parts


def budget_in_force(parts: Parts, given: Any, before: str = "") -> Budget | None:
    """Return the budget that counts: what the caller says, what the run had, what settings say.

    Args:
        parts: the parts of a `Portia`.
        given: what the caller says, as `read_budget` takes it; None: nothing.
        before: what the run had when it was left, as text; empty: nothing.

    Raises:
        InvalidOption: it is no budget.
    """
    chosen = given
    if chosen is None:
        chosen = before or parts.config.budget
    found = read_budget(chosen)
    return None if found is None or (found.is_none and not before) else found


def own_prices(parts: Parts) -> Mapping[str, Price]:
    """Return the prices that the settings name, by ``provider/name``."""
    return {name: Price(*pair) for name, pair in parts.config.prices.items()}


def make_meter(parts: Parts, budget: Budget, *spent: Spent) -> Meter:
    """Return what keeps `budget`, with what was `spent` before."""
    prices = own_prices(parts)
    meter = Meter(budget, lambda model, usage: dollars_of(model, usage, prices))
    for part in spent:
        for (_, model), usage in part.items():
            meter.add(model, usage)
    return meter


def meter_of_run(
    parts: Parts, run: Run, budget: Any, first: Sequence[AnyEvent] = ()
) -> Meter | None:
    """Return what keeps the budget of `run`, or None where it has none.

    Args:
        parts: the parts of a `Portia`.
        run: as it stands: what it spent counts.
        budget: as `budget_in_force` takes it.
        first: events that come before it starts, such as what planning cost.

    Raises:
        InvalidOption: it is no budget, or one in money that can't be kept.
    """
    found = budget_in_force(parts, budget, run.budget)
    if found is None:
        return None
    refuse_unknown_prices(parts, found, run.plan)
    meter = make_meter(parts, found, run.spent)
    for event in first:
        if isinstance(event, ModelReplied):
            meter.add(event.model, event.usage)
    return meter


def refuse_unknown_prices(parts: Parts, budget: Budget, plan: Plan | None) -> None:
    """Refuse a budget in money where a model will be asked whose price isn't known.

    Args:
        parts: the parts of a `Portia`.
        budget: the budget.
        plan: what will be run; None: it is yet to be made, by the planning model.

    Raises:
        InvalidOption: it names the models and what to do.
    """
    if budget.dollars is None:
        return
    prices = own_prices(parts)
    asked = _planners(parts) if plan is None else models_of_plan(parts, plan)
    unknown = sorted(name for name in asked if name != SCRIPTED and price_of(name, prices) is None)
    if unknown:
        names = ", ".join(unknown)
        raise InvalidOption(
            f"a budget of {budget} can't be kept: the price of {names} isn't known. Limit calls "
            "or tokens instead, as in budget='30 calls' or '20k tokens', or name its price, in "
            "dollars for a million tokens sent and for a million received: "
            f"Config(prices={{{unknown[0]!r}: (1.0, 4.0)}})",
            option="budget",
            models=tuple(unknown),
        )


def _planners(parts: Parts) -> set[str]:
    try:
        return {parts.model("planning").name}
    except PortiaBaseError:  # whoever plans is told
        return set()


def models_of_plan(parts: Parts, plan: Plan) -> set[str]:
    """Return the models that running `plan` asks, as far as the plan shows it."""
    from .spending import Known, Rows

    rows = Rows(Known(parts.config, parts.tools, own_prices(parts)))
    try:
        rows.steps(plan.steps, "", 1, {})
        rows.ending(plan)
    except PortiaBaseError:  # no key, an unknown model: whoever asks is told
        return set()
    return {row.model for row in rows.made if row.model and row.model_calls} | rows.judges


def how_to_go_on(run_id: str, meter: Meter) -> str:
    """Return what a run's record says beside the reason why it was stopped."""
    return (
        f"; what is done is kept. With a larger budget it goes on: portia.resume({run_id!r}, "
        f"budget={str(meter.budget.doubled())!r})"
    )


def usage_of(spent: Spent) -> Usage:
    """Add up what was spent."""
    return sum(spent.values(), Usage(calls=0))
