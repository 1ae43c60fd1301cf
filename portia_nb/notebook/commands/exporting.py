"""``%portia export``: write a run or a plan to a file to hand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .named import map_named, plan_named, run_named

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan
    from portia_nb.session.exporting import ExportedFile
    from portia_nb.session.map_result import PlanMap

    from .call import Call


async def export(call: Call) -> ExportedFile:
    """Write the file, or with ``--preview`` show what it would hold no more."""
    options = call.options
    done = await call.face.portia().aexport(
        _what(call),
        options.second,
        preview=options.is_on("preview"),
        values=not options.is_on("without_values"),
        emails=options.is_on("without_emails"),
        redact=not options.is_on("with_secrets"),
        record=options.one("record"),
        overwrite=options.is_on("force"),
    )
    call.face.display(done)
    call.face.give(options.one("output"), done)
    return done


def _what(call: Call) -> Plan | PlanMap | str:
    """Return the plan, the map, or the id of the run, that the line names."""
    from portia_nb.model.plan import Plan

    word = call.options.word or ""
    value = call.face.shell.user_ns.get(word)
    if isinstance(value, Plan) or word.startswith("plan-") or word in call.face.plans:
        return plan_named(call.face, word)
    if (found := map_named(call.face, word)) is not None:
        return found
    return run_named(call.face, word or None)
