"""Values that are large or can't be kept, and answers that don't fit."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from portia_nb import (
    InputClarification,
    MultipleChoiceClarification,
    PlanRunState,
    StepOutput,
    ToolHardError,
    tool,
)
from portia_nb.errors import InvalidAnswer, InvalidPlanRunStateError
from portia_nb.model.codecs import Unkept
from portia_nb.model.plan import Plan

from .conftest import Story

MEGABYTE = 1_000_000


@pytest.mark.timeout(60)
@pytest.mark.parametrize("value", ["x" * 50 * MEGABYTE, b"\x00\xff" * 25 * MEGABYTE], ids=type)
def test_fifty_megabytes_are_kept_whole_beside_the_journal_and_shown_cut(
    story: Story, value: Any, capsys: pytest.CaptureFixture[str]
):
    run = story.portia(default_log_level="DEBUG", default_log_sink="stdout").run_plan(
        story.then(lambda: value)
    )
    assert run.state is PlanRunState.COMPLETE
    assert run.outputs["act"].value == value
    again = story.still_keeps_the_early_output(run)
    assert again.outputs["act"].value == value
    journal = story.folder / ".portia" / "journal.sqlite"
    wal = journal.with_name("journal.sqlite-wal")
    assert journal.stat().st_size + (wal.stat().st_size if wal.exists() else 0) < 2 * MEGABYTE
    assert sum(f.stat().st_size for f in (story.folder / ".portia/blobs").rglob("*")) > 1_000
    assert len(repr(run)) < MEGABYTE
    out, err = capsys.readouterr()
    assert len(out) + len(err) < MEGABYTE


def test_a_value_that_can_t_be_kept_is_there_in_this_process_and_named_as_unkept_afterwards(
    story: Story,
):
    lock = threading.Lock()
    run = story.portia().run_plan(story.then(lambda: lock))
    assert run.state is PlanRunState.COMPLETE
    assert run.outputs["act"].value is lock
    again = story.still_keeps_the_early_output(run)
    story.says(again.outputs["act"].serialize_value(), "<not kept: _thread.lock>")
    assert "<not kept: _thread.lock>" in again.model_dump_json()
    assert type(again.outputs["act"].value) is Unkept


def test_an_unkept_value_that_a_resume_needs_is_asked_about_and_made_again(story: Story):
    lock, made, fails = threading.Lock(), [], [True]

    def make() -> Any:
        made.append("made")
        return lock

    def use(what: Any) -> str:
        if fails:
            raise ToolHardError("the disk is away")
        return type(what).__name__

    def plan() -> Plan:
        return (
            story.builder()
            .function_step(function=make, step_name="make")
            .function_step(function=use, args={"what": StepOutput("make")}, step_name="use")
            .build()
        )

    run = story.portia().run_plan(plan())
    story.failed(run, "ToolHardError", "use", "the disk is away")
    fails.clear()
    portia = story.portia()
    waiting = portia.resume(run)
    assert waiting.state is PlanRunState.NEED_CLARIFICATION
    (question,) = waiting.get_outstanding_clarifications()
    story.says(question.user_guidance, "'make'", "lock", "could not be kept", "run again?")
    portia.resolve_clarification(question, "call it again")
    ended = story.goes_on(portia, run)
    assert ended.outputs["use"].value == "lock"
    assert made == ["made", "made"]


# -- answers -------------------------------------------------------------------------------------


def test_an_answer_of_the_wrong_type_leaves_the_question_open_and_says_what_fits(story: Story):
    portia = story.portia()
    plan = story.builder().user_verify(message="Send it?", step_name="approve").build()
    run = portia.run_plan(plan)
    assert run.state is PlanRunState.NEED_CLARIFICATION
    (question,) = run.get_outstanding_clarifications()
    for answer in ("maybe", 7, ["yes"], None):
        with pytest.raises(InvalidAnswer) as caught:
            portia.resolve_clarification(question, answer, run)
        story.says(caught.value, repr(answer), "neither yes nor no", "'Send it?'")
    again = story.still_keeps_the_early_output(run)
    assert [c.id for c in again.get_outstanding_clarifications()] == [question.id]
    with pytest.raises(InvalidPlanRunStateError) as unanswered:
        portia.resume(run)
    story.says(unanswered.value, run.id, "'Send it?'", "resolve_clarification", "then resume")
    portia.resolve_clarification(question, True, run)
    story.goes_on(portia, run)


def test_a_choice_that_is_not_offered_is_refused_with_those_that_are(story: Story):
    portia = story.portia()
    plan = story.builder().user_input(message="Which one?", options=["Amazon", "Google"])
    run = portia.run_plan(plan.build())
    (question,) = run.get_outstanding_clarifications()
    assert isinstance(question, MultipleChoiceClarification)
    with pytest.raises(InvalidAnswer) as caught:
        portia.resolve_clarification(question, "Apple", run)
    story.says(caught.value, "'Apple'", "'Which one?'", "'Amazon', 'Google'")
    portia.resolve_clarification(question, "Google", run)
    assert story.goes_on(portia, run).outputs["step_1"].value == "Google"


def test_an_answer_that_does_not_fit_the_tool_s_argument_is_refused_and_the_question_stays_open(
    story: Story,
):
    @tool(side_effect=False)
    def double(number: int | None = None) -> Any:
        """Double a number."""
        if number is None:
            return InputClarification(argument_name="number", user_guidance="Which number?")
        return 2 * number

    portia = story.portia()
    plan = story.builder().invoke_tool_step(tool=double(), step_name="twice").build()
    run = portia.run_plan(plan)
    (question,) = run.get_outstanding_clarifications()
    with pytest.raises(InvalidAnswer, match="write a whole number"):
        portia.resolve_clarification(question, "two", run)
    (question,) = portia.storage.get_plan_run(run.id).get_outstanding_clarifications()
    portia.resolve_clarification(question, 2, run)
    assert story.goes_on(portia, run).outputs["twice"].value == 4
