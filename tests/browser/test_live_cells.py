"""Runs in cells of JupyterLab and Notebook 7: live, answered by keyboard, stopped, resumed (N9)."""

import time

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenNotebook
from tests.browser.lab import App

BOTH = pytest.mark.parametrize("app", ["lab", "notebook"])

SETTING = """
%load_ext portia_nb
import asyncio, http.server, threading, time
from pathlib import Path
import httpx
from portia_nb import Config, Portia, PlanBuilderV2, StepOutput, tool

portia = Portia(Config(default_log_level="ERROR"), tools=[])

class City(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open between requests

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"sunny")

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), City)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"
client = httpx.AsyncClient()
_ = await client.get(url)  # its open connection belongs to the loop of the cells

def note(what):
    with Path("calls.txt").open("a") as file:
        file.write(what + "\\n")

def quick():
    note("quick")
    return "quick"

def slow(before):
    note("slow")
    time.sleep(0.1 if Path("fast").exists() else 60)
    return before + " slow"

@tool
async def weather(city: str) -> str:
    "Tells the weather in a city."
    return f"{city}: {(await client.get(url)).text}"
"""
ASKING = """
asking = (
    PlanBuilderV2("Which city?")
    .function_step(function=quick, step_name="first")
    .user_input(message="Which city?", options=["Rome", "Oslo"], step_name="city")
    .invoke_tool_step(tool=weather, args={"city": StepOutput("city")}, step_name="last")
    .build()
)
"""
LONG = """
long = (
    PlanBuilderV2("Long")
    .function_step(function=quick, step_name="first")
    .function_step(function=slow, args={"before": StepOutput("first")}, step_name="slow")
    .build()
)
"""


@BOTH
async def test_under_run_all_a_question_is_answered_in_the_cells_own_form_by_keyboard(
    open_notebook: OpenNotebook, app: App
):
    show = "print(result.state, result.outputs['last'].value)"
    nb = await open_notebook([SETTING, ASKING, "%portia run asking -o result", show], app)
    await nb.run_all()
    form = nb.output(2).locator("form")
    await expect(form).to_be_visible(timeout=30_000)
    await nb.wait_until_running(2)
    await expect(nb.output(2)).to_contain_text("done")

    choice = form.get_by_label("Oslo")
    await choice.focus()
    await choice.press("Space")
    await choice.press("Enter")

    await nb.wait_until_done(3)
    await nb.expect_text(3, "COMPLETE Oslo: sunny")
    # The record has taken the live view's place.
    await expect(nb.output(2).locator("form")).to_have_count(0)
    await expect(nb.output(2)).to_contain_text("3 of 3")
    await expect(nb.output(2)).to_contain_text("Oslo: sunny")
    assert nb.errors == []
    assert nb.outside_requests == []


@BOTH
async def test_an_interrupt_stops_the_run_and_resuming_repeats_no_finished_step(
    open_notebook: OpenNotebook, app: App
):
    cells = [SETTING, LONG, "%portia run long", "Path('fast').touch()\nresult = %portia resume"]
    count = "print(result.state, Path('calls.txt').read_text().split().count('quick'))"
    nb = await open_notebook([*cells, count], app)
    for index in (0, 1):
        await nb.run_cell(index)
        await nb.wait_until_done(index)
    await nb.run_cell(2)
    await expect(nb.output(2)).to_contain_text("running", timeout=30_000)
    await nb.interrupt()
    await nb.wait_until_done(2, timeout_s=5)
    await expect(nb.output(2)).to_contain_text("KeyboardInterrupt")
    await expect(nb.output(2)).to_contain_text("%portia resume prun-")
    for index in (3, 4):
        await nb.run_cell(index)
        await nb.wait_until_done(index)
    await nb.expect_text(4, "COMPLETE 1")


MANY = """
def tick():
    note(f"tick {time.time()}")
    time.sleep(0.1)

builder = PlanBuilderV2("Many")
for _ in range(100):
    builder.function_step(function=tick)
many = builder.build()
"""


@BOTH
async def test_an_interrupt_lets_no_call_start_after_300_ms_and_gives_the_prompt_back_in_2_s(
    open_notebook: OpenNotebook, app: App
):
    count = "print(*[line.split()[1] for line in Path('calls.txt').read_text().splitlines()])"
    nb = await open_notebook([SETTING, MANY, "%portia run many", count, "print(6 * 7)"], app)
    for index in (0, 1):
        await nb.run_cell(index)
        await nb.wait_until_done(index)
    await nb.run_cell(2)
    await expect(nb.output(2)).to_contain_text("done", timeout=30_000)

    asked = time.time()
    await nb.interrupt()
    await nb.wait_until_done(2, timeout_s=5)
    back = time.time()

    assert back - asked <= 2.0
    for index in (3, 4):
        await nb.run_cell(index)
        await nb.wait_until_done(index)
    starts = [float(word) for word in (await nb.text(3)).split()]
    assert len(starts) < 100
    assert max(starts) <= asked + 0.3
    await nb.expect_text(4, "42")
