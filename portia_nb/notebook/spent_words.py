"""What a run and its steps have spent on models, in words; nothing where nobody was asked."""

from __future__ import annotations

from portia_nb.model.cost import StepCost, cost_of
from portia_nb.model.run import Run, StepRecord


def spent_by_run(run: Run) -> str:
    """Return the model calls, tokens and money of all of `run`; ``""`` before the first call."""
    return spent_words(cost_of(run.spent, run.prices)) if run.spent else ""


def spent_by_step(run: Run, record: StepRecord) -> str:
    """Return the model calls, tokens and money of one step; ``""`` where it asked no model."""
    if not record.usage.calls:
        return ""
    own = {key: usage for key, usage in run.spent.items() if key[0] == record.path}
    return spent_words(cost_of(own, run.prices))


def spent_words(cost: StepCost) -> str:
    """Return a cost in words; money that can't be known is said to be unknown, never zero.

    >>> spent_words(StepCost(2, 1_000, 204, 0.0057)), spent_words(StepCost(1, 10, 2, None))
    ('2 model calls, 1,204 tokens, $0.0057', '1 model call, 12 tokens, cost unknown')
    >>> spent_words(StepCost())
    ''
    """
    if not cost.calls:
        return ""
    calls = f"{cost.calls:,} model call{'' if cost.calls == 1 else 's'}"
    money = "cost unknown" if cost.dollars is None else cost.money
    return f"{calls}, {cost.tokens:,} tokens, {money}"
