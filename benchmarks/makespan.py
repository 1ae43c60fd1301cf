"""B2 to B6: overhead of a step, and total time over the critical path."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from portia_nb import Config, PlanBuilderV2, Portia, StepOutput
from portia_nb.model.plan import Plan

from .bare import Graph, run_graph
from .row import Row, interleaved, spread

TIMES = 15


def _portia() -> Portia:
    return Portia(Config(store="memory", default_log_level="WARN"), tools=[])


def _sleeper(seconds: float) -> Callable[..., Any]:
    async def sleep(**values: Any) -> float:
        await asyncio.sleep(seconds)
        return seconds

    return sleep


def _plan(graph: dict[str, tuple[list[str], float]]) -> Plan:
    builder = PlanBuilderV2("benchmark")
    for name, (needs, seconds) in graph.items():
        builder.function_step(
            step_name=name,
            function=_sleeper(seconds),
            args={need: StepOutput(need) for need in needs},
            side_effect=False,
        )
    return builder.build()


def _bare(graph: dict[str, tuple[list[str], float]]) -> Graph:
    def call(seconds: float) -> Callable[[list[Any]], Any]:
        async def sleep(values: list[Any]) -> float:
            await asyncio.sleep(seconds)
            return seconds

        return sleep

    return {name: (needs, call(seconds)) for name, (needs, seconds) in graph.items()}


def critical_path(graph: dict[str, tuple[list[str], float]]) -> float:
    """Return the least seconds that the graph can take."""
    ends: dict[str, float] = {}
    for name, (needs, seconds) in graph.items():
        ends[name] = max((ends[need] for need in needs), default=0.0) + seconds
    return max(ends.values())


def _measure(
    name: str,
    what: str,
    graph: dict[str, tuple[list[str], float]],
    target: float,
    *,
    must_hold: bool = True,
) -> Iterator[Row]:
    """Run a graph warm and in memory, beside the bare scheduler.

    Two rows: run by `run_plan`, where the steps' coroutines share the engine's loop, and awaited by
    `arun_plan`, where each is handed over to the loop that waits, and back.
    """
    portia, plan, floor = _portia(), _plan(graph), _bare(graph)
    (ours,) = interleaved([lambda: portia.run_plan(plan)], TIMES)
    awaited: list[float] = []
    bare: list[float] = []

    # On one loop: starting and ending a loop is no part of a run.
    async def measure() -> None:
        for warm in range(TIMES + 1):
            for taken, run in (
                (awaited, lambda: portia.arun_plan(plan)),
                (bare, lambda: run_graph(floor)),
            ):
                began = time.perf_counter()
                await run()
                if warm:
                    taken.append(time.perf_counter() - began)

    asyncio.run(measure())
    ideal = critical_path(graph)
    for how, seconds, must in (("run_plan", ours, must_hold), ("arun_plan", awaited, False)):
        yield Row(
            name,
            f"{what}, {how}",
            statistics.median(seconds) / ideal,
            target,
            "x ideal",
            f"{spread(seconds, 1000)}; bare {statistics.median(bare) / ideal:.3f}",
            must,
        )


def page_shape() -> Iterator[Row]:
    """B6: two steps of 100 ms, then one."""
    graph = {"a": ([], 0.1), "b": ([], 0.1), "c": (["a", "b"], 0.1)}
    yield from _measure("B6", "the page's shape, 2 x 100 ms then 100 ms", graph, 1.02)


def fan_out() -> Iterator[Row]:
    """B5: 32 steps of 100 ms and a join."""
    names = [f"s{i}" for i in range(32)]
    graph: dict[str, tuple[list[str], float]] = {name: ([], 0.1) for name in names}
    graph["join"] = (names, 0.0)
    yield from _measure("B5", "32 x 100 ms and a join", graph, 1.04)


def layered() -> Iterator[Row]:
    """B4: a layered random graph of 100 steps of 10 to 200 ms."""
    chance = random.Random(4)
    graph: dict[str, tuple[list[str], float]] = {}
    for i in range(100):
        earlier = [f"s{j}" for j in range(max(0, i - 20), i - i % 10)]
        needs = chance.sample(earlier, min(len(earlier), chance.randint(1, 3))) if earlier else []
        graph[f"s{i}"] = (needs, chance.uniform(0.01, 0.2))
    yield from _measure("B4", "100 random steps of 10 to 200 ms", graph, 1.02, must_hold=False)


def chain() -> Iterator[Row]:
    """B2: CPU of a step in a chain of steps that do nothing, with the full event record."""

    async def nothing(**values: Any) -> None:
        return None

    portia = _portia()
    medians: dict[int, float] = {}
    for count in (10, 100, 1_000, 10_000):
        builder = PlanBuilderV2("benchmark")
        for i in range(count):
            args = {"before": StepOutput(f"s{i - 1}")} if i else {}
            builder.function_step(step_name=f"s{i}", function=nothing, args=args, side_effect=False)
        plan = builder.build()

        def run(plan: Plan = plan) -> None:
            portia.run_plan(plan)

        times = max(3, min(30, 20_000 // count))
        (taken,) = interleaved([run], times, time.process_time)
        medians[count] = statistics.median(taken) / count
        target = 25e-6 if count <= 1_000 else 1.1 * medians[100]
        yield Row(
            "B2",
            f"a step in a chain of {count:,}",
            medians[count] * 1e6,
            target * 1e6,
            "µs CPU",
            must_hold=False,
        )
