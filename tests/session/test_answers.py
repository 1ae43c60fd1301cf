"""Answering the questions of a run from code: the loop that people write, handlers, refusals."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path
from typing import Any

import pytest

from portia_nb import (
    ClarificationHandler,
    ExecutionHooks,
    Input,
    InputClarification,
    Plan,
    PlanBuilderV2,
    PlanRun,
    StepOutput,
)
from portia_nb.errors import (
    InvalidAnswer,
    InvalidPlanRunStateError,
    PlanRunNotFoundError,
    StaleOwner,
    StoreFull,
)
from portia_nb.session import answers
from portia_nb.storage.memory import MemoryStore

from .stage import portia


@dataclasses.dataclass
class City:
    name: str


class Trip:
    """A plan that asks twice after work that must not be lost, and what it has called."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def plan(self) -> Plan:
        def look_up() -> Any:
            self.calls.append("look_up")
            return threading.Lock()  # no store can keep it

        def book(lock: Any, city: str, go: bool) -> str:
            self.calls.append("book")
            return f"{city} {go} {type(lock).__name__}"

        return (
            PlanBuilderV2()
            .function_step(function=look_up, step_name="found")
            .user_input(message="Which city?", options=["Oslo", "Rome"], step_name="city")
            .user_verify(message="Go?", step_name="go")
            .function_step(
                function=book,
                args={"lock": StepOutput("found"), "city": StepOutput("city"), "go": True},
                step_name="booked",
            )
            .build()
        )


ANSWERS = {"Which city?": "Rome", "Go?": "yes"}


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_the_usual_loop_answers_every_question_and_keeps_every_output(
    store: str, tmp_path: Path
) -> None:
    trip = Trip()
    us = portia("memory" if store == "memory" else str(tmp_path))
    run = us.run_plan(trip.plan())
    asked: list[str] = []
    while run.state == "NEED_CLARIFICATION":
        for question in run.get_outstanding_clarifications():
            asked.append(question.user_guidance)
            run = us.resolve_clarification(question, ANSWERS[question.user_guidance], run)
        assert run.state == "READY_TO_RESUME"
        run = us.resume(run)
    assert run.state == "COMPLETE", run.error
    assert asked == ["Which city?", "Go?"]
    assert run.outputs["booked"].value == "Rome True lock"
    assert trip.calls == ["look_up", "book"], "nothing ran twice, and no value was lost"


async def test_the_async_loop_does_the_same() -> None:
    trip, us = Trip(), portia()
    run = await us.arun_plan(trip.plan())
    while run.state == "NEED_CLARIFICATION":
        for question in run.get_outstanding_clarifications():
            run = await us.aresolve_clarification(question, ANSWERS[question.user_guidance])
        run = await us.aresume(run)
    assert run.state == "COMPLETE"


def test_an_answer_that_is_not_allowed_raises_and_leaves_the_question_open() -> None:
    trip, us = Trip(), portia()
    run = us.run_plan(trip.plan())
    (question,) = run.get_outstanding_clarifications()
    with pytest.raises(InvalidAnswer, match="Oslo"):
        us.resolve_clarification(question, "Paris", run)
    assert us.get_run(run.id).get_outstanding_clarifications() == [question]
    assert us.resolve_clarification(question, "Oslo").state == "READY_TO_RESUME"


def test_the_first_answer_stands() -> None:
    trip, us = Trip(), portia()
    run = us.run_plan(trip.plan())
    (question,) = run.get_outstanding_clarifications()
    us.resolve_clarification(question, "Oslo", run)
    us.resolve_clarification(question, "Rome", run)
    assert us.resume(run).outputs["city"].value == "Oslo"


def test_a_run_with_open_questions_does_not_resume_without_somebody_to_ask() -> None:
    trip, us = Trip(), portia()
    run = us.run_plan(trip.plan())
    with pytest.raises(InvalidPlanRunStateError, match="Which city"):
        us.resume(run)
    assert us.get_run(run.id).state == "NEED_CLARIFICATION"


def test_a_question_of_another_run_is_refused() -> None:
    trip, us = Trip(), portia()
    first, second = us.run_plan(trip.plan()), us.run_plan(trip.plan())
    (question,) = first.get_outstanding_clarifications()
    with pytest.raises(PlanRunNotFoundError, match="get_outstanding_clarifications"):
        us.resolve_clarification(question, "Oslo", second)


def test_a_question_that_can_not_be_answered_fails_its_run() -> None:
    trip, us = Trip(), portia()
    run = us.run_plan(trip.plan())
    (question,) = run.get_outstanding_clarifications()
    run = us.error_clarification(question, "nobody knows", run)
    assert run.state == "FAILED"
    assert run.error is not None and run.error.message == "nobody knows"


class Handler(ClarificationHandler):
    """Answers at once, later from another thread, or refuses."""

    def __init__(self, how: str) -> None:
        self.how = how

    def _answer(self, asked: Any, on_resolution: Any, on_error: Any) -> None:
        if self.how == "refuse":
            on_error(asked, ValueError("no idea"))
        elif self.how == "later":
            answer = ANSWERS[asked.user_guidance]
            threading.Timer(0.05, on_resolution, (asked, answer)).start()
        elif self.how == "raise":
            raise LookupError("in the handler")
        else:
            on_resolution(asked, ANSWERS[asked.user_guidance])

    handle_multiple_choice_clarification = _answer
    handle_user_verification_clarification = _answer


@pytest.mark.parametrize("how", ["at once", "later"])
def test_a_handler_answers_while_the_run_goes_on(how: str) -> None:
    trip = Trip()
    run = portia(hooks=ExecutionHooks(clarification_handler=Handler(how))).run_plan(trip.plan())
    assert run.state == "COMPLETE", run.error
    assert run.outputs["booked"].value == "Rome True lock"


@pytest.mark.parametrize(("how", "error"), [("refuse", "ValueError"), ("raise", "LookupError")])
def test_a_handler_that_refuses_or_raises_fails_the_run(how: str, error: str) -> None:
    run = portia(hooks=ExecutionHooks(clarification_handler=Handler(how))).run_plan(Trip().plan())
    assert run.state == "FAILED"
    assert run.error is not None and run.error.type == error


def test_a_handler_without_a_method_for_the_question_fails_the_run_and_names_it() -> None:
    plan = PlanBuilderV2().user_input(message="Your name?", step_name="n").build()
    run = portia(hooks=ExecutionHooks(clarification_handler=Handler("at once"))).run_plan(plan)
    assert run.error is not None
    assert "handle_input_clarification" in run.error.message


def test_a_handler_is_called_at_once_while_other_steps_run() -> None:
    asked = threading.Event()

    class Notes(Handler):
        def handle_input_clarification(self, asked_: Any, on_resolution: Any, _: Any) -> None:
            asked.set()
            on_resolution(asked_, "an answer")

    first = InputClarification(argument_name="x", user_guidance="?")
    calls: list[int] = []

    def curious() -> Any:
        calls.append(1)
        return first if len(calls) == 1 else "told"

    plan = (
        PlanBuilderV2()
        .function_step(function=curious, step_name="a", side_effect=False)
        .function_step(function=lambda: asked.wait(10), step_name="b", side_effect=False)
        .build()
    )
    run = portia(hooks=ExecutionHooks(clarification_handler=Notes("at once"))).run_plan(plan)
    assert run.outputs["b"].value is True, "the handler was called while b ran"


def test_a_live_run_takes_answers_from_any_portia_and_thread() -> None:
    trip, us = Trip(), portia()
    waiting = threading.Event()
    live = us.start_run(trip.plan(), asker=lambda _, __: waiting.set())
    assert waiting.wait(10)
    (question,) = list(live.run.outstanding())
    with pytest.raises(InvalidAnswer):
        live.answer(question.id, "Paris")
    waiting.clear()
    run = us.resolve_clarification(question, "Oslo")
    assert isinstance(run, PlanRun)
    assert waiting.wait(10)
    (question,) = list(live.run.outstanding())
    live.answer(question.id, "yes", "a test")
    assert live.done.result(10).outputs["booked"].value == "Oslo True lock"


# -- the store fails -------------------------------------------------------------------------------


class FailingStore(MemoryStore):
    """A store whose disk fills up, or whose run is taken over, after so many events."""

    def __init__(self, error: Exception, after: int) -> None:
        super().__init__()
        self.error, self.after = error, after

    def append(self, hold: Any, recorded: Any) -> None:
        if recorded.seq > self.after:
            hold.ledger.fail(self.error)
        super().append(hold, recorded)


@pytest.mark.parametrize("error", [StoreFull("no room"), StaleOwner("taken over")])
@pytest.mark.parametrize("after", range(8))
def test_a_store_that_fails_is_a_typed_error_and_never_a_hang(error: Exception, after: int) -> None:
    us = portia()
    us._parts.keep_in(FailingStore(error, after))
    called: list[int] = []
    plan = (
        PlanBuilderV2()
        .function_step(function=lambda: called.append(1), step_name="a", side_effect=True)
        .function_step(function=lambda: called.append(2), step_name="b", side_effect=True)
        .build()
    )
    with pytest.raises(type(error)):
        us.run_plan(plan)
    assert len(called) <= 2 and (after >= 4 or not called), "no call that was not kept is made"


def test_a_question_that_is_answered_fails_no_run() -> None:
    us = portia()
    plan = PlanBuilderV2().user_input(message="?", step_name="city").build()
    run = us.run_plan(plan)
    (question,) = run.get_outstanding_clarifications()
    us.resolve_clarification(question, "Oslo")
    assert us.resume(run).state == "COMPLETE"
    assert us.error_clarification(question, "too late").state == "COMPLETE"


@pytest.mark.parametrize("refused", [False, True])
def test_an_answer_counts_where_the_run_ends_while_it_is_given(
    refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    us = portia()
    plan = PlanBuilderV2().user_input(message="?", step_name="city").build()
    live = us.start_run(plan, asker=lambda live, question: live.nobody_answers(question.id))
    (question,) = live.done.result(5).get_outstanding_clarifications()
    monkeypatch.setattr(answers, "live_run", lambda _: live)  # it lived when it was looked for
    call = us.error_clarification if refused else us.resolve_clarification
    run, state = call(question, "Oslo"), "FAILED" if refused else "READY_TO_RESUME"
    assert (run.state, us.get_run(live.id).state) == (state, state)


def test_an_input_that_can_not_be_kept_takes_no_other_along_and_is_missed_by_name(
    tmp_path: Path,
) -> None:
    def show(lock: Any, number: int) -> str:
        raise ValueError("not yet")

    plan = (
        PlanBuilderV2()
        .input(name="lock")
        .input(name="number")
        .function_step(
            function=show, args={"lock": Input("lock"), "number": Input("number")}, step_name="it"
        )
        .build()
    )
    given = {"lock": threading.Lock(), "number": 2}
    run = portia(str(tmp_path)).run_plan(plan, plan_run_inputs=given)
    again = portia(str(tmp_path))  # as another process has it
    assert again.get_run(run.id).plan_run_inputs["number"] == 2
    resumed = again.resume(run)
    assert resumed.state == "FAILED" and resumed.error is not None
    assert resumed.error.type == "ValueNotKept" and "'lock'" in resumed.error.message


def test_what_another_process_has_done_meanwhile_comes_back_as_its_class(tmp_path: Path) -> None:
    seen: list[type] = []

    def find() -> City:
        return City(name="Oslo")

    def show(city: City) -> None:
        seen.append(type(city))

    plan = (
        PlanBuilderV2()
        .function_step(function=find, step_name="city")
        .user_verify(message="Go?", step_name="go")
        .function_step(function=show, args={"city": StepOutput("city")}, step_name="shown")
        .build()
    )
    us, another = portia(str(tmp_path)), portia(str(tmp_path))
    opened = us.start_run(plan, asker=lambda live, _: live.stop())  # remembered from here
    run = opened.done.result(5)
    (question,) = another.get_run(run.id).get_outstanding_clarifications()
    known = us._parts.recent._runs[run.id][0]
    known.steps.clear()  # as if the other process had done the first step too
    known.seq = 2
    known.clarifications.clear()
    another.resolve_clarification(question, True)
    assert us.resume(run).state == "COMPLETE"
    assert seen == [City]


def test_a_value_that_is_gone_with_its_process_inside_a_loop_is_named_and_a_fork_makes_it_again(
    tmp_path: Path,
) -> None:
    made: list[int] = []
    ends: list[int] = []

    def make(number: int) -> Any:
        made.append(number)
        return lambda: number  # no store can keep it

    def end(found: Any) -> list[int]:
        ends.append(1)
        if len(ends) == 1:
            raise ValueError("broken")
        return [each() for each in found]

    builder = PlanBuilderV2()
    with builder.loop(over=[1, 2], step_name="each") as item:
        builder.function_step(function=make, args={"number": item}, step_name="made")
    builder.function_step(function=end, args={"found": StepOutput("made", full=True)})
    us = portia(str(tmp_path))
    run = us.run_plan(builder.build())
    us.store.close()
    us = portia(str(tmp_path))
    run = us.resume(plan_run_id=run.id)
    assert run.error is not None and run.error.type == "ValueNotKept"
    assert "portia.fork(run, 'made')" in run.error.message
    assert made == [1, 2]
    again = us.fork(run, "made")
    assert again.final_output is not None and again.final_output.value == [1, 2]
    assert made == [1, 2, 1, 2]
