"""Change a finished plan: rename, move, switch off, insert, remove, edit; each change is checked.

A plan never changes; what comes back is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from portia_nb.errors import PlanCheckError, PlanError, StepNotFoundError
from portia_nb.model.composite import AnyStep, ConditionalStep, LoopStep, Step, SubPlanStep, bodies
from portia_nb.model.ids import PlanUUID
from portia_nb.model.order import own_names
from portia_nb.model.plan import Plan, PlanInput
from portia_nb.model.rounds import place_of
from portia_nb.model.steps import BaseStep
from portia_nb.model.tree import Namespace
from portia_nb.tools.registry import ToolRegistry

from .check import find_problems, refuse
from .edits import edited, place_named
from .retooling import can_change_tool, retooled
from .step_names import plain_name, with_names

Steps = tuple[AnyStep, ...]
Tools = ToolRegistry | Iterable[Any] | None
_STEP: TypeAdapter[Any] = TypeAdapter(Step)


def rename_step(plan: Plan, step: str | int, name: str, *, tools: Tools = None) -> Plan:
    """Return `plan` with a step called `name`; see `Plan.rename`."""
    place, found = _at(plan, step)
    new = plain_name(name)
    if new == found.name:
        return plan
    _refuse_taken(plan, place, new)
    output = f"${new}" if found.output == f"${found.name}" else found.output
    return _checked(plan, _renamed_in(plan, place, {"name": new, "output": output}), tools)


def rename_output(plan: Plan, step: str | int, output: str, *, tools: Tools = None) -> Plan:
    """Return `plan` with a step's output called `output`; what refers to it by that follows."""
    place, found = _at(plan, step)
    new = f"${plain_name(output)}"
    if new == found.output:
        return plan
    return _checked(plan, _renamed_in(plan, place, {"name": found.name, "output": new}), tools)


def move_step(
    plan: Plan,
    step: str | int,
    *,
    before: str | int | None = None,
    after: str | int | None = None,
    tools: Tools = None,
) -> Plan:
    """Return `plan` with a step in another place; see `Plan.move`."""
    place, found = _at(plan, step)
    given = [where for where in (before, after) if where is not None]
    if len(given) != 1:
        raise PlanError(f"where shall step {found.name!r} go? Name one step: before=… or after=…")
    target, _ = _at(plan, given[0])
    if target == place:
        return plan
    if target.startswith(f"{place}/") or _space(plan, target) != _space(plan, place):
        inside = target.startswith(f"{place}/")
        why = "which is in it" if inside else "which belongs to another plan"
        raise PlanError(
            f"step {place!r} can't go next to {target!r}, {why}", plan_id=plan.id, step=place
        )
    without = _with_body(plan.steps, place, lambda body, i: body[:i] + body[i + 1 :])
    offset = 0 if before is not None else 1
    moved = _with_body(without, target, lambda b, i: (*b[: i + offset], found, *b[i + offset :]))
    return plan if moved == plan.steps else _checked(plan, moved, tools)


def insert_step(
    plan: Plan,
    step: AnyStep | Mapping[str, Any],
    *,
    before: str | int | None = None,
    after: str | int | None = None,
    into: str | int | None = None,
    branch: int = 0,
    tools: Tools = None,
) -> Plan:
    """Return `plan` with a further step; see `Plan.insert`."""
    made = _step(step)
    if plan.names.find(made.name) is not None and into is None:
        raise _taken(plan, made.name)
    if plan.names.find(made.output) is not None:
        made = made.model_copy(update={"output": f"${made.name}"})  # a builder's numbered one
    given = [where for where in (before, after, into) if where is not None]
    if len(given) > 1:
        raise PlanError("one place for the new step is needed: before=…, after=… or into=…")
    if not given:
        return _checked(plan, (*plan.steps, made), tools)
    place, found = _at(plan, given[0])
    if into is not None:
        held = bodies(found)
        if not 0 <= branch < len(held):
            what = f"has no branch {branch}, counted from 0" if held else "holds no steps"
            raise PlanError(f"step {place!r} {what}", plan_id=plan.id, step=place)
        grown = _with_bodies(
            found, [(*body, made) if n == branch else body for n, body in enumerate(held)]
        )
        return _checked(plan, _with_step(plan.steps, place, grown), tools)
    offset = 0 if before is not None else 1
    steps = _with_body(plan.steps, place, lambda b, i: (*b[: i + offset], made, *b[i + offset :]))
    return _checked(plan, steps, tools)


def remove_step(plan: Plan, step: str | int, *, tools: Tools = None) -> Plan:
    """Return `plan` without a step; see `Plan.remove`."""
    place, found = _at(plan, step)
    gone = {name for held in [found, *_all(found)] for name in (held.name, held.output[1:])}
    readers = [
        held.name
        for held in _all_in(_space_steps(plan, _space(plan, place)))
        if held is not found
        and held.name not in gone
        and gone & {str(name).removeprefix("$") for name in own_names(held)}
    ]
    if readers:
        raise PlanError(
            f"step {place!r} can't be removed: {', '.join(map(repr, readers))} "
            f"{'refers' if len(readers) == 1 else 'refer'} to it. Change "
            f"{'that' if len(readers) == 1 else 'those'} first, or switch it off: "
            f"disable({place!r})",
            plan_id=plan.id,
            step=place,
            readers=tuple(readers),
        )
    return _checked(plan, _with_body(plan.steps, place, lambda b, i: b[:i] + b[i + 1 :]), tools)


def edit_step(plan: Plan, step: str | int, *, tools: Tools = None, **fields: Any) -> Plan:
    """Return `plan` with something changed in a step; see `Plan.edit`."""
    place, found = _at(plan, step)
    values = dict(fields)
    name, output = values.pop("name", None), values.pop("output", None)
    new = plan
    if "tool" in values and can_change_tool(found):
        known = None if tools is None else _registry(tools)
        made = retooled(found, values.pop("tool"), values.pop("args", None), known, plan)
        new = _copied(new, _with_step(new.steps, place, made))
    if values:
        new, _ = edited(new, {place: values})
    # Last: the edits before are by the name that the step had.
    if output is not None:
        new = _renamed_plan(new, place, {"name": found.name, "output": f"${plain_name(output)}"})
    if name is not None and (plain := plain_name(name)) != found.name:
        _refuse_taken(plan, place, plain)
        goes_along = output is None and found.output == f"${found.name}"
        now = new.step(place).output
        changes = {"name": plain, "output": f"${plain}" if goes_along else now}
        new = _renamed_plan(new, place, changes)
    return plan if new.steps == plan.steps else _checked(plan, new.steps, tools)


def checked_change(old: Plan, new: Plan, tools: Tools = None) -> Plan:
    """Return `new`, a later version of `old`, unless it has problems that `old` hadn't.

    Raises:
        PlanCheckError: it has; the message and `problems` hold each.
    """
    known = None if tools is None else _registry(tools)
    problems = find_problems(new, known)
    if problems:
        before = set(find_problems(old, known))
        refuse([problem for problem in problems if problem not in before], new)
    return new


def plan_inputs_of(plan: Plan, place: str) -> tuple[PlanInput, ...]:
    """Return the inputs that the step at `place` sees: its inner plan's, else the plan's."""
    space = _space(plan, place)
    found = plan.step(space) if space else None
    return found.plan_inputs if isinstance(found, SubPlanStep) else plan.plan_inputs


# -- where a step is -------------------------------------------------------------------------------


def _at(plan: Plan, step: str | int) -> tuple[str, AnyStep]:
    """Return the place of the step that `step` names, and the step.

    Raises:
        StepNotFoundError: there is none, or a round of a loop is named.
    """
    place = place_named(plan, step)
    if "[" in place:
        raise StepNotFoundError(
            f"{step!r} names one round of a loop, and the plan has one step for all rounds: name "
            f"{place_of(place)!r}",
            plan_id=plan.id,
            step=step,
        )
    return place, plan.step(place)


def _space(plan: Plan, place: str) -> str:
    """Return the place of the inner plan that the step at `place` belongs to; empty: the plan."""
    parts = place.split("/")
    for count in range(len(parts) - 1, 0, -1):
        holder = "/".join(parts[:count])
        if isinstance(plan.step(holder), SubPlanStep):
            return holder
    return ""


def _space_steps(plan: Plan, space: str) -> Steps:
    found = plan.step(space) if space else None
    return found.steps if isinstance(found, SubPlanStep) else plan.steps


def _all(step: AnyStep) -> list[AnyStep]:
    return [held for body in bodies(step) for held in _all_in(body)]


def _all_in(steps: Sequence[AnyStep]) -> list[AnyStep]:
    return [found for step in steps for found in (step, *_all(step))]


# -- making another tree ---------------------------------------------------------------------------


def _with_body(steps: Steps, place: str, change: Callable[[Steps, int], Steps]) -> Steps:
    """Return `steps` with the body changed in which the step at `place` is, given its index."""
    name, _, rest = place.partition("/")
    index = next(i for i, step in enumerate(steps) if step.name == name)
    if not rest:
        return change(steps, index)
    held, inner = steps[index], rest.partition("/")[0]
    changed = [
        _with_body(body, rest, change) if any(s.name == inner for s in body) else body
        for body in bodies(held)
    ]
    return (*steps[:index], _with_bodies(held, changed), *steps[index + 1 :])


def _with_step(steps: Steps, place: str, new: AnyStep) -> Steps:
    return _with_body(steps, place, lambda body, i: (*body[:i], new, *body[i + 1 :]))


def _with_bodies(step: AnyStep, held: Sequence[Steps]) -> AnyStep:
    match step:
        case ConditionalStep():
            branches = tuple(
                branch.model_copy(update={"steps": body})
                for branch, body in zip(step.branches, held, strict=True)
            )
            return step.model_copy(update={"branches": branches})
        case LoopStep() | SubPlanStep():
            return step.model_copy(update={"steps": held[0]})
        case _:
            return step


def _copied(plan: Plan, steps: Steps) -> Plan:
    return plan.model_copy(update={"id": PlanUUID.new(), "steps": steps})


def _checked(old: Plan, steps: Steps, tools: Tools) -> Plan:
    return checked_change(old, _copied(old, steps), tools)


def _registry(tools: ToolRegistry | Iterable[Any]) -> ToolRegistry:
    return tools if isinstance(tools, ToolRegistry) else ToolRegistry(tools)


def _step(given: AnyStep | Mapping[str, Any]) -> AnyStep:
    if isinstance(given, BaseStep):
        return given
    try:
        made: AnyStep = _STEP.validate_python(dict(given))
    except (ValidationError, TypeError, ValueError) as error:
        why = error.errors(include_url=False)[0] if isinstance(error, ValidationError) else None
        where = ".".join(map(str, why["loc"][1:])) if why else ""
        told = f"{where}: {why['msg']}" if why and where else why["msg"] if why else str(error)
        raise PlanError(f"that is no step: {told}") from error
    return made


# -- names -----------------------------------------------------------------------------------------


def _refuse_taken(plan: Plan, place: str, name: str) -> None:
    """Refuse a name that another step that can name this one has.

    Raises:
        PlanCheckError: one has it.
    """
    found = Namespace(_space_steps(plan, _space(plan, place))).find(name)
    if found is not None and found.step is not plan.step(place):
        raise _taken(plan, name)


def _taken(plan: Plan, name: str) -> PlanCheckError:
    problem = f"there is a step called {name!r} already: choose another name"
    return PlanCheckError(problem, problems=(problem,), plan_id=plan.id, step=name)


def _renamed_plan(plan: Plan, place: str, update: Mapping[str, str]) -> Plan:
    return _copied(plan, _renamed_in(plan, place, update))


def _renamed_in(plan: Plan, place: str, update: Mapping[str, str]) -> Steps:
    """Return the plan's steps with another name and output of one; what refers to it follows."""
    space = _space(plan, place)
    found = with_names(_space_steps(plan, space), plan.step(place), update)
    if not space:
        return found
    return _with_step(plan.steps, space, plan.step(space).model_copy(update={"steps": found}))
