"""Starting runs without waiting for them: what every face of the session builds on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from portia_nb.config import Config
from portia_nb.model.events import AnyEvent, Recorded
from portia_nb.model.ids import PlanRunUUID, PlanUUID
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun, Run
from portia_nb.running.hooks import ExecutionHooks
from portia_nb.storage.store import Store
from portia_nb.tools.registry import DefaultToolRegistry, ToolRegistry

from . import launch
from .following import MOST_PIECES, follow
from .forking import Edit, Fork, prepare_fork, work_out_fork
from .launch import Company
from .live import Asker, Listener, LiveRun
from .opening import KeptEvents, open_run
from .parts import Parts
from .resuming import prepare_resume
from .stored import Storage
from .waiting import await_here


class Runner:
    """Starts and resumes runs with a set of tools; who wants to wait has `Portia`."""

    def __init__(
        self,
        config: Config | None = None,
        tools: ToolRegistry | Sequence[Any] | None = None,
        execution_hooks: ExecutionHooks | None = None,
        telemetry: Any = None,
    ) -> None:
        """Wire the parts together; nothing is opened, imported or asked for before it is needed.

        Args:
            config: settings; None reads the environment, see `Config.from_default`.
            tools: a registry, or a list of tools; None: the default registry.
            execution_hooks: the user's code that changes runs or answers their questions.
            telemetry: accepted and ignored: nothing is ever sent.

        Raises:
            InvalidConfigError: a setting in the environment can't be used.
        """
        chosen = Config.from_default() if config is None else config
        self._parts = Parts(chosen, tools, execution_hooks or ExecutionHooks())

    @property
    def config(self) -> Config:
        """The settings."""
        return self._parts.config

    @property
    def tools(self) -> ToolRegistry:
        """The tools to plan and run with."""
        return self._parts.tools

    @property
    def execution_hooks(self) -> ExecutionHooks:
        """The user's code that changes runs or answers their questions."""
        return self._parts.hooks

    @property
    def store(self) -> Store:
        """Where plans and runs are kept; opened at first use."""
        return self._parts.store

    @property
    def storage(self) -> Storage:
        """The plans and runs that are kept, by the reference SDK's names for finding them."""
        return Storage(self._parts.store)

    def with_config(self, **changes: Any) -> Self:
        """Return one like this with some settings changed, and the same tools, hooks and store.

        Raises:
            InvalidConfigError: a name that isn't a setting, or a value that can't be used.
        """
        config = self.config.changed(**changes)
        # In a replay the default tools are those that were there when it was recorded.
        is_default = type(self.tools) is DefaultToolRegistry and config.replay is not None
        tools = None if is_default else self.tools
        other = type(self)(config, tools, self.execution_hooks)
        other._parts.share(self._parts)
        return other

    def with_tools(self, tools: ToolRegistry | Sequence[Any]) -> Self:
        """Return one like this with other tools, and the same settings, hooks and store.

        ``portia.with_tools(portia.tools + registry)`` adds those of a registry.

        Args:
            tools: all that it has.

        Raises:
            DuplicateToolError: two of them share an id.
        """
        other = type(self)(self.config, tools, self.execution_hooks)
        other._parts.share(self._parts)
        return other

    def recording(self, path: str | Path) -> Self:
        """Return one like this that keeps in a file what models, tools and people answer.

        The file is JSON, made to be read, shared and kept beside a notebook: keys and passwords are
        blotted out of it. The first run in a process begins it anew, later ones add to it. Kept are
        the answers of models, what tools put out or raise, functions of ``side_effect=True``
        likewise, and answers to questions; other functions run again in a replay.

        Args:
            path: the file; the same as ``Config(record=path)``.

        Raises:
            InvalidConfigError: when something runs: the file is there and is no record.
        """
        return self.with_config(record=path, replay=None)

    def replaying(self, path: str | Path) -> Self:
        """Return one like this that answers from a file of `recording`, without key or network.

        No model is asked and no tool called, so nothing is approved either. Calls are matched by
        what they say: prompts, tools and arguments. A call that the file doesn't hold fails with
        `RecordDrift`, which shows the nearest that it holds. Ids of runs and plans come from the
        record, and its clock stands still: a notebook that is run twice like this is the same.

        Args:
            path: the file; the same as ``Config(replay=path)``.

        Raises:
            InvalidConfigError: when something runs: the file can't be read, or is no record.
        """
        return self.with_config(replay=path, record=None)

    def unused_calls(self) -> tuple[str, ...]:
        """Return what a replay has not asked its record for so far, a short text each.

        >>> from portia_nb import Portia
        >>> Portia(Config(store="memory"), tools=[]).unused_calls()
        ()
        """
        tape = None if self.config.replay is None else self._parts.tape()
        return () if tape is None else tape.unused()

    async def stream(
        self,
        plan: Plan | PlanUUID | PlanRun | PlanRunUUID | str,
        plan_run_inputs: Any = None,
        end_user: Any = None,
    ) -> AsyncIterator[Recorded]:
        """Run a plan and yield its events in order, as they happen; or follow a run that there is.

        Each is a `Recorded`: place, time and run, and the event, one of the frozen classes of
        `portia_nb.model.events`.

        Args:
            plan: what to run. A run, or its id: nothing is started; its events so far come first,
                then the others as they are kept, wherever it is under way.
            plan_run_inputs: as in `arun_plan`.
            end_user: as in `arun_plan`.

        Guarantees:
            It ends when the run has ended, or waits for an answer that nobody is there to give. Who
            leaves the loop stops the run that was started here, but not one that is only followed.
            Whoever reads slowly holds up nothing: a followed run's events wait in its record, and
            of pieces of a model's text those that nobody reads in time are left out.

        Raises:
            PlanRunNotFoundError: the store holds no such run; likewise for a plan.

        >>> import asyncio
        >>> from portia_nb import Config, PlanBuilderV2, Portia
        >>> plan = PlanBuilderV2().function_step(function=lambda: 42, step_name="answer").build()
        >>> async def kinds():
        ...     portia = Portia(Config(store="memory"), tools=[])
        ...     return [recorded.event.kind async for recorded in portia.stream(plan)]
        >>> asyncio.run(kinds())[-2:]
        ['step_done', 'run_completed']
        """
        if isinstance(plan, PlanRun) or str(getattr(plan, "id", plan)).startswith("prun-"):
            run_id = str(plan.id if isinstance(plan, PlanRun) else plan)
            async for recorded in follow(self.store, run_id):
                yield recorded
            return
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Recorded | None] = asyncio.Queue()

        def listen(_: Run, recorded: Recorded) -> None:
            if not recorded.event.passing or events.qsize() < MOST_PIECES:
                loop.call_soon_threadsafe(events.put_nowait, recorded)

        live = self.start_run(
            plan, plan_run_inputs, end_user=end_user, listeners=(listen,), caller=loop
        )
        live.done.add_done_callback(lambda _: loop.call_soon_threadsafe(events.put_nowait, None))
        try:
            while (recorded := await events.get()) is not None:
                yield recorded
        finally:
            live.stop("its stream was left")
            await await_here(live.done)

    def start_run(
        self,
        plan: Plan | PlanUUID | str,
        plan_run_inputs: Any = None,
        *,
        end_user: Any = None,
        structured_output_schema: Any = None,
        asker: Asker | None = None,
        listeners: Sequence[Listener] = (),
        gate: bool = False,
        caller: asyncio.AbstractEventLoop | None = None,
        first: Sequence[AnyEvent] = (),
        tools: ToolRegistry | None = None,
        budget: Any = None,
    ) -> LiveRun:
        """Start a run and return at once, from any thread.

        Args:
            plan: as in `arun_plan`.
            plan_run_inputs: as in `arun_plan`.
            end_user: as in `arun_plan`.
            structured_output_schema: as in `arun_plan`.
            asker: is handed each question on the background loop, must not block, and later calls
                `LiveRun.answer` or `LiveRun.nobody_answers`.
            listeners: see `LiveRun.add_listener`.
            gate: True: each call with ``side_effect=True`` is put to the asker first.
            caller: the loop that waits for the run, where the user's coroutine functions run.
            first: events to keep before the run starts, such as who approved the plan.
            tools: tools beside this Portia's.
            budget: as in `arun_plan`.

        Raises:
            PlanCheckError: the plan can't run.
            ValueError: inputs are missing.
            InvalidOption: the budget is none, or can't be kept.
        """
        live = launch.prepare_run(
            self._parts,
            plan,
            plan_run_inputs,
            end_user=end_user,
            structured_output_schema=structured_output_schema,
            first=first,
            tools=tools,
            company=Company(
                asker=asker, listeners=listeners, gate=gate, caller=caller, budget=budget
            ),
        )
        return live.start()

    def start_resume(
        self,
        plan_run_id: PlanRunUUID | str,
        plan: Plan | None = None,
        *,
        asker: Asker | None = None,
        listeners: Sequence[Listener] = (),
        gate: bool = False,
        caller: asyncio.AbstractEventLoop | None = None,
        take_over: bool = False,
        budget: Any = None,
    ) -> LiveRun | PlanRun:
        """Go on with a run and return at once, from any thread; a complete run comes as it is.

        Args:
            plan_run_id: which run.
            plan: as in `aresume`.
            asker: as in `start_run`.
            listeners: as in `start_run`.
            gate: as in `start_run`.
            caller: as in `start_run`.
            take_over: True: go on even where another live process has it, whose writes are then
                refused.
            budget: as in `aresume`.

        Raises:
            PortiaBaseError: as `aresume`.
        """
        company = Company(asker=asker, listeners=listeners, gate=gate, caller=caller, budget=budget)
        found = prepare_resume(
            self._parts, str(plan_run_id), plan, take_over=take_over, company=company
        )
        return found if isinstance(found, PlanRun) else found.start()

    def work_out_fork(
        self,
        run: PlanRun | PlanRunUUID | str,
        step: str | int | None = None,
        *,
        plan: Plan | PlanUUID | str | None = None,
        inputs: Any = None,
        edits: Mapping[str, Mapping[str, Any]] | None = None,
        **fields: Any,
    ) -> Fork:
        """Return what a fork would run again and what it would reuse; nothing is run or written.

        Args:
            run: as in `Portia.afork`.
            step: as in `Portia.afork`.
            plan: as in `Portia.afork`.
            inputs: as in `Portia.afork`.
            edits: as in `Portia.afork`.
            fields: as in `Portia.afork`.

        Raises:
            PortiaBaseError: as `Portia.afork`.
        """
        return work_out_fork(self._parts, run, Edit(step, fields, plan, inputs, edits))

    def start_fork(
        self,
        fork: Fork,
        *,
        asker: Asker | None = None,
        listeners: Sequence[Listener] = (),
        gate: bool = False,
        caller: asyncio.AbstractEventLoop | None = None,
        first: Sequence[AnyEvent] = (),
        budget: Any = None,
    ) -> LiveRun:
        """Start a fork and return at once, from any thread.

        Args:
            fork: as `work_out_fork` returned it; each can be started once.
            asker: as in `start_run`.
            listeners: as in `start_run`.
            gate: as in `start_run`.
            caller: as in `start_run`.
            first: as in `start_run`.
            budget: as in `start_run`.
        """
        company = Company(asker=asker, listeners=listeners, gate=gate, caller=caller, budget=budget)
        return prepare_fork(self._parts, fork, company, first=first).start()

    def get_run(self, plan_run_id: PlanRunUUID | str) -> PlanRun:
        """Return a kept run as it stands.

        Raises:
            PlanRunNotFoundError: the store holds no such run.
        """
        run = open_run(self.store, str(plan_run_id), tools=self.tools)
        return run.snapshot().with_events(KeptEvents(self.store, run.id, run.plan, self.tools))
