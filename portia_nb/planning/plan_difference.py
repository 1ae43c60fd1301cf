"""What changed from one plan to another, field by field, before and after: worked out from both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from portia_nb.model.plain import to_text
from portia_nb.model.plan import AnyStep, Plan
from portia_nb.model.reference import show

from .difference import each_place, plan_changes

How = Literal["added", "removed", "edited", "renamed", "moved", "switched off", "switched on"]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a step, or of the plan itself, that says something else."""

    field: str
    """Its name; ``args.city`` for one argument."""
    before: str
    """As short text for people; empty: it wasn't there."""
    after: str


@dataclass(frozen=True, slots=True)
class StepChange:
    """What changed at one place of a plan."""

    place: str
    """The step in the new plan, in the old one where it is gone; empty: the plan itself."""
    how: How
    fields: tuple[FieldChange, ...] = ()
    was: str = ""
    """Of a renamed step its old place."""

    def sentence(self) -> str:
        """Return it as one line of text, without the fields.

        >>> StepChange("sky", "renamed", was="weather").sentence()
        "step 'weather' renamed to 'sky'"
        """
        if not self.place:
            return "the plan itself edited"
        if self.how == "renamed":
            return f"step {self.was!r} renamed to {self.place!r}"
        return f"step {self.place!r} {self.how}"


@dataclass(frozen=True, slots=True, repr=False)
class PlanDifference:
    """Where the second of two plans differs from the first; it prints as text.

    >>> old = Plan(steps=[{"task": "Find", "output": "$find"}, {"task": "Sum", "output": "$sum"}])
    >>> plan_difference(old, old.edit("find", task="Find one").remove("sum"))
    2 changes:
    ~ step 'find' edited
        task: Find → Find one
    - step 'sum' removed
    """

    before: Plan
    after: Plan
    changes: tuple[StepChange, ...]
    """In the order of the new plan; what is gone comes last."""

    @property
    def is_same(self) -> bool:
        """Whether the two say the same: then their hashes are equal, too."""
        return not self.changes

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Return it line by line: a sign such as ``+``, and the text; fields have no sign."""
        return tuple(_lines(self.changes))

    def __repr__(self) -> str:
        count = len(self.changes)
        head = "no change" if not count else "1 change:" if count == 1 else f"{count} changes:"
        rows = (f"{sign} {text}" if sign else f"    {text}" for sign, text in self.lines())
        return "\n".join([head, *rows])


_SIGNS: Mapping[How, str] = {
    "added": "+",
    "removed": "-",
    "edited": "~",
    "renamed": "~",
    "moved": "↕",
    "switched off": "○",
    "switched on": "●",
}


def plan_difference(old: Plan, new: Plan) -> PlanDifference:
    """Return what changed from `old` to `new`.

    A step that is gone while another says the same under a new name counts as renamed. All that a
    step says counts: how often it is tried, too.
    """
    found = plan_changes(old, new)
    gone = [c.place for c in found if c.change == "removed"]
    come = [c.place for c in found if c.change == "added"]
    renamed = _renamed(old, new, gone, come)
    changes: list[StepChange] = []
    for change in found:
        place = change.place
        if place in renamed.values() and change.change == "added":
            was = next(a for a, b in renamed.items() if b == place)
            fields = _fields(old.step(was), new.step(place), _differing(old, new, was, place))
            changes.append(StepChange(place, "renamed", fields, was))
        elif change.change == "removed":
            if place not in renamed:
                changes.append(StepChange(place, "removed"))
        elif change.change == "added":
            changes.append(StepChange(place, "added", _said(new.step(place))))
        elif not place:
            changes += _of_the_plan(old, new, change.fields, renamed)
        else:
            changes += _edited(old, new, place, change.fields)
    return PlanDifference(old, new, tuple(changes))


def _edited(old: Plan, new: Plan, place: str, names: tuple[str, ...]) -> Iterator[StepChange]:
    before, after = old.step(place), new.step(place)
    if "disabled" in names:
        yield StepChange(place, "switched off" if after.disabled else "switched on")
    held = {"disabled", "task_parts", "steps"}
    rest = tuple(name for name in names if name not in held)
    fields = _fields(before, after, rest)
    if fields:
        yield StepChange(place, "edited", fields)
    elif rest or ("task_parts" in names and "task" not in names):
        yield StepChange(place, "edited")


def _of_the_plan(
    old: Plan, new: Plan, names: tuple[str, ...], renamed: Mapping[str, str]
) -> Iterator[StepChange]:
    values = tuple(
        FieldChange(name, _text(_plan_value(old, name)), _text(_plan_value(new, name)))
        for name in names
        if name != "order"
    )
    if values:
        yield StepChange("", "edited", values)
    if "order" in names:
        yield from (StepChange(place, "moved") for place in _moved(old, new, renamed))


def _plan_value(plan: Plan, name: str) -> Any:
    return plan.plan_context.query if name == "query" else getattr(plan, name)


def _moved(old: Plan, new: Plan, renamed: Mapping[str, str]) -> list[str]:
    """Return the fewest places that were moved: those that aren't in the longest common order."""
    before = [renamed.get(place, place) for place in each_place(old)]
    after = each_place(new)
    both = [place for place in after if place in set(before)]
    index = {place: n for n, place in enumerate(before)}
    # The longest run of places that kept their order (quadratic; plans are short).
    best: list[list[str]] = []
    for place in both:
        longest: list[str] = max(
            (run for run in best if index[run[-1]] < index[place]), key=len, default=[]
        )
        best.append([*longest, place])
    kept = set(max(best, key=len, default=[]))
    # What goes along with the step that holds it isn't said again.
    moved = [place for place in both if place not in kept]
    return [p for p in moved if not any(p.startswith(f"{other}/") for other in moved)]


def _renamed(old: Plan, new: Plan, gone: list[str], come: list[str]) -> dict[str, str]:
    """Return which new step each step is that seems gone: one that says the same."""
    found: dict[str, str] = {}
    for was in gone:
        parent = was.rpartition("/")[0]
        parent = found.get(parent, parent)
        for now in come:
            if now in found.values() or now.rpartition("/")[0] != parent:
                continue
            a, b = old.step(was), new.step(now)
            if a.kind == b.kind and a.task and _says(a) == _says(b):
                found[was] = now
                break
    return found


def _says(step: AnyStep) -> tuple[Any, ...]:
    args = getattr(step, "args", None)
    held = getattr(step, "steps", None) or getattr(step, "branches", None) or ()
    return (step.task.replace("$", ""), step.tool_id, list(args or ()), len(held))


def _differing(old: Plan, new: Plan, was: str, now: str) -> tuple[str, ...]:
    a, b = old.step(was), new.step(now)
    names = dict.fromkeys((*type(a).model_fields, *type(b).model_fields))
    skip = {"name", "output", "steps", "branches", "task_parts", "plan_inputs"}
    return tuple(n for n in names if n not in skip and getattr(a, n, None) != getattr(b, n, None))


def _fields(old: AnyStep, new: AnyStep, names: tuple[str, ...]) -> tuple[FieldChange, ...]:
    found = (
        FieldChange(name, _text(_value(old, name)), _text(_value(new, name)))
        for name in names
        if name not in ("task_parts", "steps")
    )
    return tuple(change for change in found if change.before != change.after)


def _said(step: AnyStep) -> tuple[FieldChange, ...]:
    """Return what a new step says that is worth a line."""
    found = [("task", step.task), ("tool", step.tool_id or ""), ("condition", step.condition or "")]
    found += [("inputs", _text(step.inputs))] if step.inputs else []
    found += [(f"args.{n}", _text(v)) for n, v in getattr(step, "args", {}).items()]
    return tuple(FieldChange(name, "", text) for name, text in found if text)


def _value(step: AnyStep, name: str) -> Any:
    if name.startswith("args."):
        return getattr(step, "args", {}).get(name.removeprefix("args."))
    if name == "branches":
        conditions = (branch.condition for branch in getattr(step, "branches", ()))
        return " / ".join("else" if c is None else c.text() for c in conditions)
    return getattr(step, name, None)


def _text(value: Any) -> str:
    match value:
        case None | () | "":
            return ""
        case bool():
            return "yes" if value else "no"
        case tuple() | list():
            return ", ".join(_text(item) for item in value)
        case dict():
            return ", ".join(f"{name}: {_text(each)}" for name, each in value.items())
        case _ if hasattr(value, "name") and hasattr(value, "description"):  # a variable, an input
            return str(value.name)
        case _ if hasattr(value, "text") and callable(value.text):  # a condition
            return str(value.text())
        case _ if hasattr(value, "name"):  # a function
            return str(value.name)
        case str() | int() | float():
            return str(value)
        case _:
            try:
                return show(value)
            except Exception:  # no argument: some value of another kind
                return to_text(value)


def _lines(changes: tuple[StepChange, ...]) -> Iterator[tuple[str, str]]:
    for change in changes:
        yield _SIGNS[change.how], change.sentence()
        for field in change.fields:
            if change.how == "added":
                yield "", f"{field.field}: {field.after}"
            else:
                yield "", f"{field.field}: {field.before or 'nothing'} → {field.after or 'nothing'}"
