"""Which steps a step waits for: those it refers to, and those that keep their place before it.

A step that only reads starts as soon as what it refers to is done. A step that may change the world
keeps its place: it waits for every step before it, and every step after it waits for it. A step
that holds steps waits for all that they wait for outside of it, and keeps its place where one of
them does; inside, each body has an order of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from portia_nb.errors import StepNotFoundError
from portia_nb.model.composite import bodies, each_step
from portia_nb.model.plan import (
    AnyStep,
    Composite,
    ExitStep,
    LLMStep,
    LoopStep,
    Plan,
    SubPlanStep,
    UserInputStep,
    UserVerifyStep,
)
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

    Of a step that holds steps it tells what deciding does, which only reads; what the steps in it
    do is `strongest` of theirs. A step may say more than its tool does, or speak for a tool that
    says nothing. It can't talk down a tool that declares True: plans come from files and models,
    and approval hangs on this.

    Args:
        step: any step.
        declared: what its tool or function declares; ignored for steps that have neither.
    """
    match step:
        case UserVerifyStep() | UserInputStep() | ExitStep():
            return False
        case LLMStep():
            return bool(step.side_effect)
        case _ if isinstance(step, Composite):
            return False
        case _:
            if declared is True or step.side_effect is None:
                return declared
            return step.side_effect


def strongest(effects: Iterable[bool | None]) -> bool | None:
    """Return the side effect of steps taken together: True goes before None, None before False."""
    found: bool | None = False
    for effect in effects:
        if effect is True:
            return True
        if effect is None:
            found = None
    return found


def keeps_place(
    step: AnyStep, side_effect: bool | None, *, assume_side_effects: bool = True
) -> bool:
    """Tell whether `step` waits for all earlier steps, and all later steps for it.

    Args:
        step: any step.
        side_effect: what `effective_side_effect` says of it.
        assume_side_effects: whether one that nobody speaks for counts as changing the world.
    """
    if step.kind in ("user_verify", "user_input", "exit"):
        return True
    return assume_side_effects if side_effect is None else side_effect


def waits(
    plan: Plan,
    side_effect_of: SideEffectOf,
    *,
    assume_side_effects: bool = True,
    sequential: bool = False,
) -> dict[str, Waits]:
    """Return what each step waits for, in plan order, by its name.

    Steps inside others come after the plan's own, by their place such as ``each_city/sky``, and
    wait for steps of their own body. Linear in the number of steps and references, for each body
    that steps are in.

    Args:
        plan: a plan; whether it can run is `check_plan`'s question.
        side_effect_of: the effective side effect of a step, called once for each that holds none.
        assume_side_effects: whether a step that nobody speaks for keeps its place.
        sequential: True makes every step keep its place.

    Raises:
        StepNotFoundError: a step refers to, or comes after, one that the plan hasn't got.
    """
    options: dict[str, Any] = {
        "assume_side_effects": assume_side_effects,
        "sequential": sequential,
    }
    known = [given.name for given in plan.plan_inputs]
    found = body_waits(plan.steps, side_effect_of, known=known, **options)

    def look_inside(steps: Sequence[AnyStep], prefix: str, in_loop: bool) -> None:
        for step in steps:
            if not isinstance(step, Composite):
                continue
            inside = f"{prefix}{step.name}/"
            repeats = isinstance(step, LoopStep) or (in_loop and not isinstance(step, SubPlanStep))
            for body in bodies(step):
                order = body_waits(body, side_effect_of, is_inner=True, in_loop=repeats, **options)
                found.update((inside + name, wait) for name, wait in order.items())
                look_inside(body, inside, repeats)

    look_inside(plan.steps, "", False)
    return found


def body_waits(
    steps: Sequence[AnyStep],
    side_effect_of: SideEffectOf,
    *,
    known: Iterable[str] = (),
    is_inner: bool = False,
    in_loop: bool = False,
    assume_side_effects: bool = True,
    sequential: bool = False,
) -> dict[str, Waits]:
    """Return what each step of one body waits for in it, by the step's name, in order.

    Args:
        steps: a plan's, or one body's.
        side_effect_of: as in `waits`.
        known: as in `data_waits`.
        is_inner: as in `data_waits`.
        in_loop: as in `data_waits`.
        assume_side_effects: as in `waits`.
        sequential: as in `waits`.
    """
    data = data_waits(steps, known, is_inner=is_inner, in_loop=in_loop)

    def keeps(step: AnyStep) -> bool:
        if step.holds_steps:
            return any(keeps(held) for body in bodies(step) for held in body)
        return keeps_place(step, side_effect_of(step), assume_side_effects=assume_side_effects)

    places = [sequential or keeps(step) for step in steps]
    names = [step.name for step in steps]
    return {
        name: Waits(tuple([names[i] for i in needed]), tuple([names[i] for i in place]))
        for name, needed, place in zip(names, data, _place_waits(data, places), strict=True)
    }


def data_waits(
    steps: Sequence[AnyStep],
    inputs: Iterable[str] = (),
    *,
    is_inner: bool = False,
    in_loop: bool = False,
) -> list[list[int]]:
    """Return, for each step, the indexes of the steps it refers to or comes after, ascending.

    Args:
        steps: steps that see each other: a plan's, or one body's.
        inputs: names that are no step's where no step has them: plan inputs.
        is_inner: whether names may be those of steps outside, which are waited for there.
        in_loop: whether this is (in) a loop's body, where a step that refers to itself or to a
            later one means the round before, and waits for nothing.

    Raises:
        StepNotFoundError: a name is neither a step's nor an input's; an index is out of range.
    """
    index = step_index(steps)
    known_inputs = {name.removeprefix("$") for name in inputs}
    found: list[list[int]] = []
    for this, step in enumerate(steps):
        needed: set[int] = set()
        for name in named_by(step):
            place = find_step(name, index, len(steps))
            if place is not None:
                if not (place == this and step.holds_steps) and not (in_loop and place >= this):
                    needed.add(place)
                continue
            is_input = str(name).removeprefix("$") in known_inputs and name not in step.after
            if not is_inner and not is_input:
                raise StepNotFoundError(
                    f"step {step.name!r} refers to {name!r}, and the plan has no such step; "
                    f"its steps: {', '.join(s.name for s in steps[:50])}",
                    step=name,
                )
        found.append(sorted(needed))
    return found


def step_index(steps: Sequence[AnyStep]) -> dict[str, int]:
    """Return each step's index by its name and its output's name; a step's own name goes first.

    A step inside another one counts as the one that stands among `steps`.
    """
    index = {step.output.removeprefix("$"): i for i, step in enumerate(steps)}
    index.update((step.name, i) for i, step in enumerate(steps))
    for i, step in enumerate(steps):
        if step.holds_steps:
            for held in _held(step):
                index.setdefault(held.output.removeprefix("$"), i)
                index.setdefault(held.name, i)
    return index


def _held(step: AnyStep) -> Iterable[AnyStep]:
    """Return the steps inside `step` that steps outside of it can name."""
    if isinstance(step, SubPlanStep):
        return ()
    return (held for body in bodies(step) for held in each_step(body, into_plans=False))


def find_step(name: str | int, index: Mapping[str, int], count: int) -> int | None:
    """Return the index of the step that `name` names, with or without ``$``, or None."""
    if isinstance(name, int):
        return name % count if -count <= name < count else None
    found = index.get(name)
    return index.get(name.removeprefix("$")) if found is None else found


def named_by(step: AnyStep) -> list[str | int]:
    """Return the steps that `step` refers to or comes after, as it names them, repeats included.

    Those that the steps inside it name are among them.
    """
    named = own_names(step)
    if step.holds_steps:
        for held in _held(step):
            named.extend(own_names(held))
    return named


def own_names(step: AnyStep) -> list[str | int]:
    """Return what `named_by` returns, without what the steps inside `step` name."""
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
