"""An agent with several tools: what it calls, what it is told, when it ends, where it goes on."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel

from portia_nb import (
    ExecutionHooks,
    InputClarification,
    PlanBuilderV2,
    ToolHardError,
    ToolRunContext,
    ToolSoftError,
    UserVerificationClarification,
    tool,
)
from portia_nb.errors import ModelReplyInvalid, ModelServerError
from portia_nb.model.events import (
    AgentLimited,
    AgentToolCalled,
    AgentToolReturned,
    AgentTurn,
    RunStarted,
    StepStarted,
)
from portia_nb.model.language import (
    CallAnswer,
    DataAnswer,
    ModelReply,
    TextAnswer,
    ToolCall,
    Usage,
)
from portia_nb.running import recovery
from portia_nb.running.react import MISTAKES
from tests.planning.answers import Answering

from .stage import Stage


def calls(*asked: tuple[str, dict[str, Any]], text: str = "") -> ModelReply:
    """Return a reply that asks for calls, all with the same id, as careless servers give them."""
    return ModelReply(
        text, None, tuple(ToolCall("1", name, given) for name, given in asked), "test/model"
    )


def says(text: str) -> ModelReply:
    return ModelReply(text, model="test/model")


class Town:
    """Tools that count their calls."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.keys: list[str | None] = []
        made, keys = self.made, self.keys

        @tool(side_effect=False)
        async def weather(city: str) -> str:
            """Look at the sky."""
            made.append(f"weather {city}")
            if city == "Nowhere":
                raise ToolSoftError("there is no such city")
            if city == "Hell":
                raise ToolHardError("too hot")
            await asyncio.sleep(0)
            return f"fine in {city}"

        @tool(side_effect=True)
        async def send(ctx: ToolRunContext, text: str) -> str:
            """Send a message."""
            made.append(f"send {text}")
            keys.append(ctx.idempotency_key)
            return "sent"

        @tool
        async def ask_back(name: str, ctx: ToolRunContext) -> Any:
            """Greet somebody, once told whom."""
            made.append(f"ask_back {name}")
            if not ctx.clarifications:
                return InputClarification(argument_name="name", user_guidance="Who is it?")
            return f"hello {name}"

        self.weather, self.send, self.ask_back = weather, send, ask_back

    def plan(self, *tools: Any, **options: Any) -> Any:
        given = list(tools or (self.weather, self.send, self.ask_back))
        return (
            PlanBuilderV2()
            .react_agent_step(task="See to it", tools=given, step_name="it", **options)
            .build()
        )

    def stage(self, *answers: Any, tools: Any = (), **options: Any) -> tuple[Stage, Answering]:
        model = Answering(*answers)
        names = ("hooks", "ask", "gate", "max_parallel_steps", "large_output_threshold_tokens")
        settings = {name: options.pop(name) for name in names if name in options}
        return Stage(self.plan(*tools, **options), model=model, **settings), model


OSLO, ROME = ("weather", {"city": "Oslo"}), ("weather", {"city": "Rome"})


def told(model: Answering, request: int = -1) -> list[tuple[str, Any]]:
    """Return role and content of a request's messages after the opening."""
    return [
        (m.role, json.loads(m.content) if m.role == "tool" else m.content)
        for m in model.requests[request].messages[2:]
    ]


async def test_an_agent_calls_tools_until_it_answers_and_each_call_is_an_event() -> None:
    town = Town()
    stage, model = town.stage(calls(OSLO, text="First Oslo."), calls(ROME), says("Both fine."))
    run = await stage.run()
    assert run.state == "COMPLETE", run.error
    assert run.outputs["it"].value == "Both fine."
    assert town.made == ["weather Oslo", "weather Rome"]
    assert told(model) == [
        ("assistant", "First Oslo."),
        ("tool", {"output": "fine in Oslo"}),
        ("assistant", ""),
        ("tool", {"output": "fine in Rome"}),
    ]
    ids = [call.id for m in model.requests[-1].messages for call in m.tool_calls]
    assert len(set(ids)) == 2, "an id that a server gave twice is told apart"
    assert [m.tool_call_id for m in model.requests[-1].messages if m.role == "tool"] == ids
    seen = [e for e in stage.events if isinstance(e, AgentToolCalled | AgentToolReturned)]
    assert [e.call for e in seen] == ["0.0", "0.0", "1.0", "1.0"]
    assert stage.state.steps["it"].conversation is None, "a step that is done keeps its output only"


async def test_four_calls_take_five_model_calls_and_two_where_the_model_asks_for_all_at_once() -> (
    None
):
    cities = [("weather", {"city": city}) for city in "ABCD"]
    one_by_one, model = Town().stage(*map(calls, cities), says("done"))
    assert (await one_by_one.run()).state == "COMPLETE"
    assert len(model.requests) == 5
    at_once, model = Town().stage(calls(*cities), says("done"))
    assert (await at_once.run()).state == "COMPLETE"
    assert len(model.requests) == 2


async def test_calls_that_only_read_run_beside_each_other_and_others_in_their_turn() -> None:
    order: list[str] = []
    both_in = asyncio.Barrier(2)

    @tool(side_effect=False)
    async def look(at: str) -> str:
        """Look."""
        order.append(f"+{at}")
        await both_in.wait()
        order.append(f"-{at}")
        return at

    @tool(side_effect=True)
    async def push(what: str) -> str:
        """Push."""
        order.append(f"push {what}")
        return what

    asked = [("look", {"at": "a"}), ("look", {"at": "b"}), ("push", {"what": "c"})]
    stage, model = Town().stage(calls(*asked), says("done"), tools=(look, push))
    assert (await stage.run()).state == "COMPLETE"
    assert set(order[:2]) == {"+a", "+b"} and order[-1] == "push c"
    assert [content for role, content in told(model) if role == "tool"] == [
        {"output": each} for each in "abc"
    ], "answered in the order in which they were asked for"
    kept_before = stage.kept_at[0]
    assert any(isinstance(e, AgentTurn) for e in stage.events[:kept_before])


async def test_what_a_model_gets_wrong_is_told_so_that_it_can_mend_it() -> None:
    town = Town()
    stage, model = town.stage(
        calls(("wether", {"city": "Oslo"})),
        calls(("weather", {"town": "Oslo"})),
        calls(("weather", {"city": "Nowhere"})),
        says(""),
        calls(OSLO),
        says("fine"),
    )
    run = await stage.run()
    assert run.outputs["it"].value == "fine"
    assert town.made == ["weather Nowhere", "weather Oslo"]
    errors = [content["error"] for _, content in told(model) if "error" in content]
    assert "no tool 'wether'; the tools: weather, send, ask_back" in errors[0]
    assert "'city' is missing" in errors[1] and "town" in errors[1]
    assert errors[2] == "there is no such city"
    assert "That was empty" in model.requests[4].messages[-1].content
    assert "That was empty" not in model.requests[5].messages[-3].content


async def test_a_reply_that_the_client_refuses_is_told_to_the_model_too() -> None:
    broken = ModelReplyInvalid("bad", problem="the arguments aren't JSON")
    stage, model = Town().stage(broken, says("fine"))
    assert (await stage.run()).state == "COMPLETE"
    assert "the arguments aren't JSON" in model.requests[1].messages[-1].content


async def test_mistakes_in_a_row_are_bounded() -> None:
    stage, model = Town().stage(*[calls(("wether", {}))] * 9)
    run = await stage.run()
    assert run.error is not None and run.error.type == "InvalidAgentOutputError"
    assert f"{MISTAKES} replies in a row came to nothing" in run.error.message
    assert "no tool 'wether'" in run.error.message
    assert len(model.requests) == MISTAKES


async def test_only_mistakes_in_a_row_count() -> None:
    wrong, right = calls(("wether", {})), calls(OSLO)
    stage, _ = Town().stage(*[wrong, right] * (MISTAKES + 1), says("at last"))
    assert (await stage.run()).outputs["it"].value == "at last"


async def test_a_hard_error_fails_the_step_and_a_resume_makes_that_call_alone_again() -> None:
    town = Town()
    stage, model = town.stage(calls(OSLO, ("weather", {"city": "Hell"})), says("done"))
    run = await stage.run()
    assert run.state == "FAILED" and run.error is not None
    assert (run.error.type, run.error.message) == ("ToolHardError", "too hot")
    assert len(model.requests) == 1
    await stage.resume()
    assert town.made == ["weather Oslo", "weather Hell", "weather Hell"]


async def test_after_a_model_that_failed_a_resume_goes_on_with_the_conversation() -> None:
    town = Town()
    stage, model = town.stage(calls(OSLO), ModelServerError("down"), says("fine"))
    assert (await stage.run()).state == "FAILED"
    run = await stage.resume()
    assert run.outputs["it"].value == "fine"
    assert town.made == ["weather Oslo"]
    assert model.requests[2].messages == model.requests[1].messages


# -- limits --------------------------------------------------------------------------------------


async def test_at_the_limit_of_calls_the_model_answers_from_what_it_has_without_tools() -> None:
    town = Town()
    stage, model = town.stage(
        calls(OSLO), calls(ROME, ("weather", {"city": "Bonn"})), says("Two of three."),
        tool_call_limit=2,
    )  # fmt: skip
    run = await stage.run()
    assert run.outputs["it"].value == "Two of three."
    assert town.made == ["weather Oslo", "weather Rome"], "none beyond the limit is made"
    last = model.requests[-1]
    assert last.answer == TextAnswer()
    assert "No further calls can be made" in last.messages[-1].content
    assert told(model)[-2] == ("tool", {"error": "not made: tool_call_limit=2 is reached"})
    (limited,) = (e for e in stage.events if isinstance(e, AgentLimited))
    assert (limited.limit, limited.allowed) == ("tool_call_limit", 2)


async def test_tokens_are_limited_too_and_a_missing_answer_says_which_limit_to_raise() -> None:
    spent = Usage(900, 200)
    first = ModelReply("", None, (ToolCall("1", *OSLO),), "test/model", spent)
    stage, _ = Town().stage(first, says("  "), token_limit=1_000)
    run = await stage.run()
    assert run.error is not None and run.error.type == "AgentLimitReached"
    assert "token_limit=1000 was reached" in run.error.message
    assert "react_agent_step(token_limit=…)" in run.error.message


async def test_time_is_limited_and_a_resume_goes_on_with_fresh_time() -> None:
    town = Town()
    hangs = [True]

    @tool(side_effect=False)
    async def slow() -> str:
        """Take time."""
        town.made.append("slow")
        if hangs[0]:
            await asyncio.Event().wait()
        return "at last"

    stage, _ = town.stage(
        calls(OSLO), calls(("slow", {})), says("ok"), tools=(town.weather, slow), timeout_s=0.2
    )
    run = await stage.run()
    assert run.error is not None and run.error.type == "StepTimeout"
    assert "timeout_s=" in run.error.message
    hangs[0] = False
    assert (await stage.resume()).outputs["it"].value == "ok"
    assert town.made == ["weather Oslo", "slow", "slow"]


async def test_a_tools_own_time_limit_ends_the_call_and_the_model_does_without_it() -> None:
    @tool(side_effect=False, timeout_s=0.05)
    async def stuck() -> str:
        """Hang."""
        await asyncio.Event().wait()
        return ""

    stage, model = Town().stage(calls(("stuck", {})), says("without it"), tools=(stuck,))
    assert (await stage.run()).outputs["it"].value == "without it"
    assert "took longer than its 0.05 s" in told(model)[-1][1]["error"]


# -- questions -----------------------------------------------------------------------------------


async def test_a_question_of_a_tool_is_put_and_only_that_call_is_made_again() -> None:
    town = Town()
    stage, model = town.stage(
        calls(OSLO, ("ask_back", {"name": "?"})), calls(("ask_back", {"name": "Bob"})), says("hi")
    )
    run = await stage.run()
    assert run.state == "NEED_CLARIFICATION"
    assert len(model.requests) == 1
    (question,) = run.get_outstanding_clarifications()
    assert (question.user_guidance, question.call) == ("Who is it?", "0.1")
    stage.ask = lambda _: True
    running = asyncio.create_task(stage.resume())
    await stage.until(lambda: stage.kinds.count("run_waiting") == 2)
    stage.answer(question, "Ada")
    await stage.until(lambda: stage.kinds.count("run_waiting") == 3)
    assert town.made == ["weather Oslo", "ask_back ?", "ask_back Ada", "ask_back Bob"], (
        "the answer is that call's: the next call of the same tool asks for itself"
    )
    stage.answer(stage.questions[-1], "Bob")
    assert (await running).outputs["it"].value == "hi"
    assert ("tool", {"output": "hello Ada"}) in told(model)
    assert len(model.requests) == 3


async def test_an_agent_asks_the_person_where_it_may() -> None:
    town = Town()
    ask = [
        ("ask_user", {"question": "Which city?", "options": ["Oslo", "Rome"]}),
        ("ask_user", {"question": "Your name?"}),
        OSLO,
    ]
    stage, model = town.stage(calls(*ask), says("bye"), allow_agent_clarifications=True)
    stage.ask = lambda _: True
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    one, other = stage.questions
    assert one.options == ("Oslo", "Rome")  # type: ignore[attr-defined]
    stage.answer(one, "Rome")
    stage.answer(other, "Ada")
    assert (await running).outputs["it"].value == "bye"
    assert town.made == ["weather Oslo"]
    assert [content for _, content in told(model)[1:]] == [
        {"output": "Rome"},
        {"output": "Ada"},
        {"output": "fine in Oslo"},
    ]


async def test_an_agent_that_may_not_ask_has_nothing_to_ask_with() -> None:
    stage, model = Town().stage(calls(("ask_user", {"question": "?"})), says("fine"))
    assert (await stage.run()).state == "COMPLETE"
    answer = model.requests[0].answer
    assert isinstance(answer, CallAnswer)
    assert [spec.name for spec in answer.tools] == ["weather", "send", "ask_back"]
    assert "no tool 'ask_user'" in told(model)[-1][1]["error"]


async def test_every_call_that_changes_something_is_approved_by_itself_an_equal_one_too() -> None:
    town = Town()
    same = ("send", {"text": "hello"})
    stage, _ = town.stage(calls(same), calls(same), says("sent twice"), gate=True)
    stage.ask = lambda _: True
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: stage.kinds.count("run_waiting") == 1)
    assert town.made == []
    (first,) = stage.questions
    assert first.subject is not None and first.subject["arguments"] == {"text": "hello"}  # type: ignore[attr-defined]
    stage.answer(first, True)
    await stage.until(lambda: stage.kinds.count("run_waiting") == 2)
    assert town.made == ["send hello"]
    stage.answer(stage.questions[1], True)
    assert (await running).outputs["it"].value == "sent twice"
    assert town.made == ["send hello"] * 2
    assert len(set(town.keys)) == 2, "each call has an idempotency key of its own"


async def test_hooks_see_each_call() -> None:
    town, seen = Town(), []

    def before(tool: Any, args: dict[str, Any], run: Any, step: Any) -> None:
        seen.append(f"before {tool.id} {args}")
        args["city"] = "Bonn"

    def after(tool: Any, output: Any, run: Any, step: Any) -> None:
        seen.append(f"after {tool.id} {output}")

    hooks = ExecutionHooks(before_tool_call=before, after_tool_call=after)
    stage, _ = town.stage(calls(OSLO), says("fine"), hooks=hooks)
    assert (await stage.run()).state == "COMPLETE"
    assert seen == ["before weather {'city': 'Oslo'}", "after weather fine in Bonn"]


async def test_a_hook_that_asks_about_an_output_sees_it_again_and_the_call_is_not_repeated() -> (
    None
):
    town, seen = Town(), []

    def after(tool: Any, output: Any, run: Any, step: Any) -> Any:
        seen.append(output)
        if len(seen) == 1:
            return InputClarification(argument_name="x", user_guidance="Is that right?")
        return None

    hooks = ExecutionHooks(after_tool_call=after)
    stage, model = town.stage(calls(("send", {"text": "hi"}), OSLO), says("fine"), hooks=hooks)
    stage.ask = lambda _: True
    running = asyncio.create_task(stage.run())
    await stage.until(lambda: "run_waiting" in stage.kinds)
    assert len(model.requests) == 1
    stage.answer(stage.questions[0], "yes")
    assert (await running).outputs["it"].value == "fine"
    assert town.made == ["send hi", "weather Oslo"]
    assert seen == ["sent", "sent", "fine in Oslo"]
    assert told(model)[1] == ("tool", {"output": "sent"})


# -- killed --------------------------------------------------------------------------------------


def killed(stage: Stage, call: tuple[str, dict[str, Any]], side_effect: bool | None) -> None:
    """Let a process die in the second of two calls; the first has come back."""
    name, given = call
    asked = (ToolCall("1", *OSLO), ToolCall("2", name, given))
    stage.emit(RunStarted("a process that was killed"))
    stage.emit(StepStarted("it", 1))
    stage.emit(AgentTurn("it", 1, "", asked))
    stage.emit(AgentToolCalled("it", 1, "weather", {"city": "Oslo"}, False, "k", "0.0"))
    stage.emit(AgentToolReturned("it", 1, "weather", 0.1, call="0.0", value="fine, it was"))
    stage.emit(AgentToolCalled("it", 1, name, given, side_effect, "k", "0.1"))


async def test_after_a_kill_no_call_that_came_back_is_made_again_nor_is_its_turn_asked_for() -> (
    None
):
    town = Town()
    stage, model = town.stage(says("done"))
    killed(stage, ROME, False)
    run = await stage.run()
    assert run.outputs["it"].value == "done"
    assert town.made == ["weather Rome"]
    assert [content for _, content in told(model)[1:]] == [
        {"output": "fine, it was"},
        {"output": "fine in Rome"},
    ]


@pytest.mark.parametrize(
    ("answer", "made", "output"),
    [
        (recovery.REPEAT, ["send hi"], "sent"),
        (recovery.DONE, [], "a person said that it happened"),
    ],
)
async def test_a_call_with_an_effect_that_was_killed_is_asked_about_and_heeded(
    answer: str, made: list[str], output: str
) -> None:
    town = Town()
    stage, model = town.stage(says("done"))
    killed(stage, ("send", {"text": "hi"}), True)
    run = await stage.run()
    assert run.state == "NEED_CLARIFICATION"
    (question,) = run.get_outstanding_clarifications()
    assert "'it' called send" in question.user_guidance
    assert town.made == []
    stage.ask = lambda _: True
    running = asyncio.create_task(stage.resume())
    await stage.until(lambda: stage.kinds.count("run_waiting") == 2)
    stage.answer(question, answer)
    assert (await running).outputs["it"].value == "done"
    assert town.made == made
    assert told(model)[-1] == ("tool", {"output": output})


async def test_a_killed_call_that_only_reads_is_not_asked_about_whatever_the_agent_can_do() -> None:
    town = Town()
    stage, _ = town.stage(says("done"))
    killed(stage, ROME, False)
    assert (await stage.run()).state == "COMPLETE"
    assert stage.questions == []


# -- shapes --------------------------------------------------------------------------------------


class Sky(BaseModel):
    city: str
    degrees: int


async def test_an_answer_in_a_shape_costs_no_further_call_and_a_misfit_is_mended() -> None:
    stage, model = Town().stage(
        calls(OSLO),
        calls(("final_answer", {"city": "Oslo", "degrees": "warm"})),
        calls(("final_answer", {"city": "Oslo", "degrees": 7})),
        output_schema=Sky,
    )
    run = await stage.run()
    assert run.outputs["it"].value == Sky(city="Oslo", degrees=7)
    assert "degrees" in told(model)[-1][1]["error"]
    assert "calling final_answer" in model.requests[0].messages[0].content


async def test_an_answer_in_words_is_brought_into_shape() -> None:
    stage, model = Town().stage(
        says("Seven degrees in Oslo."), {"city": "Oslo", "degrees": 7}, output_schema=Sky
    )
    assert (await stage.run()).outputs["it"].value == Sky(city="Oslo", degrees=7)
    assert isinstance(model.requests[1].answer, DataAnswer)


async def test_json_in_words_is_taken_as_it_is_and_shapes_that_are_no_objects_are_wrapped() -> None:
    stage, model = Town().stage(says('{"city": "Oslo", "degrees": 7}'), output_schema=Sky)
    assert (await stage.run()).outputs["it"].value == Sky(city="Oslo", degrees=7)
    assert len(model.requests) == 1
    stage, _ = Town().stage(calls(("final_answer", {"value": [1, 2]})), output_schema=list[int])
    assert (await stage.run()).outputs["it"].value == [1, 2]


async def test_calls_beside_the_answer_are_made_before_it_counts() -> None:
    town = Town()
    stage, _ = town.stage(
        calls(("final_answer", {"value": 1}), ("send", {"text": "hi"})), output_schema=int
    )
    assert (await stage.run()).outputs["it"].value == 1
    assert town.made == ["send hi"]


async def test_at_a_limit_the_answer_still_has_its_shape() -> None:
    stage, model = Town().stage(
        calls(OSLO), {"city": "Oslo", "degrees": 7}, output_schema=Sky, tool_call_limit=1
    )
    assert (await stage.run()).outputs["it"].value == Sky(city="Oslo", degrees=7)
    assert isinstance(model.requests[-1].answer, DataAnswer)


# -- large values --------------------------------------------------------------------------------


async def test_a_large_result_goes_by_reference_is_read_in_pieces_and_handed_on_whole() -> None:
    news, got = {"items": [{"title": "x" * 90} for _ in range(60)]}, []

    @tool(side_effect=False)
    def search() -> dict[str, Any]:
        """Search."""
        return news

    @tool(side_effect=False)
    def count(of: Any) -> int:
        """Count."""
        got.append(of)
        return len(of)

    def pass_on(model: Answering) -> str:
        return next(c for r, c in told(model) if r == "tool")["output"]["by_reference"]

    class Clever(Answering):
        async def reply(self, request: Any, *, on_text: Any = None) -> ModelReply:
            number = len(self.requests)
            self.requests.append(request)
            if number == 0:
                return calls(("search", {}))
            if number == 1:
                reads = {"reference": pass_on(self), "path": "items.0.title", "length": 5}
                whole = {"of": {"by_reference": pass_on(self), "path": "items"}}
                return calls(("read_value", reads), ("count", whole))
            return says("60")

    model = Clever()
    plan = PlanBuilderV2().react_agent_step(task="?", tools=[search, count], step_name="it").build()
    run = await Stage(plan, model=model).run()
    assert run.outputs["it"].value == "60", run.error
    assert got == [news["items"]] and got[0] is news["items"], "the value itself, not a copy"
    results = [content["output"] for role, content in told(model) if role == "tool"]
    assert set(results[0]) == {"by_reference", "type", "size", "preview"}
    assert results[1]["text"] == "xxxxx" and results[1]["of"] == 90
    assert results[2] == 60
    everything = "".join(m.content for r in model.requests for m in r.messages)
    assert len(everything) < 6_000, "what is large is never written out"
    first, second = (r.answer for r in model.requests[:2])
    assert isinstance(first, CallAnswer) and isinstance(second, CallAnswer)
    assert [s.name for s in first.tools] == ["search", "count"]
    assert [s.name for s in second.tools] == ["search", "count", "read_value"]


async def test_a_call_that_asks_keeps_the_value_that_it_was_given_by_reference() -> None:
    got: list[str] = []

    @tool(side_effect=False)
    def fetch() -> str:
        """Fetch."""
        return "x" * 5_000

    @tool(side_effect=False)
    def save(text: str, ctx: ToolRunContext) -> Any:
        """Save."""
        got.append(text)
        if not ctx.clarifications:
            return UserVerificationClarification(user_guidance="Sure?")
        return "saved"

    class Passing(Answering):
        async def reply(self, request: Any, *, on_text: Any = None) -> ModelReply:
            self.requests.append(request)
            if len(self.requests) == 1:
                return calls(("fetch", {}))
            if len(self.requests) == 2:
                reference = told(self)[-1][1]["output"]["by_reference"]
                return calls(("save", {"text": {"by_reference": reference}}))
            return says("done")

    model = Passing()
    plan = PlanBuilderV2().react_agent_step(task="?", tools=[fetch, save], step_name="it").build()
    stage = Stage(plan, model=model, large_output_threshold_tokens=100)
    assert (await stage.run()).state == "NEED_CLARIFICATION"
    stage.answer(stage.questions[0], "yes")
    assert (await stage.resume()).state == "COMPLETE"
    assert told(model)[-1] == ("tool", {"output": "saved"})
    assert got == ["x" * 5_000] * 2
