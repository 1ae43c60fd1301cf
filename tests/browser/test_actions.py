"""Retry, Why and Fork in a real notebook: each puts one command into a cell, whatever data says."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Locator, expect

from portia_nb.model.events import ErrorRecord, RunFailed, StepFailed, StepStarted
from portia_nb.notebook.static_record import run_bundle
from tests.browser.conftest import OpenNotebook
from tests.browser.lab import NotebookPage
from tests.browser.test_stored import go_on_without_a_kernel, store
from tests.notebook.stories import RUN_ID, told, two_searches

PLAN = """%load_ext portia_nb
from portia_nb import Config, PlanBuilderV2, Portia
tries = []
def weigh():
    tries.append(len(tries))
    if len(tries) == 1:
        raise ValueError("the scales are broken")
    return "a pound"
portia = Portia(Config(store="memory", default_log_level="ERROR"), tools=[])
plan = PlanBuilderV2("Weigh it").function_step(function=weigh, step_name="weigh").build()
%portia use portia"""


def button(cell: Locator, name: str) -> Locator:
    return cell.get_by_role("button", name=name, exact=True)


async def source(nb: NotebookPage, index: int) -> str:
    return await nb.page.evaluate(
        "i => window.jupyterapp.shell.currentWidget.content.widgets[i].model.sharedModel.source",
        index,
    )


async def test_a_failed_run_is_asked_why_retried_and_forked_by_its_buttons(
    open_notebook: OpenNotebook, screenshots: Path
):
    nb = await open_notebook([PLAN, "%portia run plan"])
    await nb.run_all()
    failed = nb.output(1)
    await expect(button(failed, "Why")).to_be_visible(timeout=60_000)
    await nb.page.screenshot(path=screenshots / "failed.png")

    await button(failed, "Why").click()
    await expect(nb.output(2)).to_contain_text("ValueError: the scales are broken")
    assert (await source(nb, 2)).startswith("%portia why prun-")

    await button(failed, "Retry").click()
    await expect(nb.prompt(2)).to_have_text("[4]:")
    retried = nb.output(2)
    await expect(retried.locator(".portia-stored .portia-state")).to_have_text("done")
    assert (await source(nb, 2)).startswith("%portia retry prun-")

    await retried.locator(".portia-row").click()
    await button(retried, "Fork from here").click()
    await expect(nb.cell(3).locator(".cm-content")).to_be_focused()
    await nb.page.keyboard.type("--yes")
    await expect(nb.cell(3).locator(".cm-content")).to_have_text(
        (await source(nb, 2)).replace("retry", "fork") + " weigh --yes"
    )
    await expect(nb.prompt(3)).to_have_text("[ ]:")
    await expect(nb.page.locator(".jp-Notebook .jp-Cell")).to_have_count(5)
    assert nb.errors == []


HOSTILE = [
    'x"; import os',
    "a\n!touch pwned",
    "{__import__('os').getpid()}",
    "$HOME",
    "-o",
    "7",
    "a" * 130,
]


async def test_buttons_of_an_untrusted_notebook_run_nothing_and_take_no_code_from_it(
    open_notebook: OpenNotebook, tmp_path: Path
):
    error = ErrorRecord("ToolHardError", "no network", "google")
    events = [StepStarted("google"), StepFailed("google", 1, error), RunFailed(error)]
    bundle = run_bundle(told(two_searches(), events))
    names = [*HOSTILE, "each city/sky"]
    rows = [{"path": name, "el": f"n{i}", "state": "done"} for i, name in enumerate(names)]
    [run_mime] = [mime for mime in bundle if mime.startswith("application/")]
    forged = {**bundle[run_mime], "steps": rows, "state": "COMPLETE"}
    other = {**forged, "id": f"{RUN_ID}\n!touch pwned", "state": "FAILED"}
    path = store(tmp_path, bundle, {run_mime: forged}, {run_mime: other})
    nb = await open_notebook(path, wait=False)
    await go_on_without_a_kernel(nb)

    await button(nb.output(0), "Retry").click()
    await expect(nb.cell(1).locator(".cm-content")).to_have_text(f"%portia retry {RUN_ID}")
    await expect(nb.cell(1).locator(".cm-content")).to_be_focused()
    await expect(nb.prompt(1)).to_have_text("[ ]:")

    for row in await nb.output(2).locator(".portia-row").all():
        await row.click()
    await expect(button(nb.output(2), "Fork from here")).to_have_count(1)
    await button(nb.output(2), "Fork from here").click()
    await expect(nb.cell(3).locator(".cm-content")).to_have_text(
        f'%portia fork {RUN_ID} "each city/sky" '
    )
    await expect(nb.prompt(3)).to_have_text("[ ]:")
    # A run whose id isn't one: nothing can be asked of it.
    for row in await nb.output(4).locator(".portia-row").all():
        await row.click()
    await expect(nb.output(4).locator(".portia-actions button")).to_have_count(0)
    assert nb.errors == []
