"""When the steps of a kept run worked and waited, read from its events."""

from __future__ import annotations

from portia_nb.drawing.timeline import Timeline
from portia_nb.model.ids import PlanRunUUID
from portia_nb.model.run import PlanRun
from portia_nb.model.stretches import times_of
from portia_nb.tools.aside import run_aside

from .map_kept import map_named
from .map_record import KeptMap
from .map_result import PlanMap
from .opening import open_run
from .runner import Runner


class Timelines(Runner):
    """What a `Portia` can tell of the time that runs took."""

    def timeline(self, run: PlanRun | PlanRunUUID | PlanMap | str) -> Timeline:
        """Return when each step of a run worked, waited for a person, and before its next try.

        Of a map it is when each row was under way.

        It shows itself in a notebook as a picture with a table, prints as text, and has `svg()`
        and `to_frame()`. A step that had begun when its process was killed ends at the last event
        that was kept.

        Args:
            run: a run or a map, or the id of a kept one; also one that is under way, as far as it
                has got.

        Raises:
            PlanRunNotFoundError: the store holds no such run.

        >>> from portia_nb import Config, PlanBuilderV2, Portia
        >>> portia = Portia(Config(store="memory"), tools=[])
        >>> plan = PlanBuilderV2().function_step(function=lambda: 42, step_name="answer").build()
        >>> portia.timeline(portia.run_plan(plan)).to_frame()[["step", "what", "ended"]]
             step what ended
        0  answer  ran  done
        """
        if (map_id := map_named(self.store, run)) is not None:
            return Timeline.of(KeptMap(self.store, map_id).times())
        found = open_run(self.store, str(run.id if isinstance(run, PlanRun) else run))
        return Timeline.of([times_of(record) for record in found.steps.values()])

    async def atimeline(self, run: PlanRun | PlanRunUUID | PlanMap | str) -> Timeline:
        """Do what `timeline` does."""
        return await run_aside(self.timeline, run)
