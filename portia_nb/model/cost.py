"""What a run has spent on models so far: calls, tokens, and money where the price is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .language import SCRIPTED, Usage
from .prices import Price, price_of

if TYPE_CHECKING:
    import pandas

UNKNOWN = "unknown"
"""What stands for an amount of money that can't be known; never a zero."""

Spent = Mapping[tuple[str, str], Usage]
"""What was spent, by the step's path (``""``: by no step, as planning) and the model's name."""


@dataclass(frozen=True, slots=True, repr=False)
class StepCost:
    """What one step, or all of a run, has spent on models."""

    calls: int = 0
    """Requests to providers, further tries included; answers from a record are none."""
    input_tokens: int = 0
    output_tokens: int = 0
    dollars: float | None = 0.0
    """By list prices; None: the price of a model that was asked isn't known."""
    models: tuple[str, ...] = ()
    """Those without a known price, too."""

    @property
    def tokens(self) -> int:
        """Tokens that were sent and that came back."""
        return self.input_tokens + self.output_tokens

    @property
    def money(self) -> str:
        """The money as text: ``$0.0012``, or ``unknown``."""
        return money_text(self.dollars)

    def __str__(self) -> str:
        """Say it in one line."""
        calls = "1 call" if self.calls == 1 else f"{self.calls:,} calls"
        return f"{calls}, {self.input_tokens:,} + {self.output_tokens:,} tokens, {self.money}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self}>"


@dataclass(frozen=True, slots=True, repr=False)
class RunCost(StepCost):
    """What a run has spent on models so far, as the providers counted; see `PlanRun.cost`.

    >>> cost = cost_of({("find", "openai/gpt-5.4"): Usage(1_000, 200)})
    >>> print(cost)
    1 call, 1,000 + 200 tokens, $0.0055
    >>> cost.steps["find"].calls, cost_of({("find", "own/model"): Usage(10, 2)}).money
    (1, 'unknown')
    """

    steps: Mapping[str, StepCost] = field(default_factory=dict[str, StepCost])
    """By the step's path; ``""``: what no step spent, such as the planning."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show it as a cell's value, where no HTML is shown: a table of the steps."""
        # Tables stand above the nouns, so they are found by name, at the call.
        printer.text(import_module("portia_nb.drawing.cost_table").cost_text(self))

    def _repr_html_(self) -> str:
        """Return the same table as HTML for a notebook: no script, everything escaped."""
        return import_module("portia_nb.drawing.cost_table").cost_html(self)

    def to_frame(self) -> pandas.DataFrame:
        """Return a pandas DataFrame with a row for each step that asked a model.

        Its columns are ``step``, ``calls``, ``input_tokens``, ``output_tokens``, ``dollars``
        (missing where unknown) and ``models``.
        """
        import pandas

        rows = [
            (path, one.calls, one.input_tokens, one.output_tokens, one.dollars, list(one.models))
            for path, one in self.steps.items()
        ]
        names = ["step", "calls", "input_tokens", "output_tokens", "dollars", "models"]
        return pandas.DataFrame(rows, columns=names)


def money_text(dollars: float | None) -> str:
    """Return an amount as text.

    >>> money_text(0.00123), money_text(None), money_text(3)
    ('$0.0012', 'unknown', '$3.00')
    """
    if dollars is None:
        return UNKNOWN
    return f"${dollars:.4f}" if 0 < dollars < 0.1 else f"${dollars:.2f}"


def cost_of(spent: Spent, prices: Mapping[str, Price] | None = None) -> RunCost:
    """Return what `spent` costs.

    Args:
        spent: tokens by step and model.
        prices: prices that come before the table's, by ``provider/name``.
    """
    steps: dict[str, StepCost] = {}
    for (path, model), usage in spent.items():
        steps[path] = _added(steps.get(path, StepCost()), model, usage, prices)
    total = StepCost()
    for (_, model), usage in spent.items():
        total = _added(total, model, usage, prices)
    return RunCost(
        total.calls, total.input_tokens, total.output_tokens, total.dollars, total.models, steps
    )


def _added(
    so_far: StepCost, model: str, usage: Usage, prices: Mapping[str, Price] | None
) -> StepCost:
    dollars = dollars_of(model, usage, prices)
    known = so_far.dollars is not None and dollars is not None
    return StepCost(
        so_far.calls + usage.calls,
        so_far.input_tokens + usage.input_tokens,
        so_far.output_tokens + usage.output_tokens,
        (so_far.dollars or 0.0) + (dollars or 0.0) if known else None,
        so_far.models if model in so_far.models else (*so_far.models, model),
    )


def dollars_of(model: str, usage: Usage, prices: Mapping[str, Price] | None = None) -> float | None:
    """Return what a usage of a model costs in US dollars, None where its price isn't known."""
    if not usage.calls or model == SCRIPTED:  # answered from a record: nobody was asked
        return 0.0
    price = price_of(model, prices)
    return None if price is None else price.cost(usage.input_tokens, usage.output_tokens)
