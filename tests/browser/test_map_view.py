"""N27, N21, N22: a map under way in the browser: how far it is, its troubles as text, and Stop."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.browser.accessible import check_axe, check_fits, walk_by_tab
from tests.browser.stage import draw_map, open_stage

NASTY = "<img src=x onerror=alert(1)>"
STATE = {
    "title": f"measure {NASTY}, for each row",
    "said": "12 of 50 rows: 11 done, 1 failed; 3 s, about 9 s left",
    "ended": 12,
    "total": 50,
    "troubles": [f"row 7 failed: ValueError: {NASTY}"],
    "isOver": False,
}


@pytest.mark.parametrize(("theme", "width"), [("light", 1100), ("dark", 420)])
async def test_a_map_shows_how_far_it_is_as_text_and_stops_once(
    browser: Browser, theme: str, width: int
):
    async with open_stage(browser, theme=theme, width=width) as stage:
        page = stage.page
        await draw_map(stage, STATE)
        await expect(stage.view).to_contain_text(f"measure {NASTY}, for each row")
        await expect(page.locator("li")).to_have_text(STATE["troubles"])
        await expect(page.locator("img")).to_have_count(0)
        bar = page.get_by_role("progressbar", name="rows")
        await expect(bar).to_have_attribute("max", "50")
        await expect(bar).to_have_js_property("value", 12)
        await check_axe(page)
        await check_fits(page)
        assert [each["name"].split(".")[0] for each in await walk_by_tab(page)] == ["button"]
        stop = page.get_by_role("button")
        await stop.press("Enter")
        await expect(stop).to_have_text("Stopping…")
        await stop.press("Enter")
        assert await stage.sent() == [{"type": "stop"}]
        over = {**STATE, "ended": 50, "troubles": [], "isOver": True}
        await page.evaluate("state => window.map.show(state)", over)
        await expect(stop).to_be_hidden()
        await expect(page.locator("li")).to_have_count(0)
        await expect(page.get_by_role("status")).to_contain_text("50 of 50 rows")
        assert stage.problems == []
