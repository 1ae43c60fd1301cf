"""``%%portia``: the goal in a cell, planned, shown and run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from portia_nb.errors import InvalidOption

from . import cards
from .arguments import CELL, Options, help_on, parse_cell
from .asking import Prompts
from .attending import Attended, attend
from .bindings import bind
from .starting import Start, make_plan, portia_with_model

if TYPE_CHECKING:
    from portia_nb.model.plan import Plan

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
    bound = bind(body, options.pairs("in"), face.shell)
    if not bound.goal:
        raise InvalidOption(
            "%%portia: there is no goal: write it on the lines below", option="goal"
        )
    portia = portia_with_model(face.portia(), options.one("model"))
    start = Start(face, portia, options, prompts)
    try:
        plan = await make_plan(face, portia, options, bound.goal, bound.plan_inputs())
    except asyncio.CancelledError:
        raise cards.stopped(None) from None
    if options.is_on("plan"):
        show_plan(face, plan, options)
        return
    attended = await start.run(plan, bound.values, serves=serves)
    await attend_or_leave(face, attended, options, prompts, serves=serves)


async def attend_or_leave(
    face: Face, attended: Attended, options: Options, prompts: Prompts, *, serves: bool
) -> Any:
    """Wait for a run and return it; or with ``--background`` let it go on and return at once."""
    name = options.one("output")
    if not options.is_on("background"):
        return await attend(face, attended, prompts=prompts, serves=serves, output=name)
    attended.live.done.add_done_callback(lambda _: attended.view.finish())
    face.give(name, attended.live)
    face.say(
        f"Run {attended.live.id} goes on in the background: "
        f"%portia wait {attended.live.id} gets its result, %portia stop ends it."
    )
    return attended.live


def show_plan(face: Face, plan: Plan, options: Options) -> None:
    """Show a plan that isn't run, and give it to the notebook."""
    face.display(plan)
    face.give(options.one("output"), plan)
