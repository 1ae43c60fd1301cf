"""``%portia show`` and ``forget``: look at what is kept, and let go of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .named import plan_named, run_named

if TYPE_CHECKING:
    from portia_nb.model.run import PlanRun

    from .call import Call


async def show(call: Call) -> Any:
    """Show a plan or a run."""
    word = call.options.word
    variable = call.face.shell.user_ns.get(word) if word else None
    is_plan = type(variable).__name__ == "Plan" or (word or "").startswith("plan-")
    if is_plan or (word and variable is None and call.face.portia().store.find_versions(word)):
        plan = plan_named(call.face, str(word))
        call.face.display(plan)
        call.face.give(call.options.one("output"), plan)
        return plan
    return show_run(call, run_named(call.face, word))


async def forget(call: Call) -> None:
    """Delete a run for good."""
    run_id = run_named(call.face, str(call.options.word))
    await call.face.portia().aforget(run_id)
    call.face.runs.pop(run_id, None)
    call.face.say(
        f"Run {run_id} is forgotten: nothing of it is kept. What cells have shown of it stays in "
        "the notebook until you clear their outputs."
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
