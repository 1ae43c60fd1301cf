"""Plans built in this process, by content hash: where a stored plan finds its functions again.

Module state, since it stands for what this process has: `resume` is given a run's id, and the plan
that the store returns holds names and hashes of functions, never the functions. A kernel whose plan
cell was run (again) has built an equal plan, and any `Portia` in it may be the one that resumes.
References are weak: a plan that nobody holds any more takes its functions with it. Of equal plans
each is kept apart, since a run may make a copy that lives no longer than itself.
"""

from __future__ import annotations

from threading import RLock
from weakref import ref

from portia_nb.model.composite import each_step, functions_of
from portia_nb.model.plan import Plan

_built: dict[str, list[ref[Plan]]] = {}
# Reentrant: a plan may be dropped, and its reference cleared, in the middle of `remember`.
_lock = RLock()


def remember(plan: Plan) -> None:
    """Keep `plan` findable by its content hash for as long as somebody holds it.

    Where an equal plan is known already, the later one counts: its functions are those of the cell
    that was run last. Once nobody holds the later one, the earlier one counts again.
    """
    key = plan.content_hash()
    with _lock:
        held = [(each, each()) for each in _built.get(key, ())]
        others = [each for each, known in held if known is not None and known is not plan]
        _built[key] = [*others, ref(plan, lambda dropped: _forget(key, dropped))]


def built_plan(content_hash: str) -> Plan | None:
    """Return a plan built in this process with this content hash, or None."""
    with _lock:
        for each in reversed(_built.get(content_hash, ())):
            if (plan := each()) is not None:
                return plan
    return None


def built_functions() -> set[str]:
    """Return the names of the functions in the plans that were built in this process."""
    with _lock:
        plans = [plan for refs in _built.values() for each in refs if (plan := each()) is not None]
    steps = [step for plan in plans for step in each_step(plan.steps)]
    return {function.name for step in steps for function in functions_of(step)}


def _forget(key: str, dropped: ref[Plan]) -> None:
    with _lock:
        left = [each for each in _built.get(key, ()) if each is not dropped]
        if left:
            _built[key] = left
        else:
            _built.pop(key, None)
