"""The plan inspector in JupyterLab, by keyboard alone: edit, compare, undo, approve, run."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenNotebook

SETTING = """
%load_ext portia_nb
from portia_nb import Config, Portia, PlanBuilderV2, StepOutput, tool

@tool(side_effect=False)
def look(city: str) -> str:
    "Look up a city."
    return "seen " + city

@tool(side_effect=True)
def send(text: str) -> str:
    "Send a message."
    return "sent " + text

portia = Portia(Config(default_log_level="ERROR"), tools=[look, send])
trip = (
    PlanBuilderV2("Tell where to go")
    .invoke_tool_step(tool="look", args={"city": "Rome"}, step_name="find")
    .invoke_tool_step(tool="send", args={"text": "Hello"}, step_name="greet")
    .build()
)
"""


async def press_on(field: Locator, key: str) -> None:
    """Give `field` the focus, as Tab would in the end, and press one key."""
    await field.focus()
    await field.press(key)


async def retype(field: Locator, text: str) -> None:
    await field.focus()
    await field.press("Control+a")
    await field.press_sequentially(text)
    await field.press("Enter")


@pytest.mark.timeout(120)
async def test_a_plan_is_edited_compared_undone_approved_and_run_by_keyboard(
    open_notebook: OpenNotebook,
):
    nb = await open_notebook(
        [SETTING, "%portia edit trip", "trip.step('found').args['city'].value, len(trip.steps)"]
    )
    await nb.run_cell(0)
    await nb.wait_until_done(0)
    await nb.run_cell(1)
    editor = nb.output(1).locator(".portia-editor")
    await expect(editor).to_contain_text("Version 1 of 1", timeout=30_000)
    await expect(editor).to_contain_text("%portia run trip runs it")

    # A field, while no cell runs: what is changed has the focus still.
    find = editor.get_by_role("button", name="find", exact=True)
    await press_on(find, "Enter")
    city = editor.get_by_label("city").first
    await retype(city, "Oslo")
    await expect(editor.locator(".portia-editor-difference")).to_contain_text("Rome → Oslo")
    await expect(city).to_be_focused()

    # A refusal stands at its field, which keeps the focus and what was typed.
    name = editor.get_by_label("Name").first
    await retype(name, "greet")
    await expect(name).to_have_attribute("aria-invalid", "true")
    problem = name.locator("xpath=../p[contains(@class, 'problem')]")
    await expect(problem).to_contain_text("a step called 'greet' already")
    await expect(name).to_be_focused()
    await expect(name).to_have_value("greet")
    await retype(name, "found")
    await expect(editor).to_contain_text("step 'find' renamed to 'found'")
    await expect(name).to_be_focused()

    # Order, off and on, undo and redo: each by its button.
    await press_on(editor.get_by_role("button", name="Up greet"), "Enter")
    await expect(editor.get_by_role("status").first).to_have_text("Moved greet up")
    await press_on(editor.get_by_role("button", name="Undo"), "Enter")
    await press_on(editor.get_by_role("button", name="Switch off greet"), "Space")
    await expect(editor).to_contain_text("○ switched off")
    await expect(editor.get_by_role("button", name="Switch on greet")).to_be_focused()
    await press_on(editor.get_by_role("button", name="Undo"), "Enter")
    await expect(editor).to_contain_text("Version 3 of 4")

    # The next cell has the plan as it stands.
    await nb.run_cell(2)
    await nb.expect_text(2, "('Oslo', 2)")

    # Approve by hash, then run: the call that the plan spells out is not asked about again.
    await press_on(editor.get_by_role("button", name=re.compile("^Approve [0-9a-f]{12}$")), "Enter")
    await expect(editor.locator(".portia-editor-approval")).to_contain_text("approved by")
    await press_on(editor.get_by_role("button", name="Run", exact=True), "Enter")
    run = editor.locator(".portia-editor-run .portia-view")
    await expect(run.locator(".portia-state")).to_have_text("done", timeout=20_000)
    await expect(run).to_contain_text("sent Hello")
    await expect(run).to_contain_text("approved by")

    await press_on(editor.get_by_role("button", name="Done", exact=True), "Enter")
    await expect(nb.output(1).locator(".portia-record").first).to_contain_text("What changed")
    await expect(nb.output(1).locator("button")).to_have_count(0)
    assert nb.errors == []
    assert nb.outside_requests == []
