"""The log shows what happens as it happens; a key is found nowhere, whoever says it aloud."""

from __future__ import annotations

import base64
import json
import logging
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from portia_nb import PlanRunState, StepOutput, tool
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import failing
from tests.servers.tavily_server import TavilyServer

from .conftest import EARLY, Story
from .programs import Program

# -- the log -------------------------------------------------------------------------------------


@tool(side_effect=False)
def shout(text: str) -> str:
    """Shout a text."""
    return text.upper()


def in_order(log: str, *parts: str) -> None:
    """Check that `parts` stand in `log` in this order."""
    place = 0
    for part in parts:
        found = log.find(part, place)
        assert found >= 0, f"{part!r} isn't in the log after character {place}:\n{log}"
        place = found + len(part)


def test_debug_shows_every_state_change_tool_call_and_output_as_it_happens(story: Story):
    sink = story.folder / "portia.log"
    plan = (
        story.builder()
        .invoke_tool_step(tool=shout(), args={"text": "hello"}, step_name="loud")
        .llm_step(task="Sum up.", inputs=[StepOutput("loud")], step_name="speak")
        .user_verify(message="Send it?", step_name="approve")
        .build()
    )
    with OpenAIServer(["Summed up."]) as server:
        portia = story.portia(server, default_log_level="DEBUG", default_log_sink=str(sink))
        run = portia.run_plan(plan)
        (question,) = run.get_outstanding_clarifications()
        run = portia.resolve_clarification(question, "yes", run)
        run = portia.resume(run)
    assert run.state is PlanRunState.COMPLETE
    log = sink.read_text()
    assert log.count("starts; models: ") == 1
    in_order(
        log,
        "starts; models: planning openai/gpt-",
        "execution openai/gpt-",
        f"run {run.id} → IN_PROGRESS",
        "executing step 0 early",
        "step early: invoking",
        f"completed step early: {json.dumps(EARLY)}",
        '"$step_0_output"',
        "executing step 2 speak",
        "openai/",
        "completed step speak: Summed up.",
        "executing step 3 approve",
        "clarification requested by approve: Send it?",
        f"run {run.id} → NEED_CLARIFICATION",
        "clarification resolved by the caller: true",
        f"run {run.id} → READY_TO_RESUME",
        f"run {run.id} → IN_PROGRESS",
        f"run {run.id} → COMPLETE",
        "final output",
    )
    in_order(log, "step loud: invoking shout with", "hello", "shout executed", "HELLO")


def test_info_takes_a_few_lines_and_shows_no_output(story: Story):
    sink = story.folder / "portia.log"
    portia = story.portia(default_log_sink=str(sink))
    run = portia.run_plan(story.builder().build())
    log = sink.read_text()
    assert [line.split(" ", 3)[3] for line in log.splitlines()] == [
        f"run {run.id} → IN_PROGRESS",
        f"run {run.id} → COMPLETE",
    ]


def test_a_json_log_has_one_object_a_line(story: Story):
    sink = story.folder / "portia.log"
    portia = story.portia(
        default_log_sink=str(sink), default_log_level="DEBUG", json_log_serialize=True
    )
    portia.run_plan(story.builder().build())
    records = [json.loads(line) for line in sink.read_text().splitlines()]
    assert {"time", "level", "message"} <= set(records[0])
    assert {"DEBUG", "INFO"} == {record["level"] for record in records}


# -- secrets -------------------------------------------------------------------------------------

OPENAI_CANARY = "sk-canary-4fQ9/xL+7z="
TAVILY_CANARY = "tvly-canary-8pW2vNc6Rk"

LEAKY = """
import logging, os, sys, traceback
from urllib.parse import quote
from portia_nb import PlanBuilderV2, Portia, ToolHardError, example_tool_registry, tool


@tool(side_effect=False)
def curse(header: str) -> str:
    "Fail as careless clients do: with the whole request in the message."
    raise ToolHardError(f"request failed: GET /v1 Authorization: Bearer {os.environ[header]}")


def curse_plainly():
    raise ConnectionError(f"could not connect with {os.environ['TAVILY_API_KEY']}")


async def curse_later():
    raise KeyError(os.environ["OPENAI_API_KEY"])


def curse_with_an_address():
    raise OSError("401 for http://example.org/?key=" + quote(os.environ["OPENAI_API_KEY"], safe=""))


def steps():
    yield lambda plan: plan.function_step(function=curse_with_an_address)
    yield lambda plan: plan.llm_step(task="Sum up.")
    yield lambda plan: plan.invoke_tool_step(tool="search_tool", args={"search_query": "x"})
    yield lambda plan: plan.invoke_tool_step(tool=curse(), args={"header": "OPENAI_API_KEY"})
    yield lambda plan: plan.invoke_tool_step(tool=curse(), args={"header": "TAVILY_API_KEY"})
    yield lambda plan: plan.function_step(function=curse_plainly)
    yield lambda plan: plan.function_step(function=curse_later)


for number, add in enumerate(steps()):
    if number == 4:  # from here on into the program's own log, everybody's records
        logging.basicConfig(filename="own.log", level=logging.DEBUG)
    if number in (0, 4):
        portia = Portia(tools=example_tool_registry)
        print(portia.config, repr(portia), portia.config.model_dump_json())
    run = portia.run_plan(add(PlanBuilderV2("Leak")).build())
    assert run.state == "FAILED", run
    print(run.model_dump_json(indent=2), run, run.error)
try:
    portia.run("Leak while planning.")
except Exception as error:
    traceback.print_exc()
    print(error, repr(error), vars(error))
portia.run("Leak while planning, and let it be.")
"""


def spellings(secret: str) -> list[bytes]:
    """Return `secret` as it might be written: plain, escaped, percent-encoded, base64."""
    plain = [secret, json.dumps(secret)[1:-1], secret.replace("/", "\\/"), quote(secret, safe="")]
    found = {text.encode() for text in plain}
    for shift in range(3):  # base64 of a text that holds the secret, wherever it begins
        whole = base64.b64encode(b"x" * shift + secret.encode())
        found.add(whole[4:-4])
    return sorted(found)


def places_of(secret: str, folder: Path, texts: dict[str, str]) -> list[str]:
    """Return where `secret` stands: files of `folder`, and `texts` by name."""
    holders = {name: text.encode() for name, text in texts.items()}
    holders |= {str(f): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    assert len(holders) > len(texts) + 2, "the journal is there to be searched"
    return [
        f"{name}: {spelling!r}"
        for name, data in holders.items()
        for spelling in spellings(secret)
        if spelling in data
    ]


def echoing(request: Any) -> Any:
    """Refuse, with the key that came in the words of the refusal."""
    header = dict(request.http.headers)["authorization"]
    return failing(401, f"Incorrect API key provided: {header}", code="invalid_api_key")


@pytest.mark.timeout(60)
def test_a_key_is_found_nowhere_in_what_a_failing_project_writes(project: Path):
    with OpenAIServer(echoing) as openai, TavilyServer(echoing) as tavily:
        variables = {
            "OPENAI_API_KEY": OPENAI_CANARY,
            "TAVILY_API_KEY": TAVILY_CANARY,
            "PORTIA_BASE_URL": openai.url,
            "TAVILY_API_BASE_URL": tavily.url,
            "PORTIA_LOG_LEVEL": "DEBUG",
        }
        with Program(project, LEAKY, variables=variables) as program:
            code, out, err = program.end()
        assert len(openai.requests) == 3
        assert len(tavily.requests) == 1
    # The last query's error is nobody's: the interpreter prints its traceback, and the chain's.
    assert code == 1, f"{out}\n{err}"
    assert err.count("ModelKeyRefused: the key was refused") >= 2
    for log in (err, (project / "own.log").read_text()):
        assert log.count("→ FAILED") >= 3, "both logs tell of it"
    assert out.count("***") >= 9, "the errors are told, their keys are not"
    for secret in (OPENAI_CANARY, TAVILY_CANARY):
        assert places_of(secret, project, {"stdout": out, "stderr": err}) == []


def test_the_search_for_keys_would_find_one(tmp_path: Path):
    (tmp_path / "a").write_bytes(b"..." + base64.b64encode(f"Bearer {OPENAI_CANARY}".encode()))
    (tmp_path / "b").write_text(f"key={quote(OPENAI_CANARY, safe='')}&x")
    (tmp_path / "c").write_text("nothing")
    found = places_of(OPENAI_CANARY, tmp_path, {"out": f"Bearer {OPENAI_CANARY}"})
    assert {re.split(r"[:/]", place.rsplit("/", 1)[-1])[0] for place in found} >= {"a"}
    assert len({place.split(": ")[0] for place in found}) == 3


def test_a_key_given_in_code_is_kept_out_as_well(story: Story, caplog: pytest.LogCaptureFixture):
    def leak() -> None:
        raise ConnectionError(f"with {OPENAI_CANARY}")

    portia = story.portia(openai_api_key=OPENAI_CANARY, default_log_level="DEBUG")
    with caplog.at_level(logging.DEBUG):
        run = portia.run_plan(story.builder().function_step(function=leak).build())
    message = story.failed(run, "ConnectionError", "step_1", "with ***")
    portia.store.close()
    texts = {"message": message, "run": run.model_dump_json(), "repr": repr(run)}
    texts |= {"log": caplog.text, "config": repr(portia.config)}
    assert places_of(OPENAI_CANARY, story.folder, texts) == []


def test_what_a_person_gives_as_the_reason_to_fail_is_told_without_the_key(story: Story):
    portia = story.portia(openai_api_key=OPENAI_CANARY)
    run = portia.run_plan(story.builder().user_verify(message="Send it?").build())
    (question,) = run.get_outstanding_clarifications()
    run = portia.error_clarification(question, f"refused for {OPENAI_CANARY}", run)
    story.failed(run, "PortiaBaseError", "step_1", "refused for ***")


def test_logging_that_a_program_sets_up_later_gets_the_records(story: Story):
    """Ours stands aside as soon as there is the program's own."""
    script = """
import logging
from portia_nb import Config, PlanBuilderV2, Portia
plan = PlanBuilderV2().function_step(function=dict).build()
Portia(Config(store="memory")).run_plan(plan)
logging.basicConfig(filename="own.log", level=logging.INFO)
Portia(Config(store="memory")).run_plan(plan)
"""
    with Program(story.folder, script) as program:
        code, _, err = program.end()
    assert code == 0, err
    assert err.count("→ COMPLETE") == 1
    assert (story.folder / "own.log").read_text().count("→ COMPLETE") == 1
