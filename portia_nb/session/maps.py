"""What a `Portia` can do with tables: run a plan for each row, look at a map, go on with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from portia_nb.model.ids import PlanUUID
from portia_nb.model.plan import Plan
from portia_nb.running.background import background
from portia_nb.tools.aside import run_aside

from .budgets import own_prices
from .live_map import Listener, LiveMap, MapJob
from .map_handing import prepare_map_aside
from .map_kept import map_named, open_map
from .map_options import MapOptions, again, options_of
from .map_result import Mapper, PlanMap
from .mapping import prepare_map, regain
from .runner import Runner
from .waiting import await_here, interrupts_held, refuse_own_loop, wait_here
from .watchers import tell_map_watchers


class Maps(Runner):
    """The part of `Portia` that runs plans over tables; each method has its async twin."""

    def map(
        self,
        plan: Plan | PlanUUID | str,
        rows: Any = None,
        *,
        inputs: Mapping[str, str] | None = None,
        plan_run_inputs: Mapping[str, Any] | None = None,
        limit: int | None = None,
        budget: Any = None,
        max_parallel: int | None = None,
        output: str = "output",
        on_error: str = "continue",
        reuse: bool | None = None,
        answers: Mapping[str, Any] | None = None,
        end_user: Any = None,
        structured_output_schema: Any = None,
    ) -> PlanMap:
        """Run a plan for each row of a table, and return what came of it.

        Each row is a run of its own, kept as any run. A row whose inputs were the same in an
        earlier map of the same plan isn't run again: what counts is the content of plan, functions
        and what they see, tools, models and inputs, whatever the row's place. Rows that are the
        same run once. A map that ended early, was stopped or lost its process goes on when it is
        called again with the same plan and rows, or by its id: rows that are done stay done, begun
        ones go on where they were, and those that failed are tried again.

        Plans that change something outside (``side_effect=True``) are never reused unasked: equal
        rows all run, one row after another unless `max_parallel` says otherwise, and where rows
        were done by an earlier map, `reuse` must say what is meant. Going on with the same map
        never does a row twice: one that was in the midst of such a call asks whether it was made.

        Args:
            plan: a plan, or the id of a kept one; or the id of a map, without `rows`, to go on.
            rows: a pandas or polars DataFrame, or dicts in any iterable. Columns are inputs of the
                plan by name; other columns don't count.
            inputs: the column of an input, by the input's name, where it is called otherwise.
            plan_run_inputs: inputs that are the same for all rows.
            limit: only so many rows, from the first: to try it out.
            budget: the most that all rows together may spend on models, as in `arun_plan`.
            max_parallel: rows under way at once; None: 8, or 1 for a plan with side effects.
            output: the name of the column of outputs in `PlanMap.to_frame`.
            on_error: ``"continue"``: a row that fails stops no other; ``"stop"``: no further row
                starts then.
            reuse: True: also with side effects; False: every row is run, whatever was done before;
                None: as said above.
            answers: answers to questions of the rows, by the name of an argument or step; a row
                whose question nobody answers waits, and the others go on.
            end_user: for whom; tools see it.
            structured_output_schema: the shape of each output.

        Raises:
            InvalidOption: the rows are no table, or an argument can't be used; the message says
                which and what can. Nothing was started.
            InputsMissing: an input of the plan has no column.
            PlanCheckError: the plan can't run.
            FunctionsMissing: the plan's functions aren't in this process.
            RunHeldElsewhere: another process runs this very map.
            InvalidPlanRunStateError: it is under way in this process.
            KeyboardInterrupt: the thread was interrupted: no further row started, and rows that
                are done are kept.

        >>> from portia_nb import Config, Input, PlanBuilderV2, Portia
        >>> plan = (
        ...     PlanBuilderV2("how long is a name?")
        ...     .input(name="city")
        ...     .function_step(function=lambda city: len(city), args={"city": Input("city")})
        ...     .build()
        ... )
        >>> portia = Portia(Config(store="memory"), tools=[])
        >>> found = portia.map(plan, [{"city": "Oslo"}, {"city": "Lisbon"}, {"city": "Oslo"}])
        >>> found.outputs, [row.reused for row in found.rows], found.state
        ([4, 6, 4], ['', '', 'same row'], 'done')
        """
        refuse_own_loop("amap")
        options = MapOptions(
            inputs=inputs,
            plan_run_inputs=plan_run_inputs,
            limit=limit,
            budget=budget,
            max_parallel=max_parallel,
            output=output,
            on_error=on_error,
            reuse=reuse,
            answers=answers,
            end_user=end_user,
            structured_output_schema=structured_output_schema,
        )
        return self._map_here(lambda: prepare_map(self._parts, plan, rows, options), options)

    async def amap(self, plan: Plan | PlanUUID | str, rows: Any = None, **wanted: Any) -> PlanMap:
        """Run a plan for each row of a table; the arguments are those of `map`.

        The user's coroutine functions run on this loop. When this is cancelled the map is stopped,
        as by an interrupt.
        """
        options = replace(options_of(wanted), caller=asyncio.get_running_loop())
        live = await prepare_map_aside(self._parts, plan, rows, options)
        self._tell(live)
        live.start()
        await await_here(live.done, stop=partial(live.stop, "interrupted"))
        return self.result_of(live, options)

    def start_map(
        self,
        plan: Plan | PlanUUID | str,
        rows: Any = None,
        options: MapOptions | None = None,
        *,
        listeners: Sequence[Listener] = (),
    ) -> LiveMap:
        """Start a map and return at once, from any thread; `result_of` returns what came of it.

        Args:
            plan: as in `map`.
            rows: as in `map`.
            options: the other arguments of `map`.
            listeners: see `LiveMap.add_listener`.

        Raises:
            PortiaBaseError: as `map`.
        """
        live = prepare_map(self._parts, plan, rows, options or MapOptions())
        for listener in listeners:
            live.add_listener(listener)
        return live.start()

    def result_of(self, live: LiveMap, options: MapOptions | None = None) -> PlanMap:
        """Return a map that lives or lived in this process, as it stands."""
        said = options or MapOptions()
        return PlanMap(
            live.id,
            live.plan,
            live.job.rows,
            [replace(row, spent=dict(row.spent)) for row in live.rows],
            stop_reason=live.stop_reason,
            seconds=live.seconds,
            already=live.already if live.job.resumed else 0,
            output=said.output,
            prices=own_prices(self._parts),
            mapper=cast("Mapper", self),
            again=partial(self._go_on_with, live.job, said),
        )

    def get_map(self, map_id: str, *, output: str = "output") -> PlanMap:
        """Return a kept map as it stands, without going on with it.

        Args:
            map_id: its id, ``map-…``, or the beginning of it.
            output: as in `map`.

        Raises:
            PlanRunNotFoundError: the store holds no such map.
        """
        return open_map(self, map_named(self.store, map_id) or map_id, output=output)

    async def aget_map(self, map_id: str, *, output: str = "output") -> PlanMap:
        """Return a kept map as it stands; see `get_map`."""
        return await run_aside(self.get_map, map_id, output=output)

    def _map_here(self, prepare: Callable[[], LiveMap], options: MapOptions) -> PlanMap:
        with interrupts_held():
            live = prepare()
            self._tell(live)
            live.start()
        wait_here(live.done, stop=partial(live.stop, "interrupted"))
        return self.result_of(live, options)

    def _again(self, map_id: str, options: MapOptions, **changes: Any) -> PlanMap:
        refuse_own_loop("amap")
        changed = again(options, **changes)
        return self._map_here(lambda: prepare_map(self._parts, map_id, None, changed), changed)

    def _go_on_with(self, job: MapJob, options: MapOptions, **changes: Any) -> PlanMap:
        refuse_own_loop("amap")
        changed = again(options, **changes)
        return self._map_here(lambda: regain(job, changed), changed)

    def _tell(self, live: LiveMap) -> None:
        if self.config.live_view and not background.is_here:
            tell_map_watchers(live)
