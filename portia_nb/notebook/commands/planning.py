"""``%portia plan``: a goal on one line, planned and not run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from portia_nb.notebook.bindings import bind
from portia_nb.notebook.cell import make_plan, portia_as_asked, show_plan

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan

    from .call import Call


async def plan(call: Call) -> Plan:
    """Make a plan for a goal, show it, and return it."""
    face, options = call.face, call.options
    bound = bind(str(options.word), options.pairs("in"), face.shell)
    portia = portia_as_asked(face.portia(), options)
    made = await make_plan(face, portia, options, bound.goal, bound.plan_inputs())
    show_plan(face, made, options)
    return made
