"""The widget's Python side; importing it imports anywidget, which takes about 100 ms."""

from __future__ import annotations

from pathlib import Path

import anywidget

_STATIC = Path(__file__).parent / "static"


class RunWidget(anywidget.AnyWidget):
    """One view of one run. It has no traits of its own: all it shows comes as messages.

    Traits would be stored in saved notebooks, and a whole-state trait sends ten times the bytes.
    """

    # As text and not as paths: anywidget watches paths for changes, with a thread each.
    _esm = (_STATIC / "run_view.js").read_text(encoding="utf-8")
    _css = (_STATIC / "run_view.css").read_text(encoding="utf-8")

    def take_back(self) -> None:
        """Leave no code in a notebook that is run by a program: nbclient keeps 55 kB a widget.

        A page that is merely slow has stdin, and gets what it needs.
        """
        kernel = getattr(getattr(self, "comm", None), "kernel", None)
        if not getattr(kernel, "_allow_stdin", True):
            self._esm = self._css = ""
