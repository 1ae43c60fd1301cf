"""Plans built in this process, by content hash: where a stored plan finds its functions again.

Module state, since it stands for what this process has: `resume` is given a run's id, and the plan
that the store returns holds names and hashes of functions, never the functions. A kernel whose plan
cell was run (again) has built an equal plan, and any `Portia` in it may be the one that resumes.
Entries are weak: a plan that nobody holds any more takes its functions with it.
"""

from __future__ import annotations

from weakref import WeakValueDictionary

from portia_nb.model.plan import Plan

_built: WeakValueDictionary[str, Plan] = WeakValueDictionary()


def remember(plan: Plan) -> None:
    """Keep `plan` findable by its content hash for as long as somebody holds it.

    Where an equal plan is known already, the later one counts: its functions are those of the cell
    that was run last.
    """
    _built[plan.content_hash()] = plan


def built_plan(content_hash: str) -> Plan | None:
    """Return a plan built in this process with this content hash, or None."""
    return _built.get(content_hash)
