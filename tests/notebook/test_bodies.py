"""Views of steps inside steps."""

from __future__ import annotations

from typing import Any

from portia_nb.model.events import BranchTaken, RunCompleted, StepDone, StepSkipped, StepStarted
from portia_nb.model.order import effective_side_effect, waits
from portia_nb.model.plan import Plan
from portia_nb.notebook.static_record import run_bundle
from portia_nb.notebook.view_state import SHOWN_ROUNDS, plan_view, run_view
from portia_nb.planning.builder import PlanBuilderV2
from tests.notebook.stories import told


def looped() -> Plan:
    """Return a loop with a branch in it, and a step after it."""
    builder = PlanBuilderV2("Go round")
    with (
        builder.loop(over=[1, 2], step_name="each") as item,
        builder.if_("It is odd", {"n": item}, step_name="odd"),
    ):
        builder.llm_step(task="Tell", step_name="tell")
    return builder.llm_step(task="End", step_name="end").build()


def one_round(number: int) -> list[Any]:
    path = f"each[{number}]"
    return [
        StepStarted(path),
        StepStarted(f"{path}/odd"),
        BranchTaken(f"{path}/odd", 0),
        StepStarted(f"{path}/odd/tell"),
        StepDone(f"{path}/odd/tell", 1, f"told {number}"),
        StepDone(f"{path}/odd", 1, same_as=f"{path}/odd/tell"),
        StepDone(path, 1, same_as=f"{path}/odd"),
    ]


def states(view: dict[str, Any]) -> dict[str, str]:
    return {row["path"]: row.get("state", "") for row in view["steps"]}


def test_a_plan_has_a_row_for_each_step_inside_others_with_its_place_in_the_picture():
    rows = plan_view(looped())["steps"]
    assert [(row["path"], row["el"][0]) for row in rows] == [
        ("each", "f"),
        ("each/odd", "f"),
        ("each/odd/tell", "n"),
        ("end", "n"),
    ]
    assert rows[0]["task"] == "For each of [1, 2]"


def test_a_run_has_a_row_for_each_round_and_the_places_show_the_last_one():
    run = told(
        looped(),
        [
            StepStarted("each"),
            *one_round(0),
            StepStarted("each[1]"),
            StepStarted("each[1]/odd"),
            StepSkipped("each[1]/odd", "no branch was taken"),
        ],
    )
    found = states(run_view(run))
    assert found["each[0]/odd/tell"] == "done"
    assert found["each[1]"] == "running"
    assert found["each/odd"] == "skipped"
    assert found["each/odd/tell"] == "done"
    assert found["end"] == "" or found["end"] == "waiting"


def test_of_many_rounds_a_whole_view_shows_the_last_ones():
    events: list[Any] = [StepStarted("each")]
    for number in range(100):
        events += one_round(number)
    events += [
        StepDone("each", 1, same_as="each[99]"),
        StepDone("end", 1, "over"),
        RunCompleted("end"),
    ]
    run = told(looped(), events)
    rounds = [path for path in states(run_view(run)) if path.endswith("]")]
    assert rounds == [f"each[{number}]" for number in range(100 - SHOWN_ROUNDS, 100)]
    assert sum(map(len, map(str, run_bundle(run).values()))) < 200_000


def test_a_step_in_a_body_says_why_it_keeps_its_place_there():
    builder = PlanBuilderV2()
    with builder.loop(over=[1], step_name="each"):
        builder.llm_step(task="t", step_name="first")
        builder.user_input(message="?", step_name="ask")
    plan = builder.build()
    order = waits(plan, lambda step: effective_side_effect(step, None))
    rows = {row["path"]: row for row in plan_view(plan, order=order)["steps"]}
    assert rows["each/ask"]["why"] == "asks in its turn, after first"
