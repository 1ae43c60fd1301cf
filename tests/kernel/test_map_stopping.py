"""N27 and N9 in real kernels: a map is interrupted, stopped in its view and killed, and goes on."""

import time

from portia_nb import Config, Portia
from tests.kernel.conftest import Kernel
from tests.kernel.story import SETTING, calls
from tests.kernel.test_stopping import PROMPT_BACK_S, find_view, interrupted, wait_for_call

SET_UP = """
from portia_nb import Input, PlanBuilderV2
import asyncio, pathlib
async def write(name):
    note("row " + name)
    while not pathlib.Path("go-" + name).exists():
        await asyncio.sleep(0.02)
    return name
writing = (
    PlanBuilderV2("write to people").input(name="name")
    .function_step(function=write, args={"name": Input("name")}, step_name="write",
                   side_effect=False).build()
)
rows = [{"name": name} for name in "abcd"]
"""
VIEW = "application/vnd.jupyter.widget-view+json"


def started(start_kernel, **options) -> Kernel:
    kernel: Kernel = start_kernel(**options)
    kernel.run("%load_ext portia_nb").raise_for_error()
    kernel.run(SETTING + SET_UP).raise_for_error()
    return kernel


def wait_for_rows(kernel: Kernel, map_id: str, count: int) -> None:
    """Wait until so many rows are done on disk: the next row's call doesn't wait for that."""
    portia = Portia(Config(store=str(kernel.folder / ".portia")), tools=[])
    until = time.monotonic() + 10
    while len(portia.runs(of_map=map_id, state="done")) < count:
        assert time.monotonic() < until
        time.sleep(0.02)
    portia.store.close()


def test_a_map_is_interrupted_stopped_and_killed_and_no_done_row_runs_again(start_kernel):
    kernel = started(start_kernel)
    (kernel.folder / "go-a").touch()
    done, seconds = interrupted(
        kernel, "found = portia.map(writing, rows, max_parallel=1)", "row b"
    )
    assert done.ename == "KeyboardInterrupt"
    assert seconds <= PROMPT_BACK_S + 0.7
    assert "stopped, 1 of 4 rows are done: interrupted; the same call goes on" in done.text
    assert VIEW not in done.displays[-1]

    (kernel.folder / "go-b").touch()
    sent = kernel.send("%portia map writing rows --parallel 1 -o found")
    comm = find_view(kernel, sent)
    wait_for_call(kernel, "row c")
    kernel.send_comm(comm, {"method": "custom", "content": {"type": "stop"}})
    done = kernel.finish(sent)
    assert done.ename == "KeyboardInterrupt"
    assert "stopped, 2 of 4 rows are done" in done.card
    assert "%portia resume map-" in done.card
    assert VIEW not in done.displays[-1]
    map_id = kernel.evaluate("found.id")

    (kernel.folder / "go-c").touch()
    kernel.send(f"%portia resume {map_id}")
    wait_for_call(kernel, "row d")
    wait_for_rows(kernel, map_id, 3)
    kernel.kill_9()

    kernel = started(start_kernel)
    listed = kernel.run("%portia runs").raise_for_error()
    assert "process died" in listed.text and "3/4 rows" in listed.text
    (kernel.folder / "go-d").touch()
    done = kernel.run(f"%portia resume {map_id} -o found").raise_for_error()
    assert "it went on: 3 of 4 rows had been done and were not run again" in done.text
    assert kernel.evaluate("[found.outputs, found.state]") == [list("abcd"), "done"]
    made = calls(kernel.folder)
    assert [made.count(f"row {name}") for name in "abcd"] == [1, 2, 2, 2]
