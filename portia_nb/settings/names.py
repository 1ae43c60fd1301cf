"""Names of settings: which there are, which are gone, and what was probably meant."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from portia_nb.errors import InvalidConfigError

from . import gone

logger = logging.getLogger("portia_nb")


def known_only(
    settings: Mapping[str, Any], fields: Iterable[str], place: str | None = None
) -> dict[str, Any]:
    """Return `settings` without those that are ignored.

    Raises:
        InvalidConfigError: one can't be honoured, or isn't a setting; the message names the nearest
            that is, and `place` where it is given.
    """
    at = f"{place}: " if place else ""
    known: dict[str, Any] = {}
    for name, value in settings.items():
        if name in fields:
            known[name] = value
        elif (why := gone.ignored(name)) is not None:
            logger.warning("%s%s", at, why)
        elif (why := gone.refused(name)) is not None:
            raise InvalidConfigError(at + why, setting=name)
        else:
            raise InvalidConfigError(at + did_you_mean(name, fields), setting=name)
    return known


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return that there is no setting `name`, and the nearest of `known`."""
    near = get_close_matches(name, list(known), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"settings: {', '.join(sorted(known))}"
    return f"no setting {name!r}: {hint}"
