"""The records of a step that ran in several rounds of a loop."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from portia_nb.model.composite import LoopStep
from portia_nb.model.tree import Namespace, Place

if TYPE_CHECKING:
    from portia_nb.model.run import Run, StepRecord


_ROUND = re.compile(r"\[\d+\]")


def place_of(path: str) -> str:
    """Return the place in the plan that `path` is a run of; a round is one of its loop.

    >>> place_of("each_city[2]/sky")
    'each_city/sky'
    """
    return _ROUND.sub("", path) if "[" in path else path


def is_at(path: str, place: str) -> bool:
    """Tell whether `path` is one run of the step at `place`, or of one inside it.

    Args:
        path: of one run of a step.
        place: a place, or a path, which means one round alone.

    >>> is_at("each[2]/sky", "each"), is_at("each[2]/sky", "each/sky"), is_at("sky", "each")
    (True, True, False)
    >>> is_at("each[2]/sky", "each[2]/sky"), is_at("each[1]/sky", "each[2]/sky")
    (True, False)
    """
    return any(
        each == place or each.startswith((f"{place}/", f"{place}["))
        for each in (path, place_of(path))
    )


def latest_records(run: Run) -> dict[str, StepRecord]:
    """Return how each step stands, by its place: in several rounds, as the last that began."""
    found: dict[str, StepRecord] = {}
    for path, record in run.steps.items():
        if not path.endswith("]"):
            found[place_of(path)] = record
    return found


def loops_around(place: Place) -> tuple[LoopStep, ...]:
    """Return the loops that hold a step, outermost first."""
    return tuple(holder for holder in place.around if isinstance(holder, LoopStep))


def records_in_rounds(
    run: Run,
    names: Namespace,
    place: Place,
    fixed: Mapping[str, int],
    *,
    base: str = "",
    newest_first: bool = False,
) -> Iterator[StepRecord]:
    """Yield the records of a step, one for each round of the loops that `fixed` leaves open.

    Args:
        run: whose records.
        names: the steps among which it stands.
        place: where it stands.
        fixed: rounds of loops around it, by the loop's name.
        base: path of the inner plan that it belongs to, with its ``/``.
        newest_first: from the last round to the first.
    """
    free = next((loop for loop in loops_around(place) if loop.name not in fixed), None)
    if free is None:
        record = run.steps.get(place.path(fixed, base))
        if record is not None:
            yield record
        return
    holder = names.find(free.name)
    assert holder is not None
    numbers = range(run.rounds.get(holder.path(fixed, base), 0))
    for number in reversed(numbers) if newest_first else numbers:
        yield from records_in_rounds(
            run,
            names,
            place,
            {**fixed, free.name: number},
            base=base,
            newest_first=newest_first,
        )
