"""What a `Plan` can be asked to change: each call returns another plan, checked at once."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from portia_nb.model.plan import AnyStep, Plan


class Editable:
    """Edits of a plan, by the step's name, its output's, its index, or a place as ``each/sky``.

    A plan never changes: each call returns another one, with an id of its own, or this one where
    nothing changes. It is checked before it is returned, as before it runs. Which tools there will
    be is left open unless `tools` says it; `Portia.edit` knows them.
    """

    __slots__ = ()

    def rename(self, step: str | int, name: str, *, tools: Any = None) -> Plan:
        """Return the plan with a step called `name`; all that refers to the step follows.

        Its output is renamed with it where the two go by one name. In tasks and conditions that
        are plain sentences, ``$old`` becomes ``$new``.

        Raises:
            StepNotFoundError: there is no such step; the message says what was probably meant.
            PlanCheckError: the name can't be used, or is taken.

        >>> from portia_nb import PlanBuilderV2, StepOutput
        >>> plan = (
        ...     PlanBuilderV2()
        ...     .llm_step(task="Find a city", step_name="find")
        ...     .llm_step(task="Praise it", inputs=[StepOutput("find")], step_name="praise")
        ...     .build()
        ... )
        >>> print(plan.rename("find", "city"))
        Task: Run the plan built with the Plan Builder
        1  city  llm_tool  Find a city
        2  praise  llm_tool  Praise it  ← $city
        """
        return cast("Plan", _changes().rename_step(self, step, name, tools=tools))

    def move(
        self,
        step: str | int,
        *,
        before: str | int | None = None,
        after: str | int | None = None,
        tools: Any = None,
    ) -> Plan:
        """Return the plan with a step in another place: right before or after another step.

        The other step may be in a branch or a loop; then the step goes there, too.

        Raises:
            StepNotFoundError: there is no such step.
            PlanError: not exactly one of `before` and `after` is given, or the other step is in
                the step itself or in another plan.
            PlanCheckError: a step would come before one that it refers to.
        """
        moved = _changes().move_step(self, step, before=before, after=after, tools=tools)
        return cast("Plan", moved)

    def disable(self, step: str | int, *, tools: Any = None) -> Plan:
        """Return the plan with a step switched off: it is skipped when the plan runs.

        With all steps in it. What refers to its output gets None; the plan says so where it is
        shown.

        Raises:
            StepNotFoundError: there is no such step.
        """
        return cast("Plan", _changes().edit_step(self, step, tools=tools, disabled=True))

    def enable(self, step: str | int, *, tools: Any = None) -> Plan:
        """Return the plan with a step switched on again.

        Raises:
            StepNotFoundError: there is no such step.
        """
        return cast("Plan", _changes().edit_step(self, step, tools=tools, disabled=False))

    def insert(
        self,
        step: AnyStep | Mapping[str, Any],
        *,
        before: str | int | None = None,
        after: str | int | None = None,
        into: str | int | None = None,
        branch: int = 0,
        tools: Any = None,
    ) -> Plan:
        """Return the plan with a further step: at the end, unless it is said where.

        Args:
            step: a step, or one as JSON: ``{"task": …, "tool_id": …, "inputs": […], "output": …}``.
            before: the step that it comes before.
            after: the step that it comes after.
            into: the branch, loop or inner plan that it becomes the last step of.
            branch: which branch of `into`, from 0.
            tools: the tools that there will be.

        Raises:
            StepNotFoundError: there is no such step.
            PlanError: it is no step, or more than one place is given.
            PlanCheckError: its name is taken, it refers to a later step, its tool is unknown, …
        """
        where = {"before": before, "after": after, "into": into, "branch": branch}
        return cast("Plan", _changes().insert_step(self, step, **where, tools=tools))

    def remove(self, step: str | int, *, tools: Any = None) -> Plan:
        """Return the plan without a step, and without the steps in it.

        Raises:
            StepNotFoundError: there is no such step.
            PlanError: other steps refer to it; the message names them.
        """
        return cast("Plan", _changes().remove_step(self, step, tools=tools))

    def edit(self, step: str | int, *, tools: Any = None, **fields: Any) -> Plan:
        """Return the plan with something changed in a step.

        Args:
            step: which.
            tools: the tools that there will be.
            fields: what to change, by the names that the builder's calls have: ``task``,
                ``inputs``, ``args`` (those named change, the others stay), ``condition``,
                ``model``, ``after``, ``retries``, …; ``tool``, of a step of a model as well, where
                ``args`` are then all that it has (a model chooses what is left open, and
                ``"llm_tool"`` stands for no tool); ``name`` and ``output`` rename.

        Raises:
            StepNotFoundError: there is no such step.
            PlanError: the step has no such field, or the field can't take that value.
            PlanCheckError: the plan couldn't run like this; `problems` holds every reason.
        """
        return cast("Plan", _changes().edit_step(self, step, tools=tools, **fields))


def _changes() -> Any:
    # Planning stands above the nouns, so it is found by name, at the call.
    return import_module("portia_nb.planning.changes")
