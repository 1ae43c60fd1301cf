"""Steps inside steps in the view, in Chromium."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from portia_nb.model.events import StepStarted
from tests.browser.stage import open_stage
from tests.notebook.test_bodies import looped, one_round

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_rounds_stand_below_their_loop_and_frames_are_coloured(browser: Browser):
    async with open_stage(browser) as stage:
        await stage.draw_run(looped(), [StepStarted("each"), *one_round(0)])
        await stage.update(
            {"steps": {"each[1]": {"state": "running"}, "each/odd": {"state": "running"}}}
        )
        await stage.update({"steps": {"each[1]/size": {"state": "done"}}})
        await stage.update({"steps": {"each[1]/odd": {"state": "running"}}})
        names = await stage.page.locator(".portia-name").all_inner_texts()
        rounds = [name for name in names if name.startswith(("each[0]", "each[1]"))]
        assert [name for name in rounds if name.startswith("each[1]")] == [
            "each[1]",
            "each[1]/size",
            "each[1]/odd",
        ]
        assert rounds == sorted(rounds, key=lambda name: name.split("/")[0]), "the second is below"
        assert names.index("each") < names.index("each[0]") < names.index("end")
        await expect(stage.page.locator("svg > g[id$='-pf1']")).to_have_class("running")
        assert stage.problems == []
