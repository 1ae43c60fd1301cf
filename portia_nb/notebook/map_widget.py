"""The widget of a map's view; importing it imports anywidget, which takes about 100 ms."""

from __future__ import annotations

import anywidget

from .channel import Channel
from .run_widget import RunWidget, built


class MapWidget(anywidget.AnyWidget):
    """One view of one map that is under way: all it shows comes as messages, as in `RunWidget`."""

    _esm = built("map_view.js")
    _css = built("map_view.css")

    take_back = RunWidget.take_back


def open_map_widget() -> Channel:
    """Open a map's widget; the first call imports anywidget."""
    return MapWidget()
