"""Changing a plan in words: a model is asked once, and what it cost goes with the plan."""

from __future__ import annotations

import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from portia_nb.model.events import AnyEvent, ModelReplied
from portia_nb.model.ids import PlanUUID
from portia_nb.model.language import ModelReply
from portia_nb.model.plan import Plan
from portia_nb.planning.bound import remember

from .log import log_plan
from .parts import Parts


@dataclass
class Changing:
    """One wish to change a plan, on its way to the changed plan."""

    parts: Parts
    plan: Plan
    words: str
    cost: list[AnyEvent] = field(default_factory=list)

    def make(self) -> Coroutine[Any, Any, Plan]:
        """Return the coroutine that makes the changed plan and keeps it, for the background loop.

        Raises:
            PlanError: no plan could be made of it.
            ModelError: the planning model could not be asked.
        """
        return self._make()

    async def _make(self) -> Plan:
        from portia_nb.planning.revising import revise_plan

        parts = self.parts
        parts.start_log()
        self._began = time.monotonic()
        model, tape = parts.model("planning"), parts.tape()
        try:
            made = await revise_plan(
                self.plan,
                self.words,
                parts.tools,
                model=model if tape is None else tape.planner(model),
                on_reply=self._count,
            )
        finally:
            if tape is not None:
                await tape.kept()
        if tape is not None:
            made = made.model_copy(update={"id": PlanUUID(tape.draw_id("plan"))})
        parts.store.save_plan(made)
        parts.planning_cost[made.id] = self.cost
        remember(made)
        log_plan(made)
        return made

    def _count(self, reply: ModelReply) -> None:
        now = time.monotonic()
        took_s, self._began = now - self._began, now
        self.cost.append(ModelReplied("", "planning", reply.model, took_s, reply.usage))
