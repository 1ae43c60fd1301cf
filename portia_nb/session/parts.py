"""What one `Portia` is wired from: settings, tools, models, the store, and the plans it knows."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, get_args

from portia_nb.config import Config, Purpose
from portia_nb.errors import PlanCheckError, PlanNotFoundError, PortiaBaseError
from portia_nb.model.events import AnyEvent
from portia_nb.model.ids import PlanUUID
from portia_nb.model.language import LanguageModel
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun
from portia_nb.planning.bound import built_plan
from portia_nb.planning.check import check_plan
from portia_nb.running.background import background
from portia_nb.running.hooks import ExecutionHooks
from portia_nb.storage.owner import Owner, this_process
from portia_nb.storage.place import open_store
from portia_nb.storage.store import Store
from portia_nb.tools.registry import DefaultToolRegistry, ToolRegistry

from .log import is_detailed, log_start, set_up_logging
from .names import named_plan
from .recent import Recent
from .unsaid import secrets_of

if TYPE_CHECKING:
    from portia_nb.llm.choice import Models

    from .tapes import AnyTape


class Parts:
    """The parts of one `Portia`; store and models are opened at first use, from any thread."""

    def __init__(self, config: Config, tools: Any, hooks: ExecutionHooks) -> None:
        """Wire the parts together.

        Args:
            config: the settings.
            tools: a registry, a list of tools, or None for the default registry.
            hooks: the user's code that changes runs or answers their questions.
        """
        self.config = config
        self.tools = _registry(tools, config)
        self.hooks = hooks
        self.recent = Recent()
        self.planning_cost: dict[str, Sequence[AnyEvent]] = {}
        """What making a plan cost, by the plan's id, until its first run takes it over."""
        self._lock = threading.Lock()
        self._is_logged = False
        self._store: Store | None = None
        self._models: Models | None = None
        self._owner: Owner | None = None
        self._checked: weakref.WeakValueDictionary[int, Plan] = weakref.WeakValueDictionary()

    def start_log(self) -> None:
        """Let the log go where the settings say, and tell it once which models are in use."""
        set_up_logging(self.config)
        if not self._is_logged:
            self._is_logged = True
            if is_detailed(self.config):
                log_start({purpose: self._model_name(purpose) for purpose in get_args(Purpose)})

    def _model_name(self, purpose: Purpose) -> str:
        try:
            return self.model(purpose).name
        except PortiaBaseError as error:  # whoever calls the model is told
            return f"none ({type(error).__name__})"

    def secrets(self) -> tuple[str, ...]:
        """Return what must not be told: keys of the settings, the environment and ``.env``."""
        return secrets_of(self.config)

    @property
    def store(self) -> Store:
        """Where plans and runs are kept."""
        with self._lock:
            if self._store is None:
                self._store = open_store(self.config)
            return self._store

    def keep_in(self, store: Store) -> None:
        """Use `store`, which another Portia has opened."""
        with self._lock:
            self._store = store

    def share(self, other: Parts) -> None:
        """Use the store of `other`, and what it knows of recent runs and plans."""
        self.keep_in(other.store)
        self.recent, self.planning_cost = other.recent, other.planning_cost

    def model(self, purpose: Purpose, override: Any = None) -> LanguageModel:
        """Return the model for `purpose`, or the one that `override` is or names.

        In a replay it is the record, whatever is named: no provider need be known.
        """
        if self.config.replay is not None:
            from .tapes import open_player

            return open_player(self.config).model
        with self._lock:
            if self._models is None:
                from portia_nb.llm.choice import Models

                self._models = Models(self.config)
                last = weakref.finalize(self, _hang_up, self._models, background.loop)
                last.atexit = False  # the process closes its connections itself
            models = self._models
        if override is not None:
            return models.named(override, purpose)
        return models.for_purpose(purpose)

    def tape(self, *, goes_on: bool = False) -> AnyTape | None:
        """Return what records or replays one run or plan, where the settings ask for it.

        Args:
            goes_on: True: for a run that goes on.

        Raises:
            InvalidConfigError: the record can't be read, or its place is taken by something else.
            StoreUnwritable: the record can't be written.
        """
        if self.config.record is None and self.config.replay is None:
            return None
        from .tapes import open_tape

        return open_tape(self.config, goes_on=goes_on)

    def offered(self, tools: Any) -> ToolRegistry:
        """Return the tools that a caller names, by id or as tools; None: all of them.

        Raises:
            ToolNotFoundError: no tool has the id.
        """
        if tools is None:
            return self.tools
        if isinstance(tools, ToolRegistry):
            return tools
        return ToolRegistry([self.tools.get_tool(t) if isinstance(t, str) else t for t in tools])

    def find_plan(self, plan: Plan | PlanUUID | str) -> Plan:
        """Return `plan`, or the kept one of that id or name, with functions where it can.

        Raises:
            PlanNotFoundError: the store holds no such plan, or `plan` is a run.
        """
        if isinstance(plan, Plan):
            return plan
        if isinstance(plan, PlanRun) or str(plan).startswith("prun-"):
            run_id = plan.id if isinstance(plan, PlanRun) else plan
            raise PlanNotFoundError(
                f"{run_id} is a run, and a plan is needed: to start that run or go on with it, "
                f"portia.resume(plan_run_id={str(run_id)!r})",
                plan_id=str(run_id),
            )
        named = None if str(plan).startswith("plan-") else named_plan(self.store, str(plan))
        kept = self.store.load_plan(str(plan)) if named is None else named
        built = built_plan(kept.content_hash())
        if built is None:
            return kept
        return built if built.id == kept.id else built.model_copy(update={"id": kept.id})

    def find_cached_plan(self, query: str, tools: ToolRegistry) -> Plan | None:
        """Return the last kept plan that was made for this query with these tools, or None."""
        ids = {tool.id for tool in tools}
        for row in self.store.find_plans():
            if row.query == query:
                plan = self.store.load_plan(row.plan_id, plan_hash=row.plan_hash)
                if set(plan.plan_context.tool_ids) == ids:
                    return plan
        return None

    def owner(self) -> Owner:
        """Return this process as an owner of runs."""
        found = self._owner
        if found is None or found.pid != os.getpid():  # a fork is another process
            found = self._owner = this_process()
        return found

    def check(self, plan: Plan, registry: ToolRegistry, *, settled: Collection[str] = ()) -> None:
        """Refuse a plan that can't run; one that these tools let through isn't read again.

        Args:
            plan: the plan.
            registry: the tools that it is to run with.
            settled: names of its steps that won't run (again), and so need no tools.

        Raises:
            PlanCheckError: it lists what is wrong.
        """
        if registry is self.tools and self._checked.get(id(plan)) is plan:
            return
        try:
            check_plan(plan, registry, settled=settled)
        except PlanCheckError as error:
            if self.config.replay is None or ": no tool " not in str(error):
                raise
            raise PlanCheckError(
                f"{error}. A replay calls no tool, but asks each what it takes: define them first",
                **error.facts,
            ) from None
        if registry is self.tools and not settled:
            self._checked[id(plan)] = plan


def _hang_up(models: Models, loop: asyncio.AbstractEventLoop) -> None:
    """Close the connections of a `Portia` that nobody has any more, on the loop they belong to.

    The garbage collector calls this on any thread, at any moment: it must wait for nothing.
    """
    loop.call_soon_threadsafe(lambda: loop.create_task(models.aclose()))


def _registry(tools: ToolRegistry | Sequence[Any] | None, config: Config) -> ToolRegistry:
    if tools is None:
        if config.replay is not None:
            from .tapes import open_player

            return DefaultToolRegistry(config, keyed=open_player(config).names())
        return DefaultToolRegistry(config)
    return tools if isinstance(tools, ToolRegistry) else ToolRegistry(tools)
