"""An executor between fake ports: its events are added up, a test answers its questions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from portia_nb import Config, ExecutionHooks, Plan, PlanBuilderV2, StepOutput, ToolRegistry
from portia_nb.model.clarification import Clarification
from portia_nb.model.events import (
    AnyEvent,
    ClarificationRaised,
    Recorded,
    RunCreated,
    StepDone,
    StepStarted,
)
from portia_nb.model.ids import PlanRunUUID
from portia_nb.model.plan import AnyStep
from portia_nb.model.run import PlanRun, Run
from portia_nb.running.executor import Executor
from portia_nb.running.places import Places
from portia_nb.running.ports import Ports
from portia_nb.session.launch import tools_of


class Stage:
    """One run of a plan, from its start; `resume` goes on with it as a new process would."""

    def __init__(
        self,
        plan: Plan,
        *,
        tools: Any = (),
        hooks: ExecutionHooks | None = None,
        model: Any = None,
        ask: Callable[[Clarification], bool] = lambda _: False,
        gate: bool = False,
        inputs: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        self.events: list[AnyEvent] = []
        self.state = Run(PlanRunUUID.new(), plan)
        self.ask = ask
        self.kept_at: list[int] = []
        """How many events there were each time that the executor waited for them to be kept."""
        self.emitted = asyncio.Event()
        registry = ToolRegistry(tools)
        self.ports = Ports(
            emit=self.emit,
            kept=self._kept,
            ask=lambda asked: self.ask(asked),
            model=lambda purpose, override: override if override is not None else model,
            tool=lambda step: _tool_of(step, registry),
            tools=lambda step: tools_of(step, registry),
            config=Config(**settings),
            places=Places(None),
            hooks=hooks or ExecutionHooks(),
            gate=gate,
        )
        self.emit(RunCreated(plan.id, inputs or {}))
        self.executor = Executor(self.state, self.ports)

    def emit(self, event: AnyEvent) -> None:
        seq = 0 if event.passing else self.state.seq + 1
        self.events.append(event)
        self.state.apply(Recorded(seq, time.time(), self.state.id, event))
        self.emitted.set()

    async def _kept(self) -> None:
        self.kept_at.append(len(self.events))
        await asyncio.sleep(0)

    async def run(self) -> PlanRun:
        await self.executor.execute()
        return self.state.snapshot()

    async def resume(self) -> PlanRun:
        self.ports = replace(self.ports, places=Places(None))
        self.executor = Executor(self.state, self.ports)
        return await self.run()

    async def until(self, what: Callable[[], Any]) -> None:
        """Wait until `what` is true of what was emitted."""
        while not what():
            self.emitted.clear()
            await self.emitted.wait()

    def answer(self, question: Clarification, response: Any) -> None:
        self.executor.answer(question.id, question.check_answer(response), "a test")

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    @property
    def questions(self) -> list[Clarification]:
        return [e.clarification for e in self.events if isinstance(e, ClarificationRaised)]

    @property
    def order(self) -> list[str]:
        """What happened to steps: ``+name`` where one started, ``-name`` where one was done."""
        marks = {StepStarted: "+", StepDone: "-"}
        return [marks[type(e)] + e.path for e in self.events if type(e) in marks]  # type: ignore[union-attr]


def _tool_of(step: AnyStep, registry: ToolRegistry) -> Any:
    bound = step.bound_tool  # type: ignore[union-attr]
    return registry.get_tool(str(step.tool_id)) if bound is None else bound


async def nothing() -> None:
    """Do nothing, and only read."""


def plan_of(**steps: Any) -> Plan:
    """Return a plan of function steps: ``name=(function, [names it needs])``, or only a function.

    Steps only read, but for those whose name ends in ``_undeclared`` or ``_changing``.
    """
    builder = PlanBuilderV2("a test")
    for name, given in steps.items():
        function, needs = given if isinstance(given, tuple) else (given, [])
        effect = None if name.endswith("_undeclared") else name.endswith("_changing")
        takes_any = _taking_any(function) if needs else function
        builder.function_step(
            function=takes_any,
            args={need: StepOutput(need) for need in needs},
            step_name=name,
            side_effect=effect,
        )
    return builder.build()


def _taking_any(function: Callable[[], Any]) -> Callable[..., Any]:
    if asyncio.iscoroutinefunction(function):

        async def call(**_: Any) -> Any:
            return await function()

        return call
    return lambda **_: function()
