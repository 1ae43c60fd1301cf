"""A run's state is the sum of its events, and its snapshot is what people hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from portia_nb import Plan, PlanBuilderV2, PlanRun, PlanRunState
from portia_nb.errors import StepNotFoundError
from portia_nb.model.clarification import InputClarification, UserVerificationClarification
from portia_nb.model.events import (
    AnyEvent,
    ClarificationRaised,
    ClarificationResolved,
    ErrorRecord,
    ModelReplied,
    Recorded,
    RunCompleted,
    RunCreated,
    RunFailed,
    RunStarted,
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
    ToolReturned,
)
from portia_nb.model.ids import PlanRunUUID
from portia_nb.model.language import Usage
from portia_nb.model.run import Run, StepState, replay


def one() -> int:
    return 1


def plan() -> Plan:
    return (
        PlanBuilderV2("a test")
        .function_step(function=one, step_name="first")
        .llm_step(task="Think", step_name="second")
        .user_verify(message="Sure?", step_name="third")
        .build()
    )


def run_of(*events: AnyEvent) -> Run:
    recorded = [Recorded(i, 100.0 + i, "", event) for i, event in enumerate(events, 1)]
    return replay(PlanRunUUID.new(), plan(), recorded)


ERROR = ErrorRecord("ValueError", "broken", "first")
QUESTION = UserVerificationClarification(user_guidance="Sure?", path="third", step=2)
CREATED = RunCreated("plan-1", {"city": "Oslo"}, "ada")

STATES: list[tuple[list[AnyEvent], str]] = [
    ([CREATED], "NOT_STARTED"),
    ([CREATED, RunStarted()], "IN_PROGRESS"),
    ([RunStarted(), ClarificationRaised("third", QUESTION)], "IN_PROGRESS"),
    ([RunStarted(), ClarificationRaised("third", QUESTION), RunWaiting()], "NEED_CLARIFICATION"),
    (
        [
            RunStarted(),
            ClarificationRaised("third", QUESTION),
            RunWaiting(),
            ClarificationResolved(QUESTION.id, True),
        ],
        "READY_TO_RESUME",
    ),
    ([RunStarted(), RunStopped("enough")], "READY_TO_RESUME"),
    ([RunStarted(), RunFailed(ERROR)], "FAILED"),
    ([RunStarted(), RunFailed(ERROR), RunStarted()], "IN_PROGRESS"),
    ([RunStarted(), RunCompleted()], "COMPLETE"),
]


@pytest.mark.parametrize(("events", "state"), STATES)
def test_a_run_s_state_follows_its_events(events: list[AnyEvent], state: str) -> None:
    run = run_of(*events)
    assert run.state == PlanRunState(state)
    assert run.snapshot().state == state


START, CALL = StepStarted("first", 1), ToolCalled("first", 1, "len", {"obj": "x"})
EFFECT = ToolCalled("first", 1, "len", {"obj": "x"}, True)
STEPS: list[tuple[list[AnyEvent], StepState]] = [
    ([START], StepState.RUNNING),
    ([START, StepDone("first", 1, 1)], StepState.DONE),
    ([START, StepFailed("first", 1, ERROR)], StepState.FAILED),
    ([START, StepFailed("first", 1, ERROR, 0.5)], StepState.WAITING),
    ([START, StepCancelled("first", 1)], StepState.STOPPED),
    ([START, StepSkipped("first", "no")], StepState.SKIPPED),
    ([START, RunStarted()], StepState.WAITING),
    ([START, StepCancelled("first", 1), RunStarted()], StepState.WAITING),
    ([START, StepFailed("first", 1, ERROR), RunStarted()], StepState.WAITING),
    ([START, StepDone("first", 1, 1), RunStarted()], StepState.DONE),
]


@pytest.mark.parametrize(("events", "state"), STEPS)
def test_a_step_s_state_follows_its_events(events: list[AnyEvent], state: StepState) -> None:
    assert run_of(RunStarted(), *events).steps["first"].state is state


@pytest.mark.parametrize(
    ("events", "is_under_way"),
    [
        ([START, CALL], True),
        ([START, CALL, ToolReturned("first", 1, "len", 0.1)], False),
        ([START, CALL, StepDone("first", 1, 1)], False),
        ([START, CALL, StepFailed("first", 1, ERROR)], True),
        ([START, CALL, StepCancelled("first", 1)], True),
        ([START, CALL, StepUncertain("first", 1, "len", {})], True),
        ([START, CALL, StepStarted("first", 2)], False),
        ([START, EFFECT, ToolReturned("first", 1, "len", 0.1)], True),
        ([START, EFFECT, ToolReturned("first", 1, "len", 0.1, ERROR)], False),
        ([START, EFFECT, StepStarted("first", 2)], True),
        ([START, EFFECT, StepDone("first", 1, 1)], False),
        ([START, EFFECT, ClarificationRaised("first", InputClarification(path="first"))], False),
    ],
)
def test_a_call_is_under_way_until_it_comes_back_and_one_with_effects_until_its_step_is_done(
    events: list[AnyEvent], is_under_way: bool
) -> None:
    assert (run_of(*events).steps["first"].tool_under_way is not None) is is_under_way


def test_an_answered_step_waits_only_for_its_last_question() -> None:
    one = InputClarification(user_guidance="1", path="third", argument_name="a")
    two = InputClarification(user_guidance="2", path="third", argument_name="b")
    run = run_of(RunStarted(), ClarificationRaised("third", one), ClarificationRaised("third", two))
    run.apply(Recorded(4, 1.0, "", ClarificationResolved(one.id, "x")))
    assert run.steps["third"].state is StepState.ASKING
    run.apply(Recorded(5, 1.0, "", ClarificationResolved(two.id, "y")))
    assert run.steps["third"].state is StepState.WAITING
    assert [c.response for c in run.answers_for("third")] == ["x", "y"]


def test_answers_count_until_the_step_fails_for_good() -> None:
    asked: list[AnyEvent] = [
        ClarificationRaised("third", QUESTION),
        ClarificationResolved(QUESTION.id, False),
        StepStarted("third", 2),
    ]
    assert run_of(*asked, StepFailed("third", 2, ERROR, 0.5)).answers_for("third")
    assert run_of(*asked, StepFailed("third", 2, ERROR)).answers_for("third") == []


def test_a_question_that_was_open_when_the_run_was_stopped_is_open_when_it_goes_on() -> None:
    run = run_of(
        StepStarted("third", 1),
        ClarificationRaised("third", QUESTION),
        StepCancelled("third", 1),
        RunStopped(),
        RunStarted(),
    )
    assert run.steps["third"].state is StepState.ASKING


def test_the_current_step_is_the_first_in_the_plan_that_is_not_finished() -> None:
    run = run_of(RunStarted())
    assert run.current_step_index() == 0
    for seq, event in enumerate(
        [StepDone("second", 1, "x"), StepDone("first", 1, 1), StepSkipped("third", "no")], 2
    ):
        run.apply(Recorded(seq, 1.0, "", event))
    assert run.current_step_index() == 2, "the last one once all are"


def test_usage_and_text_add_up_at_the_step_and_planning_s_at_none() -> None:
    usage = Usage(input_tokens=3, output_tokens=4)
    run = run_of(
        ModelReplied("", "planning", "m", 0.1, usage),
        StepStarted("second", 1),
        TextStreamed("second", "Hel"),
        TextStreamed("second", "lo"),
        ModelReplied("second", "execution", "m", 0.1, usage),
        ModelReplied("second", "execution", "m", 0.1, usage),
    )
    record = run.steps["second"]
    assert (record.text, record.usage.input_tokens, record.usage.calls) == ("Hello", 6, 2)
    assert list(run.steps) == ["second"]


def test_a_passing_event_takes_no_place_in_the_order() -> None:
    run = run_of(RunStarted())
    run.apply(Recorded(0, 1.0, "", TextStreamed("second", "x")))
    assert run.seq == 1


# -- the snapshot ----------------------------------------------------------------------------------


def ended() -> Run:
    return run_of(
        CREATED,
        RunStarted(),
        StepDone("second", 1, "thought", "short"),
        StepDone("first", 1, {"n": 1}),
        StepSkipped("third", "no"),
        RunCompleted("second"),
    )


def test_outputs_are_in_plan_order_whatever_was_done_first() -> None:
    outputs = ended().snapshot().outputs
    assert list(outputs.step_outputs) == ["$step_0_output", "$step_1_output"]


@pytest.mark.parametrize("key", ["second", 1, -2, "$step_1_output", "step_1_output"])
def test_an_output_is_found_by_its_step_s_name_or_index_or_its_own_name(key: Any) -> None:
    assert ended().snapshot().outputs[key].value == "thought"


@pytest.mark.parametrize("key", ["third", "nobody", 2, 3, -4])
def test_an_output_that_is_not_there_is_refused_with_those_that_are(key: Any) -> None:
    with pytest.raises(StepNotFoundError, match=r"there are: first, second$"):
        ended().snapshot().outputs[key]


def test_the_final_output_has_the_step_s_summary_unless_the_run_has_its_own() -> None:
    final = ended().snapshot().final_output
    assert final is not None and (final.value, final.summary) == ("thought", "short")
    run = run_of(StepDone("first", 1, 1, "s"), RunCompleted("first", summary="of all"))
    assert run.snapshot().final_output.summary == "of all"  # type: ignore[union-attr]
    run = run_of(StepDone("first", 1, 1), RunCompleted(None, value="shaped"))
    assert run.snapshot().final_output.value == "shaped"  # type: ignore[union-attr]


def test_a_failed_run_s_final_output_is_the_error_s_text_and_its_error_the_rest() -> None:
    snapshot = run_of(RunStarted(), RunFailed(ERROR)).snapshot()
    assert snapshot.final_output is not None and snapshot.final_output.value == "broken"
    assert snapshot.error == ERROR


def test_a_snapshot_does_not_change_with_its_run() -> None:
    run = run_of(RunStarted())
    before = run.snapshot()
    run.apply(Recorded(2, 1.0, "", StepDone("first", 1, 1)))
    run.apply(Recorded(3, 1.0, "", ClarificationRaised("third", QUESTION)))
    assert before.outputs.step_outputs == {} and before.outputs.clarifications == ()
    assert before.state == "IN_PROGRESS"


def test_a_snapshot_prints_the_keys_of_the_page_and_loads_back() -> None:
    run = run_of(RunStarted(), StepDone("first", 1, 1))
    printed = run.snapshot().model_dump_json(indent=2)
    assert list(json.loads(printed)) == ["id", "plan_id", "current_step_index", "state", "outputs"]
    assert list(json.loads(printed)["outputs"]) == [
        "clarifications",
        "step_outputs",
        "final_output",
    ]
    assert PlanRun.model_validate_json(printed).model_dump_json(indent=2) == printed


def test_what_is_not_default_is_printed_too_and_loads_back() -> None:
    run = run_of(CREATED, RunStarted(), ClarificationRaised("third", QUESTION), RunFailed(ERROR))
    snapshot = run.snapshot()
    again = PlanRun.model_validate_json(snapshot.model_dump_json())
    assert again == snapshot
    assert (again.end_user_id, again.plan_run_inputs, again.error) == (
        "ada",
        {"city": "Oslo"},
        ERROR,
    )
    assert again.get_outstanding_clarifications() == [QUESTION]


def test_questions_are_found_by_step_and_kind() -> None:
    snapshot = run_of(RunStarted(), ClarificationRaised("third", QUESTION)).snapshot()
    assert snapshot.get_clarifications_for_step(2) == [QUESTION]
    assert snapshot.get_clarifications_for_step() == []
    assert snapshot.get_clarification_for_step(QUESTION.category, 2) == QUESTION
    assert snapshot.get_clarification_for_step(QUESTION.category, 1) is None
