"""The tutorial on control flow as a newcomer meets it: run as a whole, answered by keyboard."""

import json
import time
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenNotebook

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "06_control_flow.ipynb"
LIMIT_S = 60
SOURCES = ["".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]]


def place(begins: str) -> int:
    """Return where the one cell is that begins like this."""
    (found,) = [i for i, source in enumerate(SOURCES) if source.startswith(begins)]
    return found


@pytest.mark.timeout(180)
async def test_run_all_asks_twice_and_other_answers_than_the_defaults_lead_on(
    open_notebook: OpenNotebook, screenshots: Path
):
    nb = await open_notebook(NOTEBOOK)
    began = time.monotonic()
    await nb.run_all()
    asked = nb.output(place("asked = %portia run asking_plan"))
    month = asked.locator("form").get_by_label("October")
    await expect(month).to_be_visible(timeout=LIMIT_S * 1000)
    await month.check()
    await nb.page.keyboard.press("Enter")
    await expect(asked.locator("form")).to_contain_text("October had 17 dry days")
    await nb.page.screenshot(path=screenshots / "asked.png")
    await asked.get_by_role("button", name="Yes, go on").click()

    table = nb.output(place("table = pd.DataFrame("))
    await expect(table.locator("th", has_text="2014")).to_be_visible(timeout=LIMIT_S * 1000)
    assert time.monotonic() - began < LIMIT_S
    await expect(nb.output(place("asked.final_output.value"))).to_contain_text("2015-10-")
    first = nb.output(place("run = %portia run year_plan"))
    await expect(first.locator(".portia-scripted")).to_be_visible()
    await expect(asked.locator(".portia-scripted")).to_be_hidden()
    walks = nb.output(place("def as_table("))
    await walks.scroll_into_view_if_needed()
    await nb.page.screenshot(path=screenshots / "walks.png")
    twice = nb.output(place("portia = Portia()"))
    await expect(twice.locator(".portia-view")).to_have_count(2)
    await twice.scroll_into_view_if_needed()
    await nb.page.screenshot(path=screenshots / "twice.png")
    assert nb.errors == []
    assert nb.outside_requests == []
