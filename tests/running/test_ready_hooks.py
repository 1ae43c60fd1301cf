"""Hooks that come with portia_nb, and calls about which a hook asks: before, and after."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from portia_nb import (
    ExecutionHooks,
    InputClarification,
    MultipleChoiceClarification,
    Output,
    PlanBuilderV2,
    PlanRun,
    StepOutput,
    ToolSoftError,
    UserVerificationClarification,
    clarify_on_all_tool_calls,
    clarify_on_tool_calls,
    log_step_outputs,
    tool,
)
from portia_nb.model import codecs
from portia_nb.model.events import (
    ClarificationResolved,
    OutputHeld,
    Recorded,
    StepFailed,
    event_from_json,
    event_to_json,
)
from portia_nb.model.language import ModelReply, ToolCall
from portia_nb.model.run import Run
from tests.planning.answers import Answering

from .stage import Stage


class Counting:
    """A tool that counts its calls."""

    def __init__(self, side_effect: bool | None = False, makes: Any = None) -> None:
        self.calls: list[str] = []

        @tool(side_effect=side_effect)
        def send(text: str = "hello") -> Any:
            """Send a message."""
            self.calls.append(text)
            return f"sent {text}" if makes is None else makes()

        self.tool = send

    def plan(self, **more: Any) -> Any:
        builder = PlanBuilderV2()
        return builder.invoke_tool_step(tool=self.tool, step_name="it", **more).build()


async def answer_all(stage: Stage, response: Any, task: asyncio.Task[PlanRun]) -> PlanRun:
    """Answer each question of a run as it comes."""
    answered = 0
    stage.ask = lambda _: True
    while not task.done():
        if len(stage.questions) > answered:
            question = stage.questions[answered]
            answered += 1
            stage.answer(question, response(question) if callable(response) else response)
        await asyncio.sleep(0)
    return task.result()


def asks_first(stage: Stage) -> asyncio.Task[PlanRun]:
    stage.ask = lambda _: True
    return asyncio.create_task(stage.run())


def hooks(before: Any = clarify_on_all_tool_calls, **more: Any) -> ExecutionHooks:
    return ExecutionHooks(before_tool_call=before, **more)


# -- asking before -----------------------------------------------------------------------------


async def test_the_ready_made_hook_asks_with_the_tool_and_its_exact_arguments() -> None:
    counting = Counting()
    stage = Stage(counting.plan(args={"text": "a\u202eb"}), hooks=hooks())
    run = await stage.run()
    assert (run.state, counting.calls) == ("NEED_CLARIFICATION", [])
    (question,) = run.get_outstanding_clarifications()
    assert isinstance(question, UserVerificationClarification)
    assert question.user_guidance == 'Call Send with {"text": "a\\u202eb"}?'
    assert question.subject is not None
    assert question.subject["tool_id"] == "send"
    assert question.subject["arguments"] == {"text": "a\u202eb"}


async def test_a_call_that_was_allowed_is_made_once_and_not_asked_about_again() -> None:
    counting = Counting()
    stage = Stage(counting.plan(), hooks=hooks())
    run = await answer_all(stage, "yes", asks_first(stage))
    assert (run.state, counting.calls, len(stage.questions)) == ("COMPLETE", ["hello"], 1)


@pytest.mark.parametrize("retries", [None, 2])
async def test_a_no_makes_no_call_fails_the_run_at_once_and_a_resume_asks_again(
    retries: int | None,
) -> None:
    counting = Counting()
    stage = Stage(counting.plan(retries=retries), hooks=hooks())
    run = await answer_all(stage, "no", asks_first(stage))
    assert run.error is not None
    assert (run.state, run.error.type, counting.calls) == ("FAILED", "ApprovalRefused", [])
    assert "'Call Send with" in run.error.message and run.error.step == "it"
    assert stage.kinds.count("step_failed") == 1, "a no is not tried again"
    running = asyncio.create_task(stage.resume())
    await stage.until(lambda: len(stage.questions) == 2)
    stage.answer(stage.questions[1], "yes")
    assert (await running).state == "COMPLETE"
    assert counting.calls == ["hello"]


async def test_an_answer_that_came_between_two_processes_lets_the_call_be_made() -> None:
    counting = Counting()
    stage = Stage(counting.plan(), hooks=hooks())
    await stage.run()
    stage.emit(ClarificationResolved(stage.questions[0].id, True, "elsewhere"))
    assert (await stage.resume()).state == "COMPLETE"
    assert (counting.calls, len(stage.questions)) == (["hello"], 1)


async def test_in_a_loop_each_call_is_asked_about_even_with_equal_arguments() -> None:
    counting = Counting()
    builder = PlanBuilderV2()
    with builder.loop(over=["a", "a", "b"], step_name="each") as item:
        builder.invoke_tool_step(tool=counting.tool, args={"text": item}, step_name="it")
    stage = Stage(builder.build(), hooks=hooks())
    run = await answer_all(stage, "yes", asks_first(stage))
    assert run.state == "COMPLETE"
    assert [question.path for question in stage.questions] == [f"each[{n}]/it" for n in range(3)]
    assert counting.calls == ["a", "a", "b"]


async def test_a_yes_covers_no_arguments_that_another_hook_smuggles_in() -> None:
    counting = Counting()
    texts = iter(["shown", "smuggled"])

    def change_then_ask(tool: Any, args: dict[str, Any], run: Any, step: Any) -> Any:
        args["text"] = next(texts)
        return clarify_on_all_tool_calls(tool, args, run, step)

    stage = Stage(counting.plan(), hooks=hooks(change_then_ask))
    running = asks_first(stage)
    await stage.until(lambda: len(stage.questions) == 1)
    stage.answer(stage.questions[0], "yes")
    await stage.until(lambda: len(stage.questions) == 2)
    assert counting.calls == []
    stage.answer(stage.questions[1], "no")
    assert (await running).state == "FAILED"


async def test_steps_beside_each_other_ask_at_once_and_each_has_its_own_answer() -> None:
    counting = Counting(side_effect=False)
    builder = PlanBuilderV2()
    for name in ("a", "b"):
        builder.invoke_tool_step(tool=counting.tool, args={"text": name}, step_name=name)
    stage = Stage(builder.build(), hooks=hooks())
    running = asks_first(stage)
    await stage.until(lambda: len(stage.questions) == 2)
    by_path = {question.path: question for question in stage.questions}
    stage.answer(by_path["b"], "no")
    stage.answer(by_path["a"], "yes")
    run = await running
    assert run.error is not None and run.error.step == "b"
    assert "b" not in counting.calls


@tool(side_effect=False)
def other() -> str:
    """Do something else."""
    return "other"


@pytest.mark.parametrize(
    "which",
    ["send", "local_function_send", "tool", "class", ["send", "weather_tool"], []],
    ids=str,
)
async def test_only_the_named_tools_are_asked_about(which: Any) -> None:
    counting = Counting()
    named = {"tool": counting.tool(), "class": [counting.tool]}
    given = named.get(which, which) if isinstance(which, str) else which
    builder = PlanBuilderV2().invoke_tool_step(tool=other, step_name="first")
    builder.invoke_tool_step(tool=counting.tool, step_name="it", args={"text": StepOutput("first")})
    stage = Stage(builder.build(), hooks=hooks(clarify_on_tool_calls(given)))
    run = await answer_all(stage, "yes", asks_first(stage))
    assert run.state == "COMPLETE"
    assert [question.path for question in stage.questions] == (["it"] if which else [])


async def test_an_agents_call_is_asked_about_with_the_arguments_that_a_model_chose() -> None:
    counting = Counting()
    plan = (
        PlanBuilderV2()
        .single_tool_agent_step(tool=counting.tool, task="Say hi", step_name="it")
        .build()
    )
    chosen = ModelReply(tool_calls=(ToolCall("1", "send", {"text": "hi"}),), model="test/model")
    stage = Stage(plan, hooks=hooks(), model=Answering(chosen, chosen))
    run = await answer_all(stage, "yes", asks_first(stage))
    assert (run.state, counting.calls) == ("COMPLETE", ["hi"])
    assert stage.questions[0].user_guidance == 'Call Send with {"text": "hi"}?'


async def test_outputs_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    counting = Counting(makes=lambda: "x" * 5_000 + "\n")
    with caplog.at_level(logging.INFO, "portia_nb"):
        run = await Stage(
            counting.plan(), hooks=ExecutionHooks(after_step_execution=log_step_outputs)
        ).run()
    assert run.state == "COMPLETE"
    (line,) = [r.getMessage() for r in caplog.records if "put out" in r.getMessage()]
    assert line.startswith("step it put out: xxx")
    assert len(line) < 2_100


# -- asking after ------------------------------------------------------------------------------


def review(tool: Any, value: Any, run: PlanRun, step: Any) -> Any:
    """Ask whether what a tool put out may be used; written as for the reference."""
    asked = run.get_clarification_for_step("User Verification")  # type: ignore[arg-type]
    if asked is None:
        return UserVerificationClarification(user_guidance=f"Use {value!r}?")
    if asked.response is not True:
        raise ToolSoftError(f"{value!r} was refused")
    return None


async def areview(tool: Any, value: Any, run: PlanRun, step: Any) -> Any:
    """Do the same as a coroutine."""
    await asyncio.sleep(0)
    return review(tool, value, run, step)


@pytest.mark.parametrize("hook", [review, areview])
@pytest.mark.parametrize("side_effect", [False, None, True])
async def test_a_call_about_which_a_hook_asks_afterwards_is_not_made_again(
    hook: Any, side_effect: bool | None
) -> None:
    counting = Counting(side_effect)
    stage = Stage(counting.plan(), hooks=ExecutionHooks(after_tool_call=hook))
    run = await answer_all(stage, "yes", asks_first(stage))
    assert (run.state, run.outputs["it"].value) == ("COMPLETE", "sent hello")
    assert counting.calls == ["hello"]
    assert stage.questions[0].user_guidance == "Use 'sent hello'?"
    assert stage.state.record("it").held is None


def in_a_new_process(stage: Stage) -> None:
    """Forget what only objects know: the run is added up again from what a journal holds."""
    events = [event_from_json(event_to_json(event)) for event in stage.events]
    run = Run(stage.state.id, stage.state.plan)
    for seq, event in enumerate(events, 1):
        run.apply(Recorded(seq, 0.0, run.id, event))
    stage.state = run


@pytest.mark.parametrize("dies", ["while it asks", "after the answer", "after the next start"])
async def test_the_output_outlives_the_process_that_asked(dies: str) -> None:
    counting = Counting(True, makes=lambda: Output(value={"n": 1}, summary="one"))
    stage = Stage(counting.plan(), hooks=ExecutionHooks(after_tool_call=review))
    await stage.run()
    assert stage.kinds.index("output_held") < stage.kinds.index("clarification_raised")
    assert stage.kept_at[-2] >= stage.kinds.index("clarification_raised") + 1
    question = stage.questions[0]
    if dies != "while it asks":
        stage.emit(ClarificationResolved(question.id, True, "a test"))
    if dies == "after the next start":
        await stop_at_the_next_start(stage)
    in_a_new_process(stage)
    if dies == "while it asks":
        stage.emit(ClarificationResolved(question.id, True, "a test"))
    run = await stage.resume()
    assert run.state == "COMPLETE", run.error
    assert (run.outputs["it"].value, run.outputs["it"].summary) == ({"n": 1}, "one")
    assert len(counting.calls) == 1


async def stop_at_the_next_start(stage: Stage) -> None:
    """Let events end as if the process had died right after the step started anew."""
    from portia_nb.model.events import RunStarted, StepStarted

    stage.emit(RunStarted("a test"))
    stage.emit(StepStarted("it", 2))


@pytest.mark.parametrize("side_effect", [False, True])
async def test_a_refused_output_of_a_tool_that_only_reads_is_made_anew(side_effect: bool) -> None:
    counting = Counting(side_effect)
    stage = Stage(counting.plan(retries=0), hooks=ExecutionHooks(after_tool_call=review))
    run = await answer_all(stage, "no", asks_first(stage))
    assert run.error is not None and run.error.type == "ToolSoftError"
    running = asyncio.create_task(stage.resume())
    await stage.until(lambda: len(stage.questions) == 2)
    stage.answer(stage.questions[1], "yes")
    assert (await running).state == "COMPLETE"
    assert len(counting.calls) == (1 if side_effect else 2)


@pytest.mark.parametrize("side_effect", [False, True])
async def test_an_output_that_no_store_can_keep_is_asked_about_or_made_anew(
    side_effect: bool,
) -> None:
    counting = Counting(side_effect, makes=object)
    stage = Stage(counting.plan(), hooks=ExecutionHooks(after_tool_call=review))
    await stage.run()
    stage.emit(ClarificationResolved(stage.questions[0].id, True, "a test"))
    in_a_new_process(stage)
    held = next(iter((stage.state.record("it").held or {}).values()))
    assert isinstance(held.value, codecs.Unkept)
    run = await stage.resume()
    if not side_effect:
        assert (run.state, len(counting.calls)) == ("COMPLETE", 2)
        return
    (question,) = run.get_outstanding_clarifications()
    assert isinstance(question, MultipleChoiceClarification)
    assert "could not be kept" in question.user_guidance and len(counting.calls) == 1
    stage.emit(ClarificationResolved(question.id, question.options[1], "a test"))
    assert (await stage.resume()).state == "COMPLETE"
    assert len(counting.calls) == 1


async def test_an_agent_chooses_no_arguments_anew_for_a_call_that_was_made() -> None:
    counting = Counting()
    plan = (
        PlanBuilderV2()
        .single_tool_agent_step(tool=counting.tool, task="Say hi", step_name="it")
        .build()
    )
    chosen = ModelReply(tool_calls=(ToolCall("1", "send", {"text": "hi"}),), model="test/model")
    model = Answering(chosen, chosen)
    stage = Stage(plan, hooks=ExecutionHooks(after_tool_call=review), model=model)
    run = await answer_all(stage, "yes", asks_first(stage))
    assert (run.outputs["it"].value, counting.calls) == ("sent hi", ["hi"])
    assert len(model.requests) == 1


async def test_a_hook_may_ask_twice_about_one_output() -> None:
    def twice(tool: Any, value: Any, run: PlanRun, step: Any) -> Any:
        count = len(run.get_clarifications_for_step())
        if count == 2:
            return None
        return InputClarification(argument_name=f"n{count}", user_guidance="And?")

    counting = Counting(None)
    stage = Stage(counting.plan(), hooks=ExecutionHooks(after_tool_call=twice))
    run = await answer_all(stage, "x", asks_first(stage))
    assert (run.state, len(stage.questions), counting.calls) == ("COMPLETE", 2, ["hello"])
    assert sum(isinstance(event, OutputHeld) for event in stage.events) == 1


async def test_a_reviewing_hook_sees_the_answers_of_its_own_round_only() -> None:
    counting = Counting()
    builder = PlanBuilderV2()
    with builder.loop(over=["a", "b"], step_name="each") as item:
        builder.invoke_tool_step(tool=counting.tool, args={"text": item}, step_name="it")
    stage = Stage(builder.build(), hooks=ExecutionHooks(after_tool_call=review))
    run = await answer_all(stage, lambda q: "sent a" in q.user_guidance, asks_first(stage))
    assert run.error is not None and "'sent b' was refused" in run.error.message
    assert [q.user_guidance for q in stage.questions] == ["Use 'sent a'?", "Use 'sent b'?"]
    assert sum(isinstance(event, StepFailed) for event in stage.events) >= 1
