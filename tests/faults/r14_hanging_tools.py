"""R14: tools hang: coroutines, threads, and programs that don't want to end."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portia_nb import Config, PlanBuilderV2, Portia, arun_program, run_program
from portia_nb.tools.aside import threads

from .r02_random_kills import left_over
from .row import Facts, Row, Trial

LATE_S = 0.5
GONE_S = 3.0
STUBBORN = "import signal, sys, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
"""A program that ignores being asked to end. (Its last argument names the trial.)"""


def hanging(kind: str, folder: Path, let_go: threading.Event) -> tuple[Callable[[], Any], str]:
    """Return a function that hangs, and what its timeout must say of it."""
    mark = str(folder)

    async def coroutine() -> None:
        await asyncio.sleep(60)

    async def slow_to_clean() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.2)

    def thread() -> None:
        let_go.wait(60)

    def program_with_children() -> str:
        return run_program(["sh", "-c", "sleep 60 & sleep 61 & wait", "sh", mark]).output

    def stubborn() -> str:
        return run_program([sys.executable, "-c", STUBBORN, mark]).output

    async def awaited_program() -> str:
        return (await arun_program(["sh", "-c", "sleep 60; :", "sh", mark])).output

    def floods() -> str:
        return run_program(["sh", "-c", "yes; :", "sh", mark], max_output_bytes=2**40).output

    stopped = "was stopped"
    return {
        "coroutine": (coroutine, stopped),
        "slow to clean up": (slow_to_clean, stopped),
        "thread": (thread, "its thread can't be stopped"),
        "program with children": (program_with_children, stopped),
        "stubborn program": (stubborn, stopped),
        "awaited program": (awaited_program, stopped),
        "program that floods": (floods, stopped),
    }[kind]


KINDS = (
    "coroutine", "slow to clean up", "thread", "program with children", "stubborn program",
    "awaited program", "program that floods",
)  # fmt: skip


def wait_until_gone(folder: Path) -> float:
    """Wait until no program of this trial is left, and return how long that took."""
    began = time.monotonic()
    while found := left_over(folder):
        assert time.monotonic() - began < GONE_S, f"still there: {found}"
        time.sleep(0.05)
    return time.monotonic() - began


def check_threads(kind: str, let_go: threading.Event) -> None:
    """Check that a thread that was left to itself is told of, until it has ended."""
    if kind == "thread":
        assert any("'hang'" in name for name in threads.left_alone()), threads.left_alone()
    let_go.set()
    began = time.monotonic()
    while threads.left_alone():
        assert time.monotonic() - began < GONE_S, threads.left_alone()
        time.sleep(0.01)


def time_out(kind: str, rng: random.Random, folder: Path) -> tuple[float, float]:
    """Let a hanging step run out of time; return how late it was, and its program's end."""
    timeout_s, let_go = rng.uniform(0.1, 0.6), threading.Event()
    hang, says = hanging(kind, folder, let_go)
    portia = Portia(Config(store="memory"), tools=[])
    builder = PlanBuilderV2("hangs").function_step(
        function=hang, step_name="hang", timeout_s=timeout_s
    )
    began = time.monotonic()
    run = portia.run_plan(builder.build())
    late_s = time.monotonic() - began - timeout_s
    assert run.error is not None
    assert run.error.type == "StepTimeout", run.error
    assert says in run.error.message, run.error.message
    assert -0.05 < late_s < LATE_S, f"{kind}: ended {late_s:+.2f} s from its limit"
    gone_s = wait_until_gone(folder)
    check_threads(kind, let_go)
    return late_s, gone_s


def stop(kind: str, rng: random.Random, folder: Path) -> float:
    """Stop a run whose step hangs, and return how long that took."""
    let_go = threading.Event()
    hang, _ = hanging(kind, folder, let_go)
    portia = Portia(Config(store="memory"), tools=[])
    plan = PlanBuilderV2("hangs").function_step(function=hang, step_name="hang").build()
    live = portia.start_run(plan)
    time.sleep(rng.uniform(0.05, 0.3))
    began = time.monotonic()
    live.stop("enough")
    run = live.done.result(5)
    took_s = time.monotonic() - began
    assert run.state == "READY_TO_RESUME", run.state
    assert took_s < LATE_S, f"{kind}: stopped after {took_s:.2f} s"
    wait_until_gone(folder)
    check_threads(kind, let_go) if kind != "thread" else let_go.set()
    return took_s


def hang_in_all_ways(trial: Trial) -> Facts:
    """Let each kind of step hang, to its time limit and until a stop."""
    rng = random.Random(trial.number)
    late = [time_out(kind, rng, trial.folder) for kind in KINDS]
    stopped = [stop(kind, rng, trial.folder) for kind in KINDS]
    return {
        "max s late": max(late_s for late_s, _ in late),
        "max s until programs had ended": max(gone_s for _, gone_s in late),
        "max s to stop": max(stopped),
    }


ROW = Row(
    id="R14",
    fault=f"{len(KINDS)} kinds of steps hang, until their time is up and until a stop",
    full=len(KINDS) * 20,
    batch=len(KINDS),
    trial=hang_in_all_ways,
    sample=(0,),
    jobs=1,
    trial_s=180,
    holds="ended in time, programs with all they started, threads that go on are told of",
)
