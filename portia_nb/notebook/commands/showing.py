"""``%portia show`` and ``forget``: look at what is kept, and let go of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .named import map_named, plan_named, run_named

if TYPE_CHECKING:
    from portia_nb.model.run import PlanRun

    from .call import Call


async def show(call: Call) -> Any:
    """Show a plan, a run or a map."""
    word = call.options.word
    if (found := map_named(call.face, word)) is not None:
        made = await call.face.portia().ashow(found) if isinstance(found, str) else found
        call.face.display(made)
        call.face.give(call.options.one("output"), made)
        return made
    variable = call.face.shell.user_ns.get(word) if word else None
    is_plan = type(variable).__name__ == "Plan" or (word or "").startswith("plan-")
    if is_plan or (word and variable is None and call.face.portia().store.find_versions(word)):
        plan = plan_named(call.face, str(word))
        call.face.display(plan)
        call.face.give(call.options.one("output"), plan)
        return plan
    return show_run(call, run_named(call.face, word))


async def forget(call: Call) -> None:
    """Delete a run for good; a map, with the runs of its rows."""
    found = map_named(call.face, call.options.word)
    what = "Run" if found is None else "Map"
    run_id = run_named(call.face, str(call.options.word)) if found is None else found
    run_id = str(getattr(run_id, "id", run_id))
    await call.face.portia().aforget(run_id)
    call.face.runs.pop(run_id, None)
    call.face.say(
        f"{what} {run_id} is forgotten: nothing of it is kept. What cells have shown of it stays "
        "in the notebook until you clear their outputs."
    )


def show_run(call: Call, run_id: str) -> PlanRun:
    """Show a whole run, with its plan and its times; a kept one is read from the store."""
    from portia_nb.notebook.static_record import run_bundle
    from portia_nb.session.opening import open_run

    attended = call.face.runs.get(run_id)
    if attended is not None and attended.live.done.done():
        run = attended.live.run
    else:
        run = open_run(call.face.portia().store, run_id)
    # Its snapshot is shown with the plan, too, wherever it is shown later.
    call.face.remember_plan(run.plan)
    call.face.show_bundle(run_bundle(run))
    call.face.note_shown(run_id)
    plan_run = run.snapshot()
    call.face.give(call.options.one("output"), plan_run)
    return plan_run
