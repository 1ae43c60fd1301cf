"""Programs as people wrote them for the reference, run as they stand under `as_portia()`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import OnTerminal
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Reply

from .programs import ROOT, environment_of, output_of

OLD = Path(__file__).parent / "old_code"
START = "from portia_nb import as_portia\nas_portia()\n"

pytestmark = pytest.mark.timeout(60)


def source_of(name: str) -> str:
    source = (OLD / f"{name}.txt").read_text(encoding="utf-8")
    assert "portia_nb" not in source
    return START + source


BOOKING = [
    {
        "steps": [
            {
                "task": "Book a room", "inputs": [], "tool_id": "booking_tool",
                "output": "$booking", "args": None, "condition": None,
            },
            {
                "task": "Convert", "inputs": [], "tool_id": "exchange_tool",
                "output": "$euros", "args": {"amount": 1500, "currency": "NOK"},
                "condition": None,
            },
        ],
        "error": None,
    },
    Reply(data={
        "hotel": None, "nights": 3, "missing": [{"argument": "hotel", "question": "Where?"}],
    }),
]  # fmt: skip
BOOKED = [
    "3 nights in a double room of the Grand for ada",
    "150.0",
    "150.0",
    "Input True Grand",
    "Multiple Choice True double",
]


def test_a_planned_run_with_tools_of_ones_own_asks_at_the_keyboard(project: Path):
    with OpenAIServer(BOOKING) as server:
        out = output_of(
            project,
            source_of("planned_run"),
            variables=environment_of(server),
            typed="Grand\ndouble\n",
        )
    lines = out.splitlines()
    assert lines[0] == "Task: Book me a room and say what 1500 NOK are in euros"
    assert lines[3:] == [
        "Where? Which room in the Grand? single or double",
        f"> {BOOKED[0]}",
        *BOOKED[1:],
    ]
    assert not (project / ".portia").exists()


def test_the_same_program_asks_at_its_terminal_by_the_hooks_that_come_along(project: Path):
    own = "ExecutionHooks(clarification_handler=KeyboardHandler())"
    source = source_of("planned_run")
    assert own in source
    source = source.replace(own, "CLIExecutionHooks()").replace(
        "from portia.config", "from portia.cli import CLIExecutionHooks\nfrom portia.config"
    )
    (project / "main.py").write_text(source, encoding="utf-8")
    words = (sys.executable, "-W", "error", "main.py")
    with OpenAIServer(BOOKING) as server:
        variables = {**environment_of(server), "PYTHONPATH": str(ROOT)}
        with OnTerminal(program=words, **variables) as program:
            program.expect("Where?")
            program.type("Grand")
            program.expect("Which room in the Grand?")
            program.type("suite")
            program.expect("Which room in the Grand?")
            program.type("double")
            code, out = program.end()
    assert code == 0, program.screen
    assert out.splitlines()[3:] == BOOKED


def test_branches_loops_questions_and_a_summary_work(project: Path):
    def answer(request: Any) -> Any:
        if "1800" in request.text and "in a word" in request.text:
            return "Dear!"
        if "can be drunk" in request.text:
            return {"holds": '"tea"' in request.text}
        return "You bought four things."

    with OpenAIServer(answer) as server:
        out = output_of(project, source_of("branches_and_loops"), variables=environment_of(server))
    assert out.splitlines() == [
        'What else, beside ["apples", "gold", "tea"]?',
        'Buy ["apples", "gold", "tea"] and bread?',
        "COMPLETE",
        "items=['apples', 'gold', 'tea', 'bread'] total=1807.0",
        "You bought four things.",
        str([f"$step_{index}_output" for index in (0, 1, 2, 3, 4, 5, 7, 9, 12, 13, 14)]),
    ]
    assert len(server.requests) == 4


def test_the_older_builder_hooks_and_a_folder_work(project: Path):
    def answer(request: Any) -> Any:
        if request.forced_tool:
            sums = [s for s in ("2 + 2", "1 + 1") if s in request.text]
            return Reply(data={"math_question": f"What is {sums[0]}?", "missing": []})
        return "A very nice " + ("6" if "6" in request.text else "2")

    with OpenAIServer(answer, api_key="sk-old") as server:
        variables = environment_of(server)
        del variables["OPENAI_API_KEY"]
        out = output_of(
            project,
            source_of("builder_hooks_disk"),
            "sk-old",
            server.url,
            variables=variables,
        )
    assert out.splitlines() == [
        "before Work the sum out",
        "tool calculator_tool {'math_question': 'What is 2 + 2?'}",
        "after $result 6",
        "before Tell a secret",
        "before Say it nicely",
        "after $nicely A very nice 6",
        "end A very nice 6",
        "PlanNotFoundError",
        "before Work the sum out",
        "tool calculator_tool {'math_question': 'What is 1 + 1?'}",
        "after $result 2",
        "before Tell a secret",
        "before Say it nicely",
        "after $nicely A very nice 2",
        "end A very nice 2",
        "A very nice 2 dict_keys(['$result', '$nicely'])",
    ]
    assert (project / "demo_runs" / "journal.sqlite").exists()
    assert "sk-old" not in (project / "demo_runs" / "journal.sqlite").read_text(errors="replace")
