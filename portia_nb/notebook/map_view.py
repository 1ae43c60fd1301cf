"""A map in a cell: one view of how far its rows have got, and at the end what they came to."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from portia_nb.drawing.clean import clean
from portia_nb.errors import ApprovalRefused, BudgetReached, WaitingForAnswer
from portia_nb.model.cost import cost_of
from portia_nb.session.budgets import own_prices
from portia_nb.session.map_row import MapRow, RowState, spent_of
from portia_nb.session.map_shown import counts_text
from portia_nb.session.mapping import MapOptions, effects_of
from portia_nb.tools.aside import run_aside

from .attending import STOP_TIME_S, until_done
from .interrupts import sigint_calls

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan
    from portia_nb.session.live_map import LiveMap
    from portia_nb.session.map_result import PlanMap
    from portia_nb.session.portia import Portia

    from .asking import Prompts
    from .face import Face

LOOK_S = 0.3
"""Seconds between two looks at a map."""
SPOKEN_S = 10.0
"""Seconds between two lines in a terminal, where a line can't be changed."""
_ENDED = (RowState.DONE, RowState.FAILED, RowState.WAITING, RowState.STOPPED)


def approve(portia: Portia, plan: Plan, rows: int | None, *, yes: bool) -> None:
    """Refuse to map a plan that changes something outside, unless that was agreed to.

    Raises:
        ApprovalRefused: it says what would be done, and for how many rows.
    """
    effects = effects_of(portia._parts, plan)  # pyright: ignore[reportPrivateUsage]
    if effects and not yes and portia.config.replay is None:
        many = "each row" if rows is None else f"each of {rows:,} rows"
        raise ApprovalRefused(
            f"this plan changes something outside, for {many}: {', '.join(effects)}. Try it with "
            "--limit 1 --yes, then agree to all of it with --yes",
            plan_id=plan.id,
        )


class MapView:
    """The one output of a cell that shows a map."""

    def __init__(self, face: Face) -> None:
        """Show nothing yet."""
        self._is_page = getattr(face.shell, "kernel", None) is not None
        self._handle: Any = None
        self._face = face
        self._spoken = time.monotonic()

    def show(self, text: str, html: str, *, last: bool = False) -> None:
        """Show text, and as HTML on a page; where lines can't be changed, not too often."""
        from IPython.display import display

        if not self._is_page:
            if last or time.monotonic() - self._spoken > SPOKEN_S:
                self._spoken = time.monotonic()
                self._face.say(text)
            return
        bundle = {"text/plain": text, "text/html": html}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


async def run_map(
    face: Face,
    portia: Portia,
    plan: Plan,
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
        KeyboardInterrupt: the cell was interrupted; rows that are done are kept.
    """
    view = MapView(face)
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    cancel = task.cancel

    def interrupted() -> None:
        loop.call_soon_threadsafe(cancel)

    live = await run_aside(partial(portia.start_map, plan, rows, options))
    stopped = False
    try:
        with sigint_calls(interrupted):
            while True:
                view.show(progress_text(live), progress_html(live))
                if await until_done(live.done, prompts if serves else None, limit_s=LOOK_S):
                    break
    except (asyncio.CancelledError, KeyboardInterrupt):
        task.uncancel()
        stopped = True
        live.stop("interrupted")
        await until_done(live.done, limit_s=STOP_TIME_S)
    finally:
        prompts.close()
    made = portia.result_of(live, options)
    view.show(str(made), made._repr_html_(), last=True)  # pyright: ignore[reportPrivateUsage]
    face.give(output, made)
    if stopped:
        raise face.carded(
            KeyboardInterrupt("stopped: rows that are done are kept; the same cell goes on")
        )
    live.done.result(timeout=0)
    if "budget" in made.stop_reason:
        raise face.carded(
            BudgetReached(f"{made.stop_reason}. A larger --budget goes on; done rows are kept")
        )
    if made.waiting:
        raise face.carded(
            WaitingForAnswer(
                f"{len(made.waiting)} rows wait for an answer, such as "
                f"{clean(made.waiting[0].question)!r:.200}: run the cell again with "
                "--answer NAME=VALUE for all, or answer one: result.answer(row, …), result.retry()"
            )
        )
    return made


def watch(face: Face, live: LiveMap) -> None:
    """Show a map that a Python call starts in this cell; called on its thread, before it starts."""
    if not face.settings.live_view:
        return
    from .routing import in_this_cell

    view, lock, over = MapView(face), threading.Lock(), threading.Event()

    def show() -> None:
        view.show(progress_text(live), progress_html(live), last=over.is_set())

    last_look = in_this_cell(face.shell, show)

    def listen(_: LiveMap, row: MapRow | None) -> None:
        if row is None:  # the cell still waits: what is shown now belongs to it
            over.set()
            with lock:
                last_look()

    def follow() -> None:
        while not over.wait(LOOK_S):
            with lock:
                if not over.is_set():
                    show()

    show()
    live.add_listener(listen)
    threading.Thread(target=in_this_cell(face.shell, follow), daemon=True).start()


def progress_text(live: LiveMap) -> str:
    """Return how far a map has got, in a line or two."""
    ended = sum(live.counts[state] for state in _ENDED)
    total, seconds = len(live.rows), live.seconds
    new = ended - live.already
    left = ""
    if new > 0 and ended < total and not live.is_over:
        left = f", about {seconds / new * (total - ended):.0f} s left"
    spent = cost_of(spent_of(live.rows), own_prices(live.job.parts))
    said = f"; {spent}" if spent.calls else ""
    head = f"{ended:,} of {total:,} rows: {counts_text(live.counts)}; {seconds:.0f} s{left}{said}"
    return "\n".join([head, *_failures(live)])


def progress_html(live: LiveMap) -> str:
    """Return how far a map has got as HTML without script: a bar, words, and what failed."""
    head, *failures = progress_text(live).split("\n")
    ended = sum(live.counts[state] for state in _ENDED)
    listed = "".join(f"<li>{escape(one)}</li>" for one in failures)
    return (
        f'<div><progress max="{max(len(live.rows), 1)}" value="{ended}" '
        f'aria-label="rows" style="width:100%"></progress><div>{escape(head)}</div>'
        + (f"<ul>{listed}</ul>" if listed else "")
        + "</div>"
    )


def _failures(live: LiveMap) -> list[str]:
    failed = [row for row in live.rows if row.state is RowState.FAILED]
    lines = [
        clean(f"row {row.label} failed: {row.error.type}: {row.error.message}")[:200]
        for row in failed[:3]
        if row.error is not None
    ]
    return [*lines, f"{len(failed) - 3} more failed"] if len(failed) > 3 else lines
