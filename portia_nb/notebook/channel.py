"""What carries a view to the browser: outputs of a cell, and messages of a widget."""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Callable
from typing import Any, Protocol

WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
PACK_ABOVE_BYTES = 600
"""Longer messages are deflated; `labextension/src/view/wire.ts` reads them."""

log = logging.getLogger(__name__)


class Publisher(Protocol):
    """What shows a bundle: IPython's `display_pub`, or a test's."""

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
    ) -> None:
        """Show `data`, or with `update` replace what has the same display id."""


class Channel(Protocol):
    """What carries messages to the browser: the widget, or a test's."""

    @property
    def model_id(self) -> str | None:
        """Return the name by which the browser finds it."""

    def send(self, content: Any, buffers: Any = None) -> None:
        """Send one message to every view."""

    def on_msg(self, callback: Callable[..., None], remove: bool = False) -> None:
        """Call `callback(channel, content, buffers)` for each message that comes back."""

    def close(self) -> None:
        """Tell the browser that nothing more will come."""

    def take_back(self) -> None:
        """Say that no page has drawn the view, so that nobody needs to keep its code."""


def widget_view(channel: Channel) -> dict[str, Any]:
    """Return what stands under `WIDGET_MIME` in a bundle: the widget that `channel` belongs to."""
    return {"version_major": 2, "version_minor": 0, "model_id": channel.model_id}


def tell(channel: Channel, message: dict[str, Any], buffers: Any = None) -> None:
    """Send `message` to every view, deflated where it is long; a page that is gone is no error.

    Args:
        channel: what carries it.
        message: JSON.
        buffers: bytes that belong to it; such a message is sent as it is.
    """
    raw = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    try:
        if buffers is None and len(raw) > PACK_ABOVE_BYTES:
            channel.send({"type": "packed"}, [zlib.compress(raw)])
        else:
            channel.send(message, buffers)
    except Exception:
        # The run matters more than the view of it: a closed front end stops nothing.
        log.debug("a view could not be told something", exc_info=True)


def open_widget() -> Channel:
    """Open a widget; the first call imports anywidget."""
    from .run_widget import RunWidget

    return RunWidget()
