"""A cell maps a plan: it asks once where it changes something, waits, stops, says how it ended."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from portia_nb.drawing.clean import clean
from portia_nb.errors import BudgetReached, WaitingForAnswer
from portia_nb.session.map_approval import question_of_map
from portia_nb.session.map_handing import prepare_map_aside
from portia_nb.session.map_shown import html_of, text_of
from portia_nb.tools.aside import run_aside

from . import cards
from .approving import PlanApproval
from .attending import STOP_TIME_S, until_done
from .interrupts import sigint_calls
from .map_view import LOOK_S, MapView
from .routing import in_this_cell

if TYPE_CHECKING:
    from portia_nb.session.live_map import LiveMap
    from portia_nb.session.map_options import MapOptions
    from portia_nb.session.map_result import PlanMap
    from portia_nb.session.portia import Portia

    from .asking import Prompts
    from .face import Face
    from .starting import Start


async def approved(
    start: Start, portia: Portia, plan: Any, rows: Any, options: MapOptions, *, serves: bool
) -> Any:
    """Ask once whether a plan that changes something may be mapped; return what is kept of a yes.

    Raises:
        KeyboardInterrupt: the cell was interrupted.
        ApprovalRefused: the person said no.
        WaitingForAnswer: nobody could be asked.
        PortiaBaseError: as `Portia.map`.
    """
    parts = portia._parts  # pyright: ignore[reportPrivateUsage]
    try:
        asked = await run_aside(question_of_map, parts, plan, rows, options)
        if asked is None:
            return ()
        approval = PlanApproval(asked.plan, asked.text, asked.calls)
        return await start.approve_map(approval, asked.plan, serves=serves)
    except asyncio.CancelledError:
        raise cards.stopped(None) from None


async def run_map(
    face: Face,
    portia: Portia,
    plan: Any,
    rows: Any,
    options: MapOptions,
    prompts: Prompts,
    *,
    serves: bool,
    output: str | None,
) -> PlanMap:
    """Map a plan in a cell: show how far it has got, and what it came to.

    Rows that failed don't end the cell in an error: the table that comes back names them.

    Raises:
        WaitingForAnswer: rows wait for answers.
        BudgetReached: the budget is spent.
        KeyboardInterrupt: the cell was interrupted, or the map stopped in its view or elsewhere;
            rows that are done are kept.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    cancel = task.cancel

    def interrupted() -> None:
        loop.call_soon_threadsafe(cancel)

    parts = portia._parts  # pyright: ignore[reportPrivateUsage]
    try:
        live = await prepare_map_aside(parts, plan, rows, options)
    except asyncio.CancelledError:
        task.uncancel()
        raise cards.stopped(None) from None
    view = MapView(face, live)
    live.start()
    stopped = False
    try:
        with sigint_calls(interrupted):
            while True:
                view.show()
                if await until_done(live.done, prompts if serves else None, limit_s=LOOK_S):
                    break
    except (asyncio.CancelledError, KeyboardInterrupt):
        task.uncancel()
        stopped = True
        live.stop("interrupted")
        await until_done(live.done, limit_s=STOP_TIME_S)
    except BaseException:
        live.stop("its cell failed")  # nothing goes on that nobody sees
        raise
    finally:
        prompts.close()

    def finish(_: Any = None) -> None:
        ended = portia.result_of(live, options)
        view.finish(text_of(ended), html_of(ended))

    if live.done.done():
        finish()
    else:  # a row is still cleaning up: the view says how it ended once it has
        routed = in_this_cell(face.shell, finish)
        live.done.add_done_callback(lambda _: routed())
    made = portia.result_of(live, options)
    face.give(output, made)
    return _judge(face, live, made, output or "_", stopped=stopped)


def _judge(face: Face, live: LiveMap, made: PlanMap, name: str, *, stopped: bool) -> PlanMap:
    """Return a map whose rows were all run, and raise what it ended with else."""
    following = [("next", f"%portia resume {made.id}")]
    if stopped and not live.done.done():
        said = "stopped; a row is still cleaning up in the background, its state will be saved"
        raise face.carded(KeyboardInterrupt(said), following)
    live.done.result(timeout=0)
    if "budget" in made.stop_reason:
        budget = live.job.meter and live.job.meter.budget.doubled()
        raise face.carded(
            BudgetReached(f"{made.stop_reason}. Rows that are done are kept"),
            [("next", f'%portia resume {made.id} --budget "{budget}"')],
        )
    if stopped or made.stop_reason:
        why = "" if stopped else f" ({clean(made.stop_reason)})"
        said = f"{made.state}{why}; they are kept, and no further row began"
        raise face.carded(KeyboardInterrupt(said), following)
    if made.waiting:
        raise face.carded(
            WaitingForAnswer(
                f"{len(made.waiting)} rows wait for an answer, such as "
                f"{clean(made.waiting[0].question)!r:.200}: run the cell again with "
                f"--answer NAME=VALUE for all, or answer one, {name}.answer(row, …), and go on"
            ),
            following,
        )
    return made
