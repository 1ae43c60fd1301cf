"""Open the live view of a plan in a cell, and show the runs that Python calls start."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from portia_nb.errors import InvalidAnswer

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan
    from portia_nb.session.live import LiveRun
    from portia_nb.session.portia import Portia

    from .face import Face
    from .widget import LiveView


def open_view(
    face: Face,
    portia: Portia | None,
    plan: Plan,
    on_answer: Callable[[str, Any], None],
    on_stop: Callable[[], None],
    **elsewhere: Any,
) -> LiveView:
    """Show `plan` in the running cell, ready for its run to come.

    Args:
        face: the notebook face.
        portia: whose tools say which steps change the world; None: as the plan itself says.
        plan: what is shown.
        on_answer: as in `LiveView`.
        on_stop: as in `LiveView`.
        elsewhere: where it is shown if not in the cell: `open_channel` and `publisher`.
    """
    from portia_nb.model.order import waits
    from portia_nb.running.background import background
    from portia_nb.session.answering import side_effect_of, side_effects

    from .widget import LiveView

    effects = None if portia is None else side_effects(plan, portia.tools)
    order = None
    if portia is not None and effects is not None:
        with suppress(LookupError):
            order = waits(
                plan,
                lambda step: side_effect_of(step, portia.tools),
                assume_side_effects=portia.config.assume_side_effects,
                sequential=portia.config.max_parallel_steps == 1,
            )
    view = LiveView(
        plan,
        loop=background.loop,
        **{"publisher": face.shell.display_pub, **elsewhere},
        on_answer=on_answer,
        on_stop=on_stop,
        order=order,
        side_effects=effects,
    )
    view.show()
    face.views.add(view)
    return view


class Watching:
    """Shows the live view of each run that a Python call starts in this kernel."""

    def __init__(self, face: Face) -> None:
        """Belong to `face`."""
        self._face = face

    def __call__(self, live: LiveRun) -> None:
        """Show `live`, which is about to start, in the cell that started it."""
        if not self._face.settings.live_view:
            return
        view: LiveView | None = None

        def answer(question_id: str, response: Any) -> None:
            try:
                live.answer(question_id, response, by="form")
            except InvalidAnswer as error:
                if view is not None:
                    view.refuse(question_id, str(error))

        def stop() -> None:
            live.stop("stopped in the view")

        self._face.remember_plan(live.plan)
        view = open_view(self._face, None, live.plan, answer, stop)
        self._face.note_shown(live.id)
        live.add_listener(view.listen)
        live.is_shown = True
        close = let_clicks_through(self._face)
        # While the cell is still open: nbclient drops what a cell shows after its end.
        live.at_end(view.finish)
        live.at_end(close)


def let_clicks_through(face: Face) -> Callable[[], None]:
    """Open the detour for comms where a cell awaits on this thread; return what closes it."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return lambda: None
    stack = ExitStack()
    stack.enter_context(face.detour.open())

    def close() -> None:
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(stack.close)

    return close
