"""What models, tools and people answered is recorded in one file, and replayed without any."""

from __future__ import annotations

import datetime
import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import BaseModel

from portia_nb import (
    ClarificationHandler,
    Config,
    ExecutionHooks,
    InputClarification,
    LocalDataValue,
    PlanBuilderV2,
    PlanRun,
    PlanRunState,
    Portia,
    StepOutput,
    Tool,
    ToolHardError,
    ToolRunContext,
    ToolSoftError,
    tool,
)
from portia_nb.errors import PlanCheckError, RecordDrift
from portia_nb.model.language import Message, ModelRequest
from portia_nb.running.background import background
from tests.planning.test_planner_on_the_wire import on_the_wire
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Call, Reply
from tests.servers.tavily_server import TavilyServer

KEY = "sk-recording-0123456789"


class NoNetwork:
    """Refuses every connection but those that are there, and remembers who wanted one."""

    def __init__(self) -> None:
        self.asked_for: list[Any] = []

    def refuse(self, *arguments: Any, **_: Any) -> Any:
        self.asked_for.append(arguments)
        raise OSError(f"no network here: {arguments[-1]!r}")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], NoNetwork]]:
    """Return what turns the network off until the test ends; nothing may have wanted it."""
    found: list[NoNetwork] = []

    def turn_off() -> NoNetwork:
        off = NoNetwork()
        monkeypatch.setattr(socket.socket, "connect", off.refuse)
        monkeypatch.setattr(socket.socket, "connect_ex", off.refuse)
        monkeypatch.setattr(socket, "getaddrinfo", off.refuse)
        found.append(off)
        return off

    yield turn_off
    assert all(not each.asked_for for each in found)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "lesson.json"


def portia(server: OpenAIServer | None = None, tools: Any = (), **settings: Any) -> Portia:
    """Return a Portia in memory, that asks `server` with a key."""
    hooks = settings.pop("hooks", None)
    if server is not None:
        settings = {"base_url": server.url, "openai_api_key": KEY, "model_retries": 0, **settings}
    return Portia(Config(store="memory", **settings), tools=list(tools), execution_hooks=hooks)


def values(run: PlanRun) -> dict[str, Any]:
    assert run.state is PlanRunState.COMPLETE, run.error
    return {name: output.value for name, output in run.outputs.step_outputs.items()}


class Place(BaseModel):
    name: str
    at: tuple[float, float]


class Verdict(BaseModel):
    good: bool


class Thermometer:
    """A tool whose calls are counted, with another answer each time."""

    def __init__(self, side_effect: bool | None = False) -> None:
        self.calls: list[str] = []

        @tool(side_effect=side_effect)
        def temperature(city: str) -> dict[str, Any]:
            """Tell the temperature in a city."""
            self.calls.append(city)
            return {"city": city, "on": datetime.date(2024, 1, len(self.calls)), "t": (1, 2.5)}

        self.tool = temperature()


# -- what is recorded plays again ----------------------------------------------------------------


def test_a_query_that_was_planned_and_run_replays_without_key_network_or_call(
    file: Path, no_network: Callable[[], NoNetwork]
):
    query = "Which grew faster, Amazon or Google?"

    def answer(request: Any) -> Any:
        if request.body.get("response_format"):
            return {
                "steps": [
                    on_the_wire("amazon", "search_tool", {"search_query": "Amazon growth"}),
                    on_the_wire("google", "search_tool", {"search_query": "Google growth"}),
                    on_the_wire("said", inputs=["$amazon", "$google"]),
                ],
                "error": None,
            }
        return "Amazon did."

    with OpenAIServer(answer) as openai, TavilyServer() as tavily:
        config = Config(
            store="memory",
            base_url=openai.url,
            openai_api_key=KEY,
            tavily_api_key="tvly-recording-0123456789",
            tavily_base_url=tavily.url,
        )
        recorder = Portia(config).recording(file)
        recorded = recorder.run(query)
        assert (len(openai.requests), len(tavily.requests)) == (2, 2)
        search: Any = recorder.tools.get_tool("search_tool")
        background.submit(search.aclose()).result(10)
    no_network()
    # The default tools of a Portia without keys: those that the record was made with.
    player = Portia(Config(store="memory")).replaying(file)
    again = player.run(query)
    assert values(again) == values(recorded)
    assert again.outputs.final_output == recorded.outputs.final_output
    assert player.unused_calls() == ()


def test_after_a_recording_the_functions_of_a_plan_are_still_found(file: Path):
    def halve(n: int) -> float:
        return n / 2

    plan = PlanBuilderV2().function_step(function=halve, args={"n": 42}, step_name="half").build()
    portia = Portia(Config(store="memory"))
    first = portia.run_plan(plan)
    portia.recording(file).run_plan(plan)
    assert portia.fork(first, "half", args={"n": 10}).final_output.value == 5


def test_what_a_tool_put_out_comes_back_as_it_was(file: Path):
    @tool(side_effect=False)
    def sales() -> pd.DataFrame:
        """Tell the sales."""
        return pd.DataFrame({"n": [1, 2]}, index=pd.to_datetime(["2024-01-01", "2024-01-02"]))

    @tool
    def where() -> list[Place]:
        """Tell where."""
        return [Place(name="Oslo", at=(59.9, 10.8))]

    @tool
    def bytes_too() -> LocalDataValue:
        """Tell bytes."""
        return LocalDataValue(value=b"\0\1", summary="two bytes")

    builder = PlanBuilderV2("x")
    for each in (sales, where, bytes_too):
        builder.invoke_tool_step(tool=each(), step_name=each.__name__.lower())
    plan = builder.build()
    recorded = portia().recording(file).run_plan(plan)
    again = portia().replaying(file).run_plan(plan)
    one, two = values(recorded), values(again)
    pd.testing.assert_frame_equal(one["$step_0_output"], two["$step_0_output"])
    assert two["$step_1_output"] == [Place(name="Oslo", at=(59.9, 10.8))]
    assert type(two["$step_1_output"][0]) is Place
    assert two["$step_2_output"] == b"\0\1"
    assert again.outputs.step_outputs["$step_2_output"].summary == "two bytes"


def test_a_value_that_is_nested_too_deep_for_json_spoils_no_record(file: Path):
    @tool
    def deep() -> Any:
        """Nest."""
        value: Any = "x"
        for _ in range(190):
            value = [value]
        return value

    plan = PlanBuilderV2("x").invoke_tool_step(tool=deep(), step_name="deep").build()
    portia().recording(file).run_plan(plan)
    run = portia().replaying(file).run_plan(plan)
    assert run.error is not None and "a record can't keep" in run.error.message


def test_steps_side_by_side_that_ask_the_same_get_their_own_answers(file: Path):
    @tool(side_effect=False)
    def dice() -> str:
        """Throw a dice."""
        return f"thrown by {threading.get_ident()}, {len(thrown)}{thrown.append(1) or ''}"

    thrown: list[int] = []
    builder = PlanBuilderV2("x")
    for number in range(8):
        builder.invoke_tool_step(tool=dice(), step_name=f"throw_{number}")
        builder.llm_step(task="Say a number", step_name=f"say_{number}")
    plan = builder.build()
    said = iter(range(100))
    with OpenAIServer(lambda _: str(next(said))) as server:
        recorded = portia(server).recording(file).run_plan(plan)
    assert len(set(values(recorded).values())) == 16
    player = portia().replaying(file)
    for _ in range(3):  # from the first to the last answer, and then anew
        assert values(player.run_plan(plan)) == values(recorded)


def test_the_nth_call_gets_the_nth_answer(file: Path):
    heat = Thermometer()
    plan = PlanBuilderV2("x").invoke_tool_step(tool=heat.tool, args={"city": "Oslo"}).build()
    recorder = portia().recording(file)
    recorded = [values(recorder.run_plan(plan)) for _ in range(3)]
    assert recorded[0] != recorded[1] != recorded[2]
    player = portia().replaying(file)
    assert [values(player.run_plan(plan)) for _ in range(3)] == recorded
    assert len(heat.calls) == 3


def test_every_kind_of_model_call_in_a_run_is_answered_from_the_record(file: Path):
    heat = Thermometer()
    plan = (
        PlanBuilderV2("How is it?")
        .single_tool_agent_step(tool=heat.tool, task="Ask for Oslo", step_name="agent")
        .llm_step(task="Judge", inputs=[StepOutput("agent")], output_schema=Verdict)
        .if_(condition="it is good", args={"agent": StepOutput("agent")})
        .llm_step(task="Praise", step_name="praise")
        .endif()
        .final_output(summarize=True)
        .build()
    )

    def answer(request: Any) -> Any:
        wanted = json.dumps(request.body.get("response_format", ""))
        if request.body.get("tools"):
            return Reply(
                calls=[Call(name="temperature", arguments={"city": "Oslo", "missing": []})]
            )
        if "holds" in wanted:
            return {"holds": True}
        return {"good": True} if "good" in wanted else "Fine."

    with OpenAIServer(answer) as server:
        recorded = portia(server).recording(file).run_plan(plan)
        count = len(server.requests)
    assert recorded.state is PlanRunState.COMPLETE, recorded.error
    record = json.loads(file.read_text())
    assert len(record["replies"]) == count >= 5
    assert {each["purpose"] for each in record["replies"]} == {
        "execution",
        "introspection",
        "summary",
    }
    again = portia().replaying(file).run_plan(plan)
    assert values(again) == values(recorded)
    assert again.outputs.final_output == recorded.outputs.final_output
    assert type(values(again)["$step_1_output"]) is Verdict
    assert heat.calls == ["Oslo"]


# -- errors, questions, effects ------------------------------------------------------------------


class StrangeError(Exception):
    pass


@pytest.mark.parametrize(
    "error",
    [ToolHardError("no such city"), KeyError("oslo"), StrangeError("odd"), OSError(2, "gone")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_of_a_tool_is_raised_again_under_its_name(file: Path, error: Exception):
    calls: list[int] = []

    @tool(side_effect=False)
    def fail() -> str:
        """Fail."""
        calls.append(1)
        raise error

    plan = PlanBuilderV2("x").invoke_tool_step(tool=fail(), step_name="act", retries=0).build()
    recorded = portia().recording(file).run_plan(plan)
    again = portia().replaying(file).run_plan(plan)
    assert recorded.error is not None and again.error is not None
    found = (again.error.type, again.error.message, again.error.step)
    assert found == (recorded.error.type, recorded.error.message, recorded.error.step)
    assert len(calls) == 1


def test_what_failed_first_and_then_did_not_replays_so(file: Path):
    tries: list[int] = []

    @tool(side_effect=False)
    def flaky() -> str:
        """Fail once."""
        tries.append(1)
        if len(tries) == 1:
            raise ToolSoftError("once more")
        return "there"

    plan = PlanBuilderV2("x").invoke_tool_step(tool=flaky(), retries=2).build()
    recorded = portia().recording(file).run_plan(plan)
    assert values(portia().replaying(file).run_plan(plan)) == values(recorded)
    record = json.loads(file.read_text())
    assert [each.get("error", {}).get("type") for each in record["outputs"]] == [
        "ToolSoftError",
        None,
    ]
    assert len(tries) == 2


class Booking(Tool[str]):
    """Asks for the day before it books."""

    id: str = "book"
    name: str = "Book"
    description: str = "Books a day."

    def run(self, ctx: ToolRunContext) -> str | InputClarification:  # type: ignore[override]
        if not ctx.clarifications:
            return InputClarification(argument_name="day", user_guidance="Which day?")
        return f"booked {ctx.clarifications[-1].response}"


class Person(ClarificationHandler):
    def __init__(self) -> None:
        self.asked: list[str] = []

    def handle(self, clarification: Any, on_resolution: Any, on_error: Any) -> None:
        self.asked.append(clarification.user_guidance)
        on_resolution(clarification, "Monday")


def test_what_a_person_answered_is_answered_again(file: Path):
    person = Person()
    plan = (
        PlanBuilderV2("x")
        .invoke_tool_step(tool=Booking(), step_name="book")
        .user_input(message="And who?", step_name="who")
        .build()
    )
    hooks = ExecutionHooks(clarification_handler=person)
    recorded = portia(hooks=hooks).recording(file).run_plan(plan)
    assert values(recorded)["$step_0_output"] == "booked Monday"
    assert sorted(person.asked) == ["And who?", "Which day?"]
    player = portia().replaying(file)  # with nobody there
    again = player.run_plan(plan)
    assert values(again) == values(recorded)
    assert player.unused_calls() == ()
    assert len(person.asked) == 2


def test_code_that_answers_a_question_finds_it_open_again(file: Path):
    plan = PlanBuilderV2("x").invoke_tool_step(tool=Booking(), step_name="book").build()

    def story(portia: Portia) -> dict[str, Any]:
        run = portia.run_plan(plan)
        (question,) = run.get_outstanding_clarifications()
        run = portia.resolve_clarification(question, "Tuesday", run)
        return values(portia.resume(run))

    recorded = story(portia().recording(file))
    assert recorded == {"$step_0_output": "booked Tuesday"}
    assert story(portia().replaying(file)) == recorded


def test_nothing_that_changes_the_world_is_called_or_approved_in_a_replay(file: Path):
    sent: list[str] = []
    approved: list[str] = []

    @tool(side_effect=True)
    def send(text: str) -> str:
        """Send a text."""
        sent.append(text)
        return "sent"

    def publish(text: str) -> str:
        sent.append(text)
        return "published"

    def approve(name: str, arguments: dict[str, Any]) -> bool:
        approved.append(name)
        return True

    plan = (
        PlanBuilderV2("x")
        .invoke_tool_step(tool=send(), args={"text": "hello"})
        .function_step(function=publish, args={"text": "all"}, side_effect=True)
        .build()
    )
    recorded = portia(approve=approve).recording(file).run_plan(plan)
    assert sent == ["hello", "all"] and len(approved) == 2
    assert values(portia(approve=approve).replaying(file).run_plan(plan)) == values(recorded)
    assert sent == ["hello", "all"] and len(approved) == 2


def test_functions_that_do_not_declare_an_effect_run_again(file: Path):
    heat, calls = Thermometer(), []

    def note(found: Any) -> str:
        calls.append(found)
        return f"noted {found['city']}"

    plan = (
        PlanBuilderV2("x")
        .invoke_tool_step(tool=heat.tool, args={"city": "Oslo"}, step_name="heat")
        .function_step(function=note, args={"found": StepOutput("heat")})
        .build()
    )
    recorded = portia().recording(file).run_plan(plan)
    assert values(portia().replaying(file).run_plan(plan)) == values(recorded)
    assert len(calls) == 2 and calls[0] == calls[1]
    assert [each["tool_id"] for each in json.loads(file.read_text())["outputs"]] == ["temperature"]


class Asks(Tool[str]):
    """Asks the model itself."""

    id: str = "asks"
    name: str = "Asks"
    description: str = "Asks the model."

    async def arun(self, ctx: ToolRunContext) -> str:  # type: ignore[override]
        assert ctx.model is not None
        reply = await ctx.model.reply(ModelRequest((Message("user", "Well?"),)))
        return f"it said {reply.text}"


def test_a_tool_that_asks_a_model_is_kept_once_by_its_output_or_by_its_replies(file: Path):
    plan = (
        PlanBuilderV2("x")
        .invoke_tool_step(tool=Asks())
        .invoke_tool_step(tool="llm_tool", args={"task": "Say hello"})
        .build()
    )
    with OpenAIServer(lambda request: request.messages[-1]["content"].upper()) as server:
        recorded = portia(server).recording(file).run_plan(plan)
    record = json.loads(file.read_text())
    assert [each["tool_id"] for each in record["outputs"]] == ["asks"]
    assert [each["key"][0] for each in record["replies"]] == ["llm_tool"]
    player = portia().replaying(file)
    assert values(player.run_plan(plan)) == values(recorded)
    assert player.unused_calls() == ()


def test_an_output_that_cannot_be_kept_is_made_again_by_a_tool_that_only_reads(file: Path):
    made: list[Any] = []

    def plan_of(side_effect: bool | None) -> Any:
        @tool(side_effect=side_effect)
        def lock() -> Any:
            """Make a lock."""
            made.append(threading.Lock())
            return made[-1]

        return PlanBuilderV2("x").invoke_tool_step(tool=lock(), step_name="lock").build()

    for side_effect in (False, None):
        plan = plan_of(side_effect)
        portia().recording(file).run_plan(plan)
        run = portia().replaying(file).run_plan(plan)
        if side_effect is False:
            assert values(run)["$step_0_output"] is made[1]
        else:
            assert run.error is not None and run.error.type == "RecordDrift"
            assert "a record can't keep" in run.error.message
            assert "side_effect=False" in run.error.message
    assert len(made) == 3


# -- drift ---------------------------------------------------------------------------------------


def test_a_replay_without_the_tools_of_its_plan_says_that_it_needs_them(file: Path):
    heat = Thermometer()
    plan = PlanBuilderV2("x").invoke_tool_step(tool="temperature", args={"city": "Oslo"}).build()
    portia(tools=[heat.tool]).recording(file).run_plan(plan)
    with pytest.raises(PlanCheckError, match=r"no tool 'temperature'.*A replay calls no tool"):
        portia().replaying(file).run_plan(plan)
    with pytest.raises(PlanCheckError) as refused:
        portia().run_plan(plan)
    assert "replay" not in str(refused.value)
    assert heat.calls == ["Oslo"]


def test_a_call_that_the_record_does_not_hold_fails_at_once_with_the_difference(file: Path):
    heat = Thermometer()

    def plan_of(city: str) -> Any:
        return (
            PlanBuilderV2("x")
            .invoke_tool_step(tool=heat.tool, args={"city": city}, step_name="heat", retries=5)
            .build()
        )

    portia().recording(file).run_plan(plan_of("Oslo"))
    player = portia().replaying(file)
    run = player.run_plan(plan_of("Rome"))
    assert run.state is PlanRunState.FAILED and run.error is not None
    assert (run.error.type, run.error.step) == ("RecordDrift", "heat")
    assert '- "city": "Oslo"\n+ "city": "Rome"' in run.error.message
    assert player.unused_calls() == ("call of temperature in step 'heat'",)
    assert heat.calls == ["Oslo"]
    with pytest.raises(RecordDrift, match="no planning call at all"):
        player.plan("What now?")


def test_a_question_that_nobody_answered_in_time_fails_the_replay_too(file: Path):
    class Silent(ClarificationHandler):
        def handle_input_clarification(self, *_: Any) -> None:
            pass

    plan = (
        PlanBuilderV2()
        .user_input(message="City?", step_name="city", expires_in_s=0.05)
        .user_input(message="Unit?", step_name="unit", expires_in_s=0.05, default="EUR")
        .build()
    )
    for settings in ({"record": file}, {"replay": file}):
        home = portia(hooks=ExecutionHooks(clarification_handler=Silent()), **settings)
        run = home.run_plan(plan)
        assert run.error is not None and run.error.type == "ClarificationExpired", settings
