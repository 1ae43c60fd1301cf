"""``%portia map`` and ``%%portia --each``: a plan for each row of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portia_nb.errors import InvalidOption
from portia_nb.notebook.cell import portia_as_asked
from portia_nb.session.answering import read_answers_file
from portia_nb.session.mapping import MapOptions

from .named import plan_to_use, values_of
from .nearness import nearest
from .offered import holds_rows, variables
from .parsing import Options

if TYPE_CHECKING:
    from portia_nb.notebook.asking import Prompts
    from portia_nb.notebook.face import Face

    from .call import Call


async def map_rows(call: Call) -> Any:
    """Run a plan for each row of a variable."""
    from portia_nb.notebook.map_view import approve, run_map

    options = call.options
    plan = plan_to_use(call.face, str(options.word))
    name = options.second
    if name is None:
        raise InvalidOption("%portia map PLAN ROWS: name the variable of the rows", option="ROWS")
    rows = rows_named(call.face, name)
    portia = portia_as_asked(call.face.portia(), options)
    said = map_options(call.face, options, values_of(call, "in"))
    approve(portia, plan, count_of(rows, said.limit), yes=options.is_on("yes"))
    return await run_map(
        call.face,
        portia,
        plan,
        rows,
        said,
        call.prompts,
        serves=call.serves,
        output=options.one("output"),
    )


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
    return space[name]


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


def count_of(rows: Any, limit: int | None) -> int | None:
    """Return how many rows will run, None where that isn't known before."""
    if not hasattr(rows, "__len__"):
        return limit
    return len(rows) if limit is None else min(limit, len(rows))


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
    from portia_nb.notebook.map_view import approve, run_map

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
    approve(portia, plan, count_of(rows, said.limit), yes=options.is_on("yes"))
    output = options.one("output")
    await run_map(face, portia, plan, rows, said, prompts, serves=serves, output=output)
