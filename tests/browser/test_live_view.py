"""The live view in a real notebook: shown, fed from the background loop, answered, recorded."""

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from portia_nb.model.events import RunCompleted, StepDone
from portia_nb.notebook.static_record import run_bundle
from tests.browser.conftest import OpenNotebook
from tests.browser.lab import App, write_notebook
from tests.notebook.stories import told, two_searches

BOTH = pytest.mark.parametrize("app", ["lab", "notebook"])

STORY = """
import asyncio, concurrent.futures, sys
sys.path.insert(0, {root!r})
from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import *
from portia_nb.model.run import Run
from portia_nb.notebook.widget import LiveView
from portia_nb.running.background import background
from tests.notebook.stories import two_searches
import time
plan, answer, stopped = two_searches(), concurrent.futures.Future(), concurrent.futures.Future()
run = Run("prun-18d9aa91-0066-413f-af32-b979bce89821", plan)
def on_answer(question_id, value):
    if value == "soon":
        view.refuse(question_id, "'soon' is no year")
    else:
        answer.set_result(value)
view = LiveView(plan, loop=background.loop, publisher=get_ipython().display_pub,
                on_answer=on_answer, on_stop=lambda: stopped.set_result(True))
def happen(*events):
    async def tell():
        for event in events:
            recorded = Recorded(run.seq + 1, time.time(), run.id, event)
            run.apply(recorded)
            view.listen(run, recorded)
    background.submit(tell()).result()
async def until(future):
    while not future.done():
        await asyncio.sleep(0.05)
    return future.result()
"""
ASK = """
view.show()
assert await view.until_ready(30)
question = InputClarification(user_guidance="Which year?", argument_name="year", path="google")
happen(RunCreated(str(plan.id), {}), RunStarted(), StepStarted("amazon"),
       StepDone("amazon", 1, "<b>Amazon</b> $5 and $6"), StepStarted("google"),
       ClarificationRaised("google", question), RunWaiting())
year = await until(answer)
happen(ClarificationResolved(question.id, year), RunStarted(), StepStarted("google", 2))
await until(stopped)
happen(StepDone("google", 2, [{"year": year, "growth": 0.355}]), StepDone("faster", 1, "Amazon"),
       RunCompleted("faster"))
view.finish()
"""


def cells(root: str) -> list[str]:
    return [STORY.format(root=root), ASK, "year"]


async def reloaded(page: Page) -> None:
    await page.reload()
    await page.wait_for_selector(".jp-Notebook .jp-Cell")


@BOTH
async def test_a_run_is_watched_answered_stopped_and_recorded(
    open_notebook: OpenNotebook, app: App, request: pytest.FixtureRequest, screenshots: Path
):
    nb = await open_notebook(cells(str(request.config.rootpath)), app)
    await nb.run_all()
    view = nb.output(1).locator(".portia-view")
    field = view.get_by_role("textbox", name="year")
    await expect(field).to_be_focused(timeout=20_000)
    await nb.page.keyboard.type("soon")
    await nb.page.keyboard.press("Enter")
    await expect(view.get_by_role("alert")).to_have_text("'soon' is no year")
    for theme in ("light", "dark"):
        await nb.set_theme(theme)
        await nb.page.screenshot(path=screenshots / f"{app}-{theme}.png")
    # Letters that are JupyterLab's shortcuts stay letters.
    await field.fill("")
    await nb.page.keyboard.type("dd2024")
    await nb.page.keyboard.press("Enter")
    await expect(view.locator(".portia-word")).to_have_text(["done", "running", "waiting"])
    await expect(view.locator("form")).to_have_count(0)
    await view.get_by_role("button", name="Stop").click()
    await nb.wait_until_done(2)
    await nb.expect_text(2, "'dd2024'")
    assert await nb.output(1).locator(".jupyter-widgets").count() == 0
    await nb.save()
    stored = json.loads(nb.path.read_text())["cells"][1]["outputs"]
    (output,) = stored
    assert sorted(output["data"]) == [
        "application/vnd.portia.run+json",
        "text/html",
        "text/plain",
    ]
    assert nb.errors == [] and nb.outside_requests == []


async def test_a_reload_shows_the_run_as_it_stands(
    open_notebook: OpenNotebook, request: pytest.FixtureRequest
):
    nb = await open_notebook(cells(str(request.config.rootpath)))
    await nb.run_all()
    view = nb.output(1).locator(".portia-view")
    await expect(view.get_by_role("textbox", name="year")).to_be_visible(timeout=20_000)
    await nb.save()
    await reloaded(nb.page)
    field = view.get_by_role("textbox", name="year")
    await expect(field).to_be_visible(timeout=20_000)
    await expect(view.locator(".portia-word")).to_have_text(["done", "needs you", "waiting"])
    await field.fill("2024")
    await field.press("Enter")
    await view.get_by_role("button", name="Stop").click()
    await expect(view.locator(".portia-state")).to_have_text("done")


@BOTH
async def test_the_record_survives_where_no_kernel_and_no_trust_is(
    open_notebook: OpenNotebook, app: App
):
    nb = await open_notebook(["1"], app)
    payload = '<img src=x onerror="window.pwned=1"> costs $5 and $6'
    done = [StepDone("amazon", 1, payload), StepDone("faster", 1, "Amazon")]
    bundle = run_bundle(told(two_searches(), [*done, RunCompleted("faster")]))
    for mimes in (["text/html", "text/plain"], list(bundle)):
        path = nb.path.with_name(f"stored{len(mimes)}.ipynb")
        write_notebook(path, ["%%portia"])
        notebook = json.loads(path.read_text())
        notebook["cells"][0]["outputs"] = [
            {
                "output_type": "display_data",
                "metadata": {},
                "data": {mime: bundle[mime] for mime in mimes},
            }
        ]
        path.write_text(json.dumps(notebook))
        await nb.page.goto(nb.server.address(path))
        shown = nb.output(0)
        await expect(shown).to_contain_text("Amazon", timeout=30_000)
        if len(mimes) == 2:  # as where our extension isn't installed
            picture = shown.locator("img")
            await expect(picture).to_have_attribute("alt", re.compile("^Graph of the plan"))
            width = await picture.evaluate(
                "async image => { await image.decode(); return image.naturalWidth }"
            )
            assert width > 200
            await expect(shown).to_contain_text(payload)
        else:
            await expect(shown.locator(".portia-picture svg")).to_be_visible()
        assert await nb.page.evaluate("window.pwned") is None
    assert nb.outside_requests == []
