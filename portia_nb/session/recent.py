"""Runs that ended here unfinished, as objects: a resume in the same process loses nothing.

A journal can't keep every value: a figure, a connection, a fitted model come back as *unkept*.
While the process lives its own objects are better, and they save reading the whole run again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRunState, Run
from portia_nb.planning.bound import built_plan
from portia_nb.storage.store import Store
from portia_nb.tools.registry import ToolRegistry

from .opening import load_further, with_id

MOST = 16
"""Runs that are remembered; each holds its outputs in memory."""


class Recent:
    """The last few runs that ended unfinished in this process; every method from any thread."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, tuple[Run, ToolRegistry]] = OrderedDict()

    def remember(self, run: Run, registry: ToolRegistry) -> None:
        """Keep a run that nobody changes any more, unless it is complete."""
        if run.state is PlanRunState.COMPLETE:
            return
        with self._lock:
            self._runs[run.id] = (run, registry)
            self._runs.move_to_end(run.id)
            if len(self._runs) > MOST:
                self._runs.popitem(last=False)

    def look(self, run_id: str) -> tuple[Run, ToolRegistry] | None:
        """Return a run as it stood when it ended here, to be read only; None: it isn't here."""
        with self._lock:
            return self._runs.get(run_id)

    def take(self, run_id: str, plan: Plan | None, store: Store) -> tuple[Run, ToolRegistry] | None:
        """Return a run, brought up to what the store holds, and forget it; None: it isn't here.

        Args:
            run_id: which.
            plan: the plan that the caller brings; where it differs the run isn't here.
            store: where the run is kept.

        Raises:
            PlanRunNotFoundError: the store has lost it.
        """
        with self._lock:
            found = self._runs.pop(run_id, None)
        if found is None:
            return None
        run, _ = found
        plan_hash = run.plan.content_hash()
        if plan is not None and plan.content_hash() != plan_hash:
            return None
        # Built again, a plan has the functions of the cell that was run last.
        latest = built_plan(plan_hash) if plan is None else plan
        if latest is not None:
            run.plan = with_id(latest, run.plan.id)
        for recorded in load_further(store, run):
            run.apply(recorded)
        return found
