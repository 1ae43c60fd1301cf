"""The floor: the least scheduler that runs a graph of coroutines, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

Graph = Mapping[str, tuple[Sequence[str], Callable[[list[Any]], Awaitable[Any]]]]


async def run_graph(graph: Graph) -> dict[str, Any]:
    """Run each coroutine when those that it needs are done; return what each returned."""
    values: dict[str, Any] = {}
    missing = {name: len(needs) for name, (needs, _) in graph.items()}
    dependents: dict[str, list[str]] = {}
    for name, (needs, _) in graph.items():
        for need in needs:
            dependents.setdefault(need, []).append(name)
    running: set[asyncio.Task[None]] = set()

    async def step(name: str) -> None:
        needs, call = graph[name]
        values[name] = await call([values[need] for need in needs])
        for dependent in dependents.get(name, ()):
            missing[dependent] -= 1
            if not missing[dependent]:
                start(dependent)

    def start(name: str) -> None:
        task = asyncio.get_running_loop().create_task(step(name))
        running.add(task)
        task.add_done_callback(running.discard)

    for name, count in missing.items():
        if not count:
            start(name)
    while running:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    return values
