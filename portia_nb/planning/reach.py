"""Which steps a step may refer to: what leads nowhere, to a later step, or in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter

from portia_nb.model.composite import bodies
from portia_nb.model.order import find_step, named_by, own_names, step_index
from portia_nb.model.plan import AnyStep, Composite, ConditionalStep, LoopStep, SubPlanStep
from portia_nb.model.reference import Input, Reference, StepOutput, references
from portia_nb.model.tree import Namespace, Place

MAX_NAMED = 20
"""Names or problems that a message lists at most."""


def did_you_mean(name: str, known: Sequence[str], nouns: str) -> str:
    """Return the end of a message about an unknown name: the nearest, or what there is."""
    near = get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    more = f" and {len(known) - MAX_NAMED} more" if len(known) > MAX_NAMED else ""
    return f"{nouns}: {', '.join(known[:MAX_NAMED]) or 'none'}{more}"


def reference_problems(names: Namespace, inputs: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with the references of steps that can name each other.

    Args:
        names: the steps.
        inputs: names of the plan inputs that they see, without ``$``.
    """
    all_steps = [place.step.name for place in names.places]
    for place in names.places:
        step = place.step
        yield from _unknown_steps(step, names, all_steps, inputs)
        for reference in dict.fromkeys(r for r in step.references() if isinstance(r, Input)):
            if reference.name.removeprefix("$") not in inputs:
                hint = did_you_mean(reference.name, inputs, "plan inputs")
                yield (
                    f"step {step.name!r} uses the plan input {reference.name!r}, and the plan has "
                    f"none of that name; {hint}"
                )
        if place.around or isinstance(step, Composite):
            yield from _out_of_reach(place, names)


def _unknown_steps(
    step: AnyStep, names: Namespace, all_steps: Sequence[str], inputs: Sequence[str]
) -> Iterator[str]:
    by_name = {v.name.removeprefix("$") for v in step.inputs if v.value is None}
    for name in dict.fromkeys(own_names(step)):
        if names.find(name) is not None:
            continue
        shown = name if isinstance(name, int) else name.removeprefix("$")
        if shown in by_name and shown not in step.after:
            if shown not in inputs:
                hint = did_you_mean(str(shown), [*all_steps, *inputs], "there are")
                yield (
                    f"step {step.name!r} refers to {shown!r}, and there is no such step or "
                    f"plan input; {hint}"
                )
            continue
        verb = "comes after" if name in step.after else "refers to"
        hint = did_you_mean(str(shown), all_steps, "steps")
        yield f"step {step.name!r} {verb} {shown!r}, and there is no such step; {hint}"


def _out_of_reach(place: Place, names: Namespace) -> Iterator[str]:
    """Yield references between bodies that can never bring anything, or not the same each time."""
    step = place.step
    judged = _judged_each_round(step)
    for reference in dict.fromkeys(step.references()):
        if not isinstance(reference, StepOutput):
            continue
        target = names.find(reference.step)
        if target is None:
            continue
        within = (*place.around, step) if reference in judged else place.around
        is_own = target.step is step or _is_in(target, step)
        loops = [
            holder
            for holder in within
            if isinstance(holder, LoopStep) and (_is_in(target, holder) or holder is target.step)
        ]
        is_before = target.position < place.position
        if is_own and not loops and isinstance(step, Composite):
            inside = "itself" if target.step is step else f"{target.step.name!r}, which is in it"
            yield f"step {step.name!r} hangs on {inside}"
        elif isinstance(target.step, ConditionalStep) and _is_in(place, target.step):
            yield f"step {step.name!r} refers to {target.step.name!r}, which it is in"
        elif not loops and _is_in_another_branch(place, target):
            yield (
                f"step {step.name!r} refers to {target.step.name!r} in another branch, and only "
                "one of the two runs"
            )
        elif (
            loops
            and loops[-1].parallel
            and target.step is not loops[-1]
            and (reference.full or not is_before)
        ):
            yield (
                f"step {step.name!r} refers to other rounds of {loops[-1].name!r}, which run "
                "beside each other: set parallel=False"
            )


def _judged_each_round(step: AnyStep) -> set[Reference]:
    condition = step.condition_of_rounds if isinstance(step, LoopStep) else None
    if condition is None:
        return set()
    return {found for argument in condition.arguments() for found in references(argument)}


def _is_in(place: Place, holder: AnyStep) -> bool:
    return any(found is holder for found in place.around)


def _is_in_another_branch(place: Place, target: Place) -> bool:
    for mine, my_body, other, other_body in zip(
        place.around, place.bodies, target.around, target.bodies, strict=False
    ):
        if mine is not other:
            return False
        if my_body != other_body:
            return isinstance(mine, ConditionalStep)
    return False


def order_problems(steps: Sequence[AnyStep], *, in_loop: bool = False) -> Iterator[str]:
    """Find circles and steps that wait for later ones, in a body and in the bodies in it.

    Places can't add a circle to steps that only wait for earlier ones: a place is only ever kept
    against earlier steps too.
    """
    names = [step.name for step in steps]
    index = step_index(steps)
    waits = [
        _known_places(step, this, index, len(names), in_loop) for this, step in enumerate(steps)
    ]
    circle: list[int] = []
    try:
        TopologicalSorter(dict(enumerate(waits))).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        if len(circle) > 2:  # a step that waits for itself is told below
            shown = " → ".join(repr(names[i]) for i in circle)
            yield f"steps wait for each other in a circle: {shown}"
    for this, waited in enumerate(waits):
        for other in waited:
            if other == this:
                yield f"step {names[this]!r} refers to itself"
            elif other > this and not {this, other} <= set(circle):
                yield (
                    f"step {names[this]!r} refers to {names[other]!r}, which comes later in the "
                    f"plan: put {names[other]!r} first"
                )
    for step in steps:
        if isinstance(step, Composite) and not isinstance(step, SubPlanStep):
            for body in bodies(step):
                yield from order_problems(body, in_loop=in_loop or isinstance(step, LoopStep))


def _known_places(
    step: AnyStep, this: int, index: Mapping[str, int], count: int, in_loop: bool
) -> list[int]:
    """Return what `step` waits for; in a loop, itself and later steps mean the round before."""
    is_own = this if isinstance(step, Composite) else None  # told by `_out_of_reach`
    places = (find_step(name, index, count) for name in named_by(step))
    return list(
        dict.fromkeys(
            place
            for place in places
            if place is not None and place != is_own and not (in_loop and place >= this)
        )
    )
