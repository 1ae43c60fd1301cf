"""Who is told when a Python call starts a run: the notebook face shows it live.

Module state, since `%load_ext` turns the live view on for the whole process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .live import LiveRun

Watcher = Callable[["LiveRun"], None]
_watchers: list[Watcher] = []


def add_watcher(watcher: Watcher) -> None:
    """Call `watcher` with each run that a Python call starts, on its thread, before it runs."""
    if watcher not in _watchers:
        _watchers.append(watcher)


def remove_watcher(watcher: Watcher) -> None:
    """Stop calling `watcher`; one that was never added is no error."""
    if watcher in _watchers:
        _watchers.remove(watcher)


def is_watched() -> bool:
    """Tell whether anybody watches: what they see needs no lines in the log."""
    return bool(_watchers)


def tell_watchers(live: LiveRun) -> None:
    """Tell every watcher of `live`; one that raises is logged, since a view must not stop a run."""
    for watcher in tuple(_watchers):
        try:
            watcher(live)
        except Exception:
            logging.getLogger("portia_nb").exception("a watcher failed")
