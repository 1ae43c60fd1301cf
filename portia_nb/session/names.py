"""Plans by the names under which people keep them."""

from __future__ import annotations

from difflib import get_close_matches

from portia_nb.errors import InvalidOption, PlanNotFoundError
from portia_nb.model.plan import Plan
from portia_nb.storage.store import Store

MAX_NAME_CHARS = 100
_RESERVED = ("plan-", "prun-", "clar-")


def checked_name(name: str) -> str:
    """Return `name`, if a plan can be kept under it.

    Raises:
        InvalidOption: it is empty, too long, looks like an id, or has control characters in it.

    >>> checked_name("trip")
    'trip'
    """
    plain = name.strip()
    if not plain or len(plain) > MAX_NAME_CHARS or not plain.isprintable():
        raise InvalidOption(
            f"{name!r:.120} can't be a plan's name: it is text of at most {MAX_NAME_CHARS} "
            "characters on one line",
            option=name,
        )
    if plain.startswith(_RESERVED):
        raise InvalidOption(
            f"{name!r} can't be a plan's name: ids begin with {plain[:5]}", option=name
        )
    return plain


def named_plan(store: Store, name: str) -> Plan | None:
    """Return the plan that `name` means now, None where no plan has the name.

    Raises:
        PlanNotFoundError: no plan has the name, and one has a name that is much like it.
    """
    for version in store.find_versions(name):
        if version.is_current:
            return store.load_plan(version.plan_id, plan_hash=version.plan_hash)
    near = get_close_matches(name, [version.name for version in store.find_versions()], n=1)
    if near:
        raise PlanNotFoundError(
            f"no plan is called {name!r}: did you mean {near[0]!r}?", plan_id=name
        )
    return None
