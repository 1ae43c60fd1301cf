"""``%load_ext portia_nb`` and its undoing. Whatever is heavy loads at first use, not here."""

from __future__ import annotations

from typing import Any

from portia_nb.session.watchers import (
    add_examiner,
    add_map_watcher,
    add_watcher,
    remove_examiner,
    remove_map_watcher,
    remove_watcher,
)

from . import formatters
from .magics import PortiaMagics
from .transform import REGISTERED_AS


def load(shell: Any) -> None:
    """Turn the notebook face on in `shell`; a second time changes nothing."""
    if REGISTERED_AS in shell.magics_manager.registry:
        return
    magics = PortiaMagics(shell)
    shell.register_magics(magics)
    shell.input_transformers_cleanup.append(magics.transform)
    shell.Completer.custom_matchers.append(magics.matcher)
    formatters.install(magics.face)
    if magics.asyncio_run:
        magics.patch.install()
    magics.errors.install()
    magics.face.views.begin()
    add_watcher(magics.watcher)
    add_map_watcher(magics.map_watcher)
    add_examiner(magics.examiner)


def unload(shell: Any) -> None:
    """Turn the notebook face off and restore all that `load` changed; runs go on."""
    magics = shell.magics_manager.registry.pop(REGISTERED_AS, None)
    if magics is None:
        return
    magics.face.views.end()
    remove_watcher(magics.watcher)
    remove_map_watcher(magics.map_watcher)
    remove_examiner(magics.examiner)
    magics.patch.restore()
    magics.errors.restore()
    formatters.remove(magics.face)
    _remove(shell.Completer.custom_matchers, magics.matcher)
    _remove(shell.input_transformers_cleanup, magics.transform)
    _remove(shell.configurables, magics)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("portia", None)


def _remove(items: list[Any], item: Any) -> None:
    if item in items:
        items.remove(item)
