"""N22: approve, run, answer, fork: the whole of it in JupyterLab without a mouse."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.accessible import check_axe
from tests.browser.conftest import OpenNotebook

SETTING = """
%load_ext portia_nb
from portia_nb import Config, Portia, PlanBuilderV2, StepOutput
portia = Portia(Config(store="memory", default_log_level="ERROR"), tools=[])

def book(city):
    return f"booked {city}"

trip = (
    PlanBuilderV2("Book a trip")
    .user_input(message="Which city?", options=["Rome", "Oslo"], step_name="city")
    .function_step(
        function=book, args={"city": StepOutput("city")}, step_name="book", side_effect=True
    )
    .build()
)
"""
CELLS = [
    SETTING,
    "%portia run trip -o first",
    "%portia fork first city -o second",
    "print(first.final_output.value, second.final_output.value)",
]


async def test_approve_run_answer_and_fork_by_keyboard_alone(open_notebook: OpenNotebook):
    nb = await open_notebook(CELLS)
    keys = nb.page.keyboard

    async def approve(index: int, what: str) -> None:
        form = nb.output(index).locator("form", has_text=what)
        # The form has the focus, and no button of it: Enter must not approve what nobody has read.
        await expect(form).to_be_focused(timeout=30_000)
        button = form.get_by_role("button", name="Approve")
        for _ in range(await form.locator("[tabindex='0'], summary").count() + 1):
            await keys.press("Tab")
        await expect(button).to_be_focused()
        await keys.press("Enter")

    async def answer(index: int, downs: int, city: str) -> None:
        form = nb.output(index).locator("form", has_text="Which city?")
        await expect(form.get_by_label("Rome")).to_be_focused(timeout=30_000)
        for _ in range(downs):
            await keys.press("ArrowDown")
        await keys.press("Space")
        await expect(form.get_by_label(city)).to_be_checked()
        await check_axe(nb.page, ".portia-view")
        await keys.press("Enter")

    async def to_next_cell(index: int) -> None:
        # The record has taken the place of the view, and the keys are the notebook's again.
        await expect(nb.output(index).locator("form")).to_have_count(0)
        await expect(nb.cell(index)).to_be_focused()
        await keys.press("ArrowDown")

    await keys.press("Shift+Enter")
    await nb.wait_until_done(0)
    await keys.press("Shift+Enter")
    await approve(1, "Approve this plan")
    await answer(1, 0, "Rome")
    await approve(1, "Approve a call of book")
    await nb.wait_until_done(1)
    await to_next_cell(1)
    await keys.press("Shift+Enter")
    await approve(2, "Approve this plan")
    await answer(2, 1, "Oslo")
    await approve(2, "Approve a call of book")
    await nb.wait_until_done(2)
    await to_next_cell(2)
    await keys.press("Shift+Enter")
    await nb.expect_text(3, "booked Rome booked Oslo")
    assert nb.errors == []
