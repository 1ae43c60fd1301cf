"""Errors as short cards (N7)."""

import pytest

from portia_nb.errors import NoModelKey
from portia_nb.model.clarification import MultipleChoiceClarification
from portia_nb.model.events import ErrorRecord
from portia_nb.model.ids import PlanUUID
from portia_nb.model.run import PlanRun, PlanRunOutputs, PlanRunState
from portia_nb.notebook import cards
from tests.kernel.conftest import without_colours


def shown(error: BaseException) -> list[str]:
    return [without_colours(line) for line in error._render_traceback_()]  # type: ignore[attr-defined]


def run(state: PlanRunState, **fields) -> PlanRun:
    return PlanRun(plan_id=PlanUUID.new(), state=state, **fields)


def test_a_dressed_error_is_still_itself_and_shows_a_card():
    error = cards.dress(NoModelKey("no key"), [("next", "%portia doctor")])
    assert isinstance(error, NoModelKey)
    assert shown(error) == [
        "NoModelKey: no key",
        "  cause  no key for a model is set",
        "  next   %portia doctor",
    ]


def test_a_card_is_kept_when_the_error_is_dressed_again():
    error = cards.dress(ValueError("x"), [("next", "first")])
    assert shown(cards.dress(error, [("next", "second")])) == ["ValueError: x", "  next   first"]


def test_a_message_can_not_steer_the_screen_or_fill_it():
    [line] = shown(cards.dress(ValueError("\x1b[2Jgone\u202e" + "x" * 9_000)))
    assert "\x1b" not in line
    assert "\u202e" not in line
    assert len(line) < 2_000


def test_a_failed_run_says_which_step_what_is_kept_and_the_way_on():
    failed = run(
        PlanRunState.FAILED,
        error=ErrorRecord("ToolHardError", "no such city", "each[1]/sky", "in tool.py"),
    )
    error = cards.failed(failed)
    assert error.plan_run is failed
    assert shown(error) == [
        "PlanRunFailed: step 'each[1]/sky' failed: ToolHardError: no such city",
        f"  kept   0 finished steps of run {failed.id}",
        f"  next   mend it, then: %portia resume {failed.id}",
        "  more   %portia why shows the traceback",
    ]


def test_a_waiting_run_says_the_question_and_the_command_that_answers():
    question = MultipleChoiceClarification(
        argument_name="city", path="sky", user_guidance="Which?", options=["Rome", "Oslo"]
    )
    waits = run(PlanRunState.NEED_CLARIFICATION, outputs=PlanRunOutputs(clarifications=(question,)))
    lines = shown(cards.waiting(waits))
    assert lines[0] == "WaitingForAnswer: the run waits: sky asks 'Which?' (Rome, Oslo)"
    assert lines[-1] == f"  next   %portia resume {waits.id} --answer city=VALUE"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (cards.stopped("prun-1"), "stopped; state saved"),
        (cards.stopped("prun-1", cleaning_up=True), "still cleaning up in the background"),
        (cards.stopped(None), "nothing was run"),
        (cards.left("prun-1"), "the run goes on"),
    ],
)
def test_an_interrupt_is_a_keyboard_interrupt_that_says_what_became_of_the_run(
    error: KeyboardInterrupt, said: str
):
    assert isinstance(error, KeyboardInterrupt)
    assert said in shown(error)[0]


def test_a_question_that_nobody_answered_in_time_is_told_of_once():
    said = "nobody has answered 'City?' in time (2 s): resume the run to be asked again"
    failed = run(PlanRunState.FAILED, error=ErrorRecord("ClarificationExpired", said, "city"))
    lines = shown(cards.failed(failed))
    assert lines[0] == f"PlanRunFailed: step 'city' failed: ClarificationExpired: {said}"
    assert lines[2] == f"  next   %portia resume {failed.id} asks again"
