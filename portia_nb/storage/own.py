"""Values of a store's own: who changes a list in place doesn't change what is kept of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from portia_nb.model.events import ClarificationResolved, Recorded, RunCreated, StepDone

_OPEN = frozenset((list, dict, set, bytearray, tuple))
"""Classes of values that may change, or hold what does."""


def own(recorded: Recorded) -> Recorded:
    """Return the event with containers of its own, where it holds any that can be changed.

    Lists, dicts, sets and bytearrays are copied at every depth, and tuples around them. Objects of
    other classes are shared: nobody can tell what it means to copy one.
    """
    event = recorded.event
    match event:
        case StepDone(value=value) if type(value) in _OPEN:
            return recorded._replace(event=replace(event, value=_copy(value)))
        case ClarificationResolved(response=value) if type(value) in _OPEN:
            return recorded._replace(event=replace(event, response=_copy(value)))
        case RunCreated(inputs=inputs) if inputs:
            return recorded._replace(event=replace(event, inputs=_copy(inputs)))
        case _:
            return recorded


def _copy(value: Any) -> Any:
    """Copy `value` as `own` says; values that hold themselves come back holding the copy.

    >>> inner = [1]
    >>> kept = _copy({"a": inner, "b": (inner, "text")})
    >>> inner.append(2)
    >>> kept
    {'a': [1], 'b': ([1], 'text')}
    >>> kept["a"] is kept["b"][0]
    True
    """
    try:
        return _copied(value, {})
    except RecursionError:
        return value  # nested deeper than anything that steps change in place


def _copied(value: Any, known: dict[int, Any]) -> Any:
    kind = type(value)
    if kind not in _OPEN:
        return value
    if id(value) in known:
        return known[id(value)]
    made: Any
    if kind is list:
        made = known[id(value)] = []
        # A list of them first: another step, on another thread, may change it meanwhile.
        made.extend([_copied(each, known) for each in list(value)])
    elif kind is dict:
        made = known[id(value)] = {}
        for key, each in list(value.items()):
            made[key] = _copied(each, known)
    elif kind is tuple:
        items = tuple(_copied(each, known) for each in value)
        same = all(one is other for one, other in zip(items, value, strict=True))
        made = known[id(value)] = value if same else items
    else:
        made = known[id(value)] = kind(value)
    return made
