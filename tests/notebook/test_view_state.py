import base64
import json
import zlib
from typing import Any

import pytest

from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import (
    AgentToolCalled,
    AgentToolReturned,
    AgentTurn,
    AnyEvent,
    ClarificationRaised,
    ClarificationResolved,
    ErrorRecord,
    ModelReplied,
    RunCompleted,
    RunFailed,
    RunStopped,
    RunWaiting,
    StepCancelled,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
    StepUncertain,
    TextStreamed,
    ToolCalled,
)
from portia_nb.model.language import SCRIPTED, ToolCall, Usage
from portia_nb.model.order import effective_side_effect, waits
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun, PlanRunState
from portia_nb.notebook.deltas import changes, touched
from portia_nb.notebook.snapshot_view import run_of
from portia_nb.notebook.view_picture import draw_picture, packed
from portia_nb.notebook.view_state import plan_view, run_view
from tests.notebook.stories import BEGAN, chain, told, two_searches

FREED = "it may change something; declare side_effect=False to free it"
ERROR = ErrorRecord("ToolHardError", "no network", "amazon")


def row_of(view: dict[str, Any], path: str) -> dict[str, Any]:
    return next(row for row in view["steps"] if row["path"] == path)


def test_a_plan_shows_its_steps_in_order_and_no_state():
    view = plan_view(two_searches())
    assert view["kind"] == "plan" and view["title"].startswith("Which stock")
    assert [(r["path"], r["el"], r["tool"]) for r in view["steps"]] == [
        ("amazon", "n0", "search_tool"),
        ("google", "n1", "search_tool"),
        ("faster", "n2", "model"),
    ]
    assert not any("state" in row for row in view["steps"])


def test_a_run_says_that_it_is_scripted_once_a_step_of_it_was_answered_from_a_shipped_record():
    live = ModelReplied("faster", "execution", "openai/some", 0.1, Usage())
    scripted = ModelReplied("faster", "execution", SCRIPTED, 0.0, Usage(calls=0))
    begun = [StepStarted(name) for name in ("amazon", "faster")]
    assert "scripted" not in run_view(told(two_searches(), [*begun, live]))
    assert run_view(told(two_searches(), [*begun, scripted]))["scripted"] is True


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], {}),
        ([StepStarted("amazon")], {"state": "running", "start": 500}),
        (
            [StepStarted("amazon"), StepDone("amazon", 1, "up")],
            {"state": "done", "start": 500, "end": 1000, "output": {"text": "up"}},
        ),
        (
            [StepStarted("amazon"), StepFailed("amazon", 1, ERROR)],
            {
                "state": "failed",
                "error": {"type": "ToolHardError", "message": "no network", "step": "amazon"},
            },
        ),
        (
            [StepStarted("amazon"), StepFailed("amazon", 1, ERROR, 1.0), StepStarted("amazon", 2)],
            {"state": "running", "attempt": 2, "start": 1500},
        ),
        ([StepStarted("amazon"), StepCancelled("amazon", 1)], {"state": "stopped"}),
        ([StepSkipped("amazon", "not needed")], {"state": "skipped", "reason": "not needed"}),
        (
            [StepStarted("amazon"), ToolCalled("amazon", 1, "search_tool", {})],
            {"state": "running", "calls": "search_tool"},
        ),
        (
            [
                StepStarted("amazon"),
                AgentTurn("amazon", 1, "", (ToolCall("1", "a", {}), ToolCall("2", "b", {}))),
                AgentToolCalled("amazon", 1, "a", {}, call="0.0"),
                AgentToolCalled("amazon", 1, "b", {}, call="0.1"),
            ],
            {"state": "running", "calls": "a, b"},
        ),
        (
            [
                StepStarted("amazon"),
                AgentTurn("amazon", 1, "", (ToolCall("1", "a", {}), ToolCall("2", "b", {}))),
                AgentToolCalled("amazon", 1, "a", {}, call="0.0"),
                AgentToolReturned("amazon", 1, "a", 0.1, call="0.0"),
                AgentToolCalled("amazon", 1, "b", {}, call="0.1"),
            ],
            {"state": "running", "calls": "b (1 made)"},
        ),
        (
            [StepStarted("amazon"), TextStreamed("amazon", "so f"), TextStreamed("amazon", "ar")],
            {"state": "running", "text": "so far"},
        ),
        ([StepStarted("amazon"), StepUncertain("amazon", 1, "t", {})], {"state": "uncertain"}),
        (
            [StepStarted("amazon"), ClarificationRaised("amazon", InputClarification())],
            {"state": "asking"},
        ),
    ],
)
def test_each_event_shows_in_its_steps_row(events: list[AnyEvent], expected: dict[str, Any]):
    row = row_of(run_view(told(two_searches(), events)), "amazon")
    assert expected.items() <= row.items()
    assert ("state" in row) == bool(events)


@pytest.mark.parametrize(
    ("event", "state", "following"),
    [
        (RunFailed(ERROR), "FAILED", "Mend the cause, then: %portia resume prun-"),
        (RunStopped(), "READY_TO_RESUME", "Go on with: %portia resume prun-"),
        (RunWaiting(), "NEED_CLARIFICATION", "Answer and go on with: %portia resume prun-"),
    ],
)
def test_a_run_that_is_not_complete_says_what_goes_on(event: AnyEvent, state: str, following: str):
    view = run_view(told(two_searches(), [event]))
    assert view["state"] == state
    assert following in view["next"]


def test_a_complete_run_shows_its_result_and_nothing_to_do():
    events = [StepDone("faster", 1, "Amazon", "A summary."), RunCompleted("faster")]
    view = run_view(told(two_searches(), events))
    assert view["final"] == {"text": "Amazon", "summary": "A summary."}
    assert "next" not in view and view["began"] == BEGAN and view["end"] == 1000


def test_questions_that_wait_are_in_the_view_and_answered_ones_are_not():
    open_one, other = InputClarification(user_guidance="A?"), InputClarification(user_guidance="B?")
    run = told(two_searches(), [ClarificationRaised("amazon", q) for q in (open_one, other)])
    run.clarifications[other.id] = other.answered("x")
    assert [q["text"] for q in run_view(run)["questions"]] == ["A?"]


def test_a_path_inside_a_step_has_a_row_of_its_own():
    view = run_view(told(two_searches(), [StepStarted("amazon[2]/page")]))
    assert "el" not in row_of(view, "amazon[2]/page")


def test_a_view_of_hostile_text_is_strict_json_without_control_characters():
    bad = "\ud800\x1b[2J\u202e<script>\x00"
    plan = Plan.model_validate(
        {
            "plan_context": {"query": bad},
            "steps": [{"task": bad, "name": "s" + bad, "tool_id": bad}],
        }
    )
    name = plan.steps[0].name
    error = ErrorRecord(bad, bad, bad, bad)
    run = told(plan, [StepStarted(name), StepDone(name, 1, [bad], bad), RunFailed(error)])
    view = run_view(run)
    json.dumps(view, ensure_ascii=False, allow_nan=False).encode()
    for row in view["steps"]:
        assert "\x1b" in row.pop("path")  # a name to find it by; never shown where there is another
        assert "␛" in row["name"]
    shown = json.dumps(view, ensure_ascii=False)
    assert not {"\x1b", "\u202e", "\ud800", "\x00"} & set(shown)


def test_outputs_of_a_long_run_stay_within_64_kb():
    plan = chain(100)
    events = [StepDone(step.name, 1, "x" * 10_000) for step in plan.steps]
    view = run_view(told(plan, [*events, RunCompleted("step_99")]))
    outputs = [row["output"] for row in view["steps"]] + [view["final"]]
    assert len(json.dumps(outputs)) < 64_000 + 100 * 100
    assert view["final"]["text"] == "x" * 2_000


@pytest.mark.parametrize(
    ("second", "third", "why"),
    [
        (
            None,
            False,
            [
                "",
                f"keeps its place after a: {FREED}",
                f"waits for b, which keeps its place: {FREED}",
            ],
        ),
        (
            True,
            False,
            [
                "",
                "keeps its place after a: it changes something",
                "waits for b, which keeps its place",
            ],
        ),
        (False, None, ["", "", f"keeps its place after a, b: {FREED}"]),
        (False, False, ["", "", ""]),
    ],
)
def test_a_step_says_why_it_waits_its_place(
    second: bool | None, third: bool | None, why: list[str]
):
    plan = Plan.model_validate(
        {"steps": [{"name": n, "tool_id": "t", "kind": "tool"} for n in ("a", "b", "c")]}
    )
    declared = {"a": False, "b": second, "c": third}
    order = waits(plan, lambda step: effective_side_effect(step, declared[step.name]))
    view = plan_view(plan, order=order, side_effects=declared)
    assert [row.get("why", "") for row in view["steps"]] == why


def test_changes_lead_from_one_row_to_the_next():
    before, after = {"a": 1, "b": [2], "c": 3}, {"a": 1, "b": [4], "d": 5}
    assert changes(before, after) == {"b": [4], "c": None, "d": 5}
    assert changes(after, after) == {}


def test_an_event_of_the_run_touches_no_step():
    assert touched(StepStarted("a")) == "a"
    assert touched(RunWaiting()) == touched(RunCompleted()) == ""


def test_a_packed_picture_is_the_picture():
    svg = draw_picture(chain(500), live=True)
    data = packed(svg)["deflated"]
    assert zlib.decompress(base64.b64decode(data)).decode() == svg
    assert len(data) < 30_000


def test_a_live_picture_has_a_card_for_every_step_and_a_record_folds_finished_levels():
    plan = chain(200)
    run = told(plan, [StepDone(step.name, 1) for step in plan.steps])
    assert 'id="pn199"' in draw_picture(plan, run, live=True)
    assert 'id="pn100"' not in draw_picture(plan, run)


def test_a_snapshot_shows_what_its_run_showed_but_for_times():
    plan = two_searches()
    run = told(plan, [StepDone("amazon", 1, "up", "s"), RunFailed(ErrorRecord("E", "m", "google"))])
    view = run_view(run_of(run.snapshot(), plan))
    assert row_of(view, "amazon") == {
        **row_of(plan_view(plan), "amazon"),
        "state": "done",
        "output": {"text": "up", "summary": "s"},
    }
    assert row_of(view, "google")["state"] == "failed"
    assert view["state"] == PlanRunState.FAILED


def test_a_snapshot_without_its_plan_shows_its_outputs_as_steps():
    run = PlanRun.model_validate(
        {
            "plan_id": "plan-1dcd74a4-0af5-490a-a7d0-0df4fd983977",
            "state": "COMPLETE",
            "outputs": {"step_outputs": {"$a": {"value": 1}, "$b": {"value": "two"}}},
        }
    )
    assert [row["path"] for row in run_view(run_of(run))["steps"]] == ["a", "b"]


def test_a_step_that_asked_first_shows_no_second_attempt():
    asked = InputClarification(user_guidance="Which?", path="amazon")
    run = told(
        two_searches(),
        [
            StepStarted("amazon"),
            ClarificationRaised("amazon", asked),
            ClarificationResolved(asked.id, "x"),
            StepStarted("amazon", 2),
        ],
    )
    assert "attempt" not in row_of(run_view(run), "amazon")


def test_a_plan_by_itself_does_not_claim_to_know_what_its_tools_declare():
    plan = Plan.model_validate(
        {
            "steps": [
                {"name": "a", "task": "A?", "kind": "user_input", "message": {"value": "A?"}},
                {"name": "b", "tool_id": "t", "kind": "tool"},
            ]
        }
    )
    rows = plan_view(plan)["steps"]
    assert rows[1]["why"] == "keeps its place after a, unless its tool only reads"
    known = plan_view(plan, side_effects={"a": None, "b": None})["steps"]
    assert "declare side_effect=False" in known[1]["why"]


def test_very_long_step_names_are_cut_and_still_told_apart():
    long = "x" * 10_000
    plan = Plan.model_validate(
        {"steps": [{"task": "A.", "output": f"${long}1"}, {"task": "B.", "output": f"${long}2"}]}
    )
    rows = plan_view(plan)["steps"]
    assert rows[0]["path"] != rows[1]["path"]
    assert all(len(json.dumps(row)) < 2_000 for row in rows)
