"""Runs to keep, for the tests of stores."""

from __future__ import annotations

from typing import Any

from portia_nb.model.events import AnyEvent, Recorded, RunCreated, RunStarted, StepDone, StepStarted
from portia_nb.model.ids import PlanRunUUID
from portia_nb.model.plan import Plan
from portia_nb.storage.owner import this_process
from portia_nb.storage.store import Hold, Store

OWNER = this_process("test")


def plan(query: str = "Which grew faster?", steps: int = 2) -> Plan:
    return Plan(
        plan_context={"query": query},
        steps=[{"task": f"step {i}", "output": f"$s{i}"} for i in range(steps)],
    )


class Run:
    """Appends events in order, and remembers what it appended."""

    def __init__(self, store: Store, hold: Hold, start: int = 0) -> None:
        self.store, self.hold, self.seq = store, hold, start
        self.appended: list[Recorded] = []

    @property
    def id(self) -> str:
        return self.hold.run_id

    def add(self, *events: AnyEvent) -> Run:
        for event in events:
            self.seq += not event.passing
            seq = 0 if event.passing else self.seq
            recorded = Recorded(seq, 1_700_000_000 + self.seq / 7, self.id, event)
            self.store.append(self.hold, recorded)
            if not event.passing:
                self.appended.append(recorded)
        return self

    def kept(self) -> Run:
        self.store.kept_blocking(self.hold, 15)
        return self


def new_run(store: Store, made: Plan | None = None, owner: Any = OWNER) -> Run:
    made = made or plan()
    hold = store.create_run(PlanRunUUID.new(), made, owner=owner)
    return Run(store, hold).add(RunCreated(made.id, {"a": 1}), RunStarted("test"))


def step(name: str, value: Any = None) -> tuple[AnyEvent, AnyEvent]:
    return StepStarted(name), StepDone(name, 1, value)
