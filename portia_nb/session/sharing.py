"""Looking at runs, and handing them on: lists of runs, files to share, plans as code."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from portia_nb.model.ids import PlanRunUUID
from portia_nb.model.run import PlanRun, PlanRunState
from portia_nb.tools.aside import run_aside

from .history import PAGE_SIZE, RunHistory, find_history
from .runner import Runner


class Sharing(Runner):
    """What a `Portia` can do with kept runs for people to look at."""

    def runs(
        self,
        *,
        state: str | PlanRunState | Iterable[str | PlanRunState] | None = None,
        since: str | dt.timedelta | dt.datetime | dt.date | None = None,
        goal: str | None = None,
        forked_from: PlanRun | PlanRunUUID | str | None = None,
        tool: Any = None,
        limit: int | None = PAGE_SIZE,
        page: int = 1,
    ) -> RunHistory:
        """Return the kept runs, newest first, as a list that shows itself.

        Args:
            state: in plain words, as `ListedRun.state`, or a `PlanRunState`, or several.
            since: runs made since then: an age (``"2d"``, ``"12h"``, a `timedelta`), a day
                (``"2026-01-31"``), or a moment.
            goal: text in the plan's query, whatever its case.
            forked_from: the run, or its id, that they were forked from.
            tool: a tool, or its id, that a step of the plan names.
            limit: runs on a page; None: all on one.
            page: which page, from 1.

        Raises:
            InvalidOption: no such state, no such time, or no such page.

        >>> from portia_nb import Config, PlanBuilderV2, Portia
        >>> portia = Portia(Config(store="memory"), tools=[])
        >>> plan = PlanBuilderV2("Say 42").function_step(function=lambda: 42).build()
        >>> run = portia.run_plan(plan)
        >>> [found.goal for found in portia.runs(state="done", since="1h")]
        ['Say 42']
        """
        return find_history(
            self.store,
            state=state,
            since=since,
            goal=goal,
            forked_from=forked_from,
            tool=tool,
            limit=limit,
            page=page,
        )

    async def aruns(self, **wanted: Any) -> RunHistory:
        """Return the kept runs; the arguments are those of `runs`."""
        return await run_aside(lambda: self.runs(**wanted))
