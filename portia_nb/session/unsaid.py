"""Keys that an error tells of by mistake, taken out before anything keeps or shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from portia_nb.model.events import AnyEvent, RunFailed, StepFailed, ToolReturned

if TYPE_CHECKING:
    from portia_nb.config import Config

_TELLS_OF_ERRORS = (StepFailed, RunFailed, ToolReturned)


def secrets_of(config: Config) -> tuple[str, ...]:
    """Return the keys and passwords that the settings, the environment and ``.env`` hold."""
    from portia_nb.settings.environment import secrets_around

    return tuple(dict.fromkeys((*config.secrets(), *secrets_around())))


def without_secrets(event: AnyEvent, secrets: Callable[[], Sequence[str]]) -> AnyEvent:
    """Return `event`, each of `secrets()` in what it tells of an error replaced by asterisks.

    Clients put whole requests into their errors, so a key is found however it is written: plain,
    in an address, in JSON, inside base64. An event without an error costs nothing.

    >>> from portia_nb.model.events import ErrorRecord
    >>> error = ErrorRecord("OSError", "401 for https://host/?key=correct-horse-1")
    >>> without_secrets(RunFailed(error), lambda: ["correct-horse-1"]).error.message
    '401 for https://host/?key=***'
    """
    error = event.error if isinstance(event, _TELLS_OF_ERRORS) else None
    if error is None:
        return event
    from portia_nb.llm.blotting import Blotter

    blotter = Blotter(secrets())
    message = blotter.without_known(error.message)
    where = blotter.without_known(error.traceback or "")
    if message == error.message and where == (error.traceback or ""):
        return event
    return replace(event, error=replace(error, message=message, traceback=where or None))
