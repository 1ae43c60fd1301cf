"""Runs that are under way or have ended: stop them, wait for them, look at them, let go of them."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import Future, wait as wait_for
from typing import TYPE_CHECKING, Any, overload

from portia_nb.drawing.text import counted
from portia_nb.errors import RunHeldElsewhere
from portia_nb.model.ids import PlanRunUUID, PlanUUID
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun, PlanRunState, Run
from portia_nb.running.background import background
from portia_nb.storage.history import RunFilter
from portia_nb.storage.owner import is_alive
from portia_nb.storage.refusals import held_elsewhere
from portia_nb.tools.aside import run_aside

from .finding import id_of
from .history import WORDS
from .live import LiveRun, live_run
from .live_map import LiveMap, live_map
from .map_kept import map_named, open_map, why_of_map
from .map_result import PlanMap
from .opening import open_run
from .runner import Runner
from .waiting import BEAT_S, GRACE_S, refuse_own_loop, wait_here

if TYPE_CHECKING:
    from .examining import Report

AnyRun = PlanRun | PlanRunUUID | LiveRun | str | None
AnyMap = PlanMap | LiveMap


class Steering(Runner):
    """The part of `Portia` that deals with runs by themselves; each method has its async twin.

    A run is meant by itself, by its id, or by the beginning of that; None means the latest.
    """

    @overload
    def cancel(self, run: PlanMap | LiveMap, *, reason: str = "stopped") -> PlanMap: ...
    @overload
    def cancel(self, run: AnyRun = None, *, reason: str = "stopped") -> PlanRun: ...
    def cancel(self, run: Any = None, *, reason: str = "stopped") -> PlanRun | PlanMap:
        """Stop a run that is under way in this process, and return it; see `acancel`."""
        refuse_own_loop("acancel")
        return self._cancel(run, reason)

    @overload
    async def acancel(self, run: PlanMap | LiveMap, *, reason: str = "stopped") -> PlanMap: ...
    @overload
    async def acancel(self, run: AnyRun = None, *, reason: str = "stopped") -> PlanRun: ...
    async def acancel(self, run: Any = None, *, reason: str = "stopped") -> PlanRun | PlanMap:
        """Stop a run that is under way in this process, and return it.

        No step starts and no model is called from now on; what is done is kept, and `resume` goes
        on. A run that isn't under way is returned as it is. Of a map, no row starts from now on,
        and the runs of those under way are stopped; the same `map` goes on.

        Args:
            run: which run or map.
            reason: why, for the run's record.

        Guarantees:
            Returns within two seconds. A step that is still cleaning up then does so in the
            background.

        Raises:
            PlanRunNotFoundError: there is no such run.
            RunHeldElsewhere: another process runs it, and has to stop it.
        """
        return await run_aside(self._cancel, run, reason)

    def _cancel(self, run: Any, reason: str) -> PlanRun | PlanMap:
        if (map_id := map_named(self.store, run)) is not None:
            return self._cancel_map(map_id, reason)
        run_id = id_of(self.store, run)
        live = live_run(run_id)
        if live is None:
            self._refuse_if_held(run_id)
            return open_run(self.store, run_id, tools=self.tools).snapshot()
        live.stop(reason)
        wait_for([live.done], GRACE_S)
        return self._as_it_is(run_id, live)

    def _cancel_map(self, map_id: str, reason: str) -> PlanMap:
        live = live_map(map_id)
        if live is None:
            self._refuse_if_held(map_id)
        else:
            live.stop(reason)
            wait_for([live.done], GRACE_S)
        return open_map(self, map_id)

    def _refuse_if_held(self, run_id: str) -> None:
        owner = self.store.find_run(run_id).owner
        if owner is not None and owner != self._parts.owner() and is_alive(owner):
            raise RunHeldElsewhere(
                f"run {run_id} is run by {owner}: stop it there", owner=owner, run_id=run_id
            )

    def wait(self, run: AnyRun = None, *, timeout_s: float | None = None) -> PlanRun:
        """Wait until a run is no longer under way, and return it; see `await_run`.

        An interrupt ends the waiting, and the run goes on.

        >>> from portia_nb import Config, PlanBuilderV2, Portia
        >>> plan = PlanBuilderV2().function_step(function=lambda: 42, step_name="answer").build()
        >>> portia = Portia(Config(store="memory"), tools=[])
        >>> portia.wait(portia.start_run(plan)).final_output.value
        42
        """
        refuse_own_loop("await_run")
        run_id = id_of(self.store, run)
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            waited_for = self._under_way(run_id, run)
            if waited_for is None:
                return self._as_it_is(run_id, run)
            _refuse_late(run_id, end, timeout_s)
            wait_for([waited_for], BEAT_S)

    async def await_run(self, run: AnyRun = None, *, timeout_s: float | None = None) -> PlanRun:
        """Wait until a run is no longer under way, and return it as it then stands.

        It may run in this process or in another one that uses the same store. It doesn't raise
        where the run fails or waits for an answer: its state says so. Who is cancelled here no
        longer waits, and the run goes on.

        Args:
            run: which.
            timeout_s: seconds to wait at most; None: no limit.

        Raises:
            PlanRunNotFoundError: there is no such run.
            TimeoutError: it is still under way after `timeout_s`.
        """
        run_id = await run_aside(id_of, self.store, run)
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while await run_aside(self._under_way, run_id, run) is not None:
            _refuse_late(run_id, end, timeout_s)
            await asyncio.sleep(BEAT_S)
        return await run_aside(self._as_it_is, run_id, run)

    def _under_way(self, run_id: str, run: AnyRun) -> Future[PlanRun] | None:
        """Return what resolves once a run has ended, None where it isn't under way."""
        live = run if isinstance(run, LiveRun) else live_run(run_id)
        if live is not None:
            return None if live.done.done() else live.done
        owner = self.store.find_run(run_id).owner
        return Future() if owner is not None and is_alive(owner) else None

    def _as_it_is(self, run_id: str, run: AnyRun) -> PlanRun:
        if isinstance(run, LiveRun) and run.done.done():
            # What kept it from having a result, such as a full disk, is raised here.
            return run.done.result(timeout=0)
        return open_run(self.store, run_id, tools=self.tools).snapshot()

    def show(self, what: AnyRun | AnyMap | Plan | PlanUUID = None) -> PlanRun | Plan | PlanMap:
        """Return a run, a map or a plan as it is kept; it shows itself in a notebook.

        Args:
            what: a run, a map or a plan, or the id of one; None: the latest run.

        Raises:
            PlanRunNotFoundError: there is no such run.
            PlanNotFoundError: there is no such plan.

        >>> from portia_nb import Config, PlanBuilderV2, Portia
        >>> plan = PlanBuilderV2().function_step(function=lambda: 42, step_name="answer").build()
        >>> portia = Portia(Config(store="memory"), tools=[])
        >>> run = portia.run_plan(plan)
        >>> portia.show().id == portia.show(run.id).id == run.id
        True
        """
        if isinstance(what, Plan) or (isinstance(what, str) and what.startswith("plan-")):
            return self._parts.find_plan(what)
        if (map_id := map_named(self.store, what)) is not None:
            return open_map(self, map_id)
        return open_run(self.store, id_of(self.store, what), tools=self.tools).snapshot()

    async def ashow(
        self, what: AnyRun | AnyMap | Plan | PlanUUID = None
    ) -> PlanRun | Plan | PlanMap:
        """Return a run, a map or a plan as it is kept; see `show`."""
        return await run_aside(self.show, what)

    def why(self, run: AnyRun | AnyMap = None) -> str:
        """Return why a run stands as it does, as text: of one that failed, with the traceback.

        The traceback is that of the step's own code, without what lies between. Of a map, the rows
        that failed, wait or were stopped are listed, each with its run.

        Args:
            run: which run or map.

        Raises:
            PlanRunNotFoundError: there is no such run.

        >>> from portia_nb import Config, PlanBuilderV2, Portia
        >>> plan = PlanBuilderV2().function_step(function=lambda: 1 / 0, step_name="half").build()
        >>> portia = Portia(Config(store="memory"), tools=[])
        >>> print(portia.why(portia.run_plan(plan)).splitlines()[0].partition(" ")[2][42:])
        failed at step 'half': ZeroDivisionError: division by zero
        """
        if (map_id := map_named(self.store, run)) is not None:
            return why_of_map(open_map(self, map_id))
        return why_of(open_run(self.store, id_of(self.store, run)))

    async def awhy(self, run: AnyRun | AnyMap = None) -> str:
        """Return why a run stands as it does; see `why`."""
        return await run_aside(self.why, run)

    def forget(
        self, run: PlanRun | PlanRunUUID | LiveRun | PlanMap | str, *, force: bool = False
    ) -> None:
        """Delete a run for good, with all that it kept; a map, with the runs of its rows.

        Args:
            run: which run or map; there is no way to mean the latest.
            force: True: even where a live process runs it, whose later writes then fail.

        Raises:
            PlanRunNotFoundError: there is no such run.
            RunHeldElsewhere: a live process, which may be this one, runs it.

        >>> from portia_nb import Config, PlanBuilderV2, Portia
        >>> plan = PlanBuilderV2().function_step(function=lambda: 42).build()
        >>> portia = Portia(Config(store="memory"), tools=[])
        >>> portia.forget(portia.run_plan(plan))
        >>> portia.store.find_runs()
        []
        """
        if (map_id := map_named(self.store, run)) is None:
            self.store.delete_run(id_of(self.store, run), force=force)
            return
        held = self.store.find_run(map_id)
        if held.owner is not None and not force and is_alive(held.owner):
            # Before any of its rows is gone.
            raise held_elsewhere(map_id, held.owner, held.held_since, to_delete=True)
        own = self.store.list_runs(RunFilter(map_id=map_id))
        # The map last: while it is there, what is left of its rows can be found.
        for run_id in [*(row.run_id for row in own), map_id]:
            self.store.delete_run(run_id, force=force)

    async def aforget(
        self, run: PlanRun | PlanRunUUID | LiveRun | PlanMap | str, *, force: bool = False
    ) -> None:
        """Delete a run for good; see `forget`."""
        await run_aside(lambda: self.forget(run, force=force))

    def doctor(self) -> Report:
        """Look at what there is to work with, and return what works, what doesn't, what to do.

        Models and keys (set or not, never their values), model servers on this machine, tools, the
        store, pictures, and versions. Nothing is sent anywhere but to loopback. What comes back
        shows itself in notebooks and prints as text to copy. Where the notebook face is loaded it
        also says how people can be asked there.
        """
        from .examining import examine

        refuse_own_loop("adoctor")
        return wait_here(background.submit(examine(self)))

    async def adoctor(self) -> Report:
        """Look at what there is to work with; see `doctor`."""
        from .examining import examine

        return await examine(self)


def why_of(run: Run) -> str:
    """Return why `run` stands as it does."""
    match run.state:
        case PlanRunState.COMPLETE:
            return f"Run {run.id} is complete: nothing failed."
        case PlanRunState.NEED_CLARIFICATION:
            asked = "; ".join(repr(each.user_guidance) for each in run.outstanding())
            return f"Run {run.id} waits for an answer to {asked}"
        case PlanRunState.FAILED if run.error is not None:
            error = run.error
            at = f" at step {error.step!r}" if error.step else ""
            lines = [f"Run {run.id} failed{at}: {error.type}: {error.message}"]
            return "\n\n".join([*lines, *([error.traceback.rstrip()] if error.traceback else [])])
        case _:
            done = counted(len(run.snapshot().outputs.step_outputs), "output")
            return f"Run {run.id} has {done} so far; its state: {WORDS[run.state]}."


def _refuse_late(run_id: str, end: float | None, timeout_s: float | None) -> None:
    if end is not None and time.monotonic() >= end:
        raise TimeoutError(f"run {run_id} is still under way after {timeout_s:g} s")
