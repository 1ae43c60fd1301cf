"""Where a face joins in: it is told when a Python call starts a run, and adds to doctor's report.

Module state, since `%load_ext` turns the live view on for the whole process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .live import LiveRun
    from .live_map import LiveMap
    from .runner import Runner

Watcher = Callable[["LiveRun"], None]
MapWatcher = Callable[["LiveMap"], None]
_watchers: list[Watcher] = []
_map_watchers: list[MapWatcher] = []
Examiner = Callable[["Runner"], Iterable[Any]]
_examiners: list[Examiner] = []


def add_examiner(examiner: Examiner) -> None:
    """Let `examiner` add its findings, for the `Portia` it is given, to what `doctor` reports."""
    if examiner not in _examiners:
        _examiners.append(examiner)


def remove_examiner(examiner: Examiner) -> None:
    """Stop asking `examiner`; one that was never added is no error."""
    if examiner in _examiners:
        _examiners.remove(examiner)


def findings_of_examiners(portia: Runner) -> list[Any]:
    """Return what every examiner finds; one that raises is logged, and the others are heard."""
    found: list[Any] = []
    for examiner in tuple(_examiners):
        try:
            found += examiner(portia)
        except Exception:
            logging.getLogger("portia_nb").exception("an examiner failed")
    return found


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
        _tell(watcher, live)


def add_map_watcher(watcher: MapWatcher) -> None:
    """Call `watcher` with each map that a Python call starts, on its thread, before it runs."""
    if watcher not in _map_watchers:
        _map_watchers.append(watcher)


def remove_map_watcher(watcher: MapWatcher) -> None:
    """Stop calling `watcher`; one that was never added is no error."""
    if watcher in _map_watchers:
        _map_watchers.remove(watcher)


def tell_map_watchers(live: LiveMap) -> None:
    """Tell every watcher of a map, as `tell_watchers` does of a run."""
    for watcher in tuple(_map_watchers):
        _tell(watcher, live)


def _tell(watcher: Callable[[Any], None], live: Any) -> None:
    try:
        watcher(live)
    except Exception:
        logging.getLogger("portia_nb").exception("a watcher failed")
