"""Maps meant by what a person types: found by the beginning of an id, read, and explained."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from portia_nb.errors import PlanRunNotFoundError, StorageError
from portia_nb.storage.store import Store

from .budgets import own_prices
from .live_map import LiveMap, live_map
from .map_options import MapOptions
from .map_record import KeptMap
from .map_result import Mapper, PlanMap
from .map_row import is_map
from .map_rows import Rows
from .map_shown import reasons_of
from .opening import classes_of, plan_of

if TYPE_CHECKING:
    from .maps import Maps
    from .runner import Runner


MAX_REASONS = 200
"""Rows that `why_of_map` names."""


def map_named(store: Store, what: Any) -> str | None:
    """Return the id of the map that is meant, None where what is meant is no map.

    Args:
        store: where it is kept.
        what: a `PlanMap`, a `LiveMap`, an id or the beginning of one, or anything else.

    Raises:
        PlanRunNotFoundError: there is no such map, or more than one.
    """
    if isinstance(what, PlanMap | LiveMap):
        return what.id
    if not isinstance(what, str) or not is_map(what):
        return None
    known = [row.run_id for row in store.find_runs(limit=2**62) if row.run_id.startswith(what)]
    if what in known or not known:
        return store.find_run(what).run_id
    if len(known) > 1:
        raise PlanRunNotFoundError(
            f"{len(known)} maps begin with {what!r}: {', '.join(known[:5])}: type more of the id",
            plan_run_id=what,
        )
    return known[0]


def open_map(portia: Runner, map_id: str, *, output: str = "output") -> PlanMap:
    """Return a map as it stands, whether it lives here or is only kept; see `Portia.get_map`.

    Raises:
        PlanRunNotFoundError: the store holds no such map.
    """
    maps = cast("Maps", portia)
    if (live := live_map(map_id)) is not None:
        return maps.result_of(live, MapOptions(output=output))
    store = portia.store
    kept = KeptMap(store, map_id)
    plan = plan_of(store, kept.row)
    kept = KeptMap(store, map_id, classes_of(plan))
    outcomes = kept.outcomes()
    try:
        rows = kept.rows()
    except StorageError:  # whoever goes on is told; what came out can be seen all the same
        rows = Rows([row.label for row in outcomes], {}, total=kept.given["total"])
    return PlanMap(
        kept.id,
        plan,
        rows,
        outcomes,
        stop_reason=kept.stop_reason,
        seconds=kept.seconds,
        output=output,
        prices=own_prices(portia._parts),  # pyright: ignore[reportPrivateUsage]
        mapper=cast("Mapper", portia),
        again=partial(maps._again, map_id, MapOptions(output=output)),  # pyright: ignore[reportPrivateUsage]
    )


def why_of_map(made: PlanMap) -> str:
    """Return why a map stands as it does: each row that failed, waits or was stopped, and its run.

    Args:
        made: the map.
    """
    head = f"Map {made.id}: {made.state}."
    reasons = reasons_of(made)
    if not reasons:
        return head
    more = len(reasons) - MAX_REASONS
    rest = [f"and {more:,} more: to_frame() has them all"] if more > 0 else []
    return "\n".join(
        [head, *reasons[:MAX_REASONS], *rest, f"why({_a_run(made)!r}) tells all of one row's run."]
    )


def _a_run(made: PlanMap) -> str:
    troubled = [row.run_id for row in (*made.failed, *made.waiting) if row.run_id]
    return (troubled or [row.run_id for row in made.rows if row.run_id] or ["prun-…"])[0]
