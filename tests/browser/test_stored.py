"""A saved notebook, opened untrusted and without a kernel, still shows its plans and runs."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.async_api import expect

from portia_nb.model.events import StepDone, StepStarted
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun
from portia_nb.notebook.static_record import PLAN_MIME, RUN_MIME, plan_bundle, run_bundle
from tests.browser.conftest import OpenNotebook
from tests.browser.lab import App, NotebookPage
from tests.notebook.stories import told, two_searches

BOTH = pytest.mark.parametrize("app", ["lab", "notebook"])

PLAN = Plan.model_validate(
    {
        "id": "plan-1f1ad8d2-95f6-4b44-a0b1-2f6b2f8bf0a1",
        "plan_context": {"query": "Which is heavier?", "tool_ids": ["weigh"]},
        "steps": [
            {"task": "Weigh the feathers", "inputs": [], "tool_id": "weigh", "output": "$feathers"},
            {"task": "Weigh the <b>lead</b>", "inputs": [], "tool_id": "weigh", "output": "$lead"},
        ],
        "plan_inputs": [],
    }
)
RUN = PlanRun.model_validate(
    {
        "id": "prun-5a0b1c39-6a83-4f5c-8f5f-6a9e0b6f2f5e",
        "plan_id": str(PLAN.id),
        "current_step_index": 1,
        "plan_run_inputs": {},
        "state": "COMPLETE",
        "outputs": {
            "clarifications": [],
            "step_outputs": {
                "$feathers": {"value": "a pound of feathers", "summary": None},
                "$lead": {"value": "<img src=x onerror='boom()'>", "summary": None},
            },
            "final_output": {"value": "they weigh the same", "summary": None},
        },
    }
)


def without(bundle: dict[str, Any], mime_type: str) -> dict[str, Any]:
    return {key: value for key, value in bundle.items() if key != mime_type}


def store(folder: Path, *bundles: dict[str, Any]) -> Path:
    """Write a notebook with one output each, for a kernel that isn't there."""
    outputs = [nbformat.v4.new_output("display_data", data) for data in bundles]
    cells = [nbformat.v4.new_code_cell("…", outputs=[output]) for output in outputs]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "gone", "display_name": "Gone"}
    path = folder / "stored.ipynb"
    nbformat.write(notebook, path)
    return path


async def go_on_without_a_kernel(nb: NotebookPage) -> None:
    dialog = nb.page.get_by_role("dialog")
    await dialog.get_by_role("button", name="No Kernel").click()
    await dialog.wait_for(state="detached")


@BOTH
async def test_the_extension_draws_stored_plans_and_runs_with_no_kernel(
    open_notebook: OpenNotebook, tmp_path: Path, screenshots: Path, app: App
):
    path = store(tmp_path, plan_bundle(PLAN), run_bundle(RUN, PLAN))
    nb = await open_notebook(path, app, wait=False)
    await go_on_without_a_kernel(nb)
    plan, run = (nb.output(i).locator(".portia-stored") for i in (0, 1))

    await expect(plan.get_by_text("Weigh the feathers", exact=True)).to_be_visible()
    await expect(plan.get_by_text("Weigh the <b>lead</b>", exact=True)).to_be_visible()
    await expect(run.get_by_text("they weigh the same", exact=True)).to_be_visible()
    await expect(run.get_by_text("a pound of feathers", exact=True)).to_be_visible()
    # Nobody listens to a stored run.
    await expect(run.get_by_role("button", name="Stop")).to_be_hidden()
    await nb.page.screenshot(path=screenshots / "stored.png")
    assert nb.errors == []
    assert nb.outside_requests == []


async def test_without_the_extension_the_list_and_the_picture_are_shown(
    open_notebook: OpenNotebook, tmp_path: Path, screenshots: Path
):
    """N20: what an untrusted notebook is left with; the timeline is folded away."""
    events = [StepStarted("amazon"), StepDone("amazon", 1, "44 %"), StepStarted("google")]
    bundles = (
        without(plan_bundle(PLAN), PLAN_MIME),
        without(run_bundle(RUN, PLAN), RUN_MIME),
        without(run_bundle(told(two_searches(), events)), RUN_MIME),
    )
    nb = await open_notebook(store(tmp_path, *bundles), wait=False)
    await go_on_without_a_kernel(nb)

    for index, text in enumerate(["Weigh the <b>lead</b>", "they weigh the same"]):
        await expect(nb.output(index)).to_contain_text(text)
        picture = nb.output(index).locator("img")
        assert await picture.evaluate("img => img.naturalWidth > 50 && img.naturalHeight > 50")
    folded = nb.output(2).locator("summary", has_text="Timeline: 2 steps")
    await folded.focus()
    await nb.page.keyboard.press("Enter")
    timeline = nb.output(2).locator("details img")
    await expect(timeline).to_be_visible()
    assert await timeline.evaluate("img => img.naturalWidth > 500")
    await nb.page.screenshot(path=screenshots / "static.png")


async def test_a_damaged_record_is_a_sentence_and_not_an_empty_cell(
    open_notebook: OpenNotebook, tmp_path: Path
):
    path = store(tmp_path, {RUN_MIME: 7, "text/plain": "a"}, {PLAN_MIME: {"steps": "many"}})
    nb = await open_notebook(path, wait=False)
    await go_on_without_a_kernel(nb)
    await expect(nb.output(0).get_by_role("alert")).to_contain_text("found a number")
    await expect(nb.output(1).get_by_role("alert")).to_contain_text("has no list of steps")
