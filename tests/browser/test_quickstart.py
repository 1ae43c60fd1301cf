"""The quickstart as a newcomer meets it: opened in JupyterLab, run as a whole, asked one thing."""

import json
import re
import time
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenNotebook

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "00_quickstart.ipynb"
LIMIT_S = 60
MAX_SAVED_BYTES = 300_000
SAVED = json.loads(QUICKSTART.read_text("utf-8"))["cells"]
CELLS = {cell["id"].removeprefix("quickstart-"): place for place, cell in enumerate(SAVED)}


def saved_runs() -> set[str]:
    """Return the ids of the runs that the notebook lists before it is run here."""
    return set(re.findall(r"prun-[0-9a-f-]{36}", json.dumps(SAVED[CELLS["17"]]["outputs"])))


@pytest.mark.timeout(180)
async def test_run_all_asks_once_by_keyboard_and_the_later_cells_see_the_answer(
    open_notebook: OpenNotebook, screenshots: Path
):
    nb = await open_notebook(QUICKSTART)
    began = time.monotonic()
    await nb.run_all()
    form = nb.output(CELLS["07"]).locator("form")
    await expect(form).to_be_visible(timeout=LIMIT_S * 1000)
    await nb.wait_until_running(CELLS["09"])
    # The form has taken the focus; the answer is two keys away.
    await expect(form.get_by_label("2004-08")).to_be_focused()
    await nb.page.keyboard.press("ArrowDown")
    await expect(form.get_by_label("2007-01")).to_be_checked()
    await nb.page.keyboard.press("Enter")

    runs = nb.output(CELLS["17"])
    await expect(runs).to_have_text(re.compile("(done.*){2}", re.S), timeout=LIMIT_S * 1000)
    for run_id in saved_runs():
        await expect(runs).not_to_contain_text(run_id)
    assert time.monotonic() - began < LIMIT_S
    assert (await runs.text_content() or "").count("done") == 2
    record = nb.output(CELLS["07"]).locator(".portia-view")
    await expect(record.locator(".portia-state")).to_have_text("done")
    await expect(nb.output(CELLS["09"])).to_contain_text("Amazon grew faster: +")
    picture = nb.output(CELLS["10"]).locator("img")
    assert await picture.evaluate("image => image.naturalWidth") > 300
    await expect(nb.output(CELLS["14"]).locator(".portia-scripted")).to_have_text(
        re.compile("scripted")
    )
    await expect(nb.output(CELLS["15"])).to_contain_text("Google grew faster: +")
    await nb.page.screenshot(path=screenshots / "end.png")
    await nb.save()
    saved = nb.path.read_text("utf-8")
    assert len(saved.encode()) < MAX_SAVED_BYTES
    assert "widgets" not in json.loads(saved)["metadata"] and "widget-view" not in saved
    assert str(nb.server.root) not in saved
    assert nb.errors == []
    assert nb.outside_requests == []
