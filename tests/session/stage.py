"""Small things that tests of the session share."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from portia_nb import Config, ExecutionHooks, Plan, PlanBuilderV2, Portia, StepOutput


def portia(store: str = "memory", hooks: ExecutionHooks | None = None, **settings: Any) -> Portia:
    """Return a Portia without tools."""
    return Portia(Config(store=store, **settings), tools=[], execution_hooks=hooks)


class Work:
    """A plan of three steps: one done early, one that waits for a gate, and one after it."""

    def __init__(self, *, is_async: bool, effect: bool | None = None) -> None:
        self.calls: list[str] = []
        self.started = threading.Event()
        self.gate = threading.Event()
        self._is_async = is_async
        self._effect = effect

    def plan(self) -> Plan:
        def early() -> str:
            self.calls.append("early")
            return "early"

        def long(before: str) -> str:
            self.calls.append("long")
            self.started.set()
            self.gate.wait(10)
            return f"{before}, long"

        async def along(before: str) -> str:
            self.calls.append("long")
            self.started.set()
            await asyncio.to_thread(self.gate.wait, 10)
            return f"{before}, long"

        def late(before: str) -> str:
            self.calls.append("late")
            return f"{before}, late"

        return (
            PlanBuilderV2()
            .function_step(function=early, step_name="early")
            .function_step(
                function=along if self._is_async else long,
                args={"before": StepOutput("early")},
                step_name="long",
                side_effect=self._effect,
            )
            .function_step(function=late, args={"before": StepOutput("long")}, step_name="late")
            .build()
        )
