"""R24: random graphs of steps meet random faults; what they did is compared with the journal."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import random
import threading
import time
from pathlib import Path
from typing import Any, ClassVar

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from portia_nb import (
    Config,
    InputClarification,
    MultipleChoiceClarification,
    PlanBuilderV2,
    PlanRun,
    Portia,
    StepOutput,
    ToolHardError,
    ToolSoftError,
    tool,
)
from portia_nb.model.events import ClarificationRaised, Recorded, StepDone
from portia_nb.model.ids import PlanRunUUID
from portia_nb.model.plan import Plan
from portia_nb.running.recovery import REPEAT
from portia_nb.session.live import LiveRun
from portia_nb.storage.owner import this_process

from .row import Facts, Row, Trial

MOST_STEPS = 200
FAULTS = ("raise", "soft", "slow", "stop", "ask")


class Graph:
    """A random graph of steps: what each reads, how it may run, and what goes wrong once."""

    def __init__(self, size: int, seed: int, per_cent: int) -> None:
        rng = random.Random(f"{size} {seed} {per_cent}")
        self.reads = [sorted(rng.sample(range(n), min(n, rng.randint(0, 3)))) for n in range(size)]
        self.effects = rng.choices((False, None, True), (6, 2, 1), k=size)
        self.kinds = rng.choices(("function", "coroutine", "tool"), k=size)
        self.faults = {n: rng.choice(FAULTS) for n in range(size) if rng.randrange(100) < per_cent}
        self.values: list[str] = []
        for n, sources in enumerate(self.reads):
            self.values.append(value_of(n, [self.values[source] for source in sources]))

    @property
    def size(self) -> int:
        return len(self.reads)


def value_of(place: int, read: list[str]) -> str:
    """Return what a step puts out."""
    return hashlib.sha256(f"{place} {' '.join(read)}".encode()).hexdigest()[:8]


class Doing:
    """What the steps of one run do, written down by themselves and checked while they do it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.left = dict(graph.faults)
        self.called: list[int] = []
        self.finished: set[int] = set()
        self.wrong: list[str] = []
        self.live: LiveRun | None = None
        self._lock = threading.Lock()

    def begin(self, place: int, read: list[str]) -> str | None:
        """Note a call, check that it may come now, and return the fault that it meets."""
        graph = self.graph
        with self._lock:
            self.called.append(place)
            if read != [graph.values[source] for source in graph.reads[place]]:
                self.wrong.append(f"s{place} was given {read}")
            keeps = graph.effects[place] is not False
            for earlier in range(place):
                must = keeps or graph.effects[earlier] is not False or earlier in graph.reads[place]
                if must and earlier not in self.finished:
                    self.wrong.append(f"s{place} was called before s{earlier} had finished")
            return self.left.pop(place, None)

    def meet(self, fault: str | None, place: int) -> Any:
        """Let a fault happen that isn't time; return a question where that is the fault."""
        match fault:
            case "raise":
                raise ToolHardError(f"s{place} fails")
            case "soft":
                raise ToolSoftError(f"s{place} may be tried again")
            case "stop":
                assert self.live is not None
                self.live.stop("a step says so")
            case "ask" if self.graph.kinds[place] == "tool":
                return InputClarification(argument_name="answer", user_guidance=f"s{place}?")
        return None

    def end(self, place: int, read: list[str]) -> str:
        with self._lock:
            self.finished.add(place)
        return value_of(place, read)

    def plan(self) -> Plan:
        """Return the plan."""

        def work(place: int, read: list[str]) -> Any:
            fault = self.begin(place, read)
            if fault == "slow":
                time.sleep(0.002)
            return self.meet(fault, place) or self.end(place, read)

        async def work_async(place: int, read: list[str]) -> Any:
            fault = self.begin(place, read)
            await asyncio.sleep(0.002 if fault == "slow" else 0)
            return self.meet(fault, place) or self.end(place, read)

        graph = self.graph
        builder = PlanBuilderV2("a random graph")
        for place, sources in enumerate(graph.reads):
            args = {"place": place, "read": [StepOutput(f"s{source}") for source in sources]}
            common: dict[str, Any] = {"step_name": f"s{place}", "args": args, "retries": None}
            effect = graph.effects[place]
            if graph.kinds[place] == "tool":
                made = tool(id="work", side_effect=effect)(_part(self, work))
                builder.invoke_tool_step(tool=made(), **common)
            else:
                function = work if graph.kinds[place] == "function" else work_async
                builder.function_step(function=function, side_effect=effect, **common)
        return builder.build()


def _part(doing: Doing, work: Any) -> Any:
    def part(place: int, read: list[str], answer: str = "") -> Any:
        return work(place, read)

    return part


def _of_run(recorded: Recorded, run_id: str) -> Recorded:
    """Return the event as that run's; a question names its run, and is answered there."""
    event = recorded.event
    if isinstance(event, ClarificationRaised):
        question = event.clarification.model_copy(update={"plan_run_id": PlanRunUUID(run_id)})
        event = dataclasses.replace(event, clarification=question)
    return recorded._replace(run_id=run_id, event=event)


class Machine(RuleBasedStateMachine):
    """Runs a random graph, stops it, loses its process, and compares it with its journal."""

    folder: ClassVar[Path]
    counts: ClassVar[dict[str, int]]
    failures: ClassVar[list[str]]

    def __init__(self) -> None:
        super().__init__()
        self.run: PlanRun | None = None
        self.done: dict[str, str] = {}

    @initialize(
        size=st.integers(1, 40) | st.integers(1, MOST_STEPS),
        seed=st.integers(0, 2**32),
        per_cent=st.sampled_from((0, 2, 10, 40)),
        at_once=st.sampled_from((1, 2, 64)),
    )
    def plan_it(self, size: int, seed: int, per_cent: int, at_once: int) -> None:
        self.doing = Doing(Graph(size, seed, per_cent))
        self.plan = self.doing.plan()
        self.at_once = at_once
        self.portia = self.new_portia()
        self.counts["steps"] += size

    def new_portia(self) -> Portia:
        config = Config(store=str(self.folder), max_parallel_steps=self.at_once)
        return Portia(config, tools=[])

    @property
    def is_complete(self) -> bool:
        return self.run is not None and self.run.state == "COMPLETE"

    # No preconditions: what is drawn must not depend on how far a run got, which time decides.
    @rule()
    def go(self) -> None:
        """Run, or go on, until it is complete, fails, is stopped or asks; answer what it asks."""
        if self.is_complete:
            return
        self.counts["executions"] += 1
        doing = self.doing
        doing.called.clear()
        doing.finished = {int(name[1:]) for name in self.done}
        made = (
            self.portia.start_run(self.plan, listeners=(self.learn,))
            if self.run is None
            else self.portia.start_resume(self.run.id, self.plan, listeners=(self.learn,))
        )
        assert isinstance(made, LiveRun)
        self.run = made.done.result(20)
        try:
            self.compare()
        except AssertionError as error:
            # Hypothesis tries again, and would report no more than that the second try differed.
            self.failures.append(str(error))
            raise
        for question in self.run.get_outstanding_clarifications():
            is_choice = isinstance(question, MultipleChoiceClarification)
            self.portia.resolve_clarification(question, REPEAT if is_choice else "yes")

    def learn(self, run: Any, recorded: Any) -> None:
        """Remember the run that lives, so that a step can stop it."""
        from portia_nb.session.live import live_run

        self.doing.live = live_run(run.id) or self.doing.live

    def compare(self) -> None:
        """Compare what the steps did with what the journal says."""
        doing, run = self.doing, self.run
        assert run is not None
        assert not doing.wrong, doing.wrong[:5]
        called = {f"s{place}" for place in doing.called}
        assert not called & self.done.keys(), (
            f"finished, and called again: {called & set(self.done)}"
        )
        events = self.portia.store.load_events(run.id)
        assert [recorded.seq for recorded in events] == list(range(1, len(events) + 1))
        done = [r.event for r in events if isinstance(r.event, StepDone)]
        values = {event.path: event.value for event in done}
        assert len(values) == len(done), "a step is done twice"
        assert self.done.items() <= values.items(), "a finished step was lost"
        for name, value in values.items():
            place = int(name[1:])
            assert place in doing.finished, f"{name} is done, and never finished"
            assert value == doing.graph.values[place], f"{name} put out {value!r}"
        self.done = values
        if run.state == "COMPLETE":
            assert len(values) == doing.graph.size
            assert run.final_output is not None
            assert run.final_output.value == doing.graph.values[-1]
        else:
            assert run.state in ("FAILED", "READY_TO_RESUME", "NEED_CLARIFICATION")
        self.counts[f"ended {run.state.value}"] = self.counts.get(f"ended {run.state.value}", 0) + 1

    @rule()
    def come_back_in_a_new_process(self) -> None:
        """Forget everything but the journal."""
        self.portia.store.close()
        self.portia = self.new_portia()

    @rule(where=st.integers(0, 10_000))
    def lose_the_process(self, where: int) -> None:
        """Go back to an earlier moment of the journal, as if the process had died there."""
        if self.run is None:
            return
        self.counts["processes lost"] += 1
        store = self.portia.store
        events = store.load_events(self.run.id)
        kept = events[: 1 + where % len(events)]
        hold = store.create_run(PlanRunUUID.new(), self.plan, owner=this_process())
        for recorded in kept:
            store.append(hold, _of_run(recorded, hold.run_id))
        store.kept_blocking(hold, 10)  # type: ignore[attr-defined]
        store.release(hold)
        self.come_back_in_a_new_process()
        self.run = self.portia.get_run(hold.run_id)
        self.done = {r.event.path: r.event.value for r in kept if isinstance(r.event, StepDone)}
        for question in self.run.get_outstanding_clarifications():
            is_choice = isinstance(question, MultipleChoiceClarification)
            self.portia.resolve_clarification(question, REPEAT if is_choice else "yes")

    def teardown(self) -> None:
        """Go on until the run is complete: each fault happens once, so it must be."""
        if not hasattr(self, "portia"):
            return
        try:
            for _ in range(len(self.doing.graph.faults) * 2 + 3):
                if self.is_complete:
                    break
                self.go()
            assert self.is_complete, f"it never completes: {self.run}"
        finally:
            self.portia.store.close()


def let_it_run(trial: Trial) -> Facts:
    """Let Hypothesis play `trial.count` games."""
    counts = {"steps": 0, "executions": 0, "processes lost": 0}
    settings_of_trial = settings(
        max_examples=trial.count,
        stateful_step_count=8,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    failures: list[str] = []
    of_trial = {"folder": trial.folder / "store", "counts": counts, "failures": failures}
    made = type("Machine", (Machine,), of_trial)
    made._hypothesis_internal_use_seed = trial.number  # type: ignore[attr-defined]
    try:
        run_state_machine_as_test(made, settings=settings_of_trial)
    except BaseException as error:
        raise AssertionError(failures[0] if failures else repr(error)) from error
    return counts


ROW = Row(
    id="R24",
    fault=f"random graphs of up to {MOST_STEPS} steps, random faults, stops and lost processes",
    full=2_000,
    batch=50,
    sample_batch=5,
    trial=let_it_run,
    sample=(0,),
    trial_s=300,
    holds="order of the graph kept, the journal says what the steps did",
)
