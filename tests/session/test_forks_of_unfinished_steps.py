"""Forks of steps that had got somewhere: what was done isn't done again, what was said is known."""

from __future__ import annotations

from typing import Any

import pytest

from portia_nb import (
    Config,
    ExecutionHooks,
    Plan,
    PlanBuilderV2,
    PlanRun,
    Portia,
    StepOutput,
    UserVerificationClarification,
    tool,
)
from portia_nb.errors import InvalidPlanRunStateError
from portia_nb.model.events import Recorded
from portia_nb.model.language import ModelReply, ToolCall
from portia_nb.storage.owner import this_process
from tests.planning.answers import Answering


class Post:
    """A tool that sends, and plans with it."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        sent = self.sent

        @tool(side_effect=True)
        def send(text: str) -> str:
            """Send a message."""
            sent.append(text)
            if text == "killed":
                raise KeyboardInterrupt
            return f"sent {text}"

        self.send = send

    def agent(self, *answers: Any) -> tuple[Portia, Plan, Answering]:
        model = Answering(*answers)
        builder = PlanBuilderV2().react_agent_step(
            task="See to it",
            tools=[self.send],
            step_name="it",
            allow_agent_clarifications=True,
            model=model,
        )
        builder.function_step(function=str, args={"object": StepOutput("it")}, step_name="last")
        return Portia(Config(store="memory"), tools=[]), builder.build(), model


@pytest.fixture
def post() -> Post:
    return Post()


def calls(name: str, **given: str) -> ModelReply:
    return ModelReply("", None, (ToolCall("1", name, given),), "test/model")


def says(text: str) -> ModelReply:
    return ModelReply(text, model="test/model")


def answered(home: Portia, run: PlanRun, response: str) -> PlanRun:
    (asked,) = run.get_outstanding_clarifications()
    return home.resolve_clarification(asked, response, run)


def test_a_fork_goes_on_with_an_agents_conversation_and_repeats_none_of_its_calls(post: Post):
    replies = (calls("send", text="a"), calls("ask_user", question="To whom?"), says("done"))
    home, plan, model = post.agent(*replies)
    run = answered(home, home.run_plan(plan), "Ada")
    forked = home.fork(run, "last")
    assert forked.outputs["it"].value == "done", forked.error
    assert post.sent == ["a"]
    told = [m.content for m in model.requests[-1].messages if m.role == "tool"]
    assert told == ['{"output":"sent a"}', '{"output":"Ada"}']


def test_a_fork_from_the_agent_itself_begins_anew_and_asks_anew(post: Post):
    replies = (calls("send", text="a"), calls("ask_user", question="To whom?"))
    home, plan, _ = post.agent(*replies, *replies)
    run = answered(home, home.run_plan(plan), "Ada")
    forked = home.fork(run, "it")
    assert [c.user_guidance for c in forked.get_outstanding_clarifications()] == ["To whom?"]
    assert post.sent == ["a", "a"]


def test_a_fork_of_a_failed_agent_makes_only_the_failed_call_again(post: Post):
    fails = [True]

    @tool(side_effect=False)
    def look() -> str:
        """Look."""
        if fails:
            raise RuntimeError(fails.pop())
        return "seen"

    model = Answering(calls("send", text="a"), calls("look"), says("done"))
    plan = PlanBuilderV2().react_agent_step(
        task="See to it", tools=[post.send, look], step_name="it", model=model
    )
    home = Portia(Config(store="memory"), tools=[])
    run = home.run_plan(plan.build())
    assert run.state == "FAILED"
    forked = home.fork(run)
    assert (forked.outputs["it"].value, post.sent) == ("done", ["a"])


@pytest.mark.parametrize("is_agent", [False, True])
def test_an_output_about_which_a_hook_asks_is_taken_over_and_not_made_again(
    post: Post, is_agent: bool
):
    def ask(_tool: Any, value: Any, run: PlanRun, _step: Any) -> Any:
        if not run.get_clarifications_for_step():
            return UserVerificationClarification(user_guidance=f"Is {value!r} right?")
        return None

    if is_agent:
        _, plan, _ = post.agent(calls("send", text="a"), says("done"))
    else:
        builder = PlanBuilderV2().invoke_tool_step(
            tool=post.send, args={"text": "a"}, step_name="it"
        )
        plan = builder.function_step(function=str, step_name="last").build()
    hooks = ExecutionHooks(after_tool_call=ask)
    home = Portia(Config(store="memory"), tools=[], execution_hooks=hooks)
    run = home.run_plan(plan)
    waiting = home.fork(run, "last")
    assert [c.user_guidance for c in waiting.get_outstanding_clarifications()] == [
        "Is 'sent a' right?"
    ]
    assert home.resume(answered(home, waiting, "yes")).state == "COMPLETE"
    run = answered(home, run, "yes")
    assert post.sent == ["a"]
    if not is_agent:  # its model has no further answer
        assert home.fork(run, "last").outputs["it"].value == "sent a"
        assert home.resume(run).state == "COMPLETE"
        assert post.sent == ["a"]


def test_a_fork_that_was_killed_while_it_was_made_is_not_resumed(post: Post):
    plan = (
        PlanBuilderV2()
        .invoke_tool_step(tool=post.send, args={"text": "a"}, step_name="it")
        .function_step(function=str, args={"object": StepOutput("it")}, step_name="last")
        .build()
    )
    home = Portia(Config(store="memory"), tools=[])
    fork = home.work_out_fork(home.run_plan(plan), "last")
    # What is on disk of it: its beginning, without what it takes over.
    hold = home.store.create_run(fork.run_id, fork.plan, owner=this_process())
    home.store.append(hold, Recorded(1, 1.0, fork.run_id, fork.created))
    home.store.release(hold)
    with pytest.raises(InvalidPlanRunStateError, match=f"fork run {fork.forked_from} again"):
        home.resume(plan_run_id=fork.run_id)
    assert post.sent == ["a"]
