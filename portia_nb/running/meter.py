"""Budgets kept: what runs may still spend on models is looked at before each call to one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from portia_nb.errors import BudgetReached
from portia_nb.model.cost import money_text
from portia_nb.model.language import CallAnswer, DataAnswer, ModelRequest, Usage
from portia_nb.settings.budget import Budget

Dollars = Callable[[str, Usage], float | None]
"""Returns what a usage of a model costs, None where its price isn't known."""

CHARACTERS_A_TOKEN = 4


@dataclass(slots=True)
class Ticket:
    """One answer that may be asked for: what is set aside for it until its cost is known."""

    model: str
    sent: int
    calls: int = 1

    def as_usage(self) -> Usage:
        """Return what is set aside."""
        return Usage(self.sent * self.calls, calls=self.calls)


@dataclass(slots=True)
class Meter:
    """What one run, or all runs that share a budget, have spent and may spend.

    Calls are exact: each request to a provider is counted before it is sent, further tries too.
    Tokens and money are counted as providers tell them; a call that is to be made counts by the
    size of its prompt, so that the budget can be passed by the length of the replies under way and
    by nothing else. All methods are called on the background loop's thread.
    """

    budget: Budget
    dollars_of: Dollars
    spent: Usage = field(default_factory=lambda: Usage(calls=0))
    dollars: float = 0.0
    _open: dict[int, Ticket] = field(default_factory=dict[int, Ticket])

    def add(self, model: str, usage: Usage) -> None:
        """Count what was spent, now or before."""
        self.spent += usage
        self.dollars += self.dollars_of(model, usage) or 0.0

    def admit(self, model: str, request: ModelRequest) -> tuple[Ticket, ModelRequest]:
        """Set aside what an answer will probably take.

        Returns:
            The ticket, for `settle`, and the request, which now asks before each further try.

        Raises:
            BudgetReached: the call would pass the budget.
        """
        ticket = Ticket(model, prompt_tokens(request), calls=0)
        self._check(ticket)
        self._open[id(ticket)] = ticket
        ticket.calls = 1
        begun = False

        def before_call() -> None:
            nonlocal begun
            if begun:
                self._check(ticket)
                ticket.calls += 1
            begun = True

        return ticket, replace(request, before_call=before_call)

    def settle(self, ticket: Ticket, usage: Usage | None) -> None:
        """Count what an answer took; None: nobody knows, so what was set aside counts.

        That is so where a call was cancelled: the provider bills it all the same.
        """
        if self._open.pop(id(ticket), None) is not None:
            self.add(ticket.model, ticket.as_usage() if usage is None else usage)

    def _check(self, more: Ticket) -> None:
        budget = self.budget
        under_way = [ticket.as_usage() for ticket in self._open.values()]
        set_aside = sum(under_way, Usage(calls=0))
        if budget.calls is not None and self.spent.calls + set_aside.calls + 1 > budget.calls:
            raise self._reached(more)
        tokens = _tokens(self.spent) + _tokens(set_aside)
        if budget.tokens is not None and tokens + max(more.sent, 1) > budget.tokens:
            raise self._reached(more)
        if budget.dollars is not None:
            next_one = self.dollars_of(more.model, Usage(more.sent))
            if next_one is None:
                raise BudgetReached(
                    f"the budget of {budget} can't be kept: the price of {more.model} isn't known",
                    budget=budget,
                )
            dollars = self.dollars + sum(
                self.dollars_of(ticket.model, ticket.as_usage()) or 0.0
                for ticket in self._open.values()
            )
            # A free model can be asked with no money left.
            if next_one and dollars + next_one > budget.dollars:
                raise self._reached(more)

    def _reached(self, more: Ticket) -> BudgetReached:
        calls = "1 call" if self.spent.calls == 1 else f"{self.spent.calls:,} calls"
        said = f"{calls}, {_tokens(self.spent):,} tokens"
        if self.budget.dollars is not None:
            said += f", {money_text(self.dollars)}"
        return BudgetReached(
            f"the budget of {self.budget} allows no further call: spent so far are {said}, and the "
            f"next call would send about {more.sent:,} tokens to {more.model}",
            budget=self.budget,
            spent=self.spent,
        )


def _tokens(usage: Usage) -> int:
    return usage.input_tokens + usage.output_tokens


def prompt_tokens(request: ModelRequest) -> int:
    """Return about how many tokens a request sends: its messages, and the shapes that go along."""
    characters = sum(len(message.content) for message in request.messages)
    for message in request.messages:
        characters += sum(
            len(json.dumps(call.arguments, default=str)) for call in message.tool_calls
        )
    match request.answer:
        case DataAnswer(schema=schema):
            characters += len(json.dumps(schema))
        case CallAnswer(tools=tools):
            characters += sum(
                len(tool.description) + len(json.dumps(tool.parameters)) for tool in tools
            )
        case _:
            pass
    return -(-characters // CHARACTERS_A_TOKEN)


def is_about_budget(error: BaseException | None) -> bool:
    """Tell whether an error says that a budget is reached, itself or by what caused it."""
    while error is not None:
        if isinstance(error, BudgetReached):
            return True
        error = error.__cause__ or error.__context__
    return False
