"""The widget's Python side; importing it imports anywidget, which takes about 100 ms."""

from __future__ import annotations

from pathlib import Path

import anywidget

_STATIC = Path(__file__).parent / "static"


def built(name: str) -> str:
    """Return a built file of the view.

    Raises:
        ImportError: it isn't built.
    """
    try:
        return (_STATIC / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ImportError(
            f"the view is not built: no {_STATIC / name}. In a clone of portia_nb, run "
            "`make lab` or `python scripts/labextension.py`"
        ) from None


class RunWidget(anywidget.AnyWidget):
    """One view of one run. It has no traits of its own: all it shows comes as messages.

    Traits would be stored in saved notebooks, and a whole-state trait sends ten times the bytes.
    """

    # As text and not as paths: anywidget watches paths for changes, with a thread each.
    _esm = built("run_view.js")
    _css = built("run_view.css")

    def take_back(self) -> None:
        """Leave no code in a notebook that is run by a program: nbclient keeps 55 kB a widget.

        A page that is merely slow has stdin, and gets what it needs.
        """
        kernel = getattr(getattr(self, "comm", None), "kernel", None)
        if not getattr(kernel, "_allow_stdin", True):
            self._esm = self._css = ""
