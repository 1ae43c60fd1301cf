"""N18: the timeline in the live view: opened by keyboard, it follows the run, also at 500 steps."""

from __future__ import annotations

from playwright.async_api import Browser, expect

from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import (
    ClarificationRaised,
    ErrorRecord,
    RunCompleted,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from tests.browser.accessible import check_axe, check_fits
from tests.browser.stage import open_stage, view_of
from tests.notebook.stories import chain, told_at, two_searches

BUSY = ErrorRecord("ToolSoftError", "busy", "google")
QUESTION = InputClarification(argument_name="year", user_guidance="Which?", path="faster")
STORY = [
    (0.0, StepStarted("amazon")),
    (0.0, StepStarted("google")),
    (1.0, StepFailed("google", 1, BUSY, 2.0)),
    (2.0, StepDone("amazon", 1, "44 %")),
    (3.0, StepStarted("google", 2)),
    (4.5, StepDone("google", 2, "35 %")),
    (4.5, StepStarted("faster")),
    (5.0, ClarificationRaised("faster", QUESTION)),
]
STRETCHES = """() => [...document.querySelectorAll('.portia-bar-row')].map(row =>
  [...row.querySelectorAll('.portia-stretch')].map(
    bar => `${bar.className.split('-').pop()} ${bar.dataset.state}`))"""
TOUCHED = """async () => {
  let seen = 0;
  const watcher = new MutationObserver(records => { seen += records.length; });
  watcher.observe(document.querySelector('.portia-bars'), {
    subtree: true, childList: true, attributes: true, characterData: true });
  const steps = {};
  for (let i = 0; i < 10; i++) {
    steps[`step_${i * 49}`] = { state: 'done', start: 1000, end: 2000 };
  }
  window.drawn.update({ steps });
  seen += watcher.takeRecords().length;
  return seen;
}"""


async def test_the_timeline_opens_by_keyboard_and_follows_the_run(browser: Browser):
    async with open_stage(browser) as stage:
        view = view_of(two_searches(), told_at(two_searches(), STORY))
        await stage.draw(view)
        panel = stage.view.locator(".portia-timeline")
        assert await panel.locator(".portia-stretch").count() == 0
        await panel.locator("summary").focus()
        await stage.page.keyboard.press("Enter")
        rows = panel.get_by_role("listitem")
        await expect(rows).to_have_count(3)
        await expect(rows.nth(1)).to_contain_text(
            "done, ran 2.5 s, waited 2.0 s before the next try, 2 tries"
        )
        await expect(rows.nth(2)).to_contain_text("needs you, ran 0.5 s, waited ")
        assert await stage.page.evaluate(STRETCHES) == [
            ["ran done"],
            ["ran failed", "paused waiting", "ran done"],
            ["ran done", "asked asking"],
        ]
        await stage.update(
            {
                "head": {"state": "COMPLETE", "end": 9000},
                "steps": {
                    "faster": {
                        "state": "done",
                        "start": 8000,
                        "end": 9000,
                        "past": [
                            ["ran", 4500, 5000, "asking"],
                            ["asked", 5000, 8000, "waiting"],
                        ],
                    }
                },
            }
        )
        await expect(rows.nth(2)).to_contain_text("done, ran 1.5 s, waited 3.0 s for a person")
        await expect(panel.locator("summary")).to_have_text("Timeline 9.0 s")
        await expect(panel.locator("summary")).to_be_focused()
        await expect(panel.locator(".portia-stretch").last).to_have_attribute(
            "style", "inset-inline-start: 88.8889%; width: 11.1111%;"
        )
        await check_axe(stage.page)
        assert stage.problems == []


async def test_a_plan_has_no_timeline_until_it_runs_and_a_stored_run_has_one(browser: Browser):
    async with open_stage(browser, theme="dark", width=420) as stage:
        await stage.draw(view_of(two_searches()))
        panel = stage.view.locator(".portia-timeline")
        await expect(panel).to_be_hidden()
        await stage.update(
            {
                "head": {"kind": "run", "state": "IN_PROGRESS", "began": 1.0},
                "steps": {"amazon": {"state": "running", "start": 5}},
            }
        )
        await expect(panel).to_be_visible()
        ended = [*STORY[:6], (5.0, StepSkipped("faster", "no")), (5.0, RunCompleted("google"))]
        view = view_of(two_searches(), told_at(two_searches(), ended))
        await stage.draw(view, is_live=False)
        await panel.locator("summary").click()
        await expect(panel.get_by_role("listitem").nth(2)).to_have_text("fasterskipped")
        await check_axe(stage.page)
        await check_fits(stage.page)
        assert stage.problems == []


async def test_ten_changes_at_500_steps_touch_ten_bars_alone(browser: Browser):
    async with open_stage(browser) as stage:
        events = [(n / 10, StepStarted(f"step_{n}")) for n in range(500)]
        await stage.draw(view_of(chain(500), told_at(chain(500), events)))
        await stage.view.locator(".portia-timeline summary").click()
        await expect(stage.view.locator(".portia-bar-row")).to_have_count(500)
        # Until the scale, which grows with the time, is where it stays.
        await stage.update({"head": {"state": "COMPLETE", "end": 60_000}})
        touched = await stage.page.evaluate(TOUCHED)
        assert 10 <= touched <= 60
        assert stage.problems == []
