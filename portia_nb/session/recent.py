"""Runs that ended here unfinished, as objects: a resume in the same process loses nothing.

A journal can't keep every value: a figure, a connection, a fitted model come back as *unkept*.
While the process lives its own objects are better, and they save reading the whole run again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple

from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRunState, Run
from portia_nb.planning.bound import built_plan
from portia_nb.storage.store import Store
from portia_nb.tools.registry import ToolRegistry

from .opening import load_further, with_id

MOST = 16
"""Runs that are remembered; each holds its outputs in memory."""


class _Left(NamedTuple):
    """A run, and the tools that it had."""

    run: Run
    registry: ToolRegistry
    own: ToolRegistry
    """The tools of the `Portia` that ran it; a caller may have given it more."""

    def tools_of(self, own: ToolRegistry) -> ToolRegistry:
        """Return the tools with which a `Portia` with its `own` goes on.

        They are its own: whoever has mended one means it. With them go those that a caller gave the
        run beside, where it has none of that id.
        """
        if own is self.own:
            return self.registry
        beside = [t for t in self.registry if t.id not in self.own and t.id not in own]
        return own + beside if beside else own


class Recent:
    """The last few runs that ended unfinished in this process; every method from any thread."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._lock = threading.Lock()
        self._runs: OrderedDict[str, _Left] = OrderedDict()

    def remember(self, run: Run, registry: ToolRegistry, own: ToolRegistry) -> None:
        """Keep a run that nobody changes any more, unless it is complete.

        Args:
            run: the run.
            registry: the tools that it had.
            own: those of them that are its Portia's.
        """
        if run.state is PlanRunState.COMPLETE:
            return
        with self._lock:
            self._runs[run.id] = _Left(run, registry, own)
            self._runs.move_to_end(run.id)
            if len(self._runs) > MOST:
                self._runs.popitem(last=False)

    def look(self, run_id: str, own: ToolRegistry) -> tuple[Run, ToolRegistry] | None:
        """Return a run as it stood when it ended here, to be read only; None: it isn't here.

        With it come the tools with which a Portia goes on whose `own` these are.
        """
        with self._lock:
            found = self._runs.get(run_id)
        return None if found is None else (found.run, found.tools_of(own))

    def take(
        self, run_id: str, plan: Plan | None, store: Store, own: ToolRegistry
    ) -> tuple[Run, ToolRegistry] | None:
        """Return a run, brought up to what the store holds, and forget it; None: it isn't here.

        Args:
            run_id: which.
            plan: the plan that the caller brings; where it differs the run isn't here.
            store: where the run is kept.
            own: the tools of the Portia that goes on.

        Raises:
            PlanRunNotFoundError: the store has lost it.
        """
        with self._lock:
            found = self._runs.pop(run_id, None)
        if found is None:
            return None
        run = found.run
        plan_hash = run.plan.content_hash()
        if plan is not None and plan.content_hash() != plan_hash:
            return None
        # Built again, a plan has the functions of the cell that was run last.
        latest = built_plan(plan_hash) if plan is None else plan
        if latest is not None:
            run.plan = with_id(latest, run.plan.id)
        for recorded in load_further(store, run, own):
            run.apply(recorded)
        return run, found.tools_of(own)
