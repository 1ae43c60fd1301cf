"""Runs by themselves: stopped, waited for, looked at, explained, deleted (N1)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from portia_nb import Config, PlanBuilderV2, PlanRunNotFoundError, Portia, RunHeldElsewhere


def portia() -> Portia:
    return Portia(Config(store="memory"), tools=[])


def one_step(function):
    return PlanBuilderV2("one").function_step(function=function, step_name="only").build()


def test_a_run_is_cancelled_and_what_is_done_is_kept():
    mine, started = portia(), threading.Event()

    async def hang() -> None:
        started.set()
        await asyncio.Event().wait()

    builder = PlanBuilderV2("two").function_step(function=lambda: 1, step_name="first")
    plan = builder.function_step(function=hang, step_name="second").build()
    live = mine.start_run(plan)
    assert started.wait(10)
    stopped = mine.cancel(live, reason="enough")
    assert stopped.state == "READY_TO_RESUME"
    assert stopped.outputs["first"].value == 1
    assert mine.why(stopped) == f"Run {live.id} has 1 output so far; its state: stopped."


async def test_the_async_form_cancels_too():
    mine, started = portia(), asyncio.Event()

    async def hang() -> None:
        started.set()
        await asyncio.Event().wait()

    running = asyncio.create_task(mine.arun_plan(one_step(hang)))
    await started.wait()
    assert (await mine.acancel()).state == "READY_TO_RESUME"
    assert (await running).state == "READY_TO_RESUME"


def test_to_cancel_a_run_that_has_ended_changes_nothing():
    mine = portia()
    run = mine.run_plan(one_step(lambda: 1))
    assert mine.cancel(run).state == "COMPLETE"
    with pytest.raises(PlanRunNotFoundError):
        mine.cancel("prun-nothing")
    with pytest.raises(PlanRunNotFoundError, match="no run is kept here yet"):
        portia().cancel()


def test_a_run_of_this_process_is_waited_for_by_any_name_of_it():
    mine, let_go = portia(), threading.Event()
    live = mine.start_run(one_step(lambda: let_go.wait(15)))
    with pytest.raises(TimeoutError, match=rf"^run {live.id} is still under way after 0.05 s$"):
        mine.wait(live, timeout_s=0.05)
    let_go.set()
    assert mine.wait(live.id[:20]).state == "COMPLETE"
    assert mine.wait(live).id == mine.wait().id == live.id


async def test_the_async_form_waits_too():
    mine, let_go = portia(), threading.Event()
    live = mine.start_run(one_step(lambda: let_go.wait(15)))
    with pytest.raises(TimeoutError):
        await mine.await_run(live, timeout_s=0.05)
    let_go.set()
    assert (await mine.await_run(live.id)).state == "COMPLETE"


PROGRAM = """
    import sys
    from portia_nb import Config, PlanBuilderV2, Portia

    def step():
        print("started", flush=True)
        return sys.stdin.readline()

    plan = PlanBuilderV2("elsewhere").function_step(function=step, step_name="only").build()
    Portia(Config(store=sys.argv[1]), tools=[]).run_plan(plan)
"""


def test_a_run_of_another_process_is_waited_for_and_not_cancelled(tmp_path: Path):
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "started\n"
        mine = Portia(Config(store=tmp_path), tools=[])
        with pytest.raises(RunHeldElsewhere, match=rf"process {other.pid} on .*: stop it there$"):
            mine.cancel()
        with pytest.raises(TimeoutError):
            mine.wait(timeout_s=0.01)
        other.stdin.write("done\n")
        other.stdin.flush()
        run = mine.wait()
    assert run.state == "COMPLETE"
    assert run.final_output is not None
    assert run.final_output.value == "done\n"


def test_a_failed_run_says_why_with_the_traceback_of_the_steps_own_code():
    def half() -> float:
        return 1 / 0

    mine = portia()
    run = mine.run_plan(one_step(half))
    text = mine.why(run.id)
    head = f"Run {run.id} failed at step 'only': ZeroDivisionError: division by zero\n\n"
    assert text.startswith(head)
    assert "return 1 / 0" in text
    assert "portia_nb/running" not in text


async def test_a_complete_run_and_a_question_say_so():
    mine = portia()
    run = await mine.arun_plan(one_step(lambda: 1))
    assert await mine.awhy(run) == f"Run {run.id} is complete: nothing failed."
    plan = PlanBuilderV2("ask").user_input(message="Which city?").build()
    asking = await mine.arun_plan(plan)
    assert await mine.awhy() == f"Run {asking.id} waits for an answer to 'Which city?'"


async def test_runs_and_plans_are_shown_as_they_are_kept():
    mine = portia()
    plan = one_step(lambda: 1)
    run = await mine.arun_plan(plan)
    assert (await mine.ashow(run.id)).id == run.id
    assert await mine.ashow(plan) is plan
    assert mine.show(str(plan.id)).id == plan.id


async def test_a_run_is_forgotten_for_good():
    mine = portia()
    run = mine.run_plan(one_step(lambda: 1))
    await mine.aforget(run.id)
    with pytest.raises(PlanRunNotFoundError):
        mine.forget(run)


async def test_the_doctor_tells_scripts_what_there_is_and_never_a_key():
    mine = Portia(Config(store="memory", openai_api_key="sk-secret-1"), tools=[])
    report = await mine.adoctor()
    text = str(report)
    assert "✓ OPENAI_API_KEY" in text
    assert "sk-secret-1" not in text
    assert {each.topic for each in report.findings} >= {"Models", "Keys", "Tools", "Store"}
    assert report._repr_mimebundle_()["text/plain"] == text


def test_the_doctor_waits_in_any_thread():
    assert portia().doctor().findings


def test_the_doctor_looks_at_the_stores_place_size_and_health(tmp_path: Path):
    """N34."""
    mine = Portia(Config(store=str(tmp_path / "store"), default_log_level="ERROR"), tools=[])
    mine.run_plan(PlanBuilderV2().function_step(function=lambda: 1).build())
    report = mine.doctor()
    found = {each.what: each for each in report.findings if each.topic == "Store"}
    assert "1 run" in found["runs are kept in"].found
    assert "free" in found["size"].found and " kB" in found["size"].found
    assert found["health"].found.startswith("sound: ") and found["health"].is_fine
    assert "file system" in found
    assert report.html().startswith("<pre>") and "sound: " in report.html()
