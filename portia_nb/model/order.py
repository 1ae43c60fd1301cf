"""Which steps a step waits for: those it refers to, and those that keep their place before it.

A step that only reads starts as soon as what it refers to is done. A step that may change the world
keeps its place: it waits for every step before it, and every step after it waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from portia_nb.errors import StepNotFoundError
from portia_nb.model.plan import AnyStep, LLMStep, Plan, UserInputStep, UserVerifyStep
from portia_nb.model.reference import Input

SideEffectOf = Callable[[AnyStep], bool | None]


class Waits(NamedTuple):
    """The steps that one step waits for, by name, in plan order; no name is in both."""

    data: tuple[str, ...]
    """Steps that it refers to, or names in `after`."""
    place: tuple[str, ...]
    """Steps that it waits for only because one of the two keeps its place.

    As few as say it: who waits for these waits for every step that the rule names.
    """


def effective_side_effect(step: AnyStep, declared: bool | None) -> bool | None:
    """Tell whether `step` changes the world (True), only reads (False), or nobody says (None).

    A step may say more than its tool does, or speak for a tool that says nothing. It can't talk
    down a tool that declares True: plans come from files and models, and approval hangs on this.

    Args:
        step: any step.
        declared: what its tool or function declares; ignored for steps that have neither.
    """
    match step:
        case UserVerifyStep() | UserInputStep():
            return False
        case LLMStep():
            return bool(step.side_effect)
        case _:
            if declared is True or step.side_effect is None:
                return declared
            return step.side_effect


def keeps_place(
    step: AnyStep, side_effect: bool | None, *, assume_side_effects: bool = True
) -> bool:
    """Tell whether `step` waits for all earlier steps, and all later steps for it.

    Args:
        step: any step.
        side_effect: what `effective_side_effect` says of it.
        assume_side_effects: whether one that nobody speaks for counts as changing the world.
    """
    if isinstance(step, UserVerifyStep | UserInputStep):
        return True
    return assume_side_effects if side_effect is None else side_effect


def waits(
    plan: Plan,
    side_effect_of: SideEffectOf,
    *,
    assume_side_effects: bool = True,
    sequential: bool = False,
) -> dict[str, Waits]:
    """Return what each top-level step waits for, by the step's name, in plan order.

    Linear in the number of steps and references.

    Args:
        plan: a plan; whether it can run is `check_plan`'s question.
        side_effect_of: the effective side effect of a step, called once for each.
        assume_side_effects: whether a step that nobody speaks for keeps its place.
        sequential: True makes every step keep its place.

    Raises:
        StepNotFoundError: a step refers to, or comes after, one that the plan hasn't got.
    """
    steps = plan.steps
    data = data_waits(steps, (i.name for i in plan.plan_inputs))
    places = [
        sequential or keeps_place(s, side_effect_of(s), assume_side_effects=assume_side_effects)
        for s in steps
    ]
    names = [step.name for step in steps]
    return {
        name: Waits(tuple([names[i] for i in needed]), tuple([names[i] for i in place]))
        for name, needed, place in zip(names, data, _place_waits(data, places), strict=True)
    }


def data_waits(steps: Sequence[AnyStep], inputs: Iterable[str] = ()) -> list[list[int]]:
    """Return, for each step, the indexes of the steps it refers to or comes after, ascending.

    Args:
        steps: steps that see each other: a plan's, or one body's.
        inputs: names that are no step's where no step has them: plan inputs.

    Raises:
        StepNotFoundError: a name is neither a step's nor an input's; an index is out of range.
    """
    index = step_index(steps)
    known_inputs = {name.removeprefix("$") for name in inputs}
    found: list[list[int]] = []
    for step in steps:
        needed: set[int] = set()
        for name in named_by(step):
            place = find_step(name, index, len(steps))
            if place is not None:
                needed.add(place)
            elif name in step.after or str(name).removeprefix("$") not in known_inputs:
                raise StepNotFoundError(
                    f"step {step.name!r} refers to {name!r}, and the plan has no such step; "
                    f"its steps: {', '.join(s.name for s in steps[:50])}",
                    step=name,
                )
        found.append(sorted(needed))
    return found


def step_index(steps: Sequence[AnyStep]) -> dict[str, int]:
    """Return each step's index by its name and its output's name; a step's own name goes first."""
    index = {step.output.removeprefix("$"): i for i, step in enumerate(steps)}
    index.update((step.name, i) for i, step in enumerate(steps))
    return index


def find_step(name: str | int, index: Mapping[str, int], count: int) -> int | None:
    """Return the index of the step that `name` names, with or without ``$``, or None."""
    if isinstance(name, int):
        return name % count if -count <= name < count else None
    found = index.get(name)
    return index.get(name.removeprefix("$")) if found is None else found


def named_by(step: AnyStep) -> list[str | int]:
    """Return the steps that `step` refers to or comes after, as it names them, repeats included."""
    named: list[str | int] = [
        reference.step for reference in step.references() if not isinstance(reference, Input)
    ]
    named.extend(step.after)
    return named


def _place_waits(data: Sequence[Sequence[int]], keeps: Sequence[bool]) -> list[list[int]]:
    """Return, for each step, the fewest further steps that keep the places in order."""
    found: list[list[int]] = []
    last_kept = -1  # the last step before this one that keeps its place
    open_ends: dict[int, None] = {}  # steps since then that no other step waits for
    for this, needed in enumerate(data):
        if keeps[this]:
            before = list(open_ends) if open_ends else [last_kept] if last_kept >= 0 else []
            known = set(needed)
            found.append([i for i in before if i not in known])
            last_kept, open_ends = this, {}
            continue
        # Every step after the last kept one waits for it, so waiting for such a step says both.
        implied = last_kept < 0 or any(i >= last_kept for i in needed)
        found.append([] if implied else [last_kept])
        for i in needed:
            open_ends.pop(i, None)
        open_ends[this] = None
    return found
