"""R17: a question that nobody answers, or two people, or another process, or wrongly, or late."""

from __future__ import annotations

import json
import os
import queue
import random
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from portia_nb import Clarification, Config, PlanBuilderV2, Portia
from portia_nb.errors import InvalidAnswer, PortiaBaseError
from portia_nb.model.events import ClarificationResolved
from portia_nb.model.plan import Plan
from portia_nb.session.live import LiveRun

from .row import ROOT, Facts, Row, Trial

CITIES = ["Rome", "Oslo", "Lima", "Bern"]
IDLE_S, BUSY_S = 0.5, 0.01
"""While it waits for so long, the process may compute for so long."""

OTHER = """
import json, sys
from portia_nb import Config, Portia
from portia_nb.errors import PortiaBaseError
portia = Portia(Config(store=sys.argv[1]), tools=[])
run = portia.get_run(sys.argv[2])
try:
    (asked,) = run.get_outstanding_clarifications()
    portia.resolve_clarification(asked, sys.argv[3])
    done = portia.resume(plan_run_id=run.id)
    print(json.dumps([done.state.value, done.final_output.value]))
except PortiaBaseError as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


class Case:
    """One run that asks, in a store of its own."""

    def __init__(self, trial: Trial, name: str) -> None:
        self.folder = trial.folder / name
        self.rng = random.Random(f"{trial.number} {name}")
        self.portia = Portia(Config(store=str(self.folder)), tools=[])
        self.asked: queue.SimpleQueue[Clarification] = queue.SimpleQueue()

    def plan(self) -> Plan:
        """Return a plan that asks for a city."""
        builder = PlanBuilderV2("asks")
        builder.user_input(message="Which city?", options=CITIES, step_name="city")
        return builder.build()

    def waiting(self) -> tuple[LiveRun, Clarification]:
        """Start a run whose question stands."""
        live = self.portia.start_run(self.plan(), asker=lambda _, asked: self.asked.put(asked))
        return live, self.asked.get(timeout=10)

    def left(self) -> tuple[str, Clarification]:
        """Return the id of a run that was left with its question open."""
        run = self.portia.run_plan(self.plan())
        assert run.state == "NEED_CLARIFICATION"
        (asked,) = run.get_outstanding_clarifications()
        return str(run.id), asked

    def answers(self, run_id: str) -> list[tuple[Any, str, float]]:
        """Return the answers that are on record: what, by whom, when."""
        return [
            (recorded.event.response, recorded.event.by, recorded.at)
            for recorded in self.portia.store.load_events(run_id)
            if isinstance(recorded.event, ClarificationResolved)
        ]

    def other_process(self, run_id: str, answer: str) -> list[str]:
        """Let another process answer and resume; return what it says."""
        done = subprocess.run(
            [sys.executable, "-c", OTHER, str(self.folder), run_id, answer],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, timeout=50, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def never_answered(case: Case) -> float:
    """Let a question stand, and return how long the process computed meanwhile, in ms a second."""
    live, asked = case.waiting()
    time.sleep(0.05)
    began = time.process_time()
    time.sleep(IDLE_S)
    busy_s = time.process_time() - began
    assert busy_s < BUSY_S, f"{busy_s * 1000:.1f} ms of computing in {IDLE_S:g} s of waiting"
    live.nobody_answers(asked.id)
    run = live.done.result(5)
    assert run.state == "NEED_CLARIFICATION"
    assert [c.id for c in run.get_outstanding_clarifications()] == [asked.id]
    return busy_s / IDLE_S * 1000


def answered_twice(case: Case) -> None:
    """Let several threads answer at the same moment: the first valid answer wins."""
    live, asked = case.waiting()
    gate = threading.Barrier(len(CITIES))

    def answer(city: str) -> None:
        gate.wait()
        live.answer(asked.id, city, f"reader of {city}")

    threads = [threading.Thread(target=answer, args=(city,)) for city in CITIES]
    before = time.time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run = live.done.result(10)
    assert run.state == "COMPLETE"
    ((city, by, at),) = case.answers(str(run.id))
    assert run.outputs["city"].value == city
    assert by == f"reader of {city}"
    assert before <= at <= time.time()
    live.answer(asked.id, "Oslo", "too late")
    assert len(case.answers(str(run.id))) == 1


def after_a_restart(case: Case) -> None:
    """Let another process answer a run that was left, and go on with it."""
    run_id, asked = case.left()
    case.portia.store.close()
    city = case.rng.choice(CITIES)
    assert case.other_process(run_id, city) == ["COMPLETE", city]
    assert [answer[:2] for answer in case.answers(run_id)] == [(city, "the caller")]
    # Answered there, so answering here is too late, and says nothing wrong.
    assert case.portia.resolve_clarification(asked, "Oslo").outputs["city"].value == city


def from_another_kernel(case: Case) -> None:
    """Let another process answer while the run lives here: it is told who has the run."""
    live, asked = case.waiting()
    kind, says = case.other_process(live.id, "Oslo")
    assert kind == "RunHeldElsewhere", says
    assert f"process {os.getpid()} on" in says
    live.answer(asked.id, "Rome", "form")
    assert live.done.result(10).outputs["city"].value == "Rome"
    assert [answer[:2] for answer in case.answers(live.id)] == [("Rome", "form")]


def answered_wrongly(case: Case) -> None:
    """Give answers that the question doesn't allow: it stays open, here and in the store."""
    wrong = [case.rng.choice(["", "rome", None, 7, ["Rome"], "Rome\n", {"a": 1}]) for _ in range(3)]
    live, asked = case.waiting()
    for response in wrong:
        with pytest.raises(InvalidAnswer):
            live.answer(asked.id, response, "form")
    live.nobody_answers(asked.id)
    run = live.done.result(10)
    for response in wrong:
        with pytest.raises(InvalidAnswer):
            case.portia.resolve_clarification(asked, response)
    assert case.answers(str(run.id)) == []
    case.portia.resolve_clarification(asked, "Bern")
    assert case.portia.resume(run).outputs["city"].value == "Bern"


def stopped_meanwhile(case: Case) -> None:
    """Stop the run and answer its question at the same moment: one order or the other."""
    live, asked = case.waiting()
    calls = [lambda: live.stop("enough"), lambda: live.answer(asked.id, "Lima", "form")]
    case.rng.shuffle(calls)
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run = live.done.result(10)
    assert run.state in ("READY_TO_RESUME", "COMPLETE"), run.state
    kept = case.answers(str(run.id))
    if not kept:  # the stop came first: the question still stands
        case.portia.resolve_clarification(asked, "Lima")
    assert case.portia.resume(run).outputs["city"].value == "Lima"
    assert [answer[0] for answer in case.answers(str(run.id))] == ["Lima"]


CASES = (
    never_answered, answered_twice, after_a_restart, from_another_kernel, answered_wrongly,
    stopped_meanwhile,
)  # fmt: skip


def ask(trial: Trial) -> Facts:
    """Do each case once."""
    computed: list[float] = []
    for number in trial.numbers:
        do = CASES[number % len(CASES)]
        case = Case(trial, f"{number}")
        try:
            found = do(case)
        except PortiaBaseError as error:
            raise AssertionError(f"{do.__name__}: {type(error).__name__}: {error}") from error
        finally:
            case.portia.store.close()
        if found is not None:
            computed.append(found)
    return {"max ms computed in a second of waiting": max(computed, default=0.0)}


ROW = Row(
    id="R17",
    fault="a question never answered, twice, after a restart, elsewhere, wrongly, while stopped",
    full=len(CASES) * 20,
    batch=len(CASES),
    trial=ask,
    sample=(0,),
    jobs=1,
    trial_s=180,
    holds="waiting costs nothing, the first valid answer wins, the record says who and when",
)
