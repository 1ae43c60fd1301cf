"""``%%portia``: the goal in a cell, planned, shown and run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from portia_nb.errors import InvalidOption

from . import cards
from .asking import Prompts
from .attending import Attended, attend, finish_at_end
from .bindings import bind
from .commands.declared import CELL
from .commands.help_text import help_on
from .commands.nearness import nearest
from .commands.offered import schemas
from .commands.parsing import Options, parse_cell
from .starting import Start

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan
    from portia_nb.session.portia import Portia

    from .face import Face


async def run_cell(face: Face, line: str, body: str, prompts: Prompts, *, serves: bool) -> None:
    """Do what a ``%%portia`` cell says; what it puts out is bound as its options say.

    Args:
        face: the notebook face.
        line: the options.
        body: the goal.
        prompts: questions for `input()`.
        serves: whether this is the main thread, which asks them.

    Raises:
        BaseException: whatever kept it from being done, as a card.
    """
    options = parse_cell(line)
    if options.wants_help:
        face.say(help_on(CELL))
        return
    if (rows := options.one("each")) is not None:
        from .commands.mapping import each_row

        await each_row(face, options, body, rows, prompts, serves=serves)
        return
    bound = bind(body, options.pairs("in"), face.shell)
    if not bound.goal:
        raise InvalidOption(
            "%%portia: there is no goal: write it on the lines below", option="goal"
        )
    portia = portia_as_asked(face.portia(), options)
    start = Start(face, portia, options, prompts)
    try:
        plan = await make_plan(face, portia, options, bound.goal, bound.plan_inputs())
        if options.is_on("plan"):
            show_plan(face, plan, options)
            return
        attended = await start.run(plan, bound.values, serves=serves)
    except asyncio.CancelledError:
        raise cards.stopped(None) from None
    await attend_or_leave(face, attended, options, prompts, serves=serves)


async def attend_or_leave(
    face: Face, attended: Attended, options: Options, prompts: Prompts, *, serves: bool
) -> Any:
    """Wait for a run and return it; or with ``--background`` let it go on and return at once."""
    name = options.one("output")
    if not options.is_on("background"):
        return await attend(face, attended, prompts=prompts, serves=serves, output=name)
    finish_at_end(attended)
    face.give(name, attended.live)
    into = f" -o {name}" if name else ""
    face.say(
        f"Run {attended.live.id} goes on in the background: "
        f"%portia wait {attended.live.id}{into} gets its result, %portia cancel stops it."
    )
    return attended.live


def show_plan(face: Face, plan: Plan, options: Options) -> None:
    """Show a plan that isn't run, with what its tools would change, and give it to the notebook."""
    from portia_nb.session.answering import side_effects

    from .static_record import plan_bundle

    face.show_bundle(plan_bundle(plan, side_effects=side_effects(plan, face.portia().tools)))
    face.give(options.one("output"), plan)


async def make_plan(
    face: Face, portia: Portia, options: Options, goal: str, inputs: list[Any]
) -> Plan:
    """Return a plan for `goal`, made by a model.

    Raises:
        PortiaBaseError: no key, no such tool, no plan; the message says what to do.
    """
    tools = [each.strip() for each in (options.one("tools") or "").split(",") if each.strip()]
    chosen = [portia.tools.get_tool(tool_id) for tool_id in tools] or None
    plan = await portia.aplan(
        goal,
        tools=chosen,
        plan_inputs=inputs or None,
        structured_output_schema=_schema(face, options.one("schema")),
    )
    face.remember_plan(plan)
    return plan


def _schema(face: Face, name: str | None) -> Any:
    """Return the pydantic model that the variable `name` holds.

    Raises:
        InvalidOption: it holds none.
    """
    if name is None:
        return None
    from pydantic import BaseModel

    found = face.shell.user_ns.get(name)
    if isinstance(found, type) and issubclass(found, BaseModel):
        return found
    models = schemas(face)
    raise InvalidOption(
        f"--schema {name}: a pydantic model is needed, defined in a cell above"
        + (f": {nearest(name, models)}" if models else ""),
        option="--schema",
    )


def portia_as_asked(portia: Portia, options: Options) -> Portia:
    """Return `portia`, or one like it, with the same store, as the options want it.

    ``--model`` stands for every model; ``--record`` and ``--replay`` name a record.
    """
    changes: dict[str, Any] = {}
    if (model := options.one("model")) is not None:
        changes = dict.fromkeys(("llm_provider", *_MODELS)) | {"default_model": model}
    if (budget := options.one("budget")) is not None:
        changes["budget"] = budget
    for setting, other in (("record", "replay"), ("replay", "record")):
        if (file := options.one(setting)) is not None:
            changes |= {setting: file, other: None}
    return portia.with_config(**changes) if changes else portia


_MODELS = ("planning_model", "execution_model", "introspection_model", "summarizer_model")
