"""What carries a view to the browser: outputs of a cell, and messages of a widget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


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


def open_widget() -> Channel:
    """Open a widget; the first call imports anywidget."""
    from .run_widget import RunWidget

    return RunWidget()
