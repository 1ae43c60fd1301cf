"""What is checked of the record of a map that comes from a file; see `strangers`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from portia_nb.model.codecs import Unkept
from portia_nb.model.events import Recorded, RunCreated, StepDone

_ID = re.compile(r"map-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PATH = re.compile(r"row\[(\d{1,9})\](/.*)?", re.DOTALL)
_MAP = "map-"


def is_of_map(run_id: str) -> bool:
    """Tell whether a record is that of a map: one of its rows and which run does which."""
    return run_id.startswith(_MAP)


def contradiction_in_map(map_id: str, recorded: Sequence[Recorded]) -> str | None:
    """Return why events don't add up to the record of a map; None: they do."""
    if _ID.fullmatch(map_id) is None:
        return f"{map_id!r:.80} is no id of a map"
    created = recorded[0].event if recorded else None
    if not isinstance(created, RunCreated):
        return "it doesn't begin with the rows of its map"
    counts = [each.event.value for each in recorded if isinstance(each.event, StepDone)]
    count = counts[0] if counts else None
    if type(count) is not int or not _fit(created.inputs, count):
        return "its rows don't add up"
    for each in recorded:
        for path in (getattr(each.event, "path", None), getattr(each.event, "same_as", None)):
            place = _PATH.fullmatch(path) if isinstance(path, str) else None
            if place is not None and int(place[1]) >= count:
                return f"there is no row {place[1]}"
            if place is not None and (wrong := _wrong_end(each.event, place[2])) is not None:
                return wrong
    return None


def _fit(given: dict[str, Any], count: int) -> bool:
    """Tell whether all that is told of each row is told of `count` rows."""
    index, keys, columns = (given.get(part) for part in ("index", "keys", "columns"))
    constants, total = given.get("constants"), given.get("total")
    if not isinstance(keys, list) or type(total) is not int or not 0 <= count <= total:
        return False
    if not isinstance(constants, dict | Unkept):
        return False
    listed = [keys, *([] if isinstance(index, Unkept) else [index])]
    if isinstance(columns, dict):
        listed += columns.values()
    elif not isinstance(columns, Unkept):
        return False
    return all(isinstance(each, list) and len(each) == count for each in listed)


def _wrong_end(event: Any, inside: str | None) -> str | None:
    """Return what is wrong with the run that a row's event names; None: nothing."""
    if not isinstance(event, StepDone):
        return None
    if inside is None:
        run = event.value.get("run") if isinstance(event.value, dict) else None
    else:
        run = event.value if inside.startswith("/run") else None
    return None if run is None or isinstance(run, str) else f"a row's run is {run!r:.80}"
