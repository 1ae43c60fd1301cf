"""``%portia edit``, ``change``, ``undo``, ``approve`` and ``plans``: plans before they run."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from portia_nb.errors import InvalidOption

from .named import plan_to_use
from .parsing import unquoted

if TYPE_CHECKING:
    from portia_nb.model.approval import Approval, PlanVersion
    from portia_nb.model.plan import Plan
    from portia_nb.session.plan_editor import PlanEditor

    from .call import Call


async def edit(call: Call) -> Plan:
    """Show a plan as a form in which it can be changed; the variable follows each change."""
    from portia_nb.notebook.plan_inspector import open_inspector

    name, editor = editor_named(call, str(call.options.word))
    names = dict.fromkeys((name, call.options.one("output") or name))
    open_inspector(call.face, call.face.portia(), editor, tuple(names))
    call.face.give(call.options.one("output"), editor.plan)
    return editor.plan


async def change(call: Call) -> Plan:
    """Let a model change a plan as the words of the line say, and show what changed."""
    word, _, rest = str(call.options.word).partition(" ")
    words = unquoted(" ".join(each for each in (rest, call.options.second or "") if each).strip())
    if not words:
        raise InvalidOption(
            f"%portia change {word}: say what to change: %portia change {word} use metric units",
            option="WORDS",
        )
    name, editor = editor_named(call, word)
    before = editor.plan
    await editor.achange(words)
    return _changed(call, name, editor, before)


async def undo(call: Call) -> Plan:
    """Go back to the version before, or with ``--redo`` on to the one after."""
    name = str(call.options.word)
    if call.face.portia().store.find_versions(name):
        editor = call.face.portia().edit(name)  # of the name, whatever the variable holds
    else:
        name, editor = editor_named(call, name)
    before = editor.plan
    if call.options.is_on("redo"):
        editor.redo()
    else:
        editor.undo()
    return _changed(call, name, editor, before)


async def approve(call: Call) -> Approval:
    """Approve a plan as it is."""
    from portia_nb.notebook.visible_text import visible

    plan = plan_to_use(call.face, str(call.options.word))
    found = await call.face.portia().aapprove(plan, call.options.one("by") or "")
    covered = f" With it: the exact calls of {', '.join(found.calls)}." if found.calls else ""
    call.face.say(
        visible(
            f"{found.sentence()}.{covered} Runs of it don't ask whether it may run; once anything "
            "in it is changed, it is asked about again."
        )
    )
    return found


async def plans(call: Call) -> list[PlanVersion]:
    """List the plans that have a name."""
    from portia_nb.notebook.visible_text import one_line

    found = call.face.portia().named_plans()
    lines = [f"{'name':20} {'version':8} {'changed':17} goal"]
    for each in found:
        at = datetime.datetime.fromtimestamp(each.at).strftime("%Y-%m-%d %H:%M")
        goal = one_line(each.query, 60)
        lines.append(f"{one_line(each.name, 20):20} {each.number:<8} {at:17} {goal}")
    call.face.say(
        "\n".join(lines)
        if found
        else "No plan has a name yet: %portia edit PLAN gives it one, the variable's."
    )
    return found


def editor_named(call: Call, word: str) -> tuple[str, PlanEditor]:
    """Return the name that a plan goes by, and an editor of it under this name."""
    plan = plan_to_use(call.face, word)
    if word.startswith("plan-"):
        return "", call.face.portia().edit(plan)
    return word, call.face.portia().edit(plan, word)


def _changed(call: Call, name: str, editor: PlanEditor, before: Plan) -> Plan:
    """Bind the changed plan to its variable, show it with what changed, and return it."""
    from portia_nb.notebook.plan_record import difference_bundle
    from portia_nb.planning.plan_difference import plan_difference

    if name and name.isidentifier():
        call.face.shell.push({name: editor.plan})
    call.face.show_bundle(difference_bundle(plan_difference(before, editor.plan)))
    call.face.display(editor.plan)
    call.face.give(call.options.one("output"), editor.plan)
    return editor.plan
