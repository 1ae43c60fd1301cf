"""Ctrl-C in a script, and scripts that end while a tool still hangs."""

from __future__ import annotations

import signal
import time

import pytest

from portia_nb import PlanRunState

from .conftest import Story
from .programs import Program, output_of

PROGRAM = """
import asyncio, sys, time
from pathlib import Path
from portia_nb import PlanBuilderV2, Portia


def note(text):
    with Path("calls.txt").open("a") as calls:
        calls.write(text + " ")


def first():
    note("first")
    return 1


def second():
    note("second")
    if not Path("again").exists():
        print("hanging", flush=True)
        time.sleep(60)


async def second_async():
    note("second")
    if not Path("again").exists():
        print("hanging", flush=True)
        await asyncio.sleep(60)


HOW = sys.argv[1]
LIMITS = {"timeout_s": 0.5} if HOW == "timeout" else {}
plan = (
    PlanBuilderV2("Two steps")
    .function_step(function=first)
    .function_step(function=second_async if HOW == "arun_plan" else second, **LIMITS)
    .function_step(function=lambda: note("third"))
    .build()
)
portia = Portia()
if Path("again").exists():
    (row,) = portia.store.find_runs()
    print(portia.resume(plan_run_id=row.run_id).state)
elif HOW == "arun_plan":
    asyncio.run(portia.arun_plan(plan))
else:
    print(portia.run_plan(plan).state)
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize("how", ["run_plan", "arun_plan"])
def test_ctrl_c_ends_a_script_at_once_and_its_run_can_be_resumed(story: Story, how: str):
    with Program(story.folder, PROGRAM, how) as program:
        assert program.wait_for_line() == "hanging"
        began = time.monotonic()
        program.interrupt()
        code, _, err = program.end()
        assert time.monotonic() - began < 10
    assert code in (1, -signal.SIGINT)
    assert err.rstrip().endswith("KeyboardInterrupt")
    (row,) = story.portia().store.find_runs()
    assert row.state is PlanRunState.READY_TO_RESUME

    (story.folder / "again").touch()
    assert output_of(story.folder, PROGRAM, how) == "COMPLETE\n"
    assert (story.folder / "calls.txt").read_text() == "first second second third "


@pytest.mark.timeout(60)
def test_a_tool_that_still_hangs_does_not_keep_the_script_from_ending(story: Story):
    with Program(story.folder, PROGRAM, "timeout") as program:
        assert program.wait_for_line() == "hanging"
        began = time.monotonic()
        code, out, err = program.end()
        assert time.monotonic() - began < 10
    assert (code, out) == (0, "FAILED\n"), err
