"""What is checked of runs that come from a file, beyond that each event can be read.

The program trusts its own journal: who opens, shows or forks a run needn't ask whether a number is
one. So what a stranger's file holds must be such that this store could have written it.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from portia_nb.model.events import Recorded
from portia_nb.model.plan import ConditionalStep, Plan
from portia_nb.model.run import replay

from .strange_maps import contradiction_in_map, is_of_map

_MOST = 2**53
"""Larger whole numbers are no counts of anything."""


def misfit(event: Any) -> str | None:
    """Return the first field of an event, or of a dataclass in it, that isn't of its type.

    >>> from portia_nb.model.events import StepStarted
    >>> misfit(StepStarted("look", 2)), misfit(StepStarted("look", "2"))
    (None, "attempt is '2'")
    """
    for name, wanted in _types(type(event)).items():
        value = getattr(event, name)
        if not _is(value, wanted):
            return f"{name} is {value!r:.80}"
        inner = value if isinstance(value, tuple) else (value,)
        for each in inner:
            if is_dataclass(each) and not isinstance(each, type) and wanted is not Any:
                found = misfit(each)
                if found is not None:
                    return f"{name}.{found}"
    return None


@cache
def _types(event_type: Any) -> dict[str, Any]:
    hints = get_type_hints(event_type)
    return {each.name: hints[each.name] for each in fields(event_type)}


def _is(value: Any, wanted: Any) -> bool:
    if wanted is Any:
        return True
    origin = get_origin(wanted) or wanted
    if origin in (Union, types.UnionType):
        return any(_is(value, each) for each in get_args(wanted))
    if origin in (int, float):
        kinds = int if origin is int else (int, float)
        is_number = isinstance(value, kinds) and not isinstance(value, bool)
        return is_number and -_MOST < value < _MOST
    if origin is dict:
        return isinstance(value, dict) and all(isinstance(key, str) for key in value)
    if origin is tuple:
        return isinstance(value, tuple | list)
    return not isinstance(origin, type) or isinstance(value, origin)


def contradiction(run_id: str, plan: Plan, recorded: Sequence[Recorded]) -> str | None:
    """Return why events don't add up to a run of `plan`, or a map of it; None: they do."""
    if is_of_map(run_id):
        return contradiction_in_map(run_id, recorded)
    try:
        run = replay(run_id, plan, list(recorded))
        for path, record in run.steps.items():
            if record.branch is None:
                continue
            step = plan.step(path)
            branches = len(step.branches) if isinstance(step, ConditionalStep) else 0
            if not -1 <= record.branch < branches:
                return f"step {path!r:.80} has no branch {record.branch}"
        # Each round has an event that begins it.
        if any(rounds > len(recorded) for rounds in run.rounds.values()):
            return "it tells of rounds that never began"
        run.snapshot().model_dump_json()
    except Exception as error:
        return f"its events don't add up: {type(error).__name__}: {str(error)[:200]}"
    return None
