"""`Portia`: plan, run, resume; the one place where all parts are wired together."""

from __future__ import annotations

import asyncio
import contextvars
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

from portia_nb.config import Config
from portia_nb.errors import (
    InvalidPlanRunStateError,
    PlanRunNotFoundError,
    PortiaBaseError,
)
from portia_nb.model.callables import SchemaRef
from portia_nb.model.clarification import Clarification
from portia_nb.model.events import (
    AnyEvent,
    ClarificationResolved,
    ModelReplied,
    Recorded,
    RunCreated,
    RunFailed,
    RunStarted,
)
from portia_nb.model.ids import PlanRunUUID, PlanUUID
from portia_nb.model.language import LanguageModel, ModelReply
from portia_nb.model.plan import AnyStep, InvokeToolStep, Plan, SingleToolAgentStep
from portia_nb.model.run import PlanRun, PlanRunState, Run
from portia_nb.planning.bound import built_plan, remember
from portia_nb.planning.check import check_plan
from portia_nb.planning.inputs import read_plan_run_inputs
from portia_nb.running.background import background
from portia_nb.running.failures import record_error
from portia_nb.running.hooks import ExecutionHooks
from portia_nb.running.places import Places
from portia_nb.running.ports import Ports, Purpose
from portia_nb.storage.owner import Owner, this_process
from portia_nb.storage.place import open_store
from portia_nb.storage.store import Hold, Store
from portia_nb.tools.base import Tool
from portia_nb.tools.registry import DefaultToolRegistry, ToolRegistry

from .live import Asker, Listener, LiveRun, live_run
from .log import log_event, log_plan, set_up_logging
from .opening import open_run, refuse_missing_functions
from .waiting import await_here, wait_here
from .watchers import tell_watchers


class Portia:
    """Plans queries and runs plans with a set of tools.

    Each method has an async twin with an ``a`` in front. The plain ones wait in any thread, inside a running
    event loop too; the async ones may be awaited on any loop.

    >>> from portia_nb import Config, PlanBuilderV2
    >>> portia = Portia(Config(store="memory"), tools=[])
    >>> plan = PlanBuilderV2().function_step(function=lambda: 42, step_name="answer").build()
    >>> portia.run_plan(plan).outputs["answer"].value
    42
    """

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
        self.config = Config.from_default() if config is None else config
        self.tools = _registry(tools, self.config)
        self.execution_hooks = execution_hooks or ExecutionHooks()
        self._checked: WeakValueDictionary[int, Plan] = WeakValueDictionary()

    @cached_property
    def store(self) -> Store:
        """Where plans and runs are kept; opened at first use."""
        return open_store(self.config)

    @cached_property
    def _models(self) -> Any:
        from portia_nb.llm.choice import Models

        return Models(self.config)

    # -- planning --------------------------------------------------------------------------------

    def plan(self, query: str, tools: Any = None, **options: Any) -> Plan:
        """Make a plan for `query` and keep it; see `aplan`."""
        return wait_here(background.submit(self._plan(query, tools, **options)[0]))

    async def aplan(
        self,
        query: str,
        tools: Any = None,
        example_plans: Sequence[Plan | str] | None = None,
        end_user: Any = None,
        plan_inputs: Any = None,
        structured_output_schema: Any = None,
        use_cached_plan: bool = False,
    ) -> Plan:
        """Make a plan for `query` and keep it.

        Args:
            query: what is wanted, in plain words.
            tools: tools or tool ids to plan with; None: all of this Portia's.
            example_plans: plans, or ids of kept ones, that show how such queries are planned.
            end_user: for whom; unused in planning.
            plan_inputs: inputs that the plan may refer to: names, dicts or `PlanInput`s.
            structured_output_schema: the shape of the final output.
            use_cached_plan: True: take the latest kept plan of the same query and tools where there is
                one.

        Raises:
            PlanError: the planner says that it can't be done, or made no plan that can run.
            ModelError: the planning model could not be asked.
        """
        coroutine, _ = self._plan(
            query,
            tools,
            example_plans=example_plans,
            plan_inputs=plan_inputs,
            structured_output_schema=structured_output_schema,
            use_cached_plan=use_cached_plan,
        )
        return await await_here(background.submit(coroutine))

    def _plan(
        self,
        query: str,
        tools: Any = None,
        example_plans: Sequence[Plan | str] | None = None,
        end_user: Any = None,
        plan_inputs: Any = None,
        structured_output_schema: Any = None,
        use_cached_plan: bool = False,
    ) -> tuple[Any, list[AnyEvent]]:
        """Return the coroutine that plans, and the list to which it adds what its model calls cost."""
        cost: list[AnyEvent] = []

        async def make() -> Plan:
            from portia_nb.planning.planner import make_plan

            set_up_logging(self.config)
            offered = self._offered(tools)
            began = time.monotonic()

            def count(reply: ModelReply) -> None:
                nonlocal began
                now = time.monotonic()
                cost.append(
                    ModelReplied("", "planning", reply.model, now - began, reply.usage)
                )
                began = now

            if use_cached_plan and (cached := self._cached(query, offered)) is not None:
                return cached
            made = await make_plan(
                query,
                offered,
                model=self._models.for_purpose("planning"),
                example_plans=[self._find_plan(p) for p in example_plans or ()],
                plan_inputs=plan_inputs or (),
                schema=structured_output_schema,
                on_reply=count,
            )
            self.store.save_plan(made)
            remember(made)
            log_plan(made)
            return made

        return make(), cost

    def _offered(self, tools: Any) -> ToolRegistry:
        if tools is None:
            return self.tools
        if isinstance(tools, ToolRegistry):
            return tools
        return ToolRegistry([self.tools.get_tool(t) if isinstance(t, str) else t for t in tools])

    def _cached(self, query: str, tools: ToolRegistry) -> Plan | None:
        ids = {tool.id for tool in tools}
        for row in self.store.find_plans():
            if row.query == query:
                plan = self.store.load_plan(row.plan_id, plan_hash=row.plan_hash)
                if set(plan.plan_context.tool_ids) == ids:
                    return plan
        return None

    def _find_plan(self, plan: Plan | PlanUUID | str) -> Plan:
        if isinstance(plan, Plan):
            return plan
        kept = self.store.load_plan(str(plan))
        return built_plan(kept.content_hash()) or kept

    # -- running ---------------------------------------------------------------------------------

    def run(self, query: str, tools: Any = None, **options: Any) -> PlanRun:
        """Plan `query` and run the plan; see `arun`."""
        return self._run_here(*self._prepare_query(query, tools, options))

    async def arun(
        self,
        query: str,
        tools: Any = None,
        example_plans: Sequence[Plan | str] | None = None,
        end_user: Any = None,
        plan_run_inputs: Any = None,
        structured_output_schema: Any = None,
        use_cached_plan: bool = False,
    ) -> PlanRun:
        """Plan `query`, run the plan, and return the run as it ended.

        Args:
            query: what is wanted, in plain words.
            tools: as in `aplan`.
            example_plans: as in `aplan`.
            end_user: for whom; tools see it.
            plan_run_inputs: values of inputs that the plan may refer to, by name.
            structured_output_schema: the shape of the final output.
            use_cached_plan: as in `aplan`.

        Raises:
            PlanError: no plan could be made.
            ModelError: the planning model could not be asked.
            StorageError: the run can't be kept.
        """
        options = {
            "example_plans": example_plans,
            "end_user": end_user,
            "plan_run_inputs": plan_run_inputs,
            "structured_output_schema": structured_output_schema,
            "use_cached_plan": use_cached_plan,
        }
        planning, start = self._prepare_query(query, tools, options)
        plan = await await_here(background.submit(planning))
        return await self._await_run(start(plan, asyncio.get_running_loop()))

    def _prepare_query(
        self, query: str, tools: Any, options: dict[str, Any]
    ) -> tuple[Any, Callable[[Plan, Any], LiveRun]]:
        inputs = options.pop("plan_run_inputs", None)
        end_user = options.pop("end_user", None)
        coroutine, cost = self._plan(
            query, tools, plan_inputs=_names_of_inputs(inputs), **options
        )

        def start(plan: Plan, caller: asyncio.AbstractEventLoop | None) -> LiveRun:
            return self._start_call(plan, inputs, end_user, None, caller, cost, tools=tools)

        return coroutine, start

    def _run_here(self, planning: Any, start: Callable[[Plan, Any], LiveRun]) -> PlanRun:
        plan = wait_here(background.submit(planning))
        live = start(plan, None)
        return wait_here(live.done, stop=live.stop)

    def run_plan(
        self,
        plan: Plan | PlanUUID | str,
        end_user: Any = None,
        plan_run_inputs: Any = None,
        structured_output_schema: Any = None,
    ) -> PlanRun:
        """Run `plan` and return the run as it ended; see `arun_plan`."""
        live = self._start_call(plan, plan_run_inputs, end_user, structured_output_schema, None)
        return wait_here(live.done, stop=live.stop)

    async def arun_plan(
        self,
        plan: Plan | PlanUUID | str,
        end_user: Any = None,
        plan_run_inputs: Any = None,
        structured_output_schema: Any = None,
    ) -> PlanRun:
        """Run `plan` and return the run as it ended.

        A step that fails doesn't raise: the run's state is FAILED, and its `error` says why. A question
        that nobody is there to answer leaves the state NEED_CLARIFICATION.

        Args:
            plan: a plan, or the id of a kept one.
            end_user: for whom; tools see it.
            plan_run_inputs: values of the plan's inputs: a dict by name, one ``{"name": …, "value": …}``,
                a list of those, or a list of `PlanInput`.
            structured_output_schema: the shape of the final output.

        Raises:
            PlanCheckError: the plan can't run; nothing was started.
            ValueError: inputs are missing.
            StorageError: the run can't be kept.
        """
        loop = asyncio.get_running_loop()
        live = self._start_call(plan, plan_run_inputs, end_user, structured_output_schema, loop)
        return await self._await_run(live)

    async def _await_run(self, live: LiveRun) -> PlanRun:
        return await await_here(live.done, stop=live.stop)

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
            first: events to keep before the run starts, such as what planning cost.
            tools: tools beside this Portia's.

        Raises:
            PlanCheckError: the plan can't run.
            ValueError: inputs are missing.
        """
        set_up_logging(self.config)
        found = self._find_plan(plan)
        if structured_output_schema is not None:
            schema = SchemaRef.of(structured_output_schema)
            found = found.model_copy(update={"structured_output_schema": schema})
        registry = self.tools if tools is None else self.tools + tools
        self._check(found, registry)
        inputs = read_plan_run_inputs(plan_run_inputs, found)
        remember(found)
        run = Run(PlanRunUUID.new(), found)
        user = None if end_user is None else str(getattr(end_user, "external_id", end_user))
        hold = self.store.create_run(run.id, found, owner=self._owner())
        return self._start(
            run,
            hold,
            asker=asker,
            listeners=listeners,
            gate=gate,
            caller=caller,
            registry=registry,
            end_user=end_user,
            first=(RunCreated(found.id, inputs, user), *first),
        )

    def _start_call(
        self,
        plan: Plan | PlanUUID | str,
        inputs: Any,
        end_user: Any,
        schema: Any,
        caller: asyncio.AbstractEventLoop | None,
        first: Sequence[AnyEvent] = (),
        tools: Any = None,
    ) -> LiveRun:
        """Start a run for a Python call, which watchers are told of."""
        return self.start_run(
            plan,
            inputs,
            end_user=end_user,
            structured_output_schema=schema,
            caller=None if background.is_here else caller,
            first=first,
            listeners=(),
            tools=None if tools is None else self._offered(tools),
        )

    def _start(
        self,
        run: Run,
        hold: Hold,
        *,
        asker: Asker | None,
        listeners: Sequence[Listener],
        gate: bool,
        caller: asyncio.AbstractEventLoop | None,
        registry: ToolRegistry,
        end_user: Any = None,
        first: Sequence[AnyEvent] = (),
    ) -> LiveRun:
        context = contextvars.copy_context()
        places = Places(caller, context)

        def make_ports(live: LiveRun) -> Ports:
            return Ports(
                emit=live.emit,
                kept=live.kept,
                ask=live.ask,
                model=self._model,
                tool=lambda step: _tool_of(step, registry),
                config=self.config,
                places=places,
                hooks=self.execution_hooks,
                gate=gate,
                end_user=end_user,
                name=f"{socket.gethostname()}:{os.getpid()}",
            )

        live = LiveRun(
            run,
            store=self.store,
            hold=hold,
            make_ports=make_ports,
            asker=asker,
            handler=self.execution_hooks.clarification_handler,
            listeners=(*listeners, log_event),
            secrets=self.config.secrets(),
            first=first,
        )
        if asker is None:
            tell_watchers(live)
        return live.start(context)

    async def stream(
        self, plan: Plan | PlanUUID | str, plan_run_inputs: Any = None, end_user: Any = None
    ) -> AsyncIterator[Recorded]:
        """Run `plan` and yield its events in order, as they happen; leaving the loop stops the run.

        >>> import asyncio
        >>> from portia_nb import Config, PlanBuilderV2
        >>> plan = PlanBuilderV2().function_step(function=lambda: 42, step_name="answer").build()
        >>> async def kinds():
        ...     portia = Portia(Config(store="memory"), tools=[])
        ...     return [recorded.event.kind async for recorded in portia.stream(plan)]
        >>> asyncio.run(kinds())[-2:]
        ['step_done', 'run_completed']
        """
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Recorded | None] = asyncio.Queue()

        def listen(_: Run, recorded: Recorded) -> None:
            loop.call_soon_threadsafe(events.put_nowait, recorded)

        live = self.start_run(
            plan, plan_run_inputs, end_user=end_user, listeners=(listen,), caller=loop
        )
        live.done.add_done_callback(
            lambda _: loop.call_soon_threadsafe(events.put_nowait, None)
        )
        try:
            while (recorded := await events.get()) is not None:
                yield recorded
        finally:
            if not live.done.done():
                live.stop("its stream was left")
        await self._await_run(live)

    # -- going on --------------------------------------------------------------------------------

    def resume(
        self,
        plan_run: PlanRun | None = None,
        plan_run_id: PlanRunUUID | str | None = None,
        plan: Plan | None = None,
    ) -> PlanRun:
        """Go on with a run that was stopped, has failed, or whose process died; see `aresume`."""
        live = self.start_resume(_id_of(plan_run, plan_run_id), plan, told=True)
        if isinstance(live, PlanRun):
            return live
        return wait_here(live.done, stop=live.stop)

    async def aresume(
        self,
        plan_run: PlanRun | None = None,
        plan_run_id: PlanRunUUID | str | None = None,
        plan: Plan | None = None,
    ) -> PlanRun:
        """Go on with a run that was stopped, has failed, or whose process died.

        Steps that are done are not executed again. A complete run comes back as it is.

        Args:
            plan_run: the run; only its id counts.
            plan_run_id: or its id.
            plan: the run's plan, built again; needed in a new process where the plan holds functions
                and its cell has not been run.

        Raises:
            PlanRunNotFoundError: the store holds no such run.
            InvalidPlanRunStateError: questions are open, and there is no handler to answer them.
            FunctionsMissing: the plan's functions aren't in this process.
            RunHeldElsewhere: another process runs it.
        """
        loop = None if background.is_here else asyncio.get_running_loop()
        found = self.start_resume(_id_of(plan_run, plan_run_id), plan, caller=loop, told=True)
        return found if isinstance(found, PlanRun) else await self._await_run(found)

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
        told: bool = False,
    ) -> LiveRun | PlanRun:
        """Go on with a run and return at once, from any thread; a complete run is returned as it is.

        Args:
            plan_run_id: which run.
            plan: as in `aresume`.
            asker: as in `start_run`.
            listeners: as in `start_run`.
            gate: as in `start_run`.
            caller: as in `start_run`.
            take_over: True: go on even where another live process has it, whose writes are then refused.
            told: unused; kept so that Python calls read alike.

        Raises:
            PortiaBaseError: as `aresume`.
        """
        set_up_logging(self.config)
        run_id = str(plan_run_id)
        if (running := live_run(run_id)) is not None:
            return running
        run = open_run(self.store, run_id, plan)
        if run.state is PlanRunState.COMPLETE:
            return run.snapshot()
        has_handler = asker is not None or self.execution_hooks.clarification_handler is not None
        if any(run.outstanding()) and not has_handler:
            questions = "; ".join(repr(c.user_guidance) for c in run.outstanding())
            raise InvalidPlanRunStateError(
                f"run {run_id} waits for an answer to {questions}: answer with "
                "portia.resolve_clarification(clarification, response), then resume",
                run_id=run_id,
            )
        refuse_missing_functions(run)
        self._check(run.plan, self.tools)
        hold = self.store.claim(run_id, owner=self._owner(), take_over=take_over)
        # Read once more: between the first look and the claim another process may have written.
        run = open_run(self.store, run_id, run.plan)
        return self._start(
            run,
            hold,
            asker=asker,
            listeners=listeners,
            gate=gate,
            caller=caller,
            registry=self.tools,
        )

    def resolve_clarification(
        self, clarification: Clarification, response: Any, plan_run: PlanRun | None = None
    ) -> PlanRun:
        """Answer a question of a run and return the run.

        Its state is READY_TO_RESUME once no question is left.

        Args:
            clarification: the question.
            response: the answer.
            plan_run: the run; may be left out.

        Raises:
            InvalidAnswer: the question doesn't allow it.
            PlanRunNotFoundError: the store holds no such run.
            RunHeldElsewhere: another process runs it.
        """
        run_id = _run_of(clarification, plan_run)
        if (live := live_run(run_id)) is not None:
            live.answer(clarification.id, response, "the caller")
            return wait_here(background.submit(_snapshot(live)))

        def answer(run: Run) -> Sequence[AnyEvent]:
            asked = _question(run, clarification)
            if asked.resolved:
                return ()
            checked = asked.check_answer(response)
            return (ClarificationResolved(asked.id, checked, "the caller"),)

        return self._write(run_id, answer)

    async def aresolve_clarification(
        self, clarification: Clarification, response: Any, plan_run: PlanRun | None = None
    ) -> PlanRun:
        """Answer a question of a run and return the run; see `resolve_clarification`."""
        return await asyncio.to_thread(
            self.resolve_clarification, clarification, response, plan_run
        )

    def error_clarification(
        self, clarification: Clarification, error: object, plan_run: PlanRun | None = None
    ) -> PlanRun:
        """Let a run fail because its question can't be answered, and return the run.

        Raises:
            PlanRunNotFoundError: the store holds no such run.
            RunHeldElsewhere: another process runs it.
        """
        run_id = _run_of(clarification, plan_run)
        cause = error if isinstance(error, BaseException) else PortiaBaseError(str(error))
        if (live := live_run(run_id)) is not None:
            live.fail(cause, clarification.path)
            return wait_here(live.done)

        def fail(run: Run) -> Sequence[AnyEvent]:
            asked = _question(run, clarification)
            return (RunStarted("the caller"), RunFailed(record_error(cause, asked.path)))

        return self._write(run_id, fail)

    async def aerror_clarification(
        self, clarification: Clarification, error: object, plan_run: PlanRun | None = None
    ) -> PlanRun:
        """Let a run fail because its question can't be answered; see `error_clarification`."""
        return await asyncio.to_thread(self.error_clarification, clarification, error, plan_run)

    def get_run(self, plan_run_id: PlanRunUUID | str) -> PlanRun:
        """Return a kept run as it stands.

        Raises:
            PlanRunNotFoundError: the store holds no such run.
        """
        return open_run(self.store, str(plan_run_id)).snapshot()

    def _write(self, run_id: str, events_of: Callable[[Run], Sequence[AnyEvent]]) -> PlanRun:
        """Add events to a run that nobody runs, and return it."""
        hold = self.store.claim(run_id, owner=self._owner())
        try:
            run = open_run(self.store, run_id)
            for event in events_of(run):
                recorded = Recorded(run.seq + 1, time.time(), run_id, event)
                self.store.append(hold, recorded)
                run.apply(recorded)
            self.store.kept_blocking(hold)
            return run.snapshot()
        finally:
            self.store.release(hold)

    def _check(self, plan: Plan, registry: ToolRegistry) -> None:
        """Refuse a plan that can't run; one that was let through with these tools isn't read again."""
        if registry is self.tools and self._checked.get(id(plan)) is plan:
            return
        check_plan(plan, registry)
        if registry is self.tools:
            self._checked[id(plan)] = plan

    def _model(self, purpose: Purpose, override: Any) -> LanguageModel:
        if override is not None:
            return self._models.named(override, purpose)
        return self._models.for_purpose(purpose)

    def _owner(self) -> Owner:
        return this_process()


def _registry(tools: Any, config: Config) -> ToolRegistry:
    if tools is None:
        return DefaultToolRegistry(config)
    return tools if isinstance(tools, ToolRegistry) else ToolRegistry(tools)


def _tool_of(step: AnyStep, registry: ToolRegistry) -> Tool[Any]:
    """Return the tool of a step: the one it was built with, else the registry's."""
    assert isinstance(step, InvokeToolStep | SingleToolAgentStep)
    return step._tool if step._tool is not None else registry.get_tool(str(step.tool_id))


def _names_of_inputs(given: Any) -> Any:
    """Return the inputs that a caller gives as plan inputs for the planner: names, without values."""
    match given:
        case None:
            return ()
        case dict() if set(given) == {"name", "value"}:
            return (given["name"],)
        case dict():
            return tuple(given)
        case _:
            return tuple(i["name"] if isinstance(i, dict) else i.name for i in given)


def _id_of(plan_run: PlanRun | None, plan_run_id: Any) -> str:
    if plan_run is None and plan_run_id is None:
        raise PlanRunNotFoundError("resume needs a run: pass plan_run= or plan_run_id=")
    return str(plan_run.id if plan_run is not None else plan_run_id)


def _run_of(clarification: Clarification, plan_run: PlanRun | None) -> str:
    if plan_run is not None:
        return str(plan_run.id)
    if clarification.plan_run_id is None:
        raise PlanRunNotFoundError("this question belongs to no run: pass plan_run= too")
    return str(clarification.plan_run_id)


def _question(run: Run, clarification: Clarification) -> Clarification:
    found = run.clarifications.get(clarification.id)
    if found is None:
        raise PlanRunNotFoundError(f"run {run.id} has asked no question {clarification.id}")
    return found


async def _snapshot(live: LiveRun) -> PlanRun:
    return live.run.snapshot()
