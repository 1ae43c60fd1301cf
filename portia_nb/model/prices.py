"""What models cost, in a table that says how old each price is and that anybody may overrule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

_LOCAL = frozenset({"ollama", "lmstudio", "llamacpp", "vllm"})
"""Providers on this machine, whose models cost nothing."""


@dataclass(frozen=True, slots=True)
class Price:
    """The list price of one model."""

    input: float
    """US dollars for a million tokens that are sent."""
    output: float
    """US dollars for a million tokens that come back."""
    as_of: str = ""
    """The month in which it was looked up, e.g. ``"2026-06"``; empty: as the user says."""

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """Return what so many tokens cost, in US dollars.

        >>> round(Price(2.5, 15.0).cost(1_000, 200), 6)
        0.0055
        """
        return (input_tokens * self.input + output_tokens * self.output) / 1_000_000


# List prices without discounts for cached input or batches. Prices change, so each has its month; a
# model that isn't here has no price, and is said to have none.
_PRICES = {
    "openai/gpt-5.5": Price(5.0, 30.0, "2026-06"),
    "openai/gpt-5.4": Price(2.5, 15.0, "2026-06"),
    "openai/gpt-5.4-mini": Price(0.75, 4.5, "2026-06"),
    "openai/gpt-5.4-nano": Price(0.2, 1.25, "2026-06"),
    "anthropic/claude-opus-4-6": Price(5.0, 25.0, "2026-03"),
    "anthropic/claude-opus-4-5": Price(5.0, 25.0, "2026-03"),
    "anthropic/claude-sonnet-4-6": Price(3.0, 15.0, "2026-03"),
    "anthropic/claude-sonnet-4-5": Price(3.0, 15.0, "2026-03"),
    "anthropic/claude-haiku-4-5": Price(1.0, 5.0, "2026-03"),
}
PRICES: Mapping[str, Price] = MappingProxyType(_PRICES)
"""Prices by ``provider/name``."""

_DATE = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2})$")


def price_of(model: str, own: Mapping[str, Price] | None = None) -> Price | None:
    """Return the price of a model, or None where it isn't known.

    A name that ends in a date has the price of the same name without it. A model on this machine
    costs nothing.

    Args:
        model: ``provider/name``.
        own: prices that come before the table's.

    >>> price_of("openai/gpt-5.4-2026-03-05") is PRICES["openai/gpt-5.4"]
    True
    >>> price_of("ollama/llama3.2").input, price_of("openai/unheard-of")
    (0.0, None)
    """
    known = {**PRICES, **(own or {})}
    found = known.get(model) or known.get(_DATE.sub("", model))
    provider = model.partition("/")[0]
    if found is None and provider in _LOCAL:
        return Price(0.0, 0.0)
    return found
