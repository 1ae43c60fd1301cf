"""A model that is asked no more than a budget allows, for calls that belong to no run."""

from __future__ import annotations

from collections.abc import Callable

from portia_nb.errors import BudgetReached, ModelError
from portia_nb.model.language import LanguageModel, ModelReply, ModelRequest, Usage, billed_before
from portia_nb.running.meter import Meter


class Metered:
    """Answers as another model does, while a budget allows it."""

    def __init__(self, model: LanguageModel, meter: Meter) -> None:
        """Ask `model` for as long as `meter` lets it."""
        self._model = model
        self._meter = meter

    @property
    def name(self) -> str:
        """The name of the model that is asked."""
        return self._model.name

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Answer `request`.

        Raises:
            BudgetReached: the call would pass the budget.
            ModelError: as the model's.
        """
        ticket, request = self._meter.admit(self.name, request)
        usage: Usage | None = None
        try:
            reply = await self._model.reply(request, on_text=on_text)
            usage = reply.usage
        except (ModelError, BudgetReached) as error:
            usage = billed_before(error)
            raise
        finally:
            self._meter.settle(ticket, usage)
        return reply
