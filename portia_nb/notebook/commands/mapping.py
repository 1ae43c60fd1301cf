"""``%portia map`` and ``%%portia --each``: a plan for each row of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from portia_nb.errors import InvalidOption
from portia_nb.notebook.cell import portia_as_asked
from portia_nb.notebook.starting import Start
from portia_nb.session.answering import read_answers_file
from portia_nb.session.live_map import live_map
from portia_nb.session.map_options import MapOptions

from .named import plan_to_use, values_of
from .nearness import nearest
from .offered import holds_rows, variables
from .parsing import Options

if TYPE_CHECKING:
    from portia_nb.notebook.asking import Prompts
    from portia_nb.notebook.face import Face
    from portia_nb.session.map_result import PlanMap
    from portia_nb.session.portia import Portia

    from .call import Call


async def map_rows(call: Call) -> Any:
    """Run a plan for each row of a variable."""
    options = call.options
    plan = plan_to_use(call.face, str(options.word))
    name = options.second
    if name is None:
        raise InvalidOption("%portia map PLAN ROWS: name the variable of the rows", option="ROWS")
    rows = rows_named(call.face, name)
    portia = portia_as_asked(call.face.portia(), options)
    said = map_options(call.face, options, values_of(call, "in"))
    return await _map(call.face, portia, options, plan, rows, said, call.prompts, call.serves)


async def resume_map(call: Call, map_id: str) -> PlanMap:
    """Go on with a map: rows that are done stay done, and those that failed are tried again."""
    from portia_nb.session.map_kept import open_map

    portia = portia_as_asked(call.face.portia(), call.options)
    if (live := live_map(map_id)) is not None:
        raise InvalidOption(
            f"{map_id} is under way in this kernel: %portia cancel {map_id} stops it",
            option=live.id,
        )
    kept = open_map(portia, map_id)
    if kept.is_complete:
        call.face.say(f"Every row of {map_id} is done already.")
        call.face.display(kept)
        call.face.give(call.options.one("output"), kept)
        return kept
    said = map_options(call.face, call.options, {})
    serves = call.serves
    return await _map(call.face, portia, call.options, map_id, None, said, call.prompts, serves)


async def _map(
    face: Face,
    portia: Portia,
    options: Options,
    plan: Any,
    rows: Any,
    said: MapOptions,
    prompts: Prompts,
    serves: bool,
) -> PlanMap:
    from portia_nb.notebook.map_cell import approved, run_map

    start = Start(face, portia, options, prompts)
    kept = await approved(start, portia, plan, rows, said, serves=serves)
    said = replace(said, first=tuple(kept))
    output = options.one("output")
    return await run_map(face, portia, plan, rows, said, prompts, serves=serves, output=output)


def rows_named(face: Face, name: str) -> Any:
    """Return the table that a variable holds.

    Raises:
        InvalidOption: there is no such variable.
    """
    space = face.shell.user_ns
    if name not in space:
        if not name.isidentifier():
            raise InvalidOption(
                f"{name}: rows are named by a variable: table = {name}, then table", option=name
            )
        mine = nearest(name, variables(face, holds_rows))
        raise InvalidOption(f"{name} is no variable of this notebook: {mine}", option=name)
    found = space[name]
    # It is read twice: before it is asked, and before it runs.
    return list(found) if isinstance(found, Iterator) else found


def map_options(face: Face, options: Options, constants: dict[str, Any]) -> MapOptions:
    """Return what the options of a line or cell say of a map.

    Raises:
        InvalidOption: one of them is no number, or the answers can't be read.
    """
    answers: dict[str, Any] = {}
    if (name := options.one("answers")) is not None:
        held = face.shell.user_ns.get(name)
        answers = dict(held) if isinstance(held, dict) else read_answers_file(name)
    columns = {name: str(column) for name, column in options.pairs("column").items()}
    return MapOptions(
        inputs=columns or None,
        plan_run_inputs=constants or None,
        limit=_number(options, "limit"),
        budget=options.one("budget"),
        max_parallel=_number(options, "parallel"),
        reuse=False if options.is_on("again") else True if options.is_on("reuse") else None,
        answers={**answers, **options.pairs("answer")} or None,
    )


def _number(options: Options, name: str) -> int | None:
    text = options.one(name)
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise InvalidOption(f"--{name} {text}: it is a number, 1 or more", option=f"--{name}")
    return int(text)


async def each_row(
    face: Face, options: Options, body: str, name: str, prompts: Prompts, *, serves: bool
) -> None:
    """Plan the goal of a ``%%portia --each`` cell once, and run the plan for each row.

    Columns that the goal names, as ``{{ column }}``, are the inputs of the plan; where it names
    none, all columns are. The planner sees their names and types, no values.
    """
    from portia_nb.model.plan import PlanInput
    from portia_nb.notebook.bindings import bind, columns_in
    from portia_nb.notebook.cell import make_plan, show_plan

    rows = rows_named(face, name)
    goal, columns = columns_in(body, rows)
    bound = bind(goal, options.pairs("in"), face.shell)
    if not bound.goal:
        raise InvalidOption(
            "%%portia: there is no goal: write it on the lines below", option="goal"
        )
    portia = portia_as_asked(face.portia(), options)
    inputs = [PlanInput(name=f"${column}", description=told) for column, told in columns.items()]
    plan = await make_plan(face, portia, options, bound.goal, [*inputs, *bound.plan_inputs()])
    if options.is_on("plan"):
        show_plan(face, plan, options)
        return
    face.display(plan)
    said = map_options(face, options, bound.values)
    await _map(face, portia, options, plan, rows, said, prompts, serves)
