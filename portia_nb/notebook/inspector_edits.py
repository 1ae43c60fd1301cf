"""What the plan inspector's page asks for, done to the plan by the calls of its editor."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from portia_nb.errors import PlanError
from portia_nb.model.plan import Plan
from portia_nb.planning.difference import each_place
from portia_nb.session.plan_editor import PlanEditor
from portia_nb.tools.registry import ToolRegistry

from .inspector_state import read_argument_text, read_inputs


class Wish(NamedTuple):
    """One thing that was pressed or typed; nothing of it is checked yet."""

    what: str
    """``set``, ``up``, ``off``, ``undo``, …"""
    place: str = ""
    """The step's place in the plan."""
    field: str = ""
    """What is set: a field's name, or ``args.`` and an argument's."""
    text: str = ""
    """What was typed."""


def fulfil(wish: Wish, editor: PlanEditor, tools: ToolRegistry) -> str:
    """Change the plan of `editor` as it is wished, and return what to say of it.

    Args:
        wish: what the page asks for.
        editor: checks the change, and keeps it.
        tools: what steps may be given.

    Raises:
        PlanError: nothing is called so, or the plan could not run.
        PortiaBaseError: as the editor's calls.
    """
    place = wish.place
    match wish.what:
        case "set":
            _set(wish, editor, tools)
            return f"Changed {place}"
        case "up" | "down" as where:
            _move(place, where, editor)
            return f"Moved {place} {where}"
        case "insert":
            return _insert(wish, editor)
        case _:
            return _do_at_once(wish.what, place, editor)


def _do_at_once(what: str, place: str, editor: PlanEditor) -> str:
    """Do what needs nothing but a place."""
    simple: dict[str, tuple[Callable[[], object], str]] = {
        "off": (lambda: editor.disable(place), f"Switched {place} off"),
        "on": (lambda: editor.enable(place), f"Switched {place} on"),
        "remove": (lambda: editor.remove(place), f"Removed {place}"),
        "undo": (editor.undo, "Undone"),
        "redo": (editor.redo, "Done again"),
        "approve": (lambda: editor.approve(how="notebook"), "Approved"),
    }
    if what not in simple:
        raise PlanError(f"nothing here is called {what!r:.40}")
    call, said = simple[what]
    call()
    return said


def _set(wish: Wish, editor: PlanEditor, tools: ToolRegistry) -> None:
    _, place, field, text = wish
    match field:
        case "name":
            editor.rename(place, text)
        case "tool":
            editor.edit(place, tool=text)
        case "inputs":
            editor.edit(place, inputs=tuple(read_inputs(text, editor.plan, place)))
        case "condition" | "model":
            editor.edit(place, **{field: text.strip() or None})
        case "task" | "output":
            editor.edit(place, **{field: text})
        case _ if field.startswith("args."):
            _set_argument(wish, editor, tools)
        case _:
            raise PlanError(f"a step has no field {field!r:.40} here")


def _set_argument(wish: Wish, editor: PlanEditor, tools: ToolRegistry) -> None:
    plan, name = editor.plan, wish.field.removeprefix("args.")
    step = plan.step(wish.place)
    args = dict(getattr(step, "args", {}))
    if wish.text == "":
        args.pop(name, None)  # left open, for a model or the tool's default
    else:
        tool = getattr(step, "bound_tool", None) or tools.get_tool(str(step.tool_id))
        schema = tool.json_schema().get("properties", {}).get(name, {})
        args[name] = read_argument_text(wish.text, plan, wish.place, schema)
    # With the tool, so that the kind of step follows from what is left open.
    editor.edit(wish.place, tool=step.tool_id, args=args)


def _move(place: str, where: str, editor: PlanEditor) -> None:
    base, _, name = place.rpartition("/")
    siblings = [
        row.rpartition("/")[2] for row in each_place(editor.plan) if row.rpartition("/")[0] == base
    ]
    at = siblings.index(name) if name in siblings else -1
    other = at - 1 if where == "up" else at + 1
    if at < 0 or not 0 <= other < len(siblings):
        raise PlanError(f"step {place!r} is the {'first' if where == 'up' else 'last'} already")
    target = f"{base}/{siblings[other]}" if base else siblings[other]
    if where == "up":
        editor.move(place, before=target)
    else:
        editor.move(place, after=target)


def _insert(wish: Wish, editor: PlanEditor) -> str:
    task = wish.text.strip()
    if not task:
        raise PlanError("say what the new step shall do")
    name = _free_name(editor.plan)
    step = {"task": task, "output": f"${name}"}
    if wish.place:
        editor.insert(step, after=wish.place)
    else:
        editor.insert(step)
    return f"Added {name}"


def _free_name(plan: Plan) -> str:
    taken = {place.rpartition("/")[2] for place in each_place(plan)}
    number = 1
    while f"step_{number}" in taken:
        number += 1
    return f"step_{number}"
