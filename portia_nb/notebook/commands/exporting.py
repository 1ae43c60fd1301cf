"""``%portia export``: write a run or a plan to a file to hand on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .named import map_named, plan_named, run_named

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan
    from portia_nb.session.exporting import ExportedFile
    from portia_nb.session.map_result import PlanMap

    from .call import Call

_RUN_SUFFIXES = frozenset({".html", ".json", ".jsonl", ".py"})
"""What a run becomes, as in `portia_nb.session.exporting`, which is loaded once it is called."""


async def export(call: Call) -> ExportedFile:
    """Write the file, or with ``--preview`` show what it would hold no more."""
    options = call.options
    word, file = options.word or "", options.second
    if file is None and Path(word).suffix in _RUN_SUFFIXES and word not in call.face.plans:
        word, file = "", word  # a file alone: of the latest run
    done = await call.face.portia().aexport(
        _what(call, word),
        file,
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


def _what(call: Call, word: str) -> Plan | PlanMap | str:
    """Return the plan, the map, or the id of the run that `word` names; the latest without one."""
    from portia_nb.model.plan import Plan

    value = call.face.shell.user_ns.get(word)
    if isinstance(value, Plan) or word.startswith("plan-") or word in call.face.plans:
        return plan_named(call.face, word)
    if (found := map_named(call.face, word or None)) is not None:
        return found
    return run_named(call.face, word or None)
