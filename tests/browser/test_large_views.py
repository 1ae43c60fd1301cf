"""Runs of hundreds and thousands of steps: finished parts fold, and then a table takes over."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Locator, expect

from portia_nb.model.events import RunCompleted, StepDone, StepStarted
from portia_nb.model.run import Run
from tests.browser.stage import Stage, open_stage, view_of
from tests.notebook.stories import chain, told

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def row(stage: Stage, name: str) -> Locator:
    return stage.view.locator(".portia-steps").get_by_text(name, exact=True)


def run_of(count: int, done: int, *, ended: bool = False) -> Run:
    events: list[Any] = [StepDone(f"step_{i}", 1, f"out {i}") for i in range(done)]
    if ended:
        return told(chain(count), [*events, RunCompleted(f"step_{count - 1}")])
    return told(chain(count), [*events, StepStarted(f"step_{done}")])


@pytest.mark.parametrize("count", [200, 500])
async def test_what_is_finished_of_a_long_list_folds_and_unfolds(browser: Browser, count: int):
    async with open_stage(browser) as stage:
        run = run_of(count, 60)
        await stage.draw(view_of(run.plan, run))
        lines = stage.view.locator(".portia-blockline")
        await expect(lines).to_have_count(count // 25)
        await expect(lines.first).to_have_text("Steps 1 to 25: done · step_0 … step_24")
        await expect(lines.first).to_have_attribute("aria-expanded", "false")
        await expect(row(stage, "step_7")).to_be_hidden()
        await expect(lines.nth(2)).to_have_text("Steps 51 to 75: 10 of 25 done · step_50 … step_74")
        await expect(row(stage, "step_60")).to_be_visible()
        # The block that ends now folds by itself, but not one that somebody has unfolded.
        await lines.first.focus()
        await stage.page.keyboard.press("Enter")
        await expect(row(stage, "step_24")).to_be_visible()
        steps = {f"step_{i}": {"state": "done"} for i in range(60, 75)}
        await stage.update({"steps": steps})
        await expect(lines.nth(2)).to_have_attribute("aria-expanded", "false")
        await expect(row(stage, "step_24")).to_be_visible()
        await expect(stage.view.locator(".portia-count")).to_have_text(f"75 of {count} steps")
        # A card of the picture leads into a folded block.
        await stage.card(74).dispatch_event("click", {"bubbles": True})
        focused = stage.view.locator(".portia-row:focus")
        await expect(focused.locator(".portia-name")).to_have_text("step_74")
        assert stage.problems == []


async def test_above_a_thousand_steps_a_table_shows_a_page_of_them_by_state(browser: Browser):
    async with open_stage(browser) as stage:
        run = run_of(1_200, 300)
        view = view_of(run.plan, run)
        del view["picture"]
        await stage.draw(view)
        table = stage.view.get_by_role("table", name="Steps")
        await expect(table.locator("tr.portia-tablerow")).to_have_count(100)
        await expect(stage.view.locator(".portia-pager")).to_contain_text("1 to 100 of 1,200 steps")
        await expect(stage.view.locator(".portia-count")).to_have_text("300 of 1,200 steps")

        await stage.view.get_by_label("Steps that are").select_option("running")
        await expect(table.locator("tr.portia-tablerow .portia-name")).to_have_text(["step_300"])
        await stage.update({"steps": {"step_300": {"state": "done", "output": {"text": "end"}}}})
        await stage.update({"steps": {"step_301": {"state": "running", "start": 1}}})
        await expect(table.locator("tr.portia-tablerow .portia-name")).to_have_text(["step_301"])

        await stage.view.get_by_label("Steps that are").select_option("")
        for _ in range(3):
            await stage.view.get_by_role("button", name="Next", exact=True).click()
        button = table.get_by_role("button", name="step_300")
        await button.focus()
        await stage.page.keyboard.press("Enter")
        await expect(button).to_have_attribute("aria-expanded", "true")
        await expect(table.locator("td.portia-more:visible")).to_contain_text("end")
        # What is unfolded stays so while its run goes on.
        await stage.update({"steps": {"step_300": {"output": {"text": "again"}}}})
        await expect(table.locator("td.portia-more:visible")).to_contain_text("again")
        await expect(button).to_be_focused()
        assert stage.problems == []


async def test_the_picture_is_zoomed_by_button_key_and_wheel_and_dragged(browser: Browser):
    async with open_stage(browser, width=1300) as stage:
        run = run_of(30, 30, ended=True)
        await stage.draw(view_of(run.plan, run))
        picture = stage.view.locator(".portia-picture")
        drawing = picture.locator("svg")
        size = "svg => Math.round(svg.getBoundingClientRect().width)"

        async def width() -> int:
            return await drawing.evaluate(size)

        natural = await width()
        await stage.view.get_by_role("button", name="Zoom in").click()
        assert await width() == round(natural * 1.25)
        await picture.focus()
        await stage.page.keyboard.press("-")
        assert await width() == natural
        box = await picture.bounding_box()
        assert box is not None
        await stage.page.mouse.move(box["x"] + 100, box["y"] + 100)
        await stage.page.keyboard.down("Control")
        await stage.page.mouse.wheel(0, -300)
        await stage.page.keyboard.up("Control")
        await stage.page.wait_for_function(
            "([svg, was]) => svg.getBoundingClientRect().width > was * 2",
            arg=[await drawing.element_handle(), natural],
        )
        await stage.page.mouse.down()
        await stage.page.mouse.move(box["x"] + 20, box["y"] + 20, steps=4)
        await stage.page.mouse.up()
        await expect(picture).not_to_have_js_property("scrollTop", 0)
        # The end of a drag is no click on a card.
        await expect(stage.view.locator(".portia-row[aria-expanded=true]")).to_have_count(0)
        await stage.view.get_by_role("button", name="Fit the picture").click()
        await expect(picture).to_have_js_property("scrollTop", 0)
        fitted = "svg => svg.getBoundingClientRect().height <= svg.parentElement.clientHeight"
        assert await drawing.evaluate(fitted)
        assert stage.problems == []
