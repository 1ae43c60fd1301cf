"""All six kinds of question, by whomever they are asked and by whatever way they are answered."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from portia_nb import (
    ActionClarification,
    Clarification,
    ClarificationHandler,
    Config,
    CustomClarification,
    ExecutionHooks,
    InputClarification,
    MultipleChoiceClarification,
    Plan,
    PlanBuilderV2,
    PlanRun,
    PlanRunState,
    Portia,
    ToolRunContext,
    UserVerificationClarification,
    ValueConfirmationClarification,
    tool,
)
from portia_nb.session import watchers

KINDS: list[tuple[Clarification, Any, Any]] = [
    (ActionClarification(action_url="https://example.org", user_guidance="Sign in"), True, True),
    (InputClarification(argument_name="n", user_guidance="How many?"), 7, 7),
    (MultipleChoiceClarification(options=("red", 2), user_guidance="Which?"), "2", 2),
    (ValueConfirmationClarification(argument_name="n", user_guidance="Is it 3?"), "yes", True),
    (UserVerificationClarification(user_guidance="Go on?"), "y", True),
    (CustomClarification(name="pick", data={"of": [1, 2]}, user_guidance="?"), {"x": 1}, {"x": 1}),
]


class Asking:
    """A plan whose one step asks, through a tool or a hook, and what was seen of the answer."""

    def __init__(self, question: Clarification, by: str) -> None:
        self.question = question
        self.by = by
        self.seen: list[Any] = []
        self.calls = 0

    def plan(self) -> Plan:
        @tool
        def work(ctx: ToolRunContext) -> Any:
            """Do the work, and ask where it is the tool that asks."""
            self.calls += 1
            if self.by != "tool":
                return "done"
            if not ctx.clarifications:
                return self.question
            self.seen.append(ctx.clarifications[-1])
            return "done"

        return PlanBuilderV2().invoke_tool_step(tool=work, step_name="it").build()

    def hooks(self, handler: ClarificationHandler | None) -> ExecutionHooks:
        def hook(_: Any, __: Any, run: PlanRun, ___: Any) -> Any:
            asked = run.get_clarification_for_step(self.question.category)
            if asked is None:
                return self.question
            self.seen.append(asked)
            return None

        async def ahook(*given: Any) -> Any:
            return hook(*given)

        return ExecutionHooks(
            clarification_handler=handler,
            before_tool_call=hook if self.by == "before_tool_call" else None,
            after_tool_call=ahook if self.by == "after_tool_call" else None,
        )


def handler_for(answer: Any, way: str) -> ClarificationHandler:
    """Return a handler that answers each kind by the method of that kind."""

    class Handler(ClarificationHandler):
        pass

    def at_once(self: Any, asked: Any, on_resolution: Any, on_error: Any) -> None:
        on_resolution(asked, answer)

    def later(self: Any, asked: Any, on_resolution: Any, on_error: Any) -> None:
        threading.Timer(0.02, on_resolution, (asked, answer)).start()

    async def coroutine(self: Any, asked: Any, on_resolution: Any, on_error: Any) -> None:
        on_resolution(asked, answer)

    method = {"handler": at_once, "late handler": later, "async handler": coroutine}[way]
    for kind in ("action", "input", "multiple_choice", "value_confirmation", "custom"):
        setattr(Handler, f"handle_{kind}_clarification", method)
    setattr(Handler, "handle_user_verification_clarification", method)  # noqa: B010
    return Handler()


@pytest.mark.parametrize(
    ("question", "given", "answer"), KINDS, ids=[str(q.category) for q, *_ in KINDS]
)
@pytest.mark.parametrize("by", ["tool", "before_tool_call", "after_tool_call"])
@pytest.mark.parametrize("way", ["handler", "late handler", "async handler", "loop", "async loop"])
async def test_a_question_is_answered(
    question: Clarification, given: Any, answer: Any, by: str, way: str
) -> None:
    asking = Asking(question, by)
    handler = handler_for(given, way) if "handler" in way else None
    us = Portia(
        Config(store="memory", default_log_level="ERROR"),
        tools=[],
        execution_hooks=asking.hooks(handler),
    )
    run = await us.arun_plan(asking.plan())
    while run.state == PlanRunState.NEED_CLARIFICATION:
        assert handler is None, "it was asked"
        (asked,) = run.get_outstanding_clarifications()
        assert type(asked) is type(question)
        assert (asked.plan_run_id, asked.step, asked.path) == (run.id, 0, "it")
        if way == "loop":
            run = us.resume(us.resolve_clarification(asked, given, run))
        else:
            run = await us.aresume(await us.aresolve_clarification(asked, given, run))
    assert run.state == PlanRunState.COMPLETE, run.error
    assert run.outputs["it"].value == "done"
    (seen,) = asking.seen
    assert (type(seen), seen.response, seen.resolved) == (type(question), answer, True)
    assert seen.answered_by == ("handler" if handler else "the caller")
    assert asking.calls == (2 if by == "tool" else 1), "a finished call is not made again"
    again = PlanRun.model_validate_json(run.model_dump_json())
    assert again.outputs.clarifications == run.outputs.clarifications


def test_a_handler_that_says_that_nobody_is_there_leaves_the_question_open() -> None:
    from portia_nb import WaitingForAnswer

    class Nobody(ClarificationHandler):
        def handle_input_clarification(self, *_: Any) -> None:
            raise WaitingForAnswer("gone for lunch")

    hooks = ExecutionHooks(clarification_handler=Nobody())
    us = Portia(Config(store="memory"), tools=[], execution_hooks=hooks)
    plan = PlanBuilderV2().user_input(message="?", step_name="x").build()
    assert us.run_plan(plan).state == "NEED_CLARIFICATION"


@pytest.mark.parametrize("is_watched", [True, False])
def test_an_answer_leaves_no_line_in_the_log_where_somebody_watches(
    is_watched: bool, caplog: pytest.LogCaptureFixture
) -> None:
    us = Portia(Config(store="memory"), tools=[])
    run = us.run_plan(PlanBuilderV2().user_input(message="?", step_name="x").build())
    caplog.clear()

    def watch(_: Any) -> None: ...

    if is_watched:
        watchers.add_watcher(watch)
    try:
        with caplog.at_level("INFO", "portia_nb"):
            us.resolve_clarification(run.get_outstanding_clarifications()[0], "x")
    finally:
        watchers.remove_watcher(watch)
    assert bool(caplog.records) is not is_watched
