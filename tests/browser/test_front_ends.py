"""The harness itself: both front ends start, run cells, can be stopped, and save."""

from pathlib import Path

import nbformat
import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenNotebook
from tests.browser.lab import App

BOTH = pytest.mark.parametrize("app", ["lab", "notebook"])


@BOTH
async def test_a_cell_runs_and_shows_its_value(open_notebook: OpenNotebook, app: App):
    nb = await open_notebook(["1 + 1", "_ * 21"], app)
    await nb.run_all()
    await nb.wait_until_done(1)
    await nb.expect_text(0, "2")
    await nb.expect_text(1, "42")
    assert nb.errors == []
    assert nb.outside_requests == []


@BOTH
async def test_the_kernel_sees_no_keys_and_works_in_the_tests_own_folder(
    open_notebook: OpenNotebook, app: App
):
    sources = ["import os", "[n for n in os.environ if 'API_KEY' in n]", "print(os.getcwd())"]
    nb = await open_notebook(sources, app)
    await nb.run_all()
    await nb.wait_until_done(2)
    await nb.expect_text(1, "[]")
    await nb.expect_text(2, str(nb.path.parent))


@BOTH
async def test_a_running_cell_can_be_interrupted_and_the_kernel_goes_on(
    open_notebook: OpenNotebook, app: App
):
    nb = await open_notebook(["import time; print('off'); time.sleep(100)", "'still here'"], app)
    await nb.run_cell(0)
    await expect(nb.output(0)).to_contain_text("off")
    await nb.wait_until_running(0)
    await nb.interrupt()
    await nb.wait_until_done(0)
    await expect(nb.output(0)).to_contain_text("KeyboardInterrupt")
    await nb.run_cell(1)
    await nb.wait_until_done(1)
    await nb.expect_text(1, "'still here'")


async def test_the_theme_changes_and_the_file_is_saved(
    open_notebook: OpenNotebook, screenshots: Path
):
    nb = await open_notebook(["6 * 7"])
    await nb.run_all()
    await nb.wait_until_done(0)
    for theme in ("light", "dark"):
        await nb.set_theme(theme)
        await nb.page.screenshot(path=screenshots / f"{theme}.png")
    await nb.save()
    [output] = nbformat.read(nb.path, as_version=4).cells[0].outputs
    assert output.data["text/plain"] == "42"
