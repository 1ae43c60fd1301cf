"""The inspector's widget; importing it imports anywidget, which takes about 100 ms."""

from __future__ import annotations

import anywidget
import traitlets

from .channel import Channel
from .run_widget import RunWidget, built


class EditorWidget(anywidget.AnyWidget):
    """One inspector of one plan: what it shows comes as messages, what stays is `record`."""

    _esm = built("plan_editor.js")
    _css = built("plan_editor.css")
    record = traitlets.Unicode("").tag(sync=True)
    """The plan, what changed, and who approved it, as text: what a page without a kernel shows."""

    take_back = RunWidget.take_back


def open_editor_widget() -> Channel:
    """Open an inspector's widget; the first call imports anywidget."""
    return EditorWidget()
