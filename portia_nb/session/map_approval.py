"""Whether a plan that changes something outside may be mapped: asked once, for all rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portia_nb.drawing.clean import clean
from portia_nb.drawing.text import counted
from portia_nb.model.plan import FunctionStep, InvokeToolStep, Plan
from portia_nb.model.reference import Input, Value
from portia_nb.planning.needs import changing_places

from .answering import side_effects
from .approvals import Calls, spelt_out_calls
from .map_record import KeptMap
from .map_row import RowState, is_map
from .map_rows import read_rows
from .opening import plan_of

if TYPE_CHECKING:
    from .map_options import MapOptions
    from .parts import Parts


@dataclass(frozen=True, slots=True)
class MapQuestion:
    """What a person is asked before a map that changes something outside."""

    plan: Plan
    text: str
    calls: Calls
    """The calls of the first row, as far as its arguments are known before it runs."""
    rows: int


def question_of_map(parts: Parts, plan: Any, rows: Any, options: MapOptions) -> MapQuestion | None:
    """Return what is to be asked before a map; None where no step of it changes the world.

    In a replay nothing is changed, and with ``Config(approve=…)`` the user's own code decides, call
    by call: then nobody is asked either.

    Args:
        parts: the parts of a `Portia`.
        plan: as in `Portia.map`; a map's id, too.
        rows: as in `Portia.map`; it is read, so an iterator must be made a list before.
        options: the other arguments.

    Raises:
        PortiaBaseError: as `Portia.map`.
    """
    if parts.config.replay is not None or parts.config.approve is not None:
        return None
    if rows is None and is_map(str(plan)):
        kept = KeptMap(parts.store, str(plan))
        found = plan_of(parts.store, kept.row)
        left = [row.number for row in kept.outcomes() if row.state is not RowState.DONE]
        first = kept.rows().inputs(left[0]) if left else {}
        count, which = len(left), f"each of the {counted(len(left), 'row')} that {_left(len(left))}"
    else:
        found = parts.find_plan(plan)
        table = read_rows(
            rows,
            found,
            inputs=options.inputs,
            constants=options.plan_run_inputs,
            limit=options.limit,
        )
        count, which = len(table), f"each of {counted(len(table), 'row')}"
        first = table.inputs(0) if count else {}
    effects = side_effects(found, parts.tools)
    changing = changing_places(effects)
    if not changing or not count:
        return None
    calls = spelt_out_calls(_with_inputs(found, first), effects, parts.tools)
    what = "1 step changes" if len(changing) == 1 else f"{len(changing)} steps change"
    shown = "The first row's is shown here. " if calls else ""
    text = (
        f"Run this plan ({found.content_hash()[:12]}) for {which}? {what} something outside: "
        f"{', '.join(map(clean, changing))}. {shown}With a yes no row asks again; rows that are "
        "done stay done."
    )
    return MapQuestion(found, text, calls, count)


def _left(count: int) -> str:
    return "isn't done" if count == 1 else "aren't done"


def _with_inputs(plan: Plan, inputs: Mapping[str, Any]) -> Plan:
    """Return a plan with the inputs of a row as literals, where a step's argument is one of them.

    Only to see what will be called; it is never run.
    """

    def filled(step: Any) -> Any:
        if not isinstance(step, FunctionStep | InvokeToolStep):
            return step
        args = {
            name: Value(inputs[given.name.removeprefix("$")])
            if isinstance(given, Input)
            and given.path is None
            and given.name.removeprefix("$") in inputs
            else given
            for name, given in step.args.items()
        }
        return step.model_copy(update={"args": args})

    return plan.model_copy(update={"steps": tuple(map(filled, plan.steps))})
