"""Following a run that is under way, here or elsewhere, by its record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from portia_nb.model.events import Recorded
from portia_nb.model.run import PlanRunState, Run
from portia_nb.storage.store import Store
from portia_nb.tools.aside import run_aside

from .live import live_run
from .opening import load_further, plan_of

MOST_PIECES = 1_000
"""Pieces of a model's text that may wait for a reader; those after them are left out."""
LOOK_EVERY_S = 0.25
"""How often the record is read for news of a run that is under way in another process."""
_OVER = frozenset({PlanRunState.COMPLETE, PlanRunState.FAILED, PlanRunState.READY_TO_RESUME})


async def follow(store: Store, run_id: str) -> AsyncIterator[Recorded]:
    """Yield the events of a kept run: those so far, then others as they come.

    Args:
        store: where it is kept.
        run_id: which.

    Raises:
        PlanRunNotFoundError: there is none.
    """
    row = await run_aside(store.find_run, run_id)
    run = Run(run_id, await run_aside(plan_of, store, row))
    news, loop = asyncio.Event(), asyncio.get_running_loop()

    def wake(*_: object) -> None:
        loop.call_soon_threadsafe(news.set)

    live = live_run(run_id)
    if live is not None:
        live.add_listener(wake)
        live.done.add_done_callback(wake)
    while True:
        news.clear()
        is_over = live is None or live.done.done()
        if is_over:
            # Before the events are read: what is written after that is seen next time.
            is_over = await run_aside(_is_over, store, run_id)
        for recorded in await run_aside(load_further, store, run):
            run.apply(recorded)
            yield recorded
        if is_over:
            return
        # Another process can't wake this one.
        limit = LOOK_EVERY_S if live is None or live.done.done() else None
        try:
            await asyncio.wait_for(news.wait(), limit)
        except TimeoutError:
            continue


def _is_over(store: Store, run_id: str) -> bool:
    row = store.find_run(run_id)
    return row.state in _OVER or row.owner is None or row.has_died
