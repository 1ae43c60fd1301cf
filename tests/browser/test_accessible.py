"""N21, N22: what each surface is to a keyboard, a screen reader, and eyes that see no colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from portia_nb import Config, Input, PlanBuilderV2, Portia
from portia_nb.drawing.looks import LOOKS
from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import (
    ClarificationRaised,
    ErrorRecord,
    RunFailed,
    RunWaiting,
    StepDone,
    StepFailed,
    StepStarted,
)
from portia_nb.notebook.inspector_state import editor_view
from portia_nb.notebook.questions import show_question
from portia_nb.notebook.static_record import plan_bundle, run_bundle
from tests.browser.accessible import check_axe, check_fits, walk_by_tab
from tests.browser.greyscale import least_difference, shape_of
from tests.browser.stage import Stage, draw_editor, open_stage, view_of
from tests.browser.test_run_view import ALL_STATES, FORMS, all_states
from tests.notebook.stories import told, two_searches
from tests.notebook.test_plan_inspector import forecast, trip

ERROR = ErrorRecord("ToolHardError", "no network", "google")
QUESTION = InputClarification(argument_name="year", user_guidance="Which year?", path="faster")
ASKING = [
    StepStarted("amazon"),
    StepStarted("google"),
    StepDone("amazon", 1, [{"month": "Jan", "price": 1.5}]),
    StepFailed("google", 1, ErrorRecord("ToolSoftError", "busy", "google"), 0.5),
    StepStarted("google", 2),
    StepDone("google", 2, {"deep": ["a"]}),
    StepStarted("faster"),
    ClarificationRaised("faster", QUESTION),
    RunWaiting(),
]
LOOK = {
    "light": ("light", {}),
    "dark": ("dark", {}),
    "forced": ("light", {"forced_colors": "active"}),
    "narrow": ("dark", {"width": 420}),
}


async def open_all(stage: Stage) -> None:
    """Unfold whatever folds."""
    await stage.view.evaluate(
        "view => { view.querySelectorAll('[aria-expanded=false]').forEach(e => e.click());"
        " view.querySelectorAll('details').forEach(d => { d.open = true; }); }"
    )


@pytest.mark.parametrize("look", LOOK)
async def test_axe_finds_nothing_in_any_state_of_the_view_and_in_any_form(
    browser: Browser, look: str
):
    theme, options = LOOK[look]
    async with open_stage(browser, theme=theme, **options) as stage:
        plan, events = all_states()
        asked = [ClarificationRaised("", form[0]) for form in FORMS]
        await stage.draw_run(plan, [*events, *asked])
        await open_all(stage)
        await stage.update({"refused": {"id": FORMS[0][0].id, "message": "that is no year"}})
        await check_axe(stage.page)
        await check_fits(stage.page)
        for story, is_live in (
            ([*ASKING[:-2], StepFailed("faster", 1, ERROR), RunFailed(ERROR)], False),
            (ASKING, True),
        ):
            await stage.draw_run(two_searches(), story, is_live=is_live)
            await open_all(stage)
            await check_axe(stage.page)
            await check_fits(stage.page)
        assert stage.problems == []


def kept_runs() -> Portia:
    """Return a Portia that has a run and its fork."""
    portia = Portia(Config(store="memory"), tools=[])
    plan = (
        PlanBuilderV2("Half of two")
        .function_step(function=lambda: 2, step_name="two")
        .user_verify(message="Go on?", step_name="sure")
        .build()
    )
    run = portia.run_plan(plan)
    portia.fork(run, "two")
    return portia


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_in_what_needs_no_script(
    browser: Browser, theme: str, tmp_path: Path
):
    """N20, N21: records, tables, a timeline and reports, as they lie in a notebook."""
    portia = kept_runs()
    runs = portia.runs()
    doubled = (
        PlanBuilderV2("Twice a number")
        .input(name="n")
        .function_step(function=lambda n: 2 * n, args={"n": Input("n")})
        .build()
    )
    doctor = await portia.adoctor()
    mapped = await portia.amap(doubled, [{"n": 1}, {"n": 2}, {"n": "x"}, {"n": None}])
    failed = told(two_searches(), [*ASKING[:-2], StepFailed("faster", 1, ERROR), RunFailed(ERROR)])
    shown = [
        plan_bundle(two_searches())["text/html"],
        run_bundle(told(two_searches(), ASKING))["text/html"],
        run_bundle(failed)["text/html"],
        portia.compare(runs[0].id)._repr_html_(),
        portia.timeline(runs[0].id)._repr_html_(),
        runs._repr_html_(),
        mapped._repr_html_(),
        doctor.html(),
        portia.export(runs[0].id, tmp_path / "run.html")._repr_html_(),
    ]
    async with open_stage(browser, theme=theme) as stage:
        await stage.page.evaluate(
            "parts => { document.body.style.color = 'var(--jp-ui-font-color1)';"
            " document.getElementById('host').innerHTML = parts.join('');"
            " document.querySelectorAll('details').forEach(d => { d.open = true; }); }",
            shown,
        )
        pictures = stage.page.locator("#host img")
        await expect(pictures).to_have_count(6)
        for picture in await pictures.all():
            assert await picture.evaluate("i => i.decode().then(() => i.naturalWidth)") > 100
            assert len(await picture.get_attribute("alt") or "") > 20
        await check_axe(stage.page, "#host")
        assert stage.problems == []


@pytest.mark.parametrize("look", ["light", "dark"])
async def test_axe_finds_nothing_on_an_exported_page(browser: Browser, look: Any, tmp_path: Path):
    """N28."""
    portia = kept_runs()
    file = tmp_path / "run.html"
    portia.export(portia.runs()[0].id, file)
    page = await browser.new_page(color_scheme=look, viewport={"width": 700, "height": 900})
    await page.goto(file.as_uri())
    await page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    await check_axe(page, "html")
    await check_fits(page)
    await page.close()


@pytest.mark.parametrize("look", ["light", "dark", "forced"])
async def test_each_focus_is_seen_in_the_order_of_reading_and_tab_leads_out(
    browser: Browser, look: str
):
    theme, options = LOOK[look]
    async with open_stage(browser, theme=theme, **options) as stage:
        await stage.draw_run(two_searches(), ASKING)
        await stage.page.evaluate("document.body.append(document.createElement('button'))")
        await stage.page.locator("#elsewhere").focus()
        seen = await walk_by_tab(stage.page)
        names = " ".join(each["name"] for each in seen)
        for part in ("Stop", "input", "Answer", "amazon", "google", "faster", "summary", "picture"):
            assert part in names
        assert [each["order"] for each in seen] == sorted(each["order"] for each in seen)
        assert [each["name"] for each in seen if each["outline"] < 2] == []
        # What draws the outline is the focus colour of the theme, or of the reader's system.
        assert {each["contrast"] >= 3 for each in seen} == {True}
        back = []
        for _ in seen:
            await stage.page.keyboard.press("Shift+Tab")
            back.append(await stage.page.evaluate("document.activeElement.textContent"))
        await stage.page.keyboard.press("Shift+Tab")
        await expect(stage.page.locator("#elsewhere")).to_be_focused()


async def test_the_focus_is_never_lost_when_what_has_it_goes(browser: Browser):
    async with open_stage(browser) as stage:
        await stage.draw_run(two_searches(), [StepStarted("amazon")])
        row = stage.step("amazon").locator(".portia-row")
        await row.focus()
        await stage.update(
            {"steps": {"amazon": {"state": "done", "end": 9, "output": {"text": "x"}}}}
        )
        await expect(row).to_be_focused()
        await stage.view.get_by_role("button", name="Stop").focus()
        await stage.update({"head": {"state": "COMPLETE", "end": 10}})
        await expect(stage.view.get_by_role("button", name="Stop")).to_be_hidden()
        await expect(stage.view).to_be_focused()
        await stage.page.keyboard.press("Tab")
        assert await stage.view.evaluate("view => view.contains(document.activeElement)")


WATCH = """() => {
  window.said = [];
  const status = document.querySelector('[role=status]');
  new MutationObserver(() => window.said.push(status.textContent))
    .observe(status, { childList: true, characterData: true, subtree: true });
}"""


async def test_a_busy_run_is_told_in_sums_and_a_question_at_once(browser: Browser):
    async with open_stage(browser) as stage:
        await stage.draw_run(two_searches(), [])
        status = stage.view.get_by_role("status")
        await expect(status).to_have_attribute("aria-live", "polite")
        await stage.page.evaluate(WATCH)
        for n in range(60):
            step = f"each[{n}]/sky"
            await stage.update({"steps": {step: {"state": "running", "start": n}}})
            await stage.update({"steps": {step: {"state": "done", "end": n + 1}}})
        await stage.update({"questions": [show_question(QUESTION)]})
        await expect(status).to_contain_text("Question: Which year?")
        said: list[Any] = await stage.page.evaluate("window.said")
        assert len(said) <= 2
        assert "more changes. " in " ".join(said)
        await stage.update({"questions": [], "head": {"state": "COMPLETE", "end": 90}})
        await expect(status).to_contain_text("Run done")


ASKING_TREE = """
- region "Agent run":
  - text: needs you
  - heading "Which stock price grew faster, Amazon or Google?" [level=3]
  - text: /2 of 3 steps .*/
  - button "Stop"
  - status: "Question: Which year?"
  - group "Needs you · faster":
    - text: Needs you · faster
    - paragraph: Which year?
    - text: year
    - textbox "year"
    - button "Answer"
  - list "Steps":
    - listitem:
      - button "1 amazon search_tool done 1.0 s"
      - text: "→ 1 row: month, price"
    - listitem:
      - button "2 google search_tool attempt 2 done 0.5 s"
      - text: "→ { \\"deep\\": [ \\"a\\" ] }"
    - listitem:
      - button "3 faster model needs you"
      - text: Compare both.
  - group "Picture of the plan":
    - img "Picture of the plan; the list of steps says the same"
  - group: Timeline
"""
PLAN_TREE = """
- region "Plan":
  - text: plan
  - heading "Which stock price grew faster, Amazon or Google?" [level=3]
  - text: 3 steps
  - status
  - list "Steps":
    - listitem:
      - button "1 amazon search_tool"
      - text: Search for Amazon.
    - listitem:
      - button "2 google search_tool"
      - text: Search for Google.
    - listitem:
      - button "3 faster model"
      - text: Compare both.
  - group "Picture of the plan":
    - img "Picture of the plan; the list of steps says the same"
"""


async def test_a_screen_reader_meets_a_run_and_a_plan_as_these_names_and_roles(browser: Browser):
    async with open_stage(browser) as stage:
        await stage.draw_run(two_searches(), ASKING)
        await expect(stage.view).to_match_aria_snapshot(ASKING_TREE)
        await stage.draw(view_of(two_searches()))
        await expect(stage.view).to_match_aria_snapshot(PLAN_TREE)


LARGE = ".portia-step .portia-shape, .portia-step .portia-icon { width: 48px; height: 48px }"


@pytest.mark.parametrize("look", ["light", "dark", "forced"])
async def test_states_differ_in_shape_and_word_where_no_colour_is_seen(browser: Browser, look: str):
    theme, options = LOOK[look]
    async with open_stage(browser, theme=theme, reduced_motion="reduce", **options) as stage:
        await stage.draw_run(*all_states())
        await stage.page.add_style_tag(content=LARGE)
        rows = {state: stage.step(f"{state}_step") for state in ALL_STATES}
        shapes = {s: await shape_of(rows[s].locator(".portia-shape")) for s in rows}
        assert least_difference(shapes)[0] > 0.08
        words = [await rows[s].locator(".portia-word").inner_text() for s in rows]
        assert len(set(words)) == len(ALL_STATES)


async def test_states_differ_in_shape_in_the_static_picture_too(browser: Browser):
    drawn = [
        f'<svg id="{state}" xmlns="http://www.w3.org/2000/svg" width="48" height="48" '
        f'viewBox="-12 -12 24 24" style="background:{look.fill}">'
        f"{look.icon.format(ink=look.ink)}</svg>"
        for state, look in LOOKS.items()
    ]
    page = await browser.new_page()
    await page.set_content("".join(drawn))
    shapes = {state: await shape_of(page.locator(f"#{state}")) for state in LOOKS}
    await page.close()
    assert least_difference(shapes)[0] > 0.08


async def test_nothing_moves_or_fades_for_those_who_want_no_motion(browser: Browser):
    async with open_stage(browser, reduced_motion="reduce") as stage:
        await stage.draw_run(two_searches(), ASKING)
        await open_all(stage)
        await stage.update({"steps": {"faster": {"state": "running", "start": 9}}})
        moving = await stage.view.evaluate(
            "view => [...view.querySelectorAll('*')].filter(e => { const s = getComputedStyle(e);"
            " return s.animationName !== 'none' || parseFloat(s.transitionDuration) > 0; })"
            ".map(e => e.className)"
        )
        assert moving == []
        assert await stage.page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("look", LOOK)
async def test_axe_finds_nothing_in_the_plan_inspector(browser: Browser, look: str):
    theme, options = LOOK[look]
    portia = Portia(Config(store="memory"), tools=[forecast()])
    editor = portia.edit(trip())
    async with open_stage(browser, theme=theme, **options) as stage:
        await draw_editor(stage, editor_view(editor, portia.tools, ["trip"]))
        await stage.page.evaluate(
            "() => { const box = document.querySelector('.portia-editor');"
            " box.querySelectorAll('[aria-expanded=false]').forEach(e => e.click());"
            " box.querySelectorAll('details').forEach(d => { d.open = true; }); }"
        )
        await check_axe(stage.page, "#host")
        await check_fits(stage.page)
        assert stage.problems == []
