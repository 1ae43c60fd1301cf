"""Making runs that aren't started, and the users that runs are made for."""

from __future__ import annotations

from typing import Any

from portia_nb.model.end_user import EndUser
from portia_nb.model.ids import PlanUUID
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun
from portia_nb.tools.aside import run_aside

from . import launch
from .end_users import read_end_user
from .runner import Runner
from .waiting import refuse_own_loop


class Creates(Runner):
    """What a `Portia` can make without running it."""

    def create_plan_run(
        self,
        plan: Plan | PlanUUID | str,
        end_user: EndUser | str | None = None,
        plan_run_inputs: Any = None,
    ) -> PlanRun:
        """Make a run of `plan` without starting it; see `acreate_plan_run`."""
        refuse_own_loop("acreate_plan_run")
        return launch.create_run(self._parts, plan, plan_run_inputs, end_user)

    async def acreate_plan_run(
        self,
        plan: Plan | PlanUUID | str,
        end_user: EndUser | str | None = None,
        plan_run_inputs: Any = None,
    ) -> PlanRun:
        """Make a run of `plan` without starting it: `resume` starts it, in any process.

        On return the run is kept, and its state is NOT_STARTED.

        Args:
            plan: as in `arun_plan`.
            end_user: as in `arun_plan`.
            plan_run_inputs: as in `arun_plan`.

        Raises:
            PlanCheckError: the plan can't run; no run was made.
            ValueError: inputs are missing.
            StorageError: the run can't be kept.
        """
        return await run_aside(launch.create_run, self._parts, plan, plan_run_inputs, end_user)

    def initialize_end_user(self, end_user: EndUser | str | None = None) -> EndUser:
        """Return the end user that a run would be made for.

        Args:
            end_user: one, the id of one, or None for nobody in particular.

        >>> from portia_nb import Config, Portia
        >>> Portia(Config(store="memory"), tools=[]).initialize_end_user("ada").external_id
        'ada'
        """
        return read_end_user(end_user)

    async def ainitialize_end_user(self, end_user: EndUser | str | None = None) -> EndUser:
        """Return the end user that a run would be made for; see `initialize_end_user`."""
        return read_end_user(end_user)
