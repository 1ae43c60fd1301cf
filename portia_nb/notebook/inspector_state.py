"""What the plan inspector shows, as JSON, and how what is typed there is read; pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from portia_nb.errors import PlanError, ToolNotFoundError
from portia_nb.model.approval import approved_text
from portia_nb.model.composite import AnyStep, Composite, bodies
from portia_nb.model.plan import LLM_TOOL_ID, Plan, Variable, tools_text
from portia_nb.model.reference import Argument, Input, StepOutput, Value, show
from portia_nb.planning.changes import plan_inputs_of
from portia_nb.planning.needs import needs_of
from portia_nb.planning.retooling import can_change_tool
from portia_nb.planning.switched_off import off_notes
from portia_nb.session.answering import side_effects
from portia_nb.session.plan_editor import PlanEditor
from portia_nb.tools.registry import ToolRegistry

from .view_picture import draw_picture, packed
from .visible_text import one_line, visible

MAX_TEXT = 20_000
MAX_LINES = 200
_REFERENCE = re.compile(r"\$([^\s$./\[\]]+)((?:\.[^\s$./\[\]]+)*)")
_LABELS = {
    "name": "Name",
    "task": "Task",
    "tool": "Tool",
    "inputs": "Inputs",
    "condition": "Only if",
    "model": "Model",
    "output": "Output name",
}

View = dict[str, Any]


def editor_view(
    editor: PlanEditor, tools: ToolRegistry, names: Sequence[str], *, picture: bool = True
) -> View:
    """Return all that the inspector shows of a plan as it stands.

    Args:
        editor: the plan, with its versions.
        tools: what its steps may be given.
        names: the variables that follow its changes.
        picture: False: without the picture, as for tests and records.
    """
    plan, versions = editor.plan, editor.versions
    effects = side_effects(plan, tools)
    approval = editor.approval
    difference = editor.difference()
    drawn = {"picture": packed(draw_picture(plan))} if picture else {}
    return {
        "kind": "editor",
        "name": one_line(editor.name, 100) if editor.has_name else "",
        "title": one_line(plan.plan_context.query or "Plan", 1_000),
        "variables": [name for name in names if name],
        "hash": plan.content_hash()[:12],
        "version": {
            "number": editor.number,
            "of": len(versions),
            "change": one_line(versions[editor.number - 1].change, 200),
        },
        "needs": [one_line(said, 1_000) for said in needs_of(plan, effects).sentences()],
        "approved": None
        if approval is None
        else one_line(approved_text(approval.by, approval.how, approval.at), 300),
        "tools": [LLM_TOOL_ID, *(tool.id for tool in tools if tool.id != LLM_TOOL_ID)],
        "steps": _steps(plan, tools, effects),
        "changes": [[sign, one_line(text, 600)] for sign, text in difference.lines()[:MAX_LINES]],
        **drawn,
    }


def _steps(plan: Plan, tools: ToolRegistry, effects: Mapping[str, bool | None]) -> list[View]:
    rows: list[View] = []
    notes = off_notes(plan)

    def note(steps: Sequence[AnyStep], base: str, depth: int) -> None:
        for number, step in enumerate(steps):
            place = base + step.name
            row: View = {
                "place": place,
                "name": one_line(step.name, 200),
                "depth": depth,
                "what": one_line(tools_text(step) or step.kind, 120),
                "task": one_line(step.task, 300),
                "first": number == 0,
                "last": number == len(steps) - 1,
                "off": step.disabled,
                "changes": effects.get(place) is True,
                "fields": _fields(plan, place, step, tools),
            }
            if place in notes:
                row["note"] = one_line(notes[place], 400)
            rows.append(row)
            if isinstance(step, Composite):
                for body in bodies(step):
                    note(body, f"{place}/", depth + 1)

    note(plan.steps, "", 0)
    return rows


def _fields(plan: Plan, place: str, step: AnyStep, tools: ToolRegistry) -> list[View]:
    fields = [_field("name", step.name)]
    is_told = "task_parts" in type(step).model_fields or step.kind == "tool"
    if is_told:
        parts = getattr(step, "task_parts", None)
        fields.append({**_field("task", step.task), "long": True, "locked": parts is not None})
    if can_change_tool(step):
        fields.append({**_field("tool", step.tool_id or LLM_TOOL_ID), "kind": "tool"})
        fields += _arguments(step, tools)
        plain = all(v.value is None or isinstance(v.value, StepOutput | Input) for v in step.inputs)
        names = ", ".join(v.name if v.value is None else show(v.value) for v in step.inputs)
        fields.append({**_field("inputs", names), "locked": not plain})
    fields.append(_field("condition", step.condition or ""))
    if "model" in type(step).model_fields:
        fields.append(_field("model", getattr(step, "model", None) or ""))
    if step.output != f"${step.name}":
        fields.append(_field("output", step.output))
    return fields


def _field(name: str, text: str) -> View:
    return {"name": name, "label": _LABELS[name], "text": visible(text)[:MAX_TEXT]}


def _arguments(step: AnyStep, tools: ToolRegistry) -> list[View]:
    given: Mapping[str, Argument] = getattr(step, "args", {})
    if step.tool_id in (None, LLM_TOOL_ID):
        return []
    try:
        tool = getattr(step, "bound_tool", None) or tools.get_tool(str(step.tool_id))
        schema = tool.json_schema()
    except ToolNotFoundError:
        schema = {}
    properties: Mapping[str, Any] = schema.get("properties", {})
    rows: list[View] = []
    for name in dict.fromkeys((*properties, *given)):
        text, locked = argument_text(given[name]) if name in given else ("", False)
        about = str(properties.get(name, {}).get("description", ""))
        hint = "left open: a model chooses it" if name in schema.get("required", ()) else "optional"
        rows.append(
            {
                "name": f"args.{name}",
                "label": one_line(name, 100),
                "text": text[:MAX_TEXT],
                "locked": locked or len(text) > MAX_TEXT,
                "hint": one_line(about, 200),
                **({} if name in given else {"empty": hint}),
            }
        )
    return rows


def argument_text(argument: Argument) -> tuple[str, bool]:
    r"""Return an argument as it is typed, and whether it can only be changed in Python.

    >>> argument_text(Value("Oslo")), argument_text(StepOutput("sky", "temp"))
    (('Oslo', False), ('$sky.temp', False))
    >>> argument_text(Value("$5")), argument_text(Value(5))
    (('\\$5', False), ('5', False))
    """
    match argument:
        case Value(str() as text):
            # What would be read as something else says that it is text.
            odd = text[:1] in ("$", "\\") or text != visible(text)
            return (f"\\{text}" if odd else text), text != visible(text)
        case Value(value):
            try:
                return json.dumps(value, ensure_ascii=False), False
            except (TypeError, ValueError):
                return one_line(repr(value), 300), True
        case StepOutput(full=False) | Input():
            return show(argument), False
        case _:
            return one_line(show(argument), 2_000), True


def read_argument_text(text: str, plan: Plan, place: str, schema: Mapping[str, Any]) -> Any:
    """Return what was typed for an argument: a reference, JSON where the tool wants it, or text.

    Raises:
        PlanError: it is JSON that can't be read, where the tool wants no text.
    """
    if text.startswith("\\"):
        return text[1:]
    if _REFERENCE.fullmatch(text.strip()):
        return read_reference(text.strip(), plan, place)
    kinds = _types(schema)
    if "string" in kinds or not kinds:
        if not kinds and text.strip()[:1] in '[{"':
            return _json(text)
        return text
    return _json(text)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise PlanError(
            f"{text!r:.80} can't be read: write numbers, true, false and lists as in JSON, such as "
            '3, ["a", "b"], or $name for the output of a step'
        ) from error


def _types(schema: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    for part in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        kind = part.get("type") if isinstance(part, Mapping) else None
        found.update([kind] if isinstance(kind, str) else kind or ())
    return found


def read_reference(text: str, plan: Plan, place: str) -> StepOutput | Input:
    """Return the reference that ``$name.path`` means to the step at `place`."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise PlanError(f"{text!r} is no name: write $name, of a step or of an input of the plan")
    name, path = found[1], found[2].removeprefix(".") or None
    inputs = {given.name.removeprefix("$") for given in plan_inputs_of(plan, place)}
    return Input(name, path) if name in inputs else StepOutput(name, path)


def read_inputs(text: str, plan: Plan, place: str) -> list[Any]:
    """Return the inputs that ``$a, $b.items`` mean, as `Plan.edit` takes them."""
    kept = {v.name: v for v in plan.step(place).inputs}
    found: list[Any] = []
    for part in (each.strip() for each in text.split(",")):
        if not part:
            continue
        name = part if part.startswith("$") else f"${part}"
        reference = read_reference(name, plan, place)
        plain = reference.path is None
        found.append(kept.get(name) or (Variable(name=name) if plain else reference))
    return found
