"""A map in a cell: one view of how far its rows have got, and at the end what they came to.

While it lives the view is a widget with a Stop button; once it has ended only HTML and text stay.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from portia_nb.drawing.clean import untypeset
from portia_nb.session.map_progress import ended_rows, progress_text

from .viewing import let_clicks_through
from .visible_text import one_line, visible
from .widget import WIDGET_MIME

if TYPE_CHECKING:
    from portia_nb.session.live_map import LiveMap
    from portia_nb.session.map_row import MapRow

    from .channel import Channel
    from .face import Face

LOOK_S = 0.3
"""Seconds between two looks at a map."""
SPOKEN_S = 10.0
"""Seconds between two lines in a terminal, where a line can't be changed."""
BY_HAND = "stopped in the view"

log = logging.getLogger(__name__)


class MapView:
    """The one output of a cell that shows a map; one thread at a time calls its methods."""

    def __init__(
        self,
        face: Face,
        live: LiveMap,
        open_channel: Callable[[], Channel] | None = None,
    ) -> None:
        """Show nothing yet.

        Args:
            face: the notebook face.
            live: the map.
            open_channel: makes the widget; None: the map's own.
        """
        self._is_page = getattr(face.shell, "kernel", None) is not None
        self._face = face
        self._live = live
        self._open_channel = open_channel
        self._channel: Channel | None = None
        self._display_id = f"portia-{secrets.token_hex(8)}"
        self._is_ready = threading.Event()
        self._spoken = time.monotonic()

    def show(self) -> None:
        """Show how far it has got; where lines can't be changed, not too often.

        The first call is made in the cell that the view belongs to.
        """
        if not self._is_page:
            if time.monotonic() - self._spoken > SPOKEN_S:
                self._spoken = time.monotonic()
                self._face.say(progress_text(self._live))
        elif self._channel is None:
            self._open()
        elif self._is_ready.is_set():
            self._send()

    def finish(self, text: str, html: str) -> None:
        """Put in the view's place what is to stay; in a cell that is still open."""
        bundle = {"text/plain": text, "text/html": html}
        if self._channel is None:
            self._face.show_bundle(bundle)
            return
        self._send()
        self._publish(bundle, update=True)
        if not self._is_ready.is_set():
            self._channel.take_back()
        self._channel.close()

    def _open(self) -> None:
        if (open_channel := self._open_channel) is None:
            from .map_widget import open_map_widget as open_channel
        self._channel = open_channel()
        self._channel.on_msg(self._hear)
        view = {"version_major": 2, "version_minor": 0, "model_id": self._channel.model_id}
        # Kept in the notebook in case the kernel dies before `finish`.
        static = {
            "text/plain": progress_text(self._live),
            "text/html": progress_html(self._live),
        }
        self._publish({WIDGET_MIME: view, **static})

    def _publish(self, bundle: dict[str, Any], *, update: bool = False) -> None:
        transient = {"display_id": self._display_id}
        self._face.shell.display_pub.publish(bundle, {}, transient=transient, update=update)

    def _send(self) -> None:
        if self._channel is None:
            return
        try:
            self._channel.send({"type": "state", "state": state_of(self._live)})
        except Exception:
            # The map matters more than the view of it: a closed front end stops nothing.
            log.debug("a map's view could not be told something", exc_info=True)

    def _hear(self, _channel: Any, content: Any, _buffers: Any) -> None:
        """Take what the browser sends, on any thread: never print, never raise."""
        match content:
            case {"type": "ready"}:
                self._is_ready.set()
                self._send()
            case {"type": "stop"}:
                self._live.stop(BY_HAND)
            case _:
                log.debug("a map's view sent something unknown")


def watch(face: Face, live: LiveMap, open_channel: Callable[[], Channel] | None = None) -> None:
    """Show a map that a Python call starts in this cell; called on its thread, before it starts."""
    if not face.settings.live_view:
        return
    from .routing import in_this_cell

    view, lock, over = MapView(face, live, open_channel), threading.Lock(), threading.Event()

    def ended() -> None:
        # What the call returns shows itself: here stays how far it got.
        view.finish(progress_text(live), progress_html(live))

    finish = in_this_cell(face.shell, ended)
    close = let_clicks_through(face)

    def listen(_: LiveMap, row: MapRow | None) -> None:
        if row is None:  # the cell still waits: what is shown now belongs to it
            over.set()
            with lock:
                finish()
            close()

    def follow() -> None:
        while not over.wait(LOOK_S):
            with lock:
                if not over.is_set():
                    view.show()

    view.show()
    live.add_listener(listen)
    threading.Thread(target=in_this_cell(face.shell, follow), daemon=True).start()


def state_of(live: LiveMap) -> dict[str, Any]:
    """Return how far a map has got, as its view in the browser takes it."""
    said, *troubles = progress_text(live).split("\n")
    query = one_line(live.plan.plan_context.query) or "A plan"
    return {
        "title": f"{query}, for each row",
        "said": visible(said),
        "ended": ended_rows(live),
        "total": len(live.rows),
        "troubles": [visible(each) for each in troubles],
        "isOver": live.is_over,
    }


def progress_html(live: LiveMap) -> str:
    """Return how far a map has got as HTML without script: a bar, words, and what failed."""
    head, *failures = progress_text(live).split("\n")
    ended = ended_rows(live)
    listed = "".join(f"<li>{untypeset(escape(one))}</li>" for one in failures)
    return (
        f'<div><progress max="{max(len(live.rows), 1)}" value="{ended}" '
        f'aria-label="rows" style="width:100%"></progress><div>{untypeset(escape(head))}</div>'
        + (f"<ul>{listed}</ul>" if listed else "")
        + "</div>"
    )
