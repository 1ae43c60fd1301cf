"""What a saved notebook shows of a plan that was worked on: what changed, who approved it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from portia_nb.drawing.clean import untypeset
from portia_nb.planning.plan_difference import PlanDifference

from .visible_text import visible

if TYPE_CHECKING:
    from portia_nb.session.plan_editor import PlanEditor


def plan_record(
    editor: PlanEditor,
    names: Sequence[str],
    side_effects: Mapping[str, bool | None] | None = None,
) -> dict[str, Any]:
    """Return what a saved notebook shows: the plan, what changed, who approved, and what goes on.

    Args:
        editor: the plan and its versions.
        names: the variables that hold the plan.
        side_effects: as in `plan_bundle`.

    Guarantees: no script, no button, everything escaped.
    """
    from .static_record import plan_bundle

    bundle = dict(plan_bundle(editor.plan, side_effects=side_effects))
    lines = record_lines(editor, names)
    html = "".join(f"<p>{_prose(line)}</p>" for line in lines)
    changes = difference_html(editor.difference())
    bundle["text/html"] = f'<div class="portia-record">{html}{changes}</div>{bundle["text/html"]}'
    text = [*lines, *(difference_lines(editor.difference()))]
    bundle["text/plain"] = "\n".join([*map(visible, text), bundle["text/plain"]])
    bundle.pop("application/vnd.portia.plan+json", None)  # it would hide what changed
    return bundle


def record_lines(editor: PlanEditor, names: Sequence[str]) -> list[str]:
    """Return which version this is, who approved it, and how to go on with it."""
    name = editor.name if editor.has_name else next(iter(names), "plan")
    approval = editor.approval
    told = approval.sentence() if approval else f"plan {editor.plan.content_hash()[:12]}"
    quoted = name if name.isidentifier() else repr(name)
    return [
        f"Version {editor.number} of {len(editor.versions)}; {told}.",
        f"Run it: %portia run {quoted}. Change it in Python: editor = portia.edit({name!r}), with "
        "rename, move, disable, insert, remove, edit, change, undo, and run editor.plan; or by "
        "%portia change and %portia undo.",
    ]


def difference_lines(found: PlanDifference) -> list[str]:
    """Return what changed since the first version as lines of text."""
    rows = [f"{sign} {text}" if sign else f"    {text}" for sign, text in found.lines()]
    return ["What changed since the first version:", *rows] if rows else []


def difference_html(found: PlanDifference) -> str:
    """Return what changed as a list, everything escaped, on one line; empty: nothing did."""
    rows = "".join(
        f"<li>{_prose(f'{sign} {text}')}</li>" if sign else f"<div>{_prose(text)}</div>"
        for sign, text in found.lines()
    )
    return f"<p><b>What changed</b></p><ul>{rows}</ul>" if rows else ""


def difference_bundle(found: PlanDifference) -> dict[str, str]:
    """Return the bundle that shows where two plans differ."""
    html = difference_html(found) or "<p>Nothing changed.</p>"
    return {
        "text/html": f'<div class="portia-record">{html}</div>',
        "text/plain": visible(repr(found)),
    }


def _prose(text: str) -> str:
    return untypeset(escape(visible(text), quote=True).replace("\n", "&#10;"))
