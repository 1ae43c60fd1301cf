"""A person's no to `user_verify` ends a run on purpose: no surface words it as a failure."""

import pytest

from portia_nb import Config, PlanBuilderV2, Portia
from portia_nb.drawing.plan_picture import shown_states
from portia_nb.drawing.text import run_to_text
from portia_nb.model.refusal import refused_by
from portia_nb.model.run import PlanRun, Run
from portia_nb.notebook import cards
from portia_nb.notebook.record_text import view_to_text
from portia_nb.notebook.snapshot_view import run_of
from portia_nb.notebook.static_record import run_bundle
from portia_nb.notebook.view_rows import state_words
from portia_nb.notebook.view_state import run_view
from portia_nb.session.opening import open_run
from tests.kernel.conftest import without_colours

PLAN = (
    PlanBuilderV2("Send it")
    .function_step(function=lambda: "letter", step_name="write")
    .user_verify(message="Send it?", step_name="sure")
    .function_step(function=lambda: "sent", step_name="send")
    .build()
)


@pytest.fixture(scope="module")
def refused() -> tuple[Portia, PlanRun, Run]:
    portia = Portia(Config(store="memory", answers={"sure": "no"}), tools=[])
    plan_run = portia.run_plan(PLAN)
    return portia, plan_run, open_run(portia.store, str(plan_run.id), PLAN)


def test_the_run_has_failed_for_programs_and_its_message_says_why_once(refused):
    _, plan_run, _ = refused
    assert plan_run.state == "FAILED"
    assert plan_run.error.type == "PlanRunExitError"
    assert plan_run.error.message == "the answer to 'Send it?' was no, so the run ended here"


def test_views_show_a_run_that_was_ended_by_a_no_and_how_to_be_asked_again(refused):
    _, plan_run, run = refused
    view = run_view(run)
    assert state_words(view) == ("stopped", "ended by a no")
    assert "error" not in view
    assert view["next"] == (
        "The answer to “Send it?” was no, so the run ended there. What was done is kept. "
        f"To be asked again: %portia resume {plan_run.id}"
    )
    row = next(row for row in view["steps"] if row["path"] == "sure")
    assert (row["state"], row["reason"]) == ("stopped", "answered no")
    assert "error" not in row
    assert shown_states(run)["sure"] == "stopped"
    for text in (view_to_text(view), run_to_text(run), run_bundle(plan_run)["text/html"]):
        assert "answered no" in text
        assert "✗" not in text
    assert run_view(run_of(plan_run, PLAN))["refused"] is True


def test_the_page_that_is_handed_on_says_it_too(refused, tmp_path):
    portia, plan_run, _ = refused
    page = portia.export(plan_run, tmp_path / "run.html").path.read_text("utf-8")
    assert "<p>■ ended by a no · " in page
    assert "<h2>Ended by a no</h2><p>Send it?</p>" in page
    assert "failed" not in page


def test_its_steps_are_rows_that_say_so_whether_it_was_loaded_or_not(refused):
    _, plan_run, _ = refused
    for each in (plan_run, PlanRun.model_validate_json(plan_run.model_dump_json())):
        sure = each.to_frame().loc["sure"]
        assert sure["state"] == "stopped"
        assert sure["error"] == f"PlanRunExitError: {plan_run.error.message}"
    assert [bar.state for bar in plan_run.timeline().bars] == ["done", "stopped"]


def test_the_card_says_whose_no_it_was(refused):
    _, plan_run, _ = refused
    lines = [without_colours(each) for each in cards.failed(plan_run)._render_traceback_()]
    assert lines == [
        "PlanRunFailed: step 'sure' ended the run: the answer to 'Send it?' was no",
        f"  kept   1 finished step of run {plan_run.id}",
        f"  next   %portia resume {plan_run.id} asks again",
    ]


def test_a_resumed_run_asks_again_and_goes_on_with_a_yes(refused):
    portia, plan_run, _ = refused
    yes = portia.with_config(answers={"sure": "yes"})
    again = yes.resume(plan_run)
    assert again.state == "COMPLETE"
    assert again.final_output is not None
    assert again.final_output.value == "sent"


def test_other_ends_on_purpose_are_failures_still():
    plan = PlanBuilderV2("Stop").exit(message="no data", error=True, step_name="stop").build()
    plan_run = Portia(Config(store="memory"), tools=[]).run_plan(plan)
    assert refused_by(plan_run.error, plan_run.outputs.clarifications) is None
    view = run_view(run_of(plan_run, plan))
    assert state_words(view) == ("failed", "failed")
    assert view["error"]["message"] == "no data"
