"""Agents through the real client: killed in mid-conversation, in shapes, with large values."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from portia_nb import PlanBuilderV2, StepOutput, tool
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Call, Reply

from .conftest import Story
from .programs import Program, environment_of, output_of

PROGRAM = '''
"""An agent of two tools, each of which leaves a line in calls.txt. main.py HOW WHERE"""
import sys
from pathlib import Path
from portia_nb import PlanBuilderV2, Portia, tool

HOW, WHERE = sys.argv[1], sys.argv[2]


def leave_a_line(text):
    with Path("calls.txt").open("a") as calls:
        calls.write(f"{text}\\\\n")
    if HOW == "start" and text == WHERE:
        print("waiting", flush=True)
        sys.stdin.read()


@tool(side_effect=False)
def look(at: str) -> dict:
    """Look at something."""
    leave_a_line(f"look {at}")
    return {"at": at, "seen": [1, 2.5, None]}


@tool(side_effect=True)
def send(to: str) -> str:
    """Send it."""
    leave_a_line(f"send {to}")
    return f"sent to {to}"


plan = (
    PlanBuilderV2()
    .function_step(function=lambda: "before", step_name="before")
    .react_agent_step(task="Look around, then send", tools=[look, send], step_name="agent")
    .build()
)
portia = Portia()
if HOW == "start":
    portia.run_plan(plan)
else:
    (row,) = portia.store.find_runs()
    run = portia.resume(plan_run_id=row.run_id)
    for question in run.get_outstanding_clarifications():
        print(question.user_guidance)
        portia.resolve_clarification(question, HOW)
        run = portia.resume(run)
    print(run.state, run.final_output and run.final_output.value)
'''.replace("\\\\n", "\\n")
# One reply after the other; by how many results of tools the request holds.
ASKED: dict[int, tuple[tuple[str, dict[str, str]], ...]] = {
    0: (("look", {"at": "a"}), ("look", {"at": "b"})),
    2: (("look", {"at": "c"}),),
    3: (("send", {"to": "ada"}),),
}


def answer(request: Any) -> Any:
    asked = ASKED.get(sum(m["role"] == "tool" for m in request.messages))
    if asked is None:
        return "All is seen and sent."
    return Reply(calls=tuple(Call(name=name, arguments=given) for name, given in asked))


def lines(folder: Path) -> list[str]:
    return (folder / "calls.txt").read_text(encoding="utf-8").split("\n")[:-1]


def kill(story: Story, openai: OpenAIServer, where: str) -> None:
    variables = environment_of(openai)
    with Program(story.folder, PROGRAM, "start", where, variables=variables) as program:
        assert program.wait_for_line() == "waiting"
        assert program.kill() == -signal.SIGKILL


@pytest.mark.timeout(60)
def test_an_agent_that_was_killed_goes_on_elsewhere_and_repeats_no_call_that_came_back(
    story: Story,
):
    with OpenAIServer(answer) as openai:
        kill(story, openai, "look c")
        assert sorted(lines(story.folder)) == ["look a", "look b", "look c"]
        assert len(openai.requests) == 2
        said = output_of(story.folder, PROGRAM, "resume", "", variables=environment_of(openai))
        assert said == "COMPLETE All is seen and sent.\n"
        assert sorted(lines(story.folder)[:2]) == ["look a", "look b"]
        assert lines(story.folder)[2:] == ["look c", "look c", "send ada"]
        assert len(openai.requests) == 4, "no turn is asked for again either"
        results = [m["content"] for m in openai.requests[-1].messages if m["role"] == "tool"]
        assert json.loads(results[0]) == {"output": {"at": "a", "seen": [1, 2.5, None]}}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("word", "sent", "output"),
    [
        ("call it again", 2, "sent to ada"),
        ("it happened: go on without its output", 1, "a person said that it happened"),
    ],
)
def test_an_agents_call_with_an_effect_that_was_killed_is_asked_about(
    story: Story, word: str, sent: int, output: str
):
    with OpenAIServer(answer) as openai:
        kill(story, openai, "send ada")
        said = output_of(story.folder, PROGRAM, word, "", variables=environment_of(openai))
        question, ending = said.splitlines()
        story.says(question, "'agent' called send", "nobody here knows what became of the call")
        assert ending == "COMPLETE All is seen and sent."
        assert lines(story.folder).count("send ada") == sent
        last = [m["content"] for m in openai.requests[-1].messages if m["role"] == "tool"][-1]
        assert json.loads(last) == {"output": output}


class Report(BaseModel):
    title: str
    rows: int


def test_an_agent_with_a_shape_and_a_large_value_through_the_real_client(story: Story):
    whole = [{"n": n, "text": f"row {n} " * 5} for n in range(200)]
    got: list[Any] = []

    @tool(side_effect=False)
    def count(rows: list[dict[str, Any]]) -> int:
        """Count rows."""
        got.append(rows)
        return len(rows)

    def reply(request: Any) -> Any:
        shown = json.loads(request.messages[1]["content"])["inputs"]["rows"]
        results = [json.loads(m["content"]) for m in request.messages if m["role"] == "tool"]
        reference = shown["by_reference"]
        match len(results):
            case 0:
                look = {"reference": reference, "path": "0.text", "start": None, "length": 5}
                return Reply(calls=(Call(name="read_value", arguments=look),))
            case 1:
                given = {"rows": {"by_reference": reference, "path": None}}
                return Reply(calls=(Call(name="count", arguments=given),))
            case 2:
                wrong = {"title": results[0]["output"]["text"], "rows": "many"}
                return Reply(calls=(Call(name="final_answer", arguments=wrong),))
        final = {"title": results[0]["output"]["text"], "rows": results[1]["output"]}
        return Reply(calls=(Call(name="final_answer", arguments=final),))

    plan = (
        story.builder()
        .function_step(function=lambda: whole, step_name="rows")
        .react_agent_step(
            task="Report",
            tools=[count],
            inputs={"rows": StepOutput("rows")},
            output_schema=Report,
            step_name="act",
        )
        .build()
    )
    with OpenAIServer(reply) as openai:
        run = story.portia(openai).run_plan(plan)
        assert run.state == "COMPLETE", run.error
        assert run.outputs["act"].value == Report(title="row 0", rows=200)
        assert len(openai.requests) == 4
        assert max(request.prompt_characters for request in openai.requests) < 4_500
    assert got == [whole]


def test_a_single_tool_agent_reads_and_passes_on_a_large_input_through_the_real_client(
    story: Story,
):
    got: list[Any] = []

    @tool(side_effect=False)
    def keep(text: str, title: str) -> str:
        """Keep a text."""
        got.append((text, title))
        return "kept"

    def reply(request: Any) -> Any:
        reference = json.loads(request.messages[1]["content"])["inputs"]["it"]["by_reference"]
        if request.messages[-1]["role"] != "tool":
            look = {"reference": reference, "path": None, "start": 0, "length": 4}
            return Reply(calls=(Call(name="read_value", arguments=look),))
        title = json.loads(request.messages[-1]["content"])["output"]["text"]
        given = {"text": {"by_reference": reference, "path": None}, "title": title, "missing": []}
        return Reply(calls=(Call(name="keep", arguments=given),))

    text = "Once upon a time. " * 500
    plan = (
        PlanBuilderV2()
        .function_step(function=lambda: text, step_name="early")
        .single_tool_agent_step(
            tool=keep, task="Keep it", inputs={"it": StepOutput("early")}, step_name="act"
        )
        .build()
    )
    with OpenAIServer(reply) as openai:
        run = story.portia(openai).run_plan(plan)
        assert run.state == "COMPLETE", run.error
        assert len(openai.requests) == 2
        assert all(request.prompt_characters < 3_500 for request in openai.requests)
    assert got == [(text, "Once")]


def test_a_single_tool_agent_asks_for_what_it_would_have_to_make_up(story: Story):
    @tool(side_effect=False)
    def book(city: str, nights: int, name: str) -> str:
        """Book a room."""
        return f"{name}: {nights} nights in {city}"

    invented = {
        "city": "Oslo",
        "nights": 2,
        "name": None,
        "missing": [{"argument": "name", "question": "In whose name?"}],
    }
    plan = (
        PlanBuilderV2()
        .single_tool_agent_step(tool=book, task="Book two nights in Oslo", step_name="act")
        .build()
    )
    with OpenAIServer(lambda _: Reply(data=invented)) as openai:
        portia = story.portia(openai)
        run = portia.run_plan(plan)
        assert run.state == "NEED_CLARIFICATION"
        (question,) = run.get_outstanding_clarifications()
        story.says(question.user_guidance, "In whose name?")
        portia.resolve_clarification(question, "Ada")
        assert portia.resume(run).outputs["act"].value == "Ada: 2 nights in Oslo"
        assert len(openai.requests) == 1
        assert "Never make a value up" in openai.requests[0].text

    given = {"city": "Oslo", "nights": 2, "name": "guest"}
    with OpenAIServer(lambda _: Reply(data=given)) as openai:
        run = story.portia(openai, argument_clarifications_enabled=False).run_plan(plan)
        assert run.outputs["act"].value == "guest: 2 nights in Oslo"
        assert "missing" not in json.dumps(openai.requests[0].body["tools"])


def test_an_agent_is_recorded_and_replayed_without_model_or_tools(story: Story):
    made: list[str] = []

    @tool(side_effect=False)
    def look(at: str) -> str:
        """Look."""
        made.append(at)
        return f"{at} is fine. " * (1_000 if at == "b" else 1)

    @tool(side_effect=True)
    def send(to: str) -> str:
        """Send."""
        made.append(to)
        return "sent"

    plan = PlanBuilderV2().react_agent_step(task="Look", tools=[look, send], step_name="it").build()
    record = story.folder / "agent.json"
    with OpenAIServer(answer) as openai:
        first = story.portia(openai).recording(record).run_plan(plan)
        assert first.state == "COMPLETE", first.error
        assert len(openai.requests) == 4
    assert sorted(made) == ["a", "ada", "b", "c"]
    again = story.portia().replaying(record).run_plan(plan)
    assert again.state == "COMPLETE", again.error
    assert again.outputs["it"].value == first.outputs["it"].value
    assert len(made) == 4, "no tool was called again"


def test_a_limit_that_an_agent_reaches_is_in_the_log(
    story: Story, caplog: pytest.LogCaptureFixture
):
    @tool(side_effect=False)
    def look(at: str) -> str:
        """Look."""
        return at

    plan = (
        PlanBuilderV2()
        .react_agent_step(task="Look", tools=[look], step_name="it", tool_call_limit=1)
        .build()
    )
    with OpenAIServer(lambda r: answer(r) if r.body.get("tools") else "From one look.") as openai:
        with caplog.at_level("WARNING", logger="portia_nb"):
            run = story.portia(openai).run_plan(plan)
        assert run.outputs["it"].value == "From one look."
    said = story.says(caplog.text, "step it: tool_call_limit=1 is reached")
    assert "give react_agent_step a higher tool_call_limit" in said


def test_an_agent_in_a_loop_has_a_conversation_for_each_round_side_by_side(story: Story):
    @tool(side_effect=False)
    def look(at: str) -> str:
        """Look."""
        return f"fine in {at}"

    def reply(request: Any) -> Any:
        city = json.loads(request.messages[1]["content"])["task"].removeprefix("See ")
        results = [json.loads(m["content"]) for m in request.messages if m["role"] == "tool"]
        if not results:
            return Reply(calls=(Call(name="look", arguments={"at": city}),))
        return f"{results[0]['output']}."

    plan = (
        PlanBuilderV2()
        .loop(over=["Oslo", "Rome", "Bonn"], step_name="city", parallel=True)
        .react_agent_step(task=f"See {StepOutput('city')}", tools=[look], step_name="see")
        .end_loop()
        .function_step(
            function=lambda all_of_them: all_of_them,
            args={"all_of_them": StepOutput("see", full=True)},
            step_name="end",
        )
        .build()
    )
    with OpenAIServer(reply) as openai:
        run = story.portia(openai).run_plan(plan)
        assert run.outputs["end"].value == ["fine in Oslo.", "fine in Rome.", "fine in Bonn."]
        assert len(openai.requests) == 6
