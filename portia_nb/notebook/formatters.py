"""How plans and runs show themselves as a cell's value; by name, so that nothing is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan
    from portia_nb.model.run import PlanRun

    from .face import Face

_PLAN = ("portia_nb.model.plan", "Plan")
_RUN = ("portia_nb.model.snapshot", "PlanRun")


def install(face: Face) -> None:
    """Register the formatters with the shell of `face`."""
    formatter = face.shell.display_formatter.mimebundle_formatter
    formatter.for_type_by_name(*_PLAN, lambda plan, **_: plan_bundle(face, plan))
    formatter.for_type_by_name(*_RUN, lambda plan_run, **_: run_bundle(face, plan_run))


def remove(face: Face) -> None:
    """Take the formatters away again."""
    formatter = face.shell.display_formatter.mimebundle_formatter
    for place in (_PLAN, _RUN):
        formatter.deferred_printers.pop(place, None)
        # Once a type was met, its formatter has moved from the names to the types.
        for kind in [k for k in formatter.type_printers if (k.__module__, k.__name__) == place]:
            formatter.pop(kind)


def plan_bundle(face: Face, plan: Plan) -> dict[str, Any]:
    """Return the bundle that shows a plan, with what its tools would change."""
    from . import static_record

    face.remember_plan(plan)
    return static_record.plan_bundle(plan, side_effects=_side_effects(face, plan))


def _side_effects(face: Face, plan: Plan) -> dict[str, bool | None] | None:
    """Return which steps change something, by the tools in force; None where they aren't known."""
    from portia_nb.errors import PortiaBaseError
    from portia_nb.session.answering import side_effects

    try:
        return side_effects(plan, face.portia().tools)
    except PortiaBaseError:  # such as settings that can't be read: no reason to show no plan
        return None


def run_bundle(face: Face, plan_run: PlanRun) -> dict[str, Any]:
    """Return the bundle that shows a run; a line of text where the same cell shows it live."""
    from portia_nb.session.history import WORDS

    from . import static_record

    if face.shown_in.get(str(plan_run.id)) == face.shell.execution_count:
        return {"text/plain": f"PlanRun {plan_run.id}: {WORDS[plan_run.state]}, shown above"}
    attended = face.runs.get(str(plan_run.id))
    if attended is not None and attended.live.done.done():
        return static_record.run_bundle(attended.live.run)
    return static_record.run_bundle(plan_run, face.plans.get(str(plan_run.plan_id)))
