"""Running again: forks, which are new runs, retries, which go on with the same; comparing runs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from portia_nb.errors import InvalidPlanRunStateError
from portia_nb.model.ids import PlanRunUUID, PlanUUID
from portia_nb.model.plan import Plan
from portia_nb.model.rounds import place_of
from portia_nb.model.run import PlanRun, PlanRunState, StepState
from portia_nb.planning.edits import OUTPUT, place_named
from portia_nb.tools.aside import run_aside

from .comparing import compare_runs
from .comparison import RunComparison
from .finding import run_given
from .forking import Edit, Fork, failed_steps, prepare_fork, work_out_fork
from .history import WORDS
from .launch import Company
from .live import LiveRun
from .opening import open_run
from .resuming import Claimed, claim_aside, going_on, prepare_resume
from .runner import Runner
from .waiting import refuse_own_loop, run_here, run_on_this_loop
from .watchers import tell_watchers

Edits = Mapping[str, Mapping[str, Any]]


class RunAgain(Runner):
    """What a `Portia` can do with runs that there are: fork, try again what failed, compare."""

    def fork(
        self,
        run: PlanRun | PlanRunUUID | str,
        step: str | int | None = None,
        *,
        plan: Plan | PlanUUID | str | None = None,
        inputs: Any = None,
        edits: Edits | None = None,
        budget: Any = None,
        **fields: Any,
    ) -> PlanRun:
        """Run again what edits of a run touch, as a new run, and reuse the rest; see `afork`.

        >>> from portia_nb import Config, PlanBuilderV2, Portia, StepOutput
        >>> def price(city: str) -> int:
        ...     print("asking in", city)
        ...     return len(city)
        >>> plan = (
        ...     PlanBuilderV2()
        ...     .function_step(function=price, args={"city": "Oslo"}, step_name="oslo")
        ...     .function_step(function=price, args={"city": "Paris"}, step_name="paris")
        ...     .function_step(
        ...         function=lambda a, b: a + b,
        ...         args={"a": StepOutput("oslo"), "b": StepOutput("paris")},
        ...     )
        ...     .build()
        ... )
        >>> portia = Portia(Config(store="memory"), tools=[])
        >>> run = portia.run_plan(plan)
        asking in Oslo
        asking in Paris
        >>> portia.fork(run, "paris", args={"city": "Rome"}).final_output.value
        asking in Rome
        8
        """
        refuse_own_loop("afork")
        edit = Edit(step, fields, plan, inputs, edits)
        company = Company(tell=tell_watchers, budget=budget)
        return run_here(lambda: self._prepare_fork(run, edit, company))

    async def afork(
        self,
        run: PlanRun | PlanRunUUID | str,
        step: str | int | None = None,
        *,
        plan: Plan | PlanUUID | str | None = None,
        inputs: Any = None,
        edits: Edits | None = None,
        budget: Any = None,
        **fields: Any,
    ) -> PlanRun:
        """Run again what edits of a run touch, as a new run, and reuse the rest.

        Any run can be forked, from any step: complete, failed, stopped, waiting for an answer, or
        under way. It stays as it is; the new run says in `forked_from` where it comes from, and its
        record holds all that it reuses, so that it doesn't need the old one any more.

        These run again, and nothing else that was done:

        - the step that is named, and each step with an edit;
        - whatever refers to a step that runs again, or names it in `after`: in its arguments,
          inputs, conditions, items, and so on from step to step. A step that holds others runs
          again where one in it does; in it, only those that are touched;
        - calls of tools and functions that come after a call with ``side_effect=True`` that is made
          again, since they may see what it changed. A call that itself has ``side_effect=True``
          is not repeated for that: what was done and isn't touched is never done twice;
        - in a loop over items that stay, those rounds that are touched; the whole loop where its
          items may change; of a ``while`` loop the first round that is touched and all after it.

        What had not been done in the old run is done now. A question that was answered isn't asked
        again, unless its step runs again. The final output is made anew. Steps in a branch that is
        chosen anew keep what they had put out, if the same branch is taken.

        Args:
            run: the run, or its id.
            step: the step to run from: a name, an index, a place such as ``each/sky`` (in all
                rounds), or a path such as ``each[2]/sky``. None: what edits, inputs and plan touch.
            plan: a plan to run instead: the run's own, built again in a new process, or another.
                Steps that say the same as before, by content, count as untouched; functions count
                by their source.
            inputs: values of the plan's inputs, of those that change.
            edits: further edits, by step and field: ``{"sky": {"task": "…"}}``.
            budget: the most that the new run may spend on models, as in `arun_plan`: what the old
                one spent doesn't count.
            fields: edits of `step`, by the names that the builder's calls have: ``task``, ``args``
                (those named change, the others stay), ``tool``, ``model``, ``function``, …; and
                ``output``, the step's output by hand, so that only what refers to it runs.

        Raises:
            PlanRunNotFoundError: the store holds no such run.
            StepNotFoundError: no such step, or no such round of it.
            PlanError: no such field or input, or not with that value.
            PlanCheckError: the plan can't run with these edits.
            InvalidPlanRunStateError: the run is complete, and nothing would run.
            FunctionsMissing: functions that would be called aren't in this process.
            ValueNotKept: an output that is still needed could not be kept, and making it anew is
                more than reading.
            InvalidOption: the budget is none, or can't be kept.
        """
        edit = Edit(step, fields, plan, inputs, edits)
        loop = asyncio.get_running_loop()
        company = Company(caller=loop, tell=tell_watchers, budget=budget)
        return await run_on_this_loop(
            lambda fork: prepare_fork(self._parts, fork, company),
            run_aside(work_out_fork, self._parts, run, edit),
        )

    def retry(
        self,
        run: PlanRun | PlanRunUUID | str,
        step: str | int | None = None,
        *,
        inputs: Any = None,
        budget: Any = None,
        **fields: Any,
    ) -> PlanRun:
        """Try the failed step of a run again; see `aretry`."""
        refuse_own_loop("aretry")
        edit = Edit(step, fields, inputs=inputs)
        company = Company(tell=tell_watchers, budget=budget)
        return run_here(lambda: self._prepare_retry(run, edit, company))

    async def aretry(
        self,
        run: PlanRun | PlanRunUUID | str,
        step: str | int | None = None,
        *,
        inputs: Any = None,
        budget: Any = None,
        **fields: Any,
    ) -> PlanRun:
        """Try the failed step of a run again, and go on from there.

        It is the same run that goes on, as with `resume`; but only a run that has failed is tried
        again, while `resume` goes on with any that isn't complete. With `fields`, the failed step
        is changed first, and with `inputs` the plan's inputs, as in `afork`: since a run's plan and
        inputs never change, that is a fork.

        Args:
            run: the run, or its id.
            step: the step that failed; None: whichever did.
            inputs: values of the plan's inputs, of those that change, as in `afork`.
            budget: as in `aresume`; with `fields` or `inputs` as in `afork`.
            fields: edits of the failed step, as in `afork`.

        Raises:
            PlanRunNotFoundError: the store holds no such run.
            InvalidPlanRunStateError: the run has not failed, or `step` has not; the message says
                what helps instead.
            PortiaBaseError: as `aresume`, and with `fields` or `inputs` as `afork`.
        """
        edit = Edit(step, fields, inputs=inputs)
        loop = asyncio.get_running_loop()
        company = Company(caller=loop, tell=tell_watchers, budget=budget)
        return await run_on_this_loop(
            lambda found: self._retrying(found, company), self._look_aside(run, edit, company)
        )

    def compare(
        self, a: PlanRun | PlanRunUUID | str, b: PlanRun | PlanRunUUID | str | None = None
    ) -> RunComparison:
        """Return where two runs differ: plan, inputs, answers, each output, cost and time.

        What comes back shows itself in notebooks, prints as text, and `RunComparison.to_frame`
        makes a table of it. Values count as equal where the store would keep the same of them.

        Args:
            a: a run, or its id.
            b: another; None: `a` is compared with the run that it was forked from, which comes
                first.

        Raises:
            PlanRunNotFoundError: the store holds no such run.
            InvalidPlanRunStateError: `b` is None, and `a` wasn't forked.

        >>> from portia_nb import Config, PlanBuilderV2, Portia
        >>> def count(word: str) -> int:
        ...     return len(word)
        >>> builder = PlanBuilderV2().function_step(function=count, args={"word": "Oslo"})
        >>> portia = Portia(Config(store="memory"), tools=[])
        >>> run = portia.run_plan(builder.build())
        >>> found = portia.compare(portia.fork(run, 0, args={"word": "Paris"}))
        >>> found.plan[0].fields, found.final.a, found.final.b
        (('args.word',), 4, 5)
        """
        return compare_runs(self._parts, a, b)

    async def acompare(
        self, a: PlanRun | PlanRunUUID | str, b: PlanRun | PlanRunUUID | str | None = None
    ) -> RunComparison:
        """Return where two runs differ; see `compare`."""
        return await run_aside(compare_runs, self._parts, a, b)

    def failed_step(self, run: PlanRun | PlanRunUUID | str, step: str | int | None = None) -> str:
        """Return the path of the step at which a run failed.

        Args:
            run: the run, or its id.
            step: the step that is meant to have failed; None: whichever did.

        Raises:
            InvalidPlanRunStateError: the run has not failed, or `step` has not.
            StepNotFoundError: no such step.
        """
        run_id = run_given(self.store, run, "retry")
        kept = open_run(self.store, run_id)
        if kept.state is not PlanRunState.FAILED:
            raise InvalidPlanRunStateError(
                f"run {run_id} has not failed (state: {WORDS[kept.state]}), so there is nothing "
                f"to try again: {_INSTEAD.get(kept.state, 'wait for it')}",
                run_id=run_id,
            )
        failed = failed_steps(kept)
        if step is None:
            return failed[0] if failed else ""
        place = place_named(kept.plan, step)
        for path in failed:
            if place in (path, place_of(path)):
                return path
        record = kept.steps.get(place)
        if record is not None and record.state is StepState.DONE:
            raise InvalidPlanRunStateError(
                f"step {place!r} of run {run_id} has not failed, it is done: to run it again, "
                f"fork from it: fork(run, {place!r})",
                run_id=run_id,
                step=place,
            )
        raise InvalidPlanRunStateError(
            f"step {place!r} of run {run_id} has not failed; what has: {', '.join(failed)}",
            run_id=run_id,
            step=place,
        )

    def _prepare_fork(
        self, run: PlanRun | PlanRunUUID | str, edit: Edit, company: Company
    ) -> LiveRun:
        return prepare_fork(self._parts, work_out_fork(self._parts, run, edit), company)

    def _prepare_retry(
        self,
        run: PlanRun | PlanRunUUID | str,
        edit: Edit,
        company: Company,
    ) -> LiveRun | PlanRun:
        failed = self.failed_step(run, edit.step)
        if not edit.fields and edit.inputs is None:
            run_id = run_given(self.store, run, "retry")
            return prepare_resume(self._parts, run_id, company=company)
        edit = replace(edit, step=step_to_change(failed, edit.fields or {}))
        return self._prepare_fork(run, edit, company)

    async def _look_aside(
        self, run: PlanRun | PlanRunUUID | str, edit: Edit, company: Company
    ) -> Claimed | LiveRun | PlanRun | Fork:
        """Do on threads what of `_prepare_retry` waits for the disk."""
        failed = await run_aside(self.failed_step, run, edit.step)
        if not edit.fields and edit.inputs is None:
            run_id = await run_aside(run_given, self.store, run, "retry")
            return await claim_aside(self._parts, run_id, None, company)
        edit = replace(edit, step=step_to_change(failed, edit.fields or {}))
        return await run_aside(work_out_fork, self._parts, run, edit)

    def _retrying(
        self, found: Claimed | LiveRun | PlanRun | Fork, company: Company
    ) -> LiveRun | PlanRun:
        if isinstance(found, Fork):
            return prepare_fork(self._parts, found, company)
        return going_on(self._parts, found, company)


def step_to_change(failed: str, fields: Mapping[str, Any]) -> str | None:
    """Return the step that a retry with `fields` forks from; None: the run failed at none.

    Args:
        failed: the path of the step that failed.
        fields: what is changed of it: in a loop, the plan has one step for all rounds.

    >>> step_to_change("each[1]/sky", {"task": "Look"})
    'each/sky'
    >>> step_to_change("each[1]/sky", {"output": "sunny"})
    'each[1]/sky'
    """
    return (place_of(failed) if set(fields) - {OUTPUT} else failed) or None


_INSTEAD = {
    PlanRunState.COMPLETE: "fork runs a step of a complete run again",
    PlanRunState.NEED_CLARIFICATION: "answer its questions, then resume goes on",
    PlanRunState.READY_TO_RESUME: "resume goes on with it",
    PlanRunState.NOT_STARTED: "resume starts it",
}
