# Rows of the notebook face: N25.
"""A notebook that was recorded replays without keys or network, and is the same byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from portia_nb.notebook.static_record import RUN_MIME
from scripts.run_notebooks import ROOT, executed
from tests.kernel.conftest import Kernel
from tests.planning.test_planner_on_the_wire import on_the_wire
from tests.servers.openai_server import OpenAIServer
from tests.servers.tavily_server import TavilyServer
from tests.tools.test_web_tools import GOOD, WeatherServer

# Imported by every Python that has its folder on the path; an audit hook can't be taken off. The
# kernel's own sockets are ZeroMQ's, which opens them without Python.
NO_SOCKETS = """
import sys
from pathlib import Path

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        with Path(__file__).with_name("asked-for").open("a") as file:
            file.write(f"{event} {arguments[1:]}\\n")
        raise OSError(f"no sockets here: {event}")

sys.addaudithook(refuse)
"""

CELLS = [
    """\
%load_ext portia_nb
from datetime import date
from portia_nb import PlanBuilderV2, Portia, StepOutput, example_tool_registry, tool

@tool(side_effect=False)
def today(city: str) -> dict:
    "Tell which day it is in a city."
    return {"city": city, "day": date.today(), "drawn": __import__("random").random()}

portia = Portia(tools=[*example_tool_registry, today])""",
    """\
%%portia -o answer
Which stock grew faster, Amazon or Google, and how is the weather in Oslo?""",
    "answer.outputs.final_output.value",
    """\
days = PlanBuilderV2("Ask for a day")
for city in ("Oslo", "Rome", "Oslo"):
    days.invoke_tool_step(tool=today(), args={"city": city})
days.user_input(message="Which one?", default="Oslo", step_name="one")
days.llm_step(task="Say it nicely", inputs=[StepOutput(0), StepOutput("one")], step_name="said")
days.function_step(
    function=lambda said, days: f"{said} ({len(days)})",
    args={"said": StepOutput("said"), "days": [StepOutput(0), StepOutput(1)]},
)
plan = days.build()
%portia run plan""",
    """\
run = portia.run_plan(plan)
(question,) = run.get_outstanding_clarifications()
run = portia.resolve_clarification(question, "Rome", run)
run = portia.resume(run)
run.outputs.final_output.value, [output.value for output in run.outputs.step_outputs.values()]""",
]


def answer(request: Any) -> Any:
    """Answer a planner, or say how long the question was."""
    if request.body.get("response_format"):
        return {
            "steps": [
                on_the_wire("amazon", "search_tool", {"search_query": "Amazon stock growth"}),
                on_the_wire("google", "search_tool", {"search_query": "Google stock growth"}),
                on_the_wire("sky", "weather_tool", {"city": "Oslo"}),
                on_the_wire("said", inputs=["$amazon", "$google", "$sky"]),
            ],
            "error": None,
        }
    return f"An answer to {len(request.messages[-1]['content'])} characters."


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [nbformat.v4.new_code_cell(c, id=f"cell-{n}") for n, c in enumerate(CELLS)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "lesson.ipynb")
    return tmp_path / "lesson.ipynb"


@pytest.fixture
def servers() -> Iterator[dict[str, str]]:
    """Return the variables of somebody who has keys."""
    weather = WeatherServer(lambda: (200, json.dumps(GOOD).encode()))
    with OpenAIServer(answer) as openai, TavilyServer() as tavily, weather:
        yield {
            "OPENAI_API_KEY": "sk-replay-0123456789",
            "PORTIA_BASE_URL": openai.url,
            "TAVILY_API_KEY": "tvly-replay-0123456789",
            "TAVILY_API_BASE_URL": tavily.url,
            "OPENWEATHERMAP_API_KEY": "owm-replay-0123456789",
            "PORTIA_OPENWEATHERMAP_BASE_URL": weather.root_url,
        }
        assert len(openai.requests) == 4
        assert len(tavily.requests) == 2
        assert len(weather.queries) == 1


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[], Path]:
    made = iter(range(9))

    def make() -> Path:
        path = tmp_path / f"project-{next(made)}"
        path.mkdir()
        return path

    return make


@pytest.mark.timeout(120)
def test_a_recorded_notebook_replays_with_sockets_blocked_to_the_same_bytes_twice(
    notebook: Path, servers: dict[str, str], folder: Callable[[], Path], tmp_path: Path
):
    record = tmp_path / "lesson.json"
    quiet = {"PORTIA_LOG_LEVEL": "WARN"}  # a log tells the time
    recorded = executed(notebook, folder(), **servers, **quiet, PORTIA_RECORD=str(record))
    text = record.read_text()
    assert all(value not in text for name, value in servers.items() if name.endswith("KEY"))
    guard = tmp_path / "guard"
    guard.mkdir()
    (guard / "sitecustomize.py").write_text(NO_SOCKETS)
    variables = {**quiet, "PYTHONPATH": f"{guard}:{ROOT}", "PORTIA_REPLAY": str(record)}
    one, two = (nbformat.writes(executed(notebook, folder(), **variables)) for _ in range(2))
    assert not (guard / "asked-for").exists(), (guard / "asked-for").read_text()
    assert one == two
    # What was drawn by chance when it was recorded stands in the replay, too.
    replayed = nbformat.reads(one, as_version=4)
    assert outputs_of(replayed) == outputs_of(recorded)
    assert record.read_text() == text


def test_the_guard_blocks_python_sockets_on_loopback_too(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(NO_SOCKETS)
    code = "import socket; socket.create_connection(('127.0.0.1', 9), 1)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no sockets here" in done.stderr
    assert (tmp_path / "asked-for").exists()


def outputs_of(notebook: Any) -> list[Any]:
    """Return what a reader sees of a notebook: all but times and ids."""
    found: list[Any] = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            shown = data.get(RUN_MIME)
            if shown is None:
                found.append(data.get("text/plain"))
            else:
                rows = [
                    {k: row.get(k) for k in ("path", "state", "output")} for row in shown["steps"]
                ]
                found.append([shown["state"], rows, shown.get("final")])
    assert len(found) >= 4
    return found


SENDING = """\
%load_ext portia_nb
from portia_nb import PlanBuilderV2, Portia, tool

sent = []

@tool(side_effect=True)
def send(text: str) -> str:
    "Send a text."
    sent.append(text)
    return f"sent {len(sent)}"

portia = Portia(tools=[send])
plan = PlanBuilderV2("Send it").invoke_tool_step(tool=send(), args={"text": "hello"}).build()"""


def test_a_line_records_what_was_approved_and_another_replays_it_unasked(
    start_kernel: Callable[..., Kernel],
):
    kernel = start_kernel()
    kernel.run(SENDING).raise_for_error()
    kernel.run("%portia run plan --yes -o first --record r.json").raise_for_error()
    kernel.run("%portia run plan -o second --replay r.json").raise_for_error()
    assert kernel.evaluate("sent") == ["hello"]
    assert kernel.evaluate("second.outputs.final_output.value") == "sent 1"
    # Only that line is a replay: the next run would send, so it asks, and nobody is there.
    assert kernel.run("%portia run plan").ename == "WaitingForAnswer"
    kernel.run(
        "plan = PlanBuilderV2('x').invoke_tool_step(tool=send(), args={'text': 'x'}).build()"
    )
    drifted = kernel.run("%portia run plan --replay r.json")
    assert "no call of 'send' with these arguments" in drifted.card
    assert kernel.evaluate("sent") == ["hello"]
