"""Runs in cells of JupyterLab and Notebook 7: live, answered by keyboard, stopped, resumed."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenNotebook
from tests.browser.lab import App

BOTH = pytest.mark.parametrize("app", ["lab", "notebook"])

SETTING = """
%load_ext portia_nb
import asyncio, time
from pathlib import Path
from portia_nb import Config, Portia, PlanBuilderV2, StepOutput, tool

portia = Portia(Config(default_log_level="ERROR"), tools=[])
lock = asyncio.Lock()  # bound to the loop of the cells, like an HTTP client

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

async def locked(before):
    async with lock:
        await asyncio.sleep(0.01)
    return before + " locked"
"""
ASKING = """
asking = (
    PlanBuilderV2("Which city?")
    .function_step(function=quick, step_name="first")
    .user_input(message="Which city?", options=["Rome", "Oslo"], step_name="city")
    .function_step(function=locked, args={"before": StepOutput("city")}, step_name="last")
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
    assert (await nb.text(3)).strip() == "COMPLETE Oslo locked"
    # The record has taken the live view's place.
    await expect(nb.output(2).locator("form")).to_have_count(0)
    await expect(nb.output(2)).to_contain_text("3 of 3")
    await expect(nb.output(2)).to_contain_text("Oslo locked")
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
    said = await nb.text(2)
    assert "KeyboardInterrupt" in said
    assert "%portia resume prun-" in said
    for index in (3, 4):
        await nb.run_cell(index)
        await nb.wait_until_done(index)
    assert (await nb.text(4)).strip() == "COMPLETE 1"
