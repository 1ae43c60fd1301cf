"""What is kept, by the names under which the reference SDK's storage offers it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portia_nb.errors import PlanNotFoundError, PlanRunNotFoundError, StorageError
from portia_nb.model.ids import PlanRunUUID, PlanUUID
from portia_nb.model.plan import (
    LLM_TOOL_ID,
    InvokeToolStep,
    LLMStep,
    Plan,
    SingleToolAgentStep,
)
from portia_nb.model.run import PlanRun, PlanRunState
from portia_nb.planning.similar import most_similar
from portia_nb.storage.owner import this_process
from portia_nb.storage.store import Store
from portia_nb.tools.aside import run_aside
from portia_nb.tools.registry import ToolRegistry

from .exchange import Exchanged, export_folder, import_folder, keep_run
from .map_row import is_map
from .opening import open_run

PAGE_SIZE = 10
EXAMPLES = 2
"""Plans that a planner is shown: each costs as much as a page of its prompt."""
MOST_COMPARED = 1_000
"""Kept plans, newest first, whose queries are compared with a new one."""


@dataclass(frozen=True, slots=True)
class PlanRunListResponse:
    """One page of a list of runs."""

    results: Sequence[PlanRun]
    count: int
    """Runs on all pages."""
    total_pages: int
    current_page: int
    """From 1."""


class Storage:
    """The plans and runs of one store; each method has an async twin with an ``a`` in front.

    >>> from portia_nb import Config, PlanBuilderV2, Portia
    >>> portia = Portia(Config(store="memory"), tools=[])
    >>> plan = PlanBuilderV2("Say 42").function_step(function=lambda: 42).build()
    >>> run = portia.run_plan(plan)
    >>> portia.storage.get_plan_run(run.id).state.value
    'COMPLETE'
    >>> [found.id == plan.id for found in portia.storage.get_similar_plans("say: 42!")]
    [True]
    """

    def __init__(self, store: Store) -> None:
        """Look at `store`; nothing is opened before it is needed."""
        self._kept = store

    @property
    def _store(self) -> Store:
        return self._kept

    def close(self) -> None:
        """Finish writing and let go of files and threads; the next call opens them again."""
        self._kept.close()

    # -- plans -----------------------------------------------------------------------------------

    def save_plan(self, plan: Plan) -> None:
        """Keep `plan`; twice is once.

        Raises:
            StorageError: it can't be kept.
        """
        self._store.save_plan(plan)

    async def asave_plan(self, plan: Plan) -> None:
        """Do what `save_plan` does."""
        await run_aside(self.save_plan, plan)

    def get_plan(self, plan_id: PlanUUID | str) -> Plan:
        """Return a kept plan; its functions are names until the plan is built here again.

        Raises:
            PlanNotFoundError: there is none with this id.
        """
        return self._store.load_plan(str(plan_id))

    async def aget_plan(self, plan_id: PlanUUID | str) -> Plan:
        """Do what `get_plan` does."""
        return await run_aside(self.get_plan, plan_id)

    def plan_exists(self, plan_id: PlanUUID | str) -> bool:
        """Tell whether a plan with this id is kept."""
        try:
            self.get_plan(plan_id)
        except PlanNotFoundError:
            return False
        return True

    async def aplan_exists(self, plan_id: PlanUUID | str) -> bool:
        """Do what `plan_exists` does."""
        return await run_aside(self.plan_exists, plan_id)

    def get_plan_by_query(self, query: str) -> Plan:
        """Return the last kept plan that was made for exactly this query.

        Raises:
            PlanNotFoundError: there is none.
        """
        for row in self._store.find_plans(limit=MOST_COMPARED):
            if row.query == query:
                return self._store.load_plan(row.plan_id, plan_hash=row.plan_hash)
        raise PlanNotFoundError(f"no plan is kept for the query {query!r:.200}", query=query)

    async def aget_plan_by_query(self, query: str) -> Plan:
        """Do what `get_plan_by_query` does."""
        return await run_aside(self.get_plan_by_query, query)

    def get_similar_plans(self, query: str, threshold: float = 0.5, limit: int = 5) -> list[Plan]:
        """Return kept plans whose queries are like `query`, the likest first, one for each query.

        The last 1,000 plans are compared, on this machine, by their words; see
        `portia_nb.planning.similar`.

        Args:
            query: what is wanted.
            threshold: 0 to 1: how alike they must be at least.
            limit: at most so many.
        """
        newest: dict[str, tuple[str, str]] = {}
        for row in self._store.find_plans(limit=MOST_COMPARED):
            newest.setdefault(row.query, (row.plan_id, row.plan_hash))
        near = most_similar(query, newest.items(), threshold=threshold, limit=limit)
        return [self._store.load_plan(plan_id, plan_hash=content) for plan_id, content in near]

    async def aget_similar_plans(
        self, query: str, threshold: float = 0.5, limit: int = 5
    ) -> list[Plan]:
        """Do what `get_similar_plans` does."""
        return await run_aside(self.get_similar_plans, query, threshold, limit)

    # -- runs ------------------------------------------------------------------------------------

    def save_plan_run(self, plan_run: PlanRun) -> None:
        """Keep a run that came from elsewhere; one that ran here is kept already.

        Raises:
            StorageError: another record of this run is kept: what happened isn't written over.
        """
        try:
            kept = self.get_plan_run(plan_run.id)
        except PlanRunNotFoundError:
            keep_run(self._store, plan_run, at=time.time(), owner=this_process())
            return
        if (kept.state, kept.outputs) != (plan_run.state, plan_run.outputs):
            raise StorageError(
                f"run {plan_run.id} is kept as {kept.state.value}, and its record can't be written "
                "over: portia.resume or portia.resolve_clarification change a run",
                run_id=plan_run.id,
            )

    async def asave_plan_run(self, plan_run: PlanRun) -> None:
        """Do what `save_plan_run` does."""
        await run_aside(self.save_plan_run, plan_run)

    def get_plan_run(self, plan_run_id: PlanRunUUID | str) -> PlanRun:
        """Return a kept run as it stands.

        Raises:
            PlanRunNotFoundError: there is none with this id.
        """
        return open_run(self._store, str(plan_run_id)).snapshot()

    async def aget_plan_run(self, plan_run_id: PlanRunUUID | str) -> PlanRun:
        """Do what `get_plan_run` does."""
        return await run_aside(self.get_plan_run, plan_run_id)

    def get_plan_runs(
        self, run_state: PlanRunState | None = None, page: int | None = None
    ) -> PlanRunListResponse:
        """Return kept runs, newest first, ten on a page.

        Args:
            run_state: only those in this state.
            page: which, from 1; None: the first.

        Raises:
            ValueError: `page` is below 1.
        """
        current = 1 if page is None else page
        if current < 1:
            raise ValueError(f"page {page!r}: the first page is 1")
        kept = self._store.find_runs(state=run_state, limit=_ALL)
        rows = [row for row in kept if not is_map(row.run_id)]
        shown = rows[(current - 1) * PAGE_SIZE : current * PAGE_SIZE]
        return PlanRunListResponse(
            results=[self.get_plan_run(row.run_id) for row in shown],
            count=len(rows),
            total_pages=-(-len(rows) // PAGE_SIZE),
            current_page=current,
        )

    async def aget_plan_runs(
        self, run_state: PlanRunState | None = None, page: int | None = None
    ) -> PlanRunListResponse:
        """Do what `get_plan_runs` does."""
        return await run_aside(self.get_plan_runs, run_state, page)

    # -- files -----------------------------------------------------------------------------------

    def import_folder(self, folder: str | Path) -> Exchanged:
        """Take over a folder in which the reference SDK kept plans and runs, a JSON file each.

        What is kept here already stays as it is, so doing it again is no harm. Plans can be run,
        runs shown and, if their plan came too, resumed.

        Args:
            folder: what was the reference's `storage_dir`.

        Raises:
            StorageError: the folder can't be listed, or the store can't be written to.
        """
        return import_folder(self._store, _path(folder), owner=this_process())

    async def aimport_folder(self, folder: str | Path) -> Exchanged:
        """Do what `import_folder` does."""
        return await run_aside(self.import_folder, folder)

    def export_folder(self, folder: str | Path) -> Exchanged:
        """Write each kept plan and run as ``plan-….json`` or ``prun-….json`` in `folder`.

        Raises:
            StorageError: the folder can't be written to, or the store can't be read.
        """
        return export_folder(self._store, _path(folder))

    async def aexport_folder(self, folder: str | Path) -> Exchanged:
        """Do what `export_folder` does."""
        return await run_aside(self.export_folder, folder)


def find_examples(store: Store, query: str, offered: ToolRegistry) -> list[Plan]:
    """Return kept plans that show how queries like `query` are planned, the likest first.

    They use no tool but those in `offered`, hold the kinds of step that a planner makes, and where
    they were run, not every run failed.

    Args:
        store: where plans are kept.
        query: what is wanted.
        offered: the tools to plan with.
    """

    def shows_how(plan: Plan) -> bool:
        kinds = {type(step) for step in plan.steps}
        tools = {step.tool_id for step in plan.steps if step.tool_id not in (None, LLM_TOOL_ID)}
        if not plan.steps or not kinds <= _PLANNED or any(tool not in offered for tool in tools):
            return False
        states = {row.state for row in store.find_runs(plan_id=plan.id)}
        return states != {PlanRunState.FAILED}

    near = Storage(store).get_similar_plans(query, limit=5 * EXAMPLES)
    return [plan for plan in near if shows_how(plan)][:EXAMPLES]


_PLANNED = {InvokeToolStep, LLMStep, SingleToolAgentStep}
_ALL = 1_000_000_000


def _path(folder: Any) -> Path:
    return Path(folder).expanduser()
