"""What running a plan will probably cost: nouns, and how they read as text."""

from __future__ import annotations

from pydantic import Field

from portia_nb.model.steps import Frozen


class StepCostEstimate(Frozen):
    """What one step will probably cost; in a loop, all its rounds together."""

    step_name: str
    """The step's name, after the names of the steps that hold it: ``each_city/sky``."""
    step_type: str
    """Its class, e.g. ``LLMStep``."""
    model: str | None = None
    """Who is asked, as ``provider/name``; None: nobody."""
    model_calls: int = 0
    estimated_input_tokens: int = 0
    estimated_output_tokens: int = 0
    estimated_cost: float | None = 0.0
    """US dollars, `introspection_cost` included; None: a model that is asked has no known price."""
    cost_breakdown: dict[str, float] = Field(default_factory=dict)
    """US dollars by what they are spent on: ``execution``, ``introspection``, ``summary``."""
    explanation: str = ""
    """How the figures came about."""
    has_condition: bool = False
    """A model judges whether the step runs."""
    introspection_cost: float | None = 0.0
    """US dollars for judging conditions; None: the price isn't known."""


class PlanCostEstimate(Frozen):
    """What running a plan once will probably cost.

    An estimate: what tools and models put out isn't known before they are asked.
    """

    total_estimated_cost: float | None
    """US dollars; None: a model that is asked has no known price, see `unpriced_models`."""
    step_estimates: list[StepCostEstimate]
    """One for each step that counts, those in branches and loops after the step that holds them."""
    model_used: str
    """The model that does steps where they name none."""
    methodology: str
    limitations: str
    unpriced_models: list[str] = Field(default_factory=list)
    prices_as_of: dict[str, str] = Field(default_factory=dict)
    """When the price of each model was looked up; empty text: the user gave it."""

    @property
    def total_model_calls(self) -> int:
        """Model calls of all steps."""
        return sum(step.model_calls for step in self.step_estimates)

    @property
    def total_input_tokens(self) -> int:
        """Tokens sent to models."""
        return sum(step.estimated_input_tokens for step in self.step_estimates)

    @property
    def total_output_tokens(self) -> int:
        """Tokens that come back from models."""
        return sum(step.estimated_output_tokens for step in self.step_estimates)

    def pretty_print(self) -> str:
        """Return the estimate as a table, with what it rests on under it."""
        rows = [("step", "model", "calls", "in", "out", "cost")]
        rows += [
            (
                step.step_name,
                step.model or "-",
                f"{step.model_calls:,}",
                f"{step.estimated_input_tokens:,}",
                f"{step.estimated_output_tokens:,}",
                dollars(step.estimated_cost),
            )
            for step in self.step_estimates
        ]
        rows.append(
            (
                "in all",
                "",
                f"{self.total_model_calls:,}",
                f"{self.total_input_tokens:,}",
                f"{self.total_output_tokens:,}",
                dollars(self.total_estimated_cost),
            )
        )
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        lines = [
            "  ".join(
                cell.ljust(width) if column < 2 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, "", self.limitations])

    def __str__(self) -> str:
        return self.pretty_print()


def dollars(cost: float | None) -> str:
    """Return a cost as people read it.

    >>> dollars(0.00042), dollars(1.5), dollars(None)
    ('$0.0004', '$1.50', 'unknown')
    """
    if cost is None:
        return "unknown"
    return f"${cost:.2f}" if cost >= 1 or cost == 0 else f"${cost:.4f}"
