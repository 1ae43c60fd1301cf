"""`PlanEditor`: a plan that is being changed, version by version, with undo and redo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from portia_nb.errors import PlanError
from portia_nb.model.approval import Approval, PlanVersion
from portia_nb.model.composite import AnyStep
from portia_nb.model.ids import PlanUUID
from portia_nb.model.plan import Plan
from portia_nb.model.plan_name import checked_name
from portia_nb.planning.bound import built_plan, remember
from portia_nb.planning.plan_difference import PlanDifference, plan_difference
from portia_nb.running.background import background
from portia_nb.storage.memory import MemoryStore
from portia_nb.storage.store import Store

from .approvals import standing_approval
from .approving import approve
from .changing import change_in_words
from .parts import Parts
from .waiting import await_here, refuse_own_loop, wait_here

UNNAMED = "plan"


class PlanEditor:
    """A plan that is being changed: each change makes a version, and any of them can come back.

    The versions of a plan with a name are kept in the store: ``portia.edit("trip")`` goes on with
    it in another process, undo included, and ``portia.run_plan("trip")`` runs what the name means
    now. Made by `Portia.edit`. Not for several threads at once.

    >>> from portia_nb import Config, PlanBuilderV2, Portia
    >>> portia = Portia(Config(store="memory"), tools=[])
    >>> trip = portia.edit(PlanBuilderV2().llm_step(task="Look", step_name="look").build(), "trip")
    >>> trip.edit("look", task="Look again").steps[0].task
    'Look again'
    >>> trip.difference()
    1 change:
    ~ step 'look' edited
        task: Look → Look again
    >>> trip.undo().steps[0].task
    'Look'
    """

    def __init__(self, parts: Parts, plan: Plan, name: str | None) -> None:
        """Begin, or go on where the name has this very plan; see `Portia.edit`."""
        self._parts = parts
        self._store: Store = MemoryStore() if name is None else parts.store
        self.name = UNNAMED if name is None else checked_name(name)
        """The name under which its versions are kept; ``plan`` where it has none."""
        self.has_name = name is not None
        self._listeners: list[Callable[[PlanEditor], None]] = []
        remember(plan)
        self._plan = plan
        current = next((v for v in self.versions if v.is_current), None)
        if current is None or current.plan_hash != plan.content_hash():
            self._store.keep_version(self.name, plan, "given" if current is not None else "")

    @property
    def plan(self) -> Plan:
        """The plan as it stands."""
        return self._plan

    @property
    def versions(self) -> list[PlanVersion]:
        """All versions that there are, the first one first; one of them is the current one."""
        return self._store.find_versions(self.name)

    @property
    def number(self) -> int:
        """The number of the current version, from 1."""
        return next(version.number for version in self.versions if version.is_current)

    @property
    def approval(self) -> Approval | None:
        """The approval that stands for the plan as it is now, None where there is none."""
        return standing_approval(self._parts.store, self._plan)

    def refresh(self) -> Plan:
        """Return the plan as it stands, with what others did under its name meanwhile."""
        current = next((v for v in self.versions if v.is_current), None)
        if current is not None and current.plan_hash != self._plan.content_hash():
            self._plan = self.version(current.number)
        return self._plan

    # -- changes: each returns the plan as it stands then --------------------------------------

    def rename(self, step: str | int, name: str) -> Plan:
        """Give a step another name; see `Plan.rename`."""
        return self._keep(self._plan.rename(step, name, tools=self._parts.tools), "renamed", step)

    def move(
        self, step: str | int, *, before: str | int | None = None, after: str | int | None = None
    ) -> Plan:
        """Put a step in another place; see `Plan.move`."""
        moved = self._plan.move(step, before=before, after=after, tools=self._parts.tools)
        return self._keep(moved, "moved", step)

    def disable(self, step: str | int) -> Plan:
        """Switch a step off; see `Plan.disable`."""
        return self._keep(self._plan.disable(step, tools=self._parts.tools), "switched off", step)

    def enable(self, step: str | int) -> Plan:
        """Switch a step on again; see `Plan.enable`."""
        return self._keep(self._plan.enable(step, tools=self._parts.tools), "switched on", step)

    def insert(
        self,
        step: AnyStep | Mapping[str, Any],
        *,
        before: str | int | None = None,
        after: str | int | None = None,
        into: str | int | None = None,
        branch: int = 0,
    ) -> Plan:
        """Add a step; see `Plan.insert`."""
        where: dict[str, Any] = {"before": before, "after": after, "into": into, "branch": branch}
        made = self._plan.insert(step, **where, tools=self._parts.tools)
        return self._keep(made, "added a step")

    def remove(self, step: str | int) -> Plan:
        """Take a step away; see `Plan.remove`."""
        return self._keep(self._plan.remove(step, tools=self._parts.tools), "removed", step)

    def edit(self, step: str | int, **fields: Any) -> Plan:
        """Change something in a step; see `Plan.edit`."""
        made = self._plan.edit(step, tools=self._parts.tools, **fields)
        return self._keep(made, "edited", step)

    def take(self, plan: Plan, change: str = "given") -> Plan:
        """Take `plan`, made elsewhere, as the next version, once it is checked.

        Raises:
            PlanCheckError: it can't run.
        """
        self._parts.check(plan, self._parts.tools)
        return self._keep(plan, change)

    def change(self, words: str) -> Plan:
        """Let a model change the plan as `words` say; see `Portia.achange`."""
        refuse_own_loop("achange")
        made = wait_here(background.submit(change_in_words(self._parts, self._plan, words)))
        return self._keep(made, f"“{words}”")

    async def achange(self, words: str) -> Plan:
        """Let a model change the plan as `words` say; see `Portia.achange`.

        Raises:
            PlanError: it can't be done, or another change was made while the model was asked.
            ModelError: the model can't be asked.
        """
        before = self._plan
        made = await await_here(background.submit(change_in_words(self._parts, before, words)))
        if self._plan is not before:
            raise PlanError("the plan was changed while the model was asked: ask again")
        return self._keep(made, f"“{words}”")

    # -- back and forth ------------------------------------------------------------------------

    @property
    def can_undo(self) -> bool:
        """Whether there is a version before the current one."""
        return self.number > 1

    @property
    def can_redo(self) -> bool:
        """Whether there is a version after the current one."""
        return self.number < len(self.versions)

    def undo(self) -> Plan:
        """Go back to the version before.

        Raises:
            PlanError: this is the first.
        """
        if not self.can_undo:
            raise PlanError("there is nothing to undo: this is the plan's first version")
        return self._go_to(self.number - 1)

    def redo(self) -> Plan:
        """Go on to the version after, which was undone.

        Raises:
            PlanError: this is the latest.
        """
        if not self.can_redo:
            raise PlanError("there is nothing to redo: this is the plan's latest version")
        return self._go_to(self.number + 1)

    def version(self, number: int) -> Plan:
        """Return the plan of version `number`, from 1; nothing changes.

        Raises:
            PlanError: there is no such version.
        """
        for version in self.versions:
            if version.number == number:
                kept = self._store.load_plan(version.plan_id, plan_hash=version.plan_hash)
                return built_plan(version.plan_hash) or kept
        raise PlanError(f"there is no version {number}: there are 1 to {len(self.versions)}")

    def difference(self, before: int = 1, after: int | None = None) -> PlanDifference:
        """Return what changed between two versions, by number; from the first to now.

        Raises:
            PlanError: there is no such version.
        """
        return plan_difference(
            self.version(before), self._plan if after is None else self.version(after)
        )

    # -- approving -----------------------------------------------------------------------------

    def approve(self, by: str = "", *, how: str = "python") -> Approval:
        """Approve the plan as it stands; see `Portia.approve`."""
        found = approve(self._parts, self._plan, by=by, how=how)
        self._tell()
        return found

    def on_change(self, listener: Callable[[PlanEditor], None]) -> None:
        """Call `listener` with this after each change, undo, redo and approval."""
        self._listeners.append(listener)

    def __repr__(self) -> str:
        versions = self.versions
        name = f"plan {self.name!r}" if self.has_name else "a plan without a name"
        approval = self.approval
        told = approval.sentence() if approval else f"plan {self._plan.content_hash()[:12]}"
        lines = [f"{name}, version {self.number} of {len(versions)}; {told}"]
        return "\n".join([*lines, self._plan.pretty_print()])

    def _go_to(self, number: int) -> Plan:
        plan = self.version(number)
        self._store.set_version(self.name, number)
        self._plan = plan
        self._tell()
        return plan

    def _keep(self, plan: Plan, change: str, step: str | int | None = None) -> Plan:
        if plan is self._plan or plan.content_hash() == self._plan.content_hash():
            return self._plan
        tape = self._parts.tape(goes_on=True)
        if tape is not None:
            plan = plan.model_copy(update={"id": PlanUUID(tape.draw_id("plan"))})
        remember(plan)
        text = change if step is None else f"{change} {step!r}"
        self._store.keep_version(self.name, plan, text)
        # What planning cost belongs to the first run, whichever version that runs.
        if (cost := self._parts.planning_cost.pop(self._plan.id, None)) is not None:
            made = self._parts.planning_cost.get(plan.id, ())
            self._parts.planning_cost[plan.id] = [*cost, *made]
        self._plan = plan
        self._tell()
        return plan

    def _tell(self) -> None:
        for listener in self._listeners:
            listener(self)
