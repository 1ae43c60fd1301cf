"""Interrupts, kills and what goes on afterwards, in real kernels (N9)."""

import time

import pytest

from tests.kernel.conftest import Kernel, Result
from tests.kernel.story import SETTING, calls

PROMPT_BACK_S = 2.0


@pytest.fixture
def loaded(start_kernel) -> Kernel:
    kernel: Kernel = start_kernel()
    kernel.run("%load_ext portia_nb").raise_for_error()
    kernel.run(SETTING).raise_for_error()
    return kernel


def wait_for_call(kernel: Kernel, name: str) -> None:
    end = time.monotonic() + 15
    while name not in calls(kernel.folder):
        assert time.monotonic() < end, calls(kernel.folder)
        time.sleep(0.02)


def interrupted(kernel: Kernel, cell: str, call: str = "slow") -> tuple[Result, float]:
    """Run `cell`, interrupt it once `call` was made; return its result and the seconds since."""
    sent = kernel.send(cell)
    wait_for_call(kernel, call)
    began = time.monotonic()
    kernel.interrupt()
    return kernel.finish(sent), time.monotonic() - began


@pytest.mark.parametrize(
    "cell", ["%portia run long -o result", "if True:\n    result = %portia run long"]
)
def test_an_interrupt_stops_the_run_and_it_resumes_without_repeating_a_step(
    loaded: Kernel, cell: str
):
    done, seconds = interrupted(loaded, cell)
    assert done.ename == "KeyboardInterrupt"
    assert seconds <= PROMPT_BACK_S + 0.7  # the message's way there and back on a busy machine
    assert "stopped" in done.card
    assert "%portia resume prun-" in done.card
    assert len(done.card.splitlines()) <= 4

    (loaded.folder / "fast").touch()
    listed = loaded.run("_rows = %portia runs").raise_for_error()
    assert "stopped" in listed.text
    loaded.run("result = %portia resume", timeout_s=40).raise_for_error()
    assert loaded.evaluate("result.state") == "COMPLETE"
    assert calls(loaded.folder).count("quick") == 1


def test_an_interrupt_halts_run_all_and_the_kernel_stays_healthy(loaded: Kernel):
    first, second = loaded.send("%portia run long"), loaded.send("after = 1")
    wait_for_call(loaded, "slow")
    loaded.interrupt()
    assert loaded.finish(first).ename == "KeyboardInterrupt"
    assert loaded.finish(second).status == "aborted"
    assert loaded.run("await asyncio.sleep(0.01)\nprint('well')").raise_for_error().out == "well\n"


def test_a_run_that_ends_at_once_is_shown_stopped_with_its_state_saved(loaded: Kernel):
    loaded.run(
        "async def patient(before):\n    note('patient')\n    await asyncio.sleep(30)\n"
        "waiting = plan_of(quick, patient)"
    ).raise_for_error()
    done, seconds = interrupted(loaded, "%portia run waiting -o result", "patient")
    assert seconds <= PROMPT_BACK_S
    assert "stopped; state saved" in done.card
    assert loaded.evaluate("result.state") == "READY_TO_RESUME"
    assert "stopped" in done.text
    assert "application/vnd.jupyter.widget-view+json" not in done.displays[0]


@pytest.mark.parametrize("call", ["portia.run_plan(long)", "await portia.arun_plan(long)"])
def test_an_interrupted_python_call_stops_its_run_and_shows_it_stopped(loaded: Kernel, call: str):
    first, second = loaded.send(call), loaded.send("after = 1")
    wait_for_call(loaded, "slow")
    loaded.interrupt()
    done = loaded.finish(first)
    assert done.ename in ("KeyboardInterrupt", "CancelledError")
    assert loaded.finish(second).status == "aborted"
    assert "stopped" in done.text
    assert "stopped" in loaded.run("_ = %portia runs").raise_for_error().text


def test_an_interrupt_at_the_input_prompt_stops_the_run(loaded: Kernel):
    sent = loaded.send("%portia run asking -o result", allow_stdin=True)
    loaded.client.get_stdin_msg(timeout=20)
    began = time.monotonic()
    loaded.interrupt()
    done = loaded.finish(sent)
    assert done.ename == "KeyboardInterrupt"
    assert time.monotonic() - began <= PROMPT_BACK_S
    assert loaded.run("1 + 1").raise_for_error().text == "2"


def test_the_widgets_stop_means_the_same_as_an_interrupt(loaded: Kernel):
    sent = loaded.send("%portia run long -o result")
    comm = find_view(loaded, sent)
    wait_for_call(loaded, "slow")
    loaded.send_comm(comm, {"method": "custom", "content": {"type": "stop"}})
    done = loaded.finish(sent, timeout_s=40)
    assert done.ename == "KeyboardInterrupt"
    assert loaded.evaluate("result.state") == "READY_TO_RESUME"


def find_view(kernel: Kernel, sent: str) -> str:
    while True:
        message = kernel.client.get_iopub_msg(timeout=10)
        is_open = message["header"]["msg_type"] == "comm_open"
        if is_open and "_esm" in message["content"]["data"].get("state", {}):
            return message["content"]["comm_id"]


def test_waiting_for_a_background_run_can_be_interrupted_and_the_run_goes_on(loaded: Kernel):
    loaded.run("%portia run long --background").raise_for_error()
    done, _ = interrupted(loaded, "note('waiting')\n%portia wait", "waiting")
    assert done.ename == "KeyboardInterrupt"
    assert "the run goes on" in done.card
    stopping = loaded.run("%portia stop").raise_for_error()
    assert "what is done is kept" in stopping.text


def test_an_interrupted_asyncio_run_is_cancelled_and_cleans_up(loaded: Kernel):
    loaded.run(
        "async def main():\n"
        "    try:\n        note('main'); await asyncio.sleep(30)\n"
        "    finally:\n        note('cleaned up')"
    ).raise_for_error()
    done, seconds = interrupted(loaded, "asyncio.run(main())", "main")
    assert done.ename == "KeyboardInterrupt"
    assert seconds <= PROMPT_BACK_S
    assert calls(loaded.folder)[-1] == "cleaned up"


def test_asyncio_run_in_a_cell_that_also_awaits_hears_the_interrupt(loaded: Kernel):
    loaded.run("async def main():\n    note('main'); await asyncio.sleep(30)").raise_for_error()
    done, seconds = interrupted(loaded, "await asyncio.sleep(0)\nasyncio.run(main())", "main")
    assert done.status == "error"
    assert seconds <= PROMPT_BACK_S


def test_a_killed_kernels_run_resumes_in_a_new_one_without_repeating_a_step(start_kernel):
    first: Kernel = start_kernel()
    first.run("%load_ext portia_nb").raise_for_error()
    first.run(SETTING).raise_for_error()
    first.send("%portia run long")
    wait_for_call(first, "slow")
    first.kill_9()

    (first.folder / "fast").touch()
    second: Kernel = start_kernel()
    second.run("%load_ext portia_nb").raise_for_error()
    # Without the cell that builds the plan its functions are missing, and nothing runs.
    second.run('from portia_nb import Config, Portia\nportia = Portia(Config(store=".portia"))')
    missing = second.run("%portia resume")
    assert missing.ename == "FunctionsMissing"
    assert "run the cell that builds the plan" in missing.card

    second.run(SETTING).raise_for_error()
    second.run("result = %portia resume").raise_for_error()
    assert second.evaluate("[result.state, result.outputs['awaited'].value]") == [
        "COMPLETE",
        "quick slow awaited",
    ]
    assert calls(second.folder).count("quick") == 1


TWENTY = """
import os, time
from portia_nb import Config, PlanBuilderV2, Portia, StepOutput, tool

def count(name):
    line = os.open("calls.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(line, (name + "\\n").encode())
    os.close(line)

@tool
def part(number: int, before: str) -> str:
    "Do one part of the work."
    count(f"part{number}")
    if number == 11:
        while not os.path.exists("go on"):
            time.sleep(0.01)
    return f"{before}{number} "

builder = PlanBuilderV2("Twenty parts")
for number in range(20):
    before = StepOutput(f"part{number - 1}") if number else ""
    builder.invoke_tool_step(
        tool=part(), args={"number": number, "before": before}, step_name=f"part{number}"
    )
twenty = builder.build()
portia = Portia(Config(store=".portia"), tools=[])
"""


def test_a_notebook_killed_in_the_middle_of_twenty_steps_is_finished_by_resume_when_reopened(
    start_kernel,
):
    cells = ("%load_ext portia_nb", TWENTY)
    first: Kernel = start_kernel()
    for cell in cells:
        first.run(cell).raise_for_error()
    first.send("%portia run twenty")
    wait_for_call(first, "part11")
    first.kill_9()
    parts = [f"part{number}" for number in range(20)]
    assert calls(first.folder) == parts[:12]

    (first.folder / "go on").touch()
    second: Kernel = start_kernel()
    for cell in cells:
        second.run(cell).raise_for_error()
    resumed = second.run("result = %portia resume").raise_for_error()
    assert "done" in resumed.text
    assert second.evaluate("[result.state, result.final_output.value]") == [
        "COMPLETE",
        "".join(f"{number} " for number in range(20)),
    ]
    # The tools count themselves: those that had finished were called once, the killed one twice.
    assert calls(second.folder) == parts[:12] + parts[11:]


@pytest.mark.parametrize("how", ["restart", "shutdown"])
def test_a_run_outlives_the_restart_and_the_shutdown_of_its_kernel(start_kernel, how: str):
    first: Kernel = start_kernel()
    first.run("%load_ext portia_nb").raise_for_error()
    first.run(SETTING).raise_for_error()
    first.run("%portia run long --background").raise_for_error()
    wait_for_call(first, "slow")
    if how == "restart":
        first.manager.restart_kernel(now=False)
        first.client.wait_for_ready(timeout=60)
        second = first
    else:
        first.manager.shutdown_kernel(now=False)
        second = start_kernel()
    (second.folder / "fast").touch()
    second.run("%load_ext portia_nb").raise_for_error()
    second.run(SETTING).raise_for_error()
    second.run("result = %portia resume", timeout_s=40).raise_for_error()
    assert second.evaluate("[result.state, result.outputs['quick'].value]") == ["COMPLETE", "quick"]
    assert calls(second.folder).count("quick") == 1


def test_a_cancelled_task_stops_its_run_and_leaves_no_task(loaded: Kernel):
    loaded.run(
        "from portia_nb.running.background import background\n"
        "async def waits(before):\n    note('waits')\n    await asyncio.sleep(30)\n"
        "async def count():\n    return len(asyncio.all_tasks()) - 1\n"
        "task = asyncio.ensure_future(portia.arun_plan(plan_of(quick, waits)))"
    ).raise_for_error()
    wait_for_call(loaded, "waits")
    loaded.run("task.cancel()\nawait asyncio.wait({task})").raise_for_error()
    assert loaded.evaluate("task.cancelled()") is True
    assert loaded.evaluate("background.submit(count()).result(5)") == 0
    assert "stopped" in loaded.run("_ = %portia runs").raise_for_error().text
