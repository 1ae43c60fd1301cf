"""Budgets: the most that runs may spend on models, in money, tokens or calls, as people say it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

from portia_nb.errors import InvalidOption

NONE = "none"
"""A budget's text where somebody says that there is none."""

_NUMBER = r"(?P<number>\d[\d_,]*(?:\.\d+)?|\.\d+)"
_AMOUNT = re.compile(
    rf"(?:(?P<sign>\$)\s*)?{_NUMBER}\s*(?P<scale>[kKmM](?![a-zA-Z]))?\s*(?P<unit>[a-zA-Z$]*)"
)
_SCALES = {"": 1, "k": 1_000, "m": 1_000_000}
_UNITS = {
    "$": "dollars",
    "usd": "dollars",
    "dollar": "dollars",
    "dollars": "dollars",
    "token": "tokens",
    "tokens": "tokens",
    "call": "calls",
    "calls": "calls",
}
_BETWEEN = re.compile(r"\s*(?:,\s|;|\+|\band\b)\s*")
_EXAMPLES = "'$0.50', '20k tokens', '30 calls', or several with commas between"


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be spent on models; None: no limit of that kind.

    >>> str(Budget(dollars=0.5, calls=30))
    '$0.50, 30 calls'
    """

    dollars: float | None = None
    tokens: int | None = None
    """Sent and received together."""
    calls: int | None = None
    """Requests to providers, further tries included."""

    def __str__(self) -> str:
        """Say it as `read_budget` reads it."""
        said: list[str] = []
        if self.dollars is not None:
            said.append(dollars_text(self.dollars))
        if self.tokens is not None:
            said.append(f"{self.tokens:,} tokens")
        if self.calls is not None:
            said.append(f"{self.calls:,} calls")
        return ", ".join(said) or NONE

    @property
    def is_none(self) -> bool:
        """True: nothing is limited."""
        return self.dollars is None and self.tokens is None and self.calls is None

    def doubled(self) -> Budget:
        """Return the budget that a message proposes where this one is spent."""
        return Budget(
            None if self.dollars is None else max(2 * self.dollars, 0.01),
            None if self.tokens is None else max(2 * self.tokens, 1_000),
            None if self.calls is None else max(2 * self.calls, 1),
        )


def dollars_text(dollars: float) -> str:
    """Return an amount of money with as many places as it needs, two at least.

    >>> dollars_text(0.5), dollars_text(0.00123), dollars_text(12)
    ('$0.50', '$0.00123', '$12.00')
    """
    if dollars == 0 or round(dollars, 2) == dollars:
        return f"${dollars:.2f}"
    return f"${dollars:.{max(2, 2 - math.floor(math.log10(abs(dollars))))}f}"


def read_budget(given: Any) -> Budget | None:
    """Return the budget that `given` says; None: nothing is said.

    Args:
        given: a `Budget`; text; a number of dollars; or None. The text ``"none"`` says that there
            is no limit.

    Raises:
        InvalidOption: it says no amount, or one kind of amount twice.

    >>> read_budget("$0.50, 30 calls")
    Budget(dollars=0.5, tokens=None, calls=30)
    >>> read_budget("20k tokens").tokens, read_budget(2).dollars
    (20000, 2.0)
    """
    match given:
        case None | Budget():
            return given
        case bool():
            raise _refused(given, given)
        case int() | float():
            if not 0 <= given < math.inf:
                raise _refused(given, given)
            return Budget(dollars=float(given))
        case str():
            return _read_text(given)
        case _:
            raise _refused(given, given)


def check_budget(given: Any) -> Any:
    """Return `given` as it is, where it is a budget or None.

    Raises:
        InvalidOption: as `read_budget`, a `ValueError`.
    """
    read_budget(given)
    return given


def _read_text(given: str) -> Budget:
    found: dict[str, float] = {}
    if given.strip().lower() == NONE:
        return Budget()
    for part in _BETWEEN.split(given.strip()):
        amount = _AMOUNT.fullmatch(part.strip())
        unit = "" if amount is None else (amount["unit"].lower() or "$")
        kind = _UNITS.get(unit)
        if amount is None or kind is None or (amount["sign"] and kind != "dollars"):
            raise _refused(given, part)
        if kind in found:
            raise InvalidOption(f"the budget {given!r} says {kind} twice", option="budget")
        number = float(re.sub(r"[_,]", "", amount["number"]))
        found[kind] = number * _SCALES[(amount["scale"] or "").lower()]
        if kind != "dollars" and found[kind] != int(found[kind]):
            raise _refused(given, part)
    whole = {kind: int(found[kind]) for kind in ("tokens", "calls") if kind in found}
    return Budget(dollars=found.get("dollars"), **whole)


def _refused(given: Any, part: Any) -> InvalidOption:
    where = "" if part == given or not isinstance(given, str) else f" ({part.strip()!r} in it)"
    return InvalidOption(
        f"{given!r:.80} is no budget{where}: write it as {_EXAMPLES}", option="budget"
    )
