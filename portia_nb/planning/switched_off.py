"""What to say of steps that a plan has switched off, and of those that read their outputs."""

from __future__ import annotations

from collections.abc import Sequence

from portia_nb.model.composite import AnyStep, SubPlanStep, bodies, each_step
from portia_nb.model.order import own_names
from portia_nb.model.plan import Plan
from portia_nb.model.tree import Namespace, Place


def off_notes(plan: Plan) -> dict[str, str]:
    """Return, by place, what to say of steps that are switched off and of those that read them.

    >>> steps = [{"task": "a", "output": "$a", "disabled": True},
    ...          {"task": "b", "inputs": [{"name": "$a"}], "output": "$b"}]
    >>> off_notes(Plan(steps=steps))["b"]
    "It reads 'a', which is switched off, and gets nothing (None) from it."
    """
    notes: dict[str, str] = {}

    def note(steps: Sequence[AnyStep], base: str, names: Namespace, off: str) -> None:
        for step in steps:
            place = base + step.name
            is_off = f"{step.name!r}" if step.disabled else off
            if step.disabled:
                notes[place] = "It is switched off: it is skipped when the plan runs."
            elif off:
                notes[place] = f"It is skipped with {off}, which is switched off."
            else:
                read = [names.find(name) for name in own_names(step)]
                dark = [p.step.name for p in read if p is not None and _is_off(p)]
                if dark:
                    listed = ", ".join(map(repr, dict.fromkeys(dark)))
                    verb = "is" if len(set(dark)) == 1 else "are"
                    from_it = "from it" if len(set(dark)) == 1 else "from them"
                    notes[place] = (
                        f"It reads {listed}, which {verb} switched off, and gets nothing (None) "
                        f"{from_it}."
                    )
            inner = Namespace(step.steps) if isinstance(step, SubPlanStep) else names
            for body in bodies(step):
                note(body, f"{place}/", inner, is_off)

    if any(step.disabled for step in each_step(plan.steps)):
        note(plan.steps, "", plan.names, "")
    return notes


def _is_off(place: Place) -> bool:
    return place.step.disabled or any(holder.disabled for holder in place.around)
