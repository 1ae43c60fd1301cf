"""R23: one story told to every store: each answers the same, word for word."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from portia_nb.errors import PortiaBaseError
from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import (
    ClarificationRaised,
    ClarificationResolved,
    ErrorRecord,
    Recorded,
    RunCompleted,
    RunCreated,
    RunFailed,
    RunStarted,
    RunStopped,
    RunWaiting,
    StepDone,
    StepFailed,
    StepStarted,
    TextStreamed,
)
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRunState
from portia_nb.storage.journal import JournalStore
from portia_nb.storage.memory import MemoryStore
from portia_nb.storage.owner import Owner
from portia_nb.storage.store import Hold, Store
from tests.storage.stories import OWNER

from .row import Facts, Row, Trial

ACTS = 60
OWNERS = (OWNER, Owner(OWNER.host, OWNER.pid, "another start", "a dead kernel"))
PLANS = [
    Plan.model_validate(
        {
            "id": f"plan-00000000-0000-4000-8000-00000000000{number % 2}",
            "plan_context": {"query": f"q{number}", "tool_ids": []},
            "steps": [{"task": "t", "output": "$s", "inputs": []}],
        }
    )
    for number in range(3)
]
BIG = "x" * 1_100_000


class Teller:
    """Tells one store a story and writes down every answer."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.choose = random.Random(seed)
        self.trace: list[str] = []
        self.holds: dict[str, list[Hold]] = {}
        self.seqs: dict[str, int] = {}

    def tell(self) -> list[str]:
        """Do as many acts as a story has; return the trace."""
        acts: list[Callable[[], Any]] = [
            *[self.append] * 8,
            *[self.create] * 2,
            self.append_wrongly,
            self.claim,
            self.release,
            self.delete,
            self.save_plan,
            self.load_plan,
            self.load_events,
            self.find,
            self.find_cached,
            self.close,
        ]
        for number in range(ACTS):
            act = self.choose.choice(acts)
            try:
                answer = act()
            except PortiaBaseError as error:
                answer = f"{type(error).__name__}: {error}"
            self.trace.append(f"{number} {act.__name__}: {_told(answer)}")
        self.trace.append(_told(self.everything()))
        return self.trace

    def run_id(self) -> str:
        return f"prun-{self.choose.randrange(6)}"

    def hold(self) -> Hold | None:
        """Return the run's newest hold, or now and then an older one."""
        holds = self.holds.get(self.run_id(), [])
        return self.choose.choice([*holds, holds[-1], holds[-1]]) if holds else None

    def create(self) -> Any:
        run_id, plan = self.run_id(), self.choose.choice(PLANS)
        forked = self.choose.choice([None, "prun-0"])
        more = [self._event() for _ in range(self.choose.choice([0, 0, 1, 4]))]
        events = [RunCreated(plan.id, {"a": 1}, None, forked), *more]
        kept = [event for event in events if not event.passing]
        first = [Recorded(n, 0.0, run_id, event) for n, event in enumerate(kept, 1)]
        owner = self.choose.choice(OWNERS)
        hold = self.store.create_run(run_id, plan, owner=owner, first=first)
        self.store.kept_blocking(hold, 15)
        self.holds[run_id], self.seqs[run_id] = [hold], len(first)
        return f"kept {len(first)}"

    def _event(self) -> Any:
        asked = InputClarification(
            id=f"clar-00000000-0000-4000-8000-00000000000{self.choose.randrange(3)}",
            user_guidance="?", argument_name="a", plan_run_id=None, step=0,
        )  # fmt: skip
        path = f"s{self.choose.randrange(8)}"
        value = self.choose.choice([1, "text", {"n": [1.5, None]}, b"raw", BIG])
        key = self.choose.choice([None, "k1", "k2"])
        return self.choose.choice(
            [
                RunStarted("test"),
                StepStarted(path),
                *[StepDone(path, 1, value, cache_key=key)] * 4,
                StepFailed(path, 1, ErrorRecord("E", "m")),
                ClarificationRaised(path, asked),
                ClarificationResolved(asked.id, value),
                RunWaiting(),
                RunStopped("why"),
                RunFailed(ErrorRecord("E", "m")),
                RunCompleted(value=value),
                TextStreamed(path, "passing"),
            ]
        )

    def append(self) -> Any:
        hold, event = self.hold(), self._event()
        return "no hold" if hold is None else self._add(hold, event)

    def append_wrongly(self) -> Any:
        hold, event, off = self.hold(), self._event(), self.choose.choice([-1, 1, 5])
        return "no hold" if hold is None else self._add(hold, event, off)

    def _add(self, hold: Hold, event: Any, off: int = 0) -> Any:
        seq = 0 if event.passing else self.seqs[hold.run_id] + 1 + off
        self.store.append(hold, Recorded(seq, 1_000.0 + seq, hold.run_id, event))
        self.store.kept_blocking(hold, 15)
        if not event.passing:
            self.seqs[hold.run_id] = seq
        return f"kept {seq}"

    def claim(self) -> Any:
        run_id, owner = self.run_id(), self.choose.choice(OWNERS)
        hold = self.store.claim(run_id, owner=owner, take_over=self.choose.random() < 0.5)
        self.holds.setdefault(run_id, []).append(hold)
        return hold.fence

    def release(self) -> Any:
        if (hold := self.hold()) is not None:
            self.store.release(hold)

    def delete(self) -> Any:
        run_id = self.run_id()
        self.store.delete_run(run_id, force=self.choose.random() < 0.3)
        self.holds.pop(run_id, None)

    def save_plan(self) -> Any:
        return self.store.save_plan(self.choose.choice(PLANS))

    def load_plan(self) -> Any:
        plan = self.choose.choice(PLANS)
        plan_hash = self.choose.choice([None, plan.content_hash(), "none"])
        return self.store.load_plan(str(plan.id), plan_hash=plan_hash)

    def load_events(self) -> Any:
        after = self.choose.choice([0, 0, 3, 99, -1])
        return self.store.load_events(self.run_id(), after_seq=after)

    def find(self) -> Any:
        state = self.choose.choice([None, *PlanRunState])
        plan_id = self.choose.choice([None, str(self.choose.choice(PLANS).id)])
        limit = self.choose.choice([1, 3, 100])
        return self.store.find_runs(plan_id=plan_id, state=state, limit=limit)

    def find_cached(self) -> Any:
        return self.store.find_cached(self.choose.choice(["k1", "k2"]))

    def close(self) -> None:
        self.store.close()

    def everything(self) -> Any:
        """Return all that the store holds at the end."""
        rows = self.store.find_runs()
        kept = [self.store.load_events(row.run_id) for row in rows]
        return rows, kept, self.store.find_plans(), self.store.check().findings


def _told(answer: Any) -> str:
    """Return an answer as text, without the moments and places that differ by nature."""
    text = repr(answer)
    text = re.sub(r"(created_at|held_since|saved_at)=[0-9.]+", r"\1=T", text)
    text = re.sub(r"updated_at=1[0-9]{9}[0-9.]*", "updated_at=T", text)
    text = re.sub(r"since [0-9-]{10} [0-9:]{8}", "since T", text)
    text = re.sub(r"(kept|here) in (memory|/\S+?)([\s'\"]|$)", r"\1 in PLACE\3", text)
    return text.replace(BIG, "BIG")


def traces(folder: Path, seed: int) -> dict[str, list[str]]:
    """Tell one story to each store."""
    found: dict[str, list[str]] = {}
    for name in ("memory", "wal", "delete"):
        with ExitStack() as stack:
            is_on_network = "portia_nb.storage.schema.is_on_network"
            stack.enter_context(patch(is_on_network, lambda path, name=name: name == "delete"))
            store = MemoryStore() if name == "memory" else JournalStore(folder / name)
            stack.callback(store.close)
            found[name] = Teller(store, seed).tell()
    return found


def trial(trial: Trial) -> Facts:
    """Compare what each store answered, act by act."""
    refusals = 0
    for case in trial.numbers:
        told = traces(trial.folder / str(case), case)
        for name in ("wal", "delete"):
            for one, other in zip(told["memory"], told[name], strict=True):
                assert one == other, f"story {case}: memory says {one}; {name} says {other}"
        refusals += sum("Error: " in line or "Owner: " in line for line in told["memory"])
    return {"acts": trial.count * ACTS * 3, "of them refused": refusals * 3}


ROW = Row(
    id="R23",
    fault="the same random story told to memory and to the journal with both kinds of log",
    full=300,
    batch=10,
    sample_batch=3,
    trial=trial,
    sample=(0, 5),
    holds="every answer and every refusal is the same (PostgreSQL follows with that store)",
)
