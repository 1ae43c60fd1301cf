"""Hooks: code of the user's that changes a run, plain or async, and the gate before a call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from portia_nb import (
    ExecutionHooks,
    InputClarification,
    LocalDataValue,
    PlanBuilderV2,
    SkipExecutionError,
    UserVerificationClarification,
    tool,
)
from portia_nb.model.events import StepSkipped
from portia_nb.running.calls import approval_subject
from portia_nb.running.hooks import BeforeStepExecutionOutcome

from .stage import Stage, nothing, plan_of

HOOKS = ["before_plan_run", "before_step_execution", "after_step_execution", "after_plan_run"]


@tool(side_effect=False)
def double(number: int) -> int:
    """Double a number."""
    return number * 2


def doubling(number: int = 3) -> Any:
    return (
        PlanBuilderV2()
        .invoke_tool_step(tool=double, args={"number": number}, step_name="it")
        .build()
    )


@pytest.mark.parametrize("is_async", [False, True])
async def test_every_hook_is_called_in_its_place_with_what_it_is_told(is_async: bool) -> None:
    called: list[tuple[Any, ...]] = []

    def note(name: str) -> Any:
        def plain(*given: Any) -> None:
            called.append((name, *given))

        async def coroutine(*given: Any) -> None:
            await asyncio.sleep(0)
            plain(*given)

        return coroutine if is_async else plain

    names = [*HOOKS[:2], "before_tool_call", "after_tool_call", *HOOKS[2:]]
    stage = Stage(doubling(), hooks=ExecutionHooks(**{name: note(name) for name in names}))
    run = await stage.run()
    assert run.state == "COMPLETE"
    assert [name for name, *_ in called] == names
    told = {name: given for name, *given in called}
    step = stage.state.plan.steps[0]
    assert told["before_plan_run"][0] is stage.state.plan
    assert told["before_step_execution"][2] is step
    assert told["before_tool_call"][0].id == "double"
    assert told["before_tool_call"][1] == {"number": 3}
    assert told["after_tool_call"][1] == 6
    assert told["after_step_execution"][2:] == [step, LocalDataValue(value=6)]
    assert told["after_plan_run"][2] == LocalDataValue(value=6)


@pytest.mark.parametrize("name", [*HOOKS, "before_tool_call", "after_tool_call"])
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_hook_that_raises_fails_the_run(name: str, is_async: bool) -> None:
    def plain(*_: Any) -> None:
        raise LookupError("in the hook")

    async def coroutine(*_: Any) -> None:
        raise LookupError("in the hook")

    hooks = ExecutionHooks(**{name: coroutine if is_async else plain})
    run = await Stage(doubling(), hooks=hooks).run()
    assert run.state == "FAILED"
    assert run.error is not None
    assert (run.error.type, run.error.message) == ("LookupError", "in the hook")


@pytest.mark.parametrize("message", ["not on Sundays", ""])
async def test_a_hook_skips_a_step_by_raising_too_and_says_why(message: str) -> None:
    async def skip_b(plan: Any, run: Any, step: Any) -> None:
        if step.name == "b":
            raise SkipExecutionError(message)

    stage = Stage(plan_of(a=nothing, b=nothing), hooks=ExecutionHooks(before_step_execution=skip_b))
    run = await stage.run()
    assert run.state == "COMPLETE"
    [skipped] = [event for event in stage.events if isinstance(event, StepSkipped)]
    assert (skipped.path, skipped.reason) == ("b", message or "a hook said so")


async def test_a_hook_skips_a_step_and_the_run_goes_on_without_its_output() -> None:
    def skip_b(plan: Any, run: Any, step: Any) -> Any:
        name = step.name
        return BeforeStepExecutionOutcome.SKIP if name == "b" else "CONTINUE"

    stage = Stage(
        plan_of(a=nothing, b=nothing, c=(lambda: "ran", ["b"])),
        hooks=ExecutionHooks(before_step_execution=skip_b),
    )
    run = await stage.run()
    assert run.state == "COMPLETE"
    assert run.outputs["c"].value == "ran"
    assert "$step_1_output" not in run.outputs.step_outputs
    assert run.current_step_index == 2


async def test_a_hook_changes_the_arguments_of_a_call() -> None:
    def change(tool: Any, args: dict[str, Any], run: Any, step: Any) -> None:
        args["number"] = 10

    hooks = ExecutionHooks(before_tool_call=change)
    run = await Stage(doubling(), hooks=hooks).run()
    assert run.outputs["it"].value == 20


@pytest.mark.parametrize("name", ["before_tool_call", "after_tool_call"])
async def test_a_hook_may_ask_before_and_after_a_call(name: str) -> None:
    def ask(tool: Any, what: Any, run: Any, step: Any) -> Any:
        answered = run.get_clarifications_for_step(0)
        return None if answered else InputClarification(argument_name="x", user_guidance="Sure?")

    stage = Stage(doubling(), hooks=ExecutionHooks(**{name: ask}), ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    assert stage.questions[0].source == "hook"
    stage.answer(stage.questions[0], "yes")
    assert (await running).outputs["it"].value == 6


# -- approval --------------------------------------------------------------------------------------


class Mailbox:
    def __init__(self) -> None:
        self.sent: list[str] = []

    def plan(self, text: str = "hello") -> Any:
        @tool(side_effect=True)
        def send(text: str) -> str:
            """Send a message."""
            self.sent.append(text)
            return f"sent {text}"

        return (
            PlanBuilderV2().invoke_tool_step(tool=send, args={"text": text}, step_name="it").build()
        )


async def test_without_a_gate_a_call_is_made() -> None:
    mailbox = Mailbox()
    await Stage(mailbox.plan()).run()
    assert mailbox.sent == ["hello"]


async def test_the_gate_asks_for_the_exact_call_and_makes_it_after_a_yes() -> None:
    mailbox = Mailbox()
    stage = Stage(mailbox.plan(), gate=True, ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    (question,) = stage.questions
    assert isinstance(question, UserVerificationClarification)
    assert question.subject is not None
    assert (question.subject["tool_id"], question.subject["arguments"]) == (
        "send",
        {"text": "hello"},
    )
    assert mailbox.sent == []
    stage.answer(question, "yes")
    assert (await running).state == "COMPLETE"
    assert mailbox.sent == ["hello"]


async def test_a_no_at_the_gate_makes_no_call_and_fails_the_run() -> None:
    mailbox = Mailbox()
    stage = Stage(mailbox.plan(), gate=True, ask=lambda _: True)
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    stage.answer(stage.questions[0], "no")
    run = await running
    assert run.error is not None and run.error.type == "ApprovalRefused"
    assert mailbox.sent == []


async def test_an_approval_covers_no_other_arguments() -> None:
    """A hook changes what would be sent after a person has approved something else."""
    mailbox = Mailbox()
    texts = iter(["approved", "smuggled"])

    def change(tool: Any, args: dict[str, Any], run: Any, step: Any) -> None:
        args["text"] = next(texts)

    stage = Stage(
        mailbox.plan(),
        gate=True,
        ask=lambda _: True,
        hooks=ExecutionHooks(before_tool_call=change),
    )
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    stage.answer(stage.questions[0], "yes")
    await stage.until(lambda: stage.kinds.count("run_waiting") == 2)
    assert mailbox.sent == []
    assert stage.questions[1].subject["arguments"] == {"text": "smuggled"}  # type: ignore[attr-defined]
    stage.answer(stage.questions[1], "no")
    assert (await running).state == "FAILED"


def test_an_approval_tells_values_apart_that_python_calls_equal() -> None:
    subjects = [approval_subject("t", {"n": value}) for value in (1, True, 1.0, "1")]
    assert len({subject["sha256"] for subject in subjects}) == len(subjects)
    assert approval_subject("t", {"a": 1, "b": 2})["sha256"] != subjects[0]["sha256"]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("allows", [False, True])
async def test_the_setting_approve_decides_with_the_exact_arguments(
    allows: bool, is_async: bool
) -> None:
    asked: list[tuple[str, Any]] = []

    def plain(tool_id: str, arguments: Any) -> bool:
        asked.append((tool_id, arguments))
        return allows

    async def coroutine(tool_id: str, arguments: Any) -> bool:
        return plain(tool_id, arguments)

    mailbox = Mailbox()
    run = await Stage(mailbox.plan(), approve=coroutine if is_async else plain).run()
    assert asked == [("send", {"text": "hello"})]
    assert mailbox.sent == (["hello"] if allows else [])
    assert run.state == ("COMPLETE" if allows else "FAILED")


async def test_calls_that_are_not_declared_to_change_anything_pass_the_gate() -> None:
    run = await Stage(plan_of(a_undeclared=nothing, b=nothing), gate=True).run()
    assert run.state == "COMPLETE"


def test_an_argument_that_can_not_be_kept_does_not_stand_for_the_others() -> None:
    figure = object()
    one, other = ({"to": to, "figure": figure} for to in ("Ada", "Bob"))
    assert approval_subject("send", one) != approval_subject("send", other)
    assert approval_subject("send", one)["sha256"] != approval_subject("send", other)["sha256"]


@pytest.mark.parametrize("name", ["before_plan_run", "after_plan_run"])
async def test_a_stop_reaches_the_hooks_of_a_run_too(name: str) -> None:
    called = asyncio.Event()

    async def hook(*_: Any) -> None:
        called.set()
        await asyncio.Event().wait()

    stage = Stage(plan_of(it=nothing), hooks=ExecutionHooks(**{name: hook}))
    running = asyncio.create_task(stage.run())
    await called.wait()
    stage.executor.stop("enough")
    await asyncio.wait({running}, timeout=2)
    assert running.done() and running.result().state == "READY_TO_RESUME"
    assert stage.kinds[-1] == "run_stopped"
