"""A run whose process ended while it was under way isn't shown as running."""

from __future__ import annotations

import dataclasses

import pytest

from portia_nb import Plan, PlanBuilderV2, Portia
from portia_nb.drawing.text import run_to_text
from portia_nb.model.events import Recorded, RunCreated, RunStarted, StepStarted, ToolCalled
from portia_nb.notebook.static_record import run_bundle
from portia_nb.notebook.view_state import run_view
from portia_nb.session.opening import open_run
from portia_nb.storage.owner import Owner, this_process

from .stage import portia

HERE = this_process()
DEAD = dataclasses.replace(HERE, process_started="long ago")


def left(home: Portia, plan: Plan, owner: Owner | None) -> str:
    """Keep a run as `owner` left it in the middle of its first step; None: nobody has it."""
    events = [
        RunCreated(str(plan.id), {}),
        RunStarted("somebody"),
        StepStarted("look"),
        ToolCalled("look", 1, "look_tool", {}, side_effect=False),
    ]
    run_id = f"prun-00000000-0000-4000-8000-{len(home.store.find_runs()):012}"
    first = [Recorded(n, 1.0 + n, run_id, event) for n, event in enumerate(events, 1)]
    hold = home.store.create_run(run_id, plan, owner=owner or HERE, first=first)
    if owner is None:
        home.store.release(hold)
    return run_id


def looking() -> Plan:
    builder = PlanBuilderV2("look")
    return builder.function_step(function=lambda: 1, step_name="look", side_effect=False).build()


@pytest.mark.parametrize("owner", [DEAD, None])
def test_a_run_whose_process_has_died_is_shown_as_stopped_until_it_goes_on(owner: Owner | None):
    home = portia()
    run_id = left(home, looking(), owner)
    assert home.store.find_run(run_id).has_died
    run = open_run(home.store, run_id)

    view = run_view(run)
    assert (view["state"], view["steps"][0]["state"]) == ("READY_TO_RESUME", "stopped")
    assert "calls" not in view["steps"][0]
    assert "Its process ended while it was under way." in view["next"]
    assert f"%portia resume {run_id}" in view["next"]
    for text in (run_to_text(run), run_bundle(run)["text/plain"]):
        assert "stopped" in text
        assert "running" not in text
    assert "IN_PROGRESS, but its process has ended" in run_to_text(run)

    assert home.resume(plan_run_id=run_id).state == "COMPLETE"
    assert not open_run(home.store, run_id).has_died


@pytest.mark.parametrize("owner", [HERE, Owner("another machine", 1, "once")])
def test_a_run_that_a_live_process_has_is_shown_as_running(owner: Owner):
    home = portia()
    run = open_run(home.store, left(home, looking(), owner))
    assert not run.has_died
    assert (run_view(run)["state"], run_view(run)["steps"][0]["state"]) == (
        "IN_PROGRESS",
        "running",
    )
    assert "running" in run_to_text(run)
