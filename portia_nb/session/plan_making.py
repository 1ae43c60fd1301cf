"""Having the planning model make a plan, and keeping the plan with what it cost to make."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from portia_nb.model.events import AnyEvent, ModelReplied
from portia_nb.model.ids import PlanUUID
from portia_nb.model.language import LanguageModel, ModelReply
from portia_nb.model.plan import Plan
from portia_nb.planning.bound import remember
from portia_nb.tools.aside import run_aside

from .log import log_plan
from .parts import Parts


class Make(Protocol):
    """Makes a plan with a model, telling of each reply."""

    def __call__(
        self, model: LanguageModel, on_reply: Callable[[ModelReply], None], /
    ) -> Awaitable[Plan]:
        """Return the plan, or raise a `PlanError`."""
        ...


async def make_and_keep(parts: Parts, make: Make) -> Plan:
    """Let `make` make a plan with the planning model, keep the plan, and return it.

    What the model's replies cost waits in `Parts.planning_cost` for the plan's first run.

    Args:
        parts: the parts of a `Portia`; where it records or replays, so does this.
        make: called once.

    Raises:
        PlanError: as `make`.
        ModelError: the planning model could not be asked.
        StorageError: the store can't be opened; no model was asked.
    """
    # Before the model is paid for a plan that couldn't be kept.
    if not parts.store.is_open:
        await run_aside(parts.store.open)
    model, tape = parts.model("planning"), parts.tape()
    cost: list[AnyEvent] = []
    began = time.monotonic()

    def count(reply: ModelReply) -> None:
        nonlocal began
        now = time.monotonic()
        took_s, began = now - began, now
        cost.append(ModelReplied("", "planning", reply.model, took_s, reply.usage))

    try:
        made = await make(model if tape is None else tape.planner(model), count)
    finally:
        if tape is not None:
            await tape.kept()
    if tape is not None:
        made = made.model_copy(update={"id": PlanUUID(tape.draw_id("plan"))})
    parts.store.save_plan(made)
    parts.planning_cost[made.id] = cost
    remember(made)
    log_plan(made)
    return made
