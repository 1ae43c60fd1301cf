"""Working on plans before they run: edit, change in words, compare, name, approve."""

from __future__ import annotations

from typing import Any

from portia_nb.errors import PlanNotFoundError
from portia_nb.model.approval import Approval, PlanVersion
from portia_nb.model.ids import PlanUUID
from portia_nb.model.plan import Plan
from portia_nb.model.plan_name import checked_name
from portia_nb.planning.bound import remember
from portia_nb.planning.plan_difference import PlanDifference, plan_difference
from portia_nb.running.background import background
from portia_nb.tools.aside import run_aside

from .approving import approve
from .changing import change_in_words
from .names import named_plan
from .plan_editor import PlanEditor
from .runner import Runner
from .waiting import await_here, refuse_own_loop, wait_here


class PlanWork(Runner):
    """What a `Portia` can do with plans before they run."""

    def edit(self, plan: Plan | PlanUUID | str, name: str | None = None) -> PlanEditor:
        """Return an editor of `plan`: changes that are checked with these tools, undo and redo.

        Args:
            plan: a plan, the id of a kept one, or the name of one.
            name: keep its versions under this name; None: under the name that was given as `plan`,
                else only as long as the editor lives.

        Raises:
            PlanNotFoundError: the store holds no such plan.
            InvalidOption: that can't be a name.
        """
        found = self._parts.find_plan(plan)
        if name is None and isinstance(plan, str) and self.store.find_versions(str(plan)):
            name = str(plan)
        return PlanEditor(self._parts, found, name)

    async def aedit(self, plan: Plan | PlanUUID | str, name: str | None = None) -> PlanEditor:
        """Return an editor of `plan`; see `edit`."""
        return await run_aside(self.edit, plan, name)

    def change(self, plan: Plan | PlanUUID | str, words: str) -> Plan:
        """Return `plan` changed as `words` say; see `achange`.

        `plan` stays as it is; ``portia.diff_plans(plan, changed)`` shows what changed.
        """
        refuse_own_loop("achange")
        found = self._parts.find_plan(plan)
        return wait_here(background.submit(change_in_words(self._parts, found, words)))

    async def achange(self, plan: Plan | PlanUUID | str, words: str) -> Plan:
        """Return `plan` changed as `words` say, such as "use metric units and skip the summary".

        The planning model is asked once, for the whole plan again; a reply that can't run goes back
        once with what is wrong. Steps that aren't concerned stay as they are, with all that they
        carry. What changed is for `diff_plans` to say, which compares the two plans: what a model
        tells of its own changes is never shown. Branches, loops, functions and questions can be
        kept or left out in words, not rewritten: `edit` does that.

        Args:
            plan: a plan, or the id or name of a kept one; it stays as it is.
            words: what is wanted.

        Raises:
            PlanNotFeasibleError: the model says that it can't be done; `reason` holds its words.
            PlanError: `words` are empty, or no reply can run.
            ModelError: the planning model could not be asked.
        """
        found = self._parts.find_plan(plan)
        return await await_here(background.submit(change_in_words(self._parts, found, words)))

    def diff_plans(
        self, before: Plan | PlanUUID | str, after: Plan | PlanUUID | str
    ) -> PlanDifference:
        """Return what changed from one plan to another, step by step and field by field.

        Args:
            before: a plan, or the id or name of a kept one.
            after: another.

        Raises:
            PlanNotFoundError: the store holds no such plan.

        >>> from portia_nb import Config, PlanBuilderV2, Portia
        >>> portia = Portia(Config(store="memory"), tools=[])
        >>> plan = PlanBuilderV2().llm_step(task="Look", step_name="look").build()
        >>> portia.diff_plans(plan, plan.disable("look"))
        1 change:
        ○ step 'look' switched off
        """
        return plan_difference(self._parts.find_plan(before), self._parts.find_plan(after))

    def keep_plan(self, plan: Plan | PlanUUID | str, name: str) -> PlanVersion:
        """Keep `plan` under a name, by which it can be run, shown and edited later.

        Where the name has a plan already, this is its next version.

        Raises:
            InvalidOption: that can't be a name.
            PlanNotFoundError: the store holds no such plan.
        """
        found, name = self._parts.find_plan(plan), checked_name(name)
        remember(found)
        known = self.store.find_versions(name)
        current = next((v for v in known if v.is_current), None)
        if current is None or current.plan_hash != found.content_hash():
            self.store.keep_version(name, found, "given" if known else "")
        return next(v for v in self.store.find_versions(name) if v.is_current)

    def named_plans(self) -> list[PlanVersion]:
        """Return the plans that have a name, the one that was changed last first."""
        return self.store.find_versions()

    async def anamed_plans(self) -> list[PlanVersion]:
        """Return the plans that have a name; see `named_plans`."""
        return await run_aside(self.named_plans)

    def forget_plan(self, name: str) -> None:
        """Delete a plan's name with all versions that no run has used.

        Raises:
            PlanNotFoundError: no plan has the name.
        """
        if not self.store.find_versions(name):
            named_plan(self.store, name)  # which tells of a name that is much like it
            raise PlanNotFoundError(
                f"no plan is called {name!r}: `named_plans` lists those that have a name",
                plan_id=name,
            )
        self.store.forget_name(name)

    def approve(self, plan: Plan | PlanUUID | str, by: str = "") -> Approval:
        """Approve a plan as it is: later runs of it in a notebook or terminal don't ask whether.

        What is kept is the hash of its content: once anything in it is changed, it is asked about
        again. Approved with it are the calls whose exact arguments the plan spells out; calls whose
        arguments come from other steps are asked about one by one, with the exact arguments. The
        runs' records tell who approved, when and how. It counts for the person whose process this
        is, in whichever process of theirs; in a store that they hand on, it approves nothing.

        Args:
            plan: a plan, or the id or name of a kept one.
            by: who approves; empty: the person whose process this is.

        Raises:
            PlanCheckError: the plan can't run.
            PlanNotFoundError: the store holds no such plan.

        >>> from portia_nb import Config, PlanBuilderV2, Portia
        >>> portia = Portia(Config(store="memory"), tools=[])
        >>> plan = PlanBuilderV2().function_step(function=print, step_name="say").build()
        >>> portia.approve(plan, by="ada").by
        'ada'
        """
        return approve(self._parts, self._parts.find_plan(plan), by=by)

    async def aapprove(self, plan: Plan | PlanUUID | str, by: str = "") -> Approval:
        """Approve a plan as it is; see `approve`."""
        return await run_aside(lambda: self.approve(plan, by))

    def approvals(self, plan: Plan | PlanUUID | str | None = None) -> list[Approval]:
        """Return who approved plans, the latest first: of all, or of one as it is now.

        Raises:
            PlanNotFoundError: the store holds no such plan.
        """
        found: Any = None if plan is None else self._parts.find_plan(plan).content_hash()
        return self.store.find_approvals(plan_hash=found)
