"""Plans by the names under which people keep them."""

from __future__ import annotations

from difflib import get_close_matches

from portia_nb.errors import PlanNotFoundError
from portia_nb.model.plan import Plan
from portia_nb.storage.store import Store


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
