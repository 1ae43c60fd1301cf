"""``%portia fork``, ``retry`` and ``diff``: run parts of a run again, and see what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from portia_nb.notebook.cell import attend_or_leave, portia_as_asked
from portia_nb.notebook.starting import Start
from portia_nb.session.again import step_to_change
from portia_nb.session.set_edits import read_edits, step_named, with_arguments

from .named import plan_named, run_named, values_of
from .showing import show_run

if TYPE_CHECKING:
    from portia_nb.model.run import PlanRun
    from portia_nb.session.comparison import RunComparison
    from portia_nb.session.forking import Fork

    from .call import Call


async def fork(call: Call) -> Any:
    """Fork a run as the line says."""
    options, face = call.options, call.face
    fields, edits = read_edits(values_of(call, "set"), options.second, "%portia fork")
    plan = options.one("plan")
    portia = portia_as_asked(face.portia(), options)
    worked_out = portia.work_out_fork(
        _run_of(call, options.word),
        step_named(options.second),
        plan=None if plan is None else plan_named(face, plan),
        inputs=values_of(call, "in") or None,
        edits=edits,
        **fields,
    )
    return await _start(call, Start(face, portia, options, call.prompts), worked_out)


async def retry(call: Call) -> Any:
    """Try the failed step of a run again as the line says."""
    from portia_nb.notebook.attending import Attended

    portia = portia_as_asked(call.face.portia(), call.options)
    run = _run_of(call, call.options.word)
    run_id = str(getattr(run, "id", run))
    failed = portia.failed_step(run_id, step_named(call.options.second))
    fields = with_arguments(values_of(call, "set"))
    start = Start(call.face, portia, call.options, call.prompts)
    if fields:
        worked_out = portia.work_out_fork(run, step_to_change(failed, fields), **fields)
        return await _start(call, start, worked_out)
    attended = start.resume(run_id, None)
    if not isinstance(attended, Attended):
        return show_run(call, run_id)
    return await attend_or_leave(
        call.face, attended, call.options, call.prompts, serves=call.serves
    )


async def diff(call: Call) -> RunComparison:
    """Show where two runs differ, as the line says."""
    one, second = _run_of(call, call.options.word), call.options.second
    other = None if second is None else _run_of(call, second)
    found = await call.face.portia().acompare(one, other)
    call.face.display(found)
    call.face.give(call.options.one("output"), found)
    return found


async def _start(call: Call, start: Start, worked_out: Fork) -> Any:
    call.face.say(summary(worked_out))
    attended = await start.fork(worked_out, serves=call.serves)
    return await attend_or_leave(
        call.face, attended, call.options, call.prompts, serves=call.serves
    )


def summary(worked_out: Fork) -> str:
    """Say in one line what a fork reuses and what it runs again."""
    from portia_nb.drawing.text import short_text

    reused, again = len(worked_out.reused), worked_out.again
    outputs = "1 output is" if reused == 1 else f"{reused} outputs are"
    anew = f"; runs again: {short_text(', '.join(again), 300)}" if again else ""
    return f"Fork of {worked_out.forked_from}: {outputs} reused{anew}."


def _run_of(call: Call, word: str | None) -> PlanRun | str:
    """Return the run that is meant: as an object where a variable holds it, or a cell has run it.

    An object may hold values that no store could keep, and knows of each value of what class it is.
    """
    from portia_nb.model.run import PlanRun

    value = call.face.shell.user_ns.get(word) if word else None
    if isinstance(value, PlanRun):
        return value
    run_id = run_named(call.face, word)
    attended = call.face.runs.get(run_id)
    if attended is None or not attended.live.done.done():
        return run_id
    return attended.live.run.snapshot()
