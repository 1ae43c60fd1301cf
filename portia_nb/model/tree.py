"""Which step a name means: the steps of a plan and of the bodies in it share one space of names.

An inner plan is a space of its own: it sees its inputs and its steps, and is seen as one step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from portia_nb.model.composite import (
    AnyStep,
    ConditionalStep,
    LoopStep,
    SubPlanStep,
    bodies,
)


class Place(NamedTuple):
    """Where a step stands among those that can name it."""

    step: AnyStep
    around: tuple[ConditionalStep | LoopStep, ...]
    """The steps that hold it, outermost first."""
    bodies: tuple[int, ...]
    """Which body of each of `around` it is in."""
    position: int
    """Place in reading order, from 0."""
    top: int
    """Index of the top-level step that it is, or is in."""

    def path(self, rounds: Mapping[str, int], base: str = "") -> str:
        """Return the path of one run of the step.

        Args:
            rounds: the round of each loop around it, by the loop's name.
            base: path of the inner plan that it belongs to, with its ``/``.
        """
        for holder in self.around:
            number = f"[{rounds[holder.name]}]" if isinstance(holder, LoopStep) else ""
            base = f"{base}{holder.name}{number}/"
        return base + self.step.name

    @property
    def in_plan(self) -> str:
        """The step's name after the names of those that hold it: ``each_city/sky``."""
        if not self.around:
            return self.step.name
        return "/".join([*(holder.name for holder in self.around), self.step.name])


class Namespace:
    """The steps that can name each other."""

    __slots__ = ("_by_name", "places", "steps")

    def __init__(self, steps: Sequence[AnyStep]) -> None:
        """Know `steps`, and those in their bodies."""
        self.steps = steps
        self.places = tuple(_places(steps))
        """Every step's place, in reading order."""
        # A step's own name goes before its output's.
        self._by_name = {p.step.output.removeprefix("$"): p for p in self.places}
        self._by_name.update((p.step.name, p) for p in self.places)

    def find(self, name: str | int) -> Place | None:
        """Return the place of the step that `name` names, or None.

        Args:
            name: a step's name or its output's, with or without ``$``; or an index among the
                top-level steps, from the end where it is negative.
        """
        if isinstance(name, int):
            count = len(self.steps)
            return self._by_name[self.steps[name].name] if -count <= name < count else None
        found = self._by_name.get(name)
        return self._by_name.get(name.removeprefix("$")) if found is None else found


def namespace_of(step: SubPlanStep) -> Namespace:
    """Return the names that the steps of an inner plan see."""
    found: Namespace | None = step._namespace  # pyright: ignore[reportPrivateUsage]
    if found is None or found.steps is not step.steps:  # a copy with other steps keeps the old
        found = Namespace(step.steps)
        step._namespace = found  # pyright: ignore[reportPrivateUsage]
    return found


def step_at(path: str, names: Namespace) -> AnyStep | None:
    """Return the step that `path` is a run of, or None.

    >>> from portia_nb.model.plan import LoopStep, Plan
    >>> loop = LoopStep(name="each", over={"value": [1]}, steps=[{"task": "?", "output": "$sky"}])
    >>> step_at("each[0]/sky", Plan(steps=[loop]).names).name
    'sky'
    """
    step: AnyStep | None = None
    for part in path.split("/"):
        place = names.find(part.partition("[")[0])
        if place is None:
            return None
        step = place.step
        if isinstance(step, SubPlanStep):
            names = namespace_of(step)
    return step


def _places(steps: Sequence[AnyStep]) -> Iterator[Place]:
    position = 0
    # A stack instead of recursion, so that a plain plan costs one tuple a step.
    stack: list[Place] = [
        Place(step, (), (), 0, index) for index, step in reversed(list(enumerate(steps)))
    ]
    while stack:
        place = stack.pop()._replace(position=position)
        position += 1
        yield place
        step = place.step
        if step.holds_steps and isinstance(step, ConditionalStep | LoopStep):
            around = (*place.around, step)
            inner = [
                Place(held, around, (*place.bodies, number), 0, place.top)
                for number, body in enumerate(bodies(step))
                for held in body
            ]
            stack.extend(reversed(inner))
