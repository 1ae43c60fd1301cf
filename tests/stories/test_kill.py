"""Killed by `kill -9` in mid-run: a new process goes on, and no finished tool is called twice."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from portia_nb import PlanRunState, tool
from tests.servers.openai_server import OpenAIServer

from .conftest import KEY, Story
from .programs import Program, environment_of, output_of

PROGRAM = '''
"""Six parts of work, each of which leaves a line in calls.txt. main.py HOW WHERE SIDE_EFFECT"""
import sys
from pathlib import Path
from portia_nb import ExecutionHooks, PlanBuilderV2, Portia, StepOutput, tool

HOW, WHERE = sys.argv[1], sys.argv[2]
SIDE_EFFECT = {"None": None, "True": True, "False": False}[sys.argv[3]]


def wait_to_be_killed(where):
    if where == HOW:
        print(f"waiting {where}", flush=True)
        sys.stdin.read()


def work(number, before):
    with Path("calls.txt").open("a") as calls:
        calls.write(f"{number} ")
    if str(number) == WHERE:
        wait_to_be_killed("inside")
    return f"{before}{number}"


@tool(side_effect=SIDE_EFFECT)
def part(number: int, before: str) -> str:
    """Do one part of the work."""
    return work(number, before)


def before_step(plan, run, step):
    if step.name == f"part{WHERE}":
        wait_to_be_killed("between")
    return "CONTINUE"


def build():
    builder = PlanBuilderV2("Six parts")
    for number in range(6):
        args = {"number": number, "before": StepOutput(f"part{number - 1}") if number else ""}
        if number % 2:
            builder.invoke_tool_step(tool=part(), args=args, step_name=f"part{number}")
        else:
            builder.function_step(
                function=work, args=args, step_name=f"part{number}", side_effect=SIDE_EFFECT
            )
    return builder.build()


portia = Portia(execution_hooks=ExecutionHooks(before_step_execution=before_step))
plan = build()
if HOW == "resume":
    (row,) = portia.store.find_runs()
    run = portia.resume(plan_run_id=row.run_id)
    print(run.state, run.final_output and run.final_output.value)
    for question in run.get_outstanding_clarifications():
        print(question.user_guidance)
else:
    portia.run_plan(plan)
'''


def calls(folder: Path) -> str:
    return (folder / "calls.txt").read_text().strip()


def wait_until_done(folder: Path, steps: int) -> None:
    """Wait until so many steps are on disk as done: the journal writes some ms behind readers."""
    journal = folder / ".portia" / "journal.sqlite"
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        for _ in range(500):
            count = "SELECT count(*) FROM event WHERE kind = 'step_done'"
            if connection.execute(count).fetchone() == (steps,):
                return
            time.sleep(0.01)
    raise TimeoutError(f"{steps} steps were not kept")


def kill(folder: Path, how: str, where: int, side_effect: bool | None) -> None:
    """Run the program until it waits, `how` and `where`, and kill it there."""
    with Program(folder, PROGRAM, how, str(where), str(side_effect)) as program:
        assert program.wait_for_line() == f"waiting {how}"
        wait_until_done(folder, where)
        assert program.kill() == -signal.SIGKILL


@pytest.mark.timeout(90)
@pytest.mark.parametrize(
    ("how", "where", "side_effect", "before", "after"),
    [
        ("between", 3, None, "0 1 2", "0 1 2 3 4 5"),
        ("inside", 3, None, "0 1 2 3", "0 1 2 3 3 4 5"),
        ("inside", 4, False, "0 1 2 3 4", "0 1 2 3 4 4 5"),
    ],
    ids=["between two steps", "inside a tool", "inside a function that only reads"],
)
def test_a_killed_run_resumes_where_it_stopped_and_calls_no_finished_tool_twice(
    story: Story, how: str, where: int, side_effect: bool | None, before: str, after: str
):
    kill(story.folder, how, where, side_effect)
    assert calls(story.folder) == before
    said = output_of(story.folder, PROGRAM, "resume", "", str(side_effect))
    assert said == "COMPLETE 012345\n"
    assert calls(story.folder) == after

    # What the second process did is kept as well: a third one finds it complete.
    (row,) = story.portia().store.find_runs()
    run = story.portia().get_run(row.run_id)
    assert run.state is PlanRunState.COMPLETE
    assert [o.value for o in run.outputs.step_outputs.values()][2:4] == ["012", "0123"]


@pytest.mark.timeout(60)
def test_a_tool_with_side_effects_that_was_killed_is_asked_about_and_not_repeated(story: Story):
    kill(story.folder, "inside", 1, True)
    said = output_of(story.folder, PROGRAM, "resume", "", "True")
    state, question = said.splitlines()
    assert state == "NEED_CLARIFICATION None"
    story.says(question, "'part1'", "nobody here knows what became of the call", "choose")
    assert calls(story.folder) == "0 1"


# -- a plan that a model made --------------------------------------------------------------------

PLANNED_PROGRAM = """
import sys
from pathlib import Path
from portia_nb import Portia, tool


@tool
def note(text: str) -> str:
    "Write a text down."
    with Path("calls.txt").open("a") as calls:
        calls.write(f"{text} ")
    if text == "two":
        print("waiting", flush=True)
        sys.stdin.read()
    return f"noted {text}"


Portia(tools=[note()]).run("Note one, two and three, then sum up.")
"""


def noted(text: str) -> dict[str, Any]:
    return {
        "task": f"Note {text}.",
        "inputs": [],
        "tool_id": "note",
        "output": f"${text}",
        "args": {"text": text},
        "condition": None,
    }


def answer(request: Any) -> Any:
    if not request.schema_name:
        return "All noted."
    last = {
        "task": "Sum up.",
        "inputs": [{"name": f"${text}", "description": text} for text in ("one", "two", "three")],
        "tool_id": "llm_tool",
        "output": "$summary",
        "args": None,
        "condition": None,
    }
    return {"steps": [*(noted(text) for text in ("one", "two", "three")), last], "error": None}


@pytest.mark.timeout(60)
def test_a_planned_run_that_was_killed_resumes_elsewhere_without_being_given_its_plan(
    story: Story,
):
    made: list[str] = []

    @tool
    def note(text: str) -> str:
        """Write a text down."""
        made.append(text)
        return f"noted {text}"

    with OpenAIServer(answer) as openai:
        variables = environment_of(openai)
        with Program(story.folder, PLANNED_PROGRAM, variables=variables) as program:
            assert program.wait_for_line() == "waiting"
            assert program.kill() == -signal.SIGKILL
        assert calls(story.folder) == "one two"
        assert len(openai.requests) == 1

        portia = story.portia(openai, tools=[note()])
        (row,) = portia.store.find_runs()
        assert row.state is not PlanRunState.COMPLETE
        run = portia.resume(plan_run_id=row.run_id)
        assert run.state is PlanRunState.COMPLETE, run.error
        assert made == ["two", "three"]
        assert len(openai.requests) == 2, "planned once, summed up once"
    assert run.outputs["one"].value == "noted one"
    assert run.final_output is not None
    assert run.final_output.value == "All noted."
    assert KEY not in run.model_dump_json()
