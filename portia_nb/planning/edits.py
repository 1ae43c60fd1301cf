"""Change steps of a finished plan: what a person gives by a field's name, read as the builder does.

A plan never changes; what comes back is another one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from portia_nb.errors import PlanError, StepNotFoundError
from portia_nb.model.callables import FunctionRef, SchemaRef
from portia_nb.model.composite import Condition, ConditionalStep, LoopStep, SubPlanStep
from portia_nb.model.ids import PlanUUID
from portia_nb.model.plan import AnyStep, Plan, text_argument
from portia_nb.model.reference import to_argument
from portia_nb.model.rounds import place_of
from portia_nb.model.tree import Namespace, namespace_of
from portia_nb.model.written import to_arguments, to_variables
from portia_nb.tools.base import Tool
from portia_nb.tools.registry import ToolRegistry

from .given import model_name, model_object, task_fields, tool_and_id, tools_and_ids

Edits = Mapping[str, Mapping[str, Any]]

OUTPUT = "output"
"""The edit that gives a step's output by hand, instead of changing the step."""

_STAYS = ("name", "kind", "tool_id", "task_parts", "steps", "branches", "plan_inputs", OUTPUT)


def place_named(plan: Plan, step: str | int) -> str:
    """Return the place of the step that `step` names, with the rounds that it names.

    Args:
        plan: any plan.
        step: a step's name, its output's, a top-level index, a place such as ``each/sky``, or a
            path such as ``each[2]/sky``.

    Raises:
        StepNotFoundError: there is none; the message says what was probably meant.

    >>> from portia_nb.model.plan import LoopStep
    >>> loop = LoopStep(name="each", over={"value": [1]}, steps=[{"task": "?", "output": "$sky"}])
    >>> plan = Plan(steps=[loop])
    >>> place_named(plan, "sky"), place_named(plan, "each[0]/$sky"), place_named(plan, 0)
    ('each/sky', 'each[0]/sky', 'each')
    """
    given: Any = step  # from callers, who write what they like
    if isinstance(given, bool) or not isinstance(given, str | int):
        raise StepNotFoundError(
            f"a step is named by its name or its index, not by {step!r:.80}",
            plan_id=plan.id,
            step=str(step),
        )
    if isinstance(step, int):
        place = plan.names.find(step)
        if place is None:
            known = ", ".join(f"{i} {each.name}" for i, each in enumerate(plan.steps[:50]))
            raise StepNotFoundError(
                f"no step {step} in this plan, counted from 0: {known}", plan_id=plan.id, step=step
            )
        return place.step.name
    names, found = plan.names, ""
    parts = step.split("/")
    for number, part in enumerate(parts):
        name, bracket, rest = part.partition("[")
        place = names.find(name)
        if place is None or (bracket and not isinstance(place.step, LoopStep)):
            raise _no_step(step, plan)
        around = "/".join(holder.name for holder in place.around)
        if number == 0 and around:
            found = f"{around}/"  # named by itself, in all rounds of what holds it
        found += place.step.name + bracket + rest + ("/" if number < len(parts) - 1 else "")
        if isinstance(place.step, SubPlanStep):
            names = namespace_of(place.step)
    if place_of(found) not in _places(plan):
        raise _no_step(step, plan)
    return found


def _no_step(step: str, plan: Plan) -> StepNotFoundError:
    known = list(_places(plan))
    near = get_close_matches(step.removeprefix("$"), known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"its steps: {', '.join(known[:50])}"
    return StepNotFoundError(f"no step {step!r} in this plan: {hint}", plan_id=plan.id, step=step)


def _places(plan: Plan) -> dict[str, AnyStep]:
    """Return every step by its place, those of inner plans too."""
    found: dict[str, AnyStep] = {}

    def note(names: Namespace, base: str) -> None:
        for place in names.places:
            path = base + "/".join([*(h.name for h in place.around), place.step.name])
            found[path] = place.step
            if isinstance(place.step, SubPlanStep):
                note(namespace_of(place.step), f"{path}/")

    note(plan.names, "")
    return found


def edited(
    plan: Plan, edits: Edits, tools: ToolRegistry | None = None
) -> tuple[Plan, dict[str, Any]]:
    """Return `plan` with `edits`, and the outputs that are given by hand, by their step's place.

    A plan that no edit changes comes back as it is, else one with an id of its own.

    Args:
        plan: any plan.
        edits: by step, as `place_named` takes it, what to change by the field's name. The fields
            are those that the builder's calls take: ``task``, ``args`` (those that are named
            change, the others stay), ``tool``, ``model``, ``inputs``, ``function``, ``message``, …;
            and ``output``, the step's output by hand. With another ``tool``, the arguments that it
            doesn't take go where ``args`` names some.
        tools: what ids of tools mean; None: what another tool takes isn't known.

    Raises:
        StepNotFoundError: there is no such step.
        PlanError: a step has no such field, or the field can't take that value.
    """
    known = _places(plan)
    outputs: dict[str, Any] = {}
    changed: dict[int, AnyStep] = {}
    for name, fields in edits.items():
        place = place_named(plan, name)
        step = known[place_of(place)]
        values = dict(fields)
        if OUTPUT in values:
            outputs[place] = values.pop(OUTPUT)
        for field in values:
            _refuse_unknown(step, field, plan)
        if values and "[" in place:
            raise PlanError(
                f"step {name!r}: the plan has one step for all rounds, so only its output can be "
                f"given for one; to change it, name {place_of(place)!r}",
                step=name,
            )
        if values:
            changed[id(step)] = _changed(step, values, plan, tools)
    if not changed:
        return plan, outputs
    steps = _replaced(plan.steps, changed)
    return plan.model_copy(update={"id": PlanUUID.new(), "steps": steps}), outputs


def editable_fields(step: AnyStep) -> tuple[str, ...]:
    """Return the names of the fields of `step` that an edit can change, ``output`` last."""
    fields = [name for name in type(step).model_fields if name not in _STAYS]
    if "args" in fields and step.tool_id is not None:
        fields.insert(0, "tool")
    if "tool_ids" in fields:
        fields[fields.index("tool_ids")] = "tools"
    return (*fields, OUTPUT)


def _refuse_unknown(step: AnyStep, field: str, plan: Plan) -> None:
    known = editable_fields(step)
    if field in known:
        return
    near = get_close_matches(field, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known)}"
    raise PlanError(
        f"step {step.name!r} ({step.kind}) has no field {field!r} to change: {hint}",
        plan_id=plan.id,
        step=step.name,
        field=field,
    )


def _changed(
    step: AnyStep, values: Mapping[str, Any], plan: Plan, tools: ToolRegistry | None
) -> AnyStep:
    """Return `step` with `values`, checked as the plan's own.

    Raises:
        PlanError: a value can't be used.
    """
    update: dict[str, Any] = {}
    private: dict[str, Any] = {}
    for field, value in values.items():
        try:
            more, kept = _read(step, field, value)
        except (TypeError, ValueError) as error:
            raise _unusable(step, field, str(error), plan) from error
        update.update(more)
        private.update(kept)
    if "tool_id" in update and "args" in update:
        takes = _arguments_of(private.get("_tool"), update["tool_id"], tools)
        if takes is not None:
            named = values["args"]
            update["args"] = {n: a for n, a in update["args"].items() if n in named or n in takes}
    fields = {name: getattr(step, name) for name in type(step).model_fields}
    try:
        made: AnyStep = type(step).model_validate({**fields, **update})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise _unusable(step, str(first["loc"][0]), first["msg"], plan) from error
    # What the process keeps beside the fields, such as a bound tool.
    for name in type(step).__private_attributes__:
        setattr(made, name, private.get(name, getattr(step, name)))
    return made


def _arguments_of(
    tool: Tool[Any] | None, tool_id: str, tools: ToolRegistry | None
) -> Collection[str] | None:
    """Return the names of the arguments that a tool takes; None: it isn't known here."""
    if tool is None and tools is not None and tool_id in tools:
        tool = tools.get_tool(tool_id)
    return None if tool is None else tool.args_schema.model_fields


def _unusable(step: AnyStep, field: str, why: str, plan: Plan) -> PlanError:
    return PlanError(
        f"step {step.name!r}: {field} can't be that: {why}",
        plan_id=plan.id,
        step=step.name,
        field=field,
    )


def _read(step: AnyStep, field: str, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields that an edit sets, and what is kept beside them."""
    fields = type(step).model_fields
    match field:
        case "task" if "task_parts" in fields:
            return task_fields(value), {}
        case "args":
            if not isinstance(value, Mapping):
                raise TypeError(f"a dict by argument is needed, not {value!r:.80}")
            return {"args": {**getattr(step, "args"), **to_arguments(value)}}, {}  # noqa: B009
        case "tool":
            tool_id, bound = tool_and_id(value)
            told = {"task": f"Call {tool_id}"} if step.task == f"Call {step.tool_id}" else {}
            return {"tool_id": tool_id, **told}, {"_tool": bound}
        case "tools":
            tool_ids, several = tools_and_ids(value)
            return {"tool_ids": tool_ids}, {"_tools": several}
        case "model":
            return {"model": model_name(value)}, {"_model": model_object(value)}
        case "message":
            argument = to_argument(value)
            told = {} if step.kind == "exit" else {"task": text_argument(argument)[0]}
            return {"message": argument, **told}, {}
        case _:
            read = _READERS.get(field)
            return {field: value if read is None or value is None else read(value)}, {}


_READERS: dict[str, Callable[[Any], Any]] = {
    "inputs": to_variables,
    "function": FunctionRef.of,
    "output_schema": SchemaRef.of,
    "options": to_argument,
    "over": to_argument,
    "while_": Condition.of,
    "do_while_": Condition.of,
    "after": tuple,
}


def _replaced(steps: Sequence[AnyStep], changed: Mapping[int, AnyStep]) -> tuple[AnyStep, ...]:
    return tuple(_with(changed.get(id(step), step), step, changed) for step in steps)


def _with(new: AnyStep, old: AnyStep, changed: Mapping[int, AnyStep]) -> AnyStep:
    """Return `new` with the changed ones among the steps that `old`, and so it, holds."""
    match old:
        case ConditionalStep():
            branches = tuple(
                branch.model_copy(update={"steps": _replaced(branch.steps, changed)})
                for branch in old.branches
            )
            return new.model_copy(update={"branches": branches})
        case LoopStep() | SubPlanStep():
            return new.model_copy(update={"steps": _replaced(old.steps, changed)})
        case _:
            return new
