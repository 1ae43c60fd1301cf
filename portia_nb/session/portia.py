"""`Portia`: plan, run, resume; the public face of the session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from portia_nb.errors import PlanRunNotFoundError
from portia_nb.model.end_user import EndUser
from portia_nb.model.ids import PlanRunUUID, PlanUUID
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun
from portia_nb.running.background import background

from . import launch
from .again import RunAgain
from .creating import Creates
from .launch import Company
from .live import LiveRun
from .maps import Maps
from .plan_work import PlanWork
from .plans import Planning, names_of_inputs
from .questions import Questions
from .resuming import alet_stop, claim_aside, give_back, going_on, let_stop
from .sharing import Sharing
from .steering import Steering
from .timelines import Timelines
from .waiting import await_here, refuse_own_loop, run_here, run_on_this_loop, wait_here
from .watchers import tell_watchers


class Portia(Creates, RunAgain, Maps, Questions, Sharing, Steering, Timelines, PlanWork):
    """Plans queries and runs plans with a set of tools.

    Each method has an async twin with an ``a`` in front, where all is described. The plain ones
    wait in any thread, inside a running event loop too; the async ones may be awaited on any loop.

    >>> from portia_nb import Config, PlanBuilderV2
    >>> portia = Portia(Config(store="memory"), tools=[])
    >>> plan = PlanBuilderV2().function_step(function=lambda: 42, step_name="answer").build()
    >>> portia.run_plan(plan).outputs["answer"].value
    42
    """

    # -- planning --------------------------------------------------------------------------------

    def plan(
        self,
        query: str,
        tools: Any = None,
        example_plans: Sequence[Plan | PlanUUID | str] | None = None,
        end_user: EndUser | str | None = None,
        plan_inputs: Any = None,
        structured_output_schema: Any = None,
        use_cached_plan: bool = False,
    ) -> Plan:
        """Make a plan for `query` and keep it; see `aplan`."""
        refuse_own_loop("aplan")
        planning = Planning(
            self._parts,
            query,
            tools,
            example_plans,
            plan_inputs,
            structured_output_schema,
            use_cached_plan,
        )
        return wait_here(background.submit(planning.make()))

    async def aplan(
        self,
        query: str,
        tools: Any = None,
        example_plans: Sequence[Plan | PlanUUID | str] | None = None,
        end_user: EndUser | str | None = None,
        plan_inputs: Any = None,
        structured_output_schema: Any = None,
        use_cached_plan: bool = False,
    ) -> Plan:
        """Make a plan for `query` and keep it.

        Args:
            query: what is wanted, in plain words.
            tools: tools or tool ids to plan with; None: all of this Portia's.
            example_plans: plans, or ids of kept ones, that show how such queries are planned;
                ``"similar"``: kept plans of similar queries, two at most.
            end_user: for whom; unused in planning.
            plan_inputs: inputs that the plan may refer to: names, dicts or `PlanInput`s.
            structured_output_schema: the shape of the final output.
            use_cached_plan: True: take the latest kept plan of the same query and tools where
                there is one.

        Raises:
            PlanError: the planner says that it can't be done, or made no plan that can run.
            ModelError: the planning model could not be asked.
        """
        planning = Planning(
            self._parts,
            query,
            tools,
            example_plans,
            plan_inputs,
            structured_output_schema,
            use_cached_plan,
        )
        return await await_here(background.submit(planning.make()))

    # -- running ---------------------------------------------------------------------------------

    def run(
        self,
        query: str,
        tools: Any = None,
        example_plans: Sequence[Plan | PlanUUID | str] | None = None,
        end_user: EndUser | str | None = None,
        plan_run_inputs: Any = None,
        structured_output_schema: Any = None,
        use_cached_plan: bool = False,
        *,
        budget: Any = None,
    ) -> PlanRun:
        """Plan `query`, run the plan, and return the run as it ended; see `arun`."""
        refuse_own_loop("arun")
        planning = Planning(
            self._parts,
            query,
            tools,
            example_plans,
            names_of_inputs(plan_run_inputs),
            structured_output_schema,
            use_cached_plan,
            budget=budget,
        )
        plan = wait_here(background.submit(planning.make()))
        return run_here(
            lambda: self._prepare(
                plan,
                plan_run_inputs,
                end_user,
                tools=planning.tools,
                budget=budget,
            )
        )

    async def arun(
        self,
        query: str,
        tools: Any = None,
        example_plans: Sequence[Plan | PlanUUID | str] | None = None,
        end_user: EndUser | str | None = None,
        plan_run_inputs: Any = None,
        structured_output_schema: Any = None,
        use_cached_plan: bool = False,
        *,
        budget: Any = None,
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
            budget: as in `arun_plan`; it covers the planning too.

        Raises:
            BudgetReached: it was spent before there was a plan.
            PlanError: no plan could be made.
            ModelError: the planning model could not be asked.
            StorageError: the run can't be kept.
        """
        planning = Planning(
            self._parts,
            query,
            tools,
            example_plans,
            names_of_inputs(plan_run_inputs),
            structured_output_schema,
            use_cached_plan,
            budget=budget,
        )
        plan = await await_here(background.submit(planning.make()))
        loop = asyncio.get_running_loop()
        return await run_on_this_loop(
            lambda: self._prepare(
                plan,
                plan_run_inputs,
                end_user,
                tools=planning.tools,
                caller=loop,
                budget=budget,
            )
        )

    def run_plan(
        self,
        plan: Plan | PlanUUID | str,
        end_user: EndUser | str | None = None,
        plan_run_inputs: Any = None,
        structured_output_schema: Any = None,
        *,
        budget: Any = None,
    ) -> PlanRun:
        """Run `plan` and return the run as it ended.

        A step that fails doesn't raise: the run's state is FAILED, and its `error` says why. A
        question that nobody is there to answer leaves the state NEED_CLARIFICATION.

        Args:
            plan: a plan, or the id of a kept one.
            end_user: for whom; tools see it.
            plan_run_inputs: values of the plan's inputs, such as a dict by name.
            structured_output_schema: the shape of the final output.
            budget: as in `arun_plan`.

        Raises:
            PlanCheckError: the plan can't run; nothing was started.
            ValueError: inputs are missing, or the budget is none or can't be kept.
            StorageError: the run can't be kept.
        """
        refuse_own_loop("arun_plan")
        return run_here(
            lambda: self._prepare(
                plan, plan_run_inputs, end_user, structured_output_schema, budget=budget
            )
        )

    async def arun_plan(
        self,
        plan: Plan | PlanUUID | str,
        end_user: EndUser | str | None = None,
        plan_run_inputs: Any = None,
        structured_output_schema: Any = None,
        *,
        budget: Any = None,
    ) -> PlanRun:
        """Run `plan` and return the run as it ended.

        A step that fails doesn't raise: the run's state is FAILED, and its `error` says why. A
        question that nobody is there to answer leaves the state NEED_CLARIFICATION.

        Args:
            plan: a plan, or the id of a kept one.
            end_user: for whom; tools see it.
            plan_run_inputs: values of the plan's inputs: a dict by name, one
                ``{"name": …, "value": …}``, a list of those, or a list of `PlanInput`.
            structured_output_schema: the shape of the final output.
            budget: the most that the run may spend on models: ``"$0.50"``, ``"20k tokens"``, ``"30
                calls"``, or several with commas; a number is dollars; None: ``Config(budget=…)``.
                It is looked at before each call. Where a call would pass it the run stops with its
                outputs kept, READY_TO_RESUME, and its `stop_reason` says how to go on.

        Guarantees:
            The user's coroutine functions run on this loop, plain ones on threads. When this is
            cancelled the run is stopped and can be resumed.

        Raises:
            PlanCheckError: the plan can't run; nothing was started.
            ValueError: inputs are missing, or the budget is none or can't be kept.
            StorageError: the run can't be kept.
        """
        loop = asyncio.get_running_loop()
        await launch.open_aside(self._parts)
        return await run_on_this_loop(
            lambda: self._prepare(
                plan,
                plan_run_inputs,
                end_user,
                structured_output_schema,
                caller=loop,
                budget=budget,
            )
        )

    def _prepare(
        self,
        plan: Plan | PlanUUID | str,
        inputs: Any,
        end_user: EndUser | str | None,
        schema: Any = None,
        *,
        tools: Any = None,
        caller: asyncio.AbstractEventLoop | None = None,
        budget: Any = None,
    ) -> LiveRun:
        return launch.prepare_run(
            self._parts,
            plan,
            inputs,
            end_user=end_user,
            structured_output_schema=schema,
            tools=None if tools is None else self._parts.offered(tools),
            company=Company(caller=caller, tell=tell_watchers, budget=budget),
        )

    # -- going on --------------------------------------------------------------------------------

    def resume(
        self,
        plan_run: PlanRun | PlanRunUUID | str | None = None,
        plan_run_id: PlanRunUUID | str | None = None,
        plan: Plan | None = None,
        *,
        budget: Any = None,
    ) -> PlanRun:
        """Go on with a run that was stopped, has failed, or whose process died; see `aresume`."""
        refuse_own_loop("aresume")
        run_id = _id_of(plan_run, plan_run_id)
        company = Company(tell=tell_watchers, budget=budget)
        let_stop(run_id)
        return run_here(
            lambda found: going_on(self._parts, found, company),
            claim_aside(self._parts, run_id, plan, company),
            lambda found: give_back(self._parts, found),
        )

    async def aresume(
        self,
        plan_run: PlanRun | PlanRunUUID | str | None = None,
        plan_run_id: PlanRunUUID | str | None = None,
        plan: Plan | None = None,
        *,
        budget: Any = None,
    ) -> PlanRun:
        """Go on with a run that was stopped, has failed, or whose process died.

        Steps that are done are not executed again. A complete run comes back as it is. One that is
        being stopped here, and still cleans up, is waited for first.

        Args:
            plan_run: the run, of which only the id counts; or that id.
            plan_run_id: the run's id.
            plan: the run's plan, built again; needed in a new process where the plan holds
                functions and its cell has not been run.
            budget: the most that the run may spend on models, what it has spent before included;
                None: what it had, ``"none"``: no limit any more.

        Raises:
            PlanRunNotFoundError: the store holds no such run.
            InvalidPlanRunStateError: questions are open, and there is no handler to answer them.
            FunctionsMissing: the plan's functions aren't in this process.
            RunHeldElsewhere: another process runs it.
        """
        run_id = _id_of(plan_run, plan_run_id)
        company = Company(caller=asyncio.get_running_loop(), tell=tell_watchers, budget=budget)
        await launch.open_aside(self._parts)
        await alet_stop(run_id)
        return await run_on_this_loop(
            lambda found: going_on(self._parts, found, company),
            claim_aside(self._parts, run_id, plan, company),
        )


def _id_of(
    plan_run: PlanRun | PlanRunUUID | str | None, plan_run_id: PlanRunUUID | str | None
) -> str:
    if plan_run is not None:
        return str(plan_run.id if isinstance(plan_run, PlanRun) else plan_run)
    if plan_run_id is None:
        raise PlanRunNotFoundError("resume needs a run: pass plan_run= or plan_run_id=")
    return str(plan_run_id)
