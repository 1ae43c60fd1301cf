# Rows of the notebook face: N10.
"""Outputs in the view as what they are, and what a step took: attempts, calls, tokens, money."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from portia_nb.model.events import (
    ErrorRecord,
    ModelReplied,
    RunCompleted,
    RunFailed,
    StepDone,
    StepFailed,
    StepStarted,
)
from portia_nb.model.language import Usage
from portia_nb.model.run import Run
from portia_nb.notebook.static_record import run_bundle
from tests.browser.stage import Stage, open_stage, view_of
from tests.notebook.stories import RUN_ID, told, two_searches

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NESTED = {"cities": [{"name": "Rome", "sights": ["a", "b"]}, {"name": "Bern", "big": False}]}


def png(width: int = 40, height: int = 30) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(file, format="png")
    return file.getvalue()


def with_outputs(*values: Any) -> Run:
    names = ("amazon", "google", "faster")
    events = [
        event
        for name, value in zip(names, values, strict=True)
        for event in (StepStarted(name), StepDone(name, 1, value))
    ]
    return told(two_searches(), [*events, RunCompleted("faster")])


async def unfold_all(stage: Stage) -> None:
    for row in await stage.view.locator(".portia-row").all():
        await row.click()


async def test_json_is_a_tree_that_arrow_keys_walk_and_fold(browser: Browser):
    async with open_stage(browser) as stage:
        run = with_outputs(NESTED, "# not a heading\n<b>text</b>", 7)
        await stage.draw(view_of(run.plan, run), is_live=False)
        await unfold_all(stage)
        tree = stage.step("amazon").locator(".portia-json")
        cities, rome, sights, bern = (tree.locator("summary").nth(i) for i in range(1, 5))
        await expect(rome).to_be_visible()
        await expect(sights).to_be_hidden()
        await cities.focus()
        for key, focused in [
            ("ArrowDown", rome),
            ("ArrowRight", rome),
            ("ArrowDown", sights),
            ("ArrowLeft", rome),
            ("ArrowLeft", rome),
            ("ArrowDown", bern),
            ("ArrowLeft", cities),
            ("ArrowLeft", cities),
        ]:
            await stage.page.keyboard.press(key)
            await expect(focused).to_be_focused()
        await expect(rome).to_be_hidden()
        # What looks like Markdown or HTML is text.
        await expect(stage.step("google").locator("pre")).to_have_text(
            "# not a heading\n<b>text</b>"
        )
        assert stage.problems == []


async def test_an_image_and_a_table_are_drawn_as_such_with_what_they_are_in_words(browser: Browser):
    frame = [{"city": f"c{i}", "size": i} for i in range(1_204)]
    async with open_stage(browser) as stage:
        run = with_outputs(frame, png(), "x")
        for view in (view_of(run.plan, run), stored(run)):
            await stage.draw(view, is_live=False)
            await unfold_all(stage)
            table = stage.step("amazon").locator("table")
            await expect(table.locator("caption")).to_have_text("1,204 rows, 2 columns")
            await expect(table.locator("th[scope=col]")).to_have_text(["city", "size"])
            image = stage.step("google").get_by_role("img", name="40 by 30 pixels")
            await expect(image).to_have_js_property("naturalWidth", 40)
            await expect(stage.step("google").locator(".portia-line")).to_contain_text("PNG image")
        assert stage.problems == []


def stored(run: Run) -> dict[str, Any]:
    """Return the view as a notebook's file holds it."""
    bundle = run_bundle(run)
    return json.loads(json.dumps(next(v for k, v in bundle.items() if k.startswith("application"))))


EVIL = "<svg xmlns='http://www.w3.org/2000/svg' onload='pwn()'/>"


@pytest.mark.parametrize(
    ("mime", "data"),
    [
        ("image/svg+xml", base64.b64encode(EVIL.encode()).decode()),
        ("text/html", base64.b64encode(b"<script>pwn()</script>").decode()),
        ("image/png", "' onerror='pwn()"),
        ("image/png", "https://evil.example/x.png"),
    ],
)
async def test_a_forged_image_is_a_sentence(browser: Browser, mime: str, data: str):
    async with open_stage(browser) as stage:
        run = with_outputs("x", "y", "z")
        view = view_of(run.plan, run)
        image = {"mime": mime, "data": data, "about": "a picture"}
        view["steps"][0]["output"] = {"image": image}
        await stage.draw(view, is_live=False)
        await unfold_all(stage)
        await expect(stage.step("amazon")).to_contain_text("of a kind that is not shown")
        await expect(stage.view.locator("img")).to_have_count(0)
        assert stage.problems == []


async def test_each_failed_attempt_stands_with_its_error(browser: Browser):
    errors = [ErrorRecord("TimeoutError", f"took {n} s", "amazon") for n in (5, 9, 20)]
    events = [
        event
        for number, error in enumerate(errors, 1)
        for event in (
            StepStarted("amazon", number),
            StepFailed("amazon", number, error, 1.0 if number < 3 else None),
        )
    ]
    run = told(two_searches(), [*events, RunFailed(errors[-1])])
    async with open_stage(browser) as stage:
        await stage.draw(view_of(run.plan, run), is_live=False)
        step = stage.step("amazon")
        await expect(step.locator(".portia-attempt")).to_have_text("attempt 3")
        await step.locator(".portia-row").click()
        await expect(step.locator(".portia-attempts li .portia-message")).to_have_text(
            ["TimeoutError: took 5 s", "TimeoutError: took 9 s"]
        )
        await expect(step.locator(".portia-failure")).to_contain_text("took 20 s")
        # Where nobody can put a command into a cell, it can be copied.
        await expect(step.locator(".portia-command")).to_have_text(
            [f"%portia retry {RUN_ID}", f"%portia why {RUN_ID}", f"%portia fork {RUN_ID} amazon"]
        )
    html = run_bundle(run)["text/html"]
    assert "failed before: TimeoutError: took 5 s" in html and "took 20 s" in html


async def test_calls_tokens_and_money_stand_at_steps_and_run_and_unknown_is_said(browser: Browser):
    events = [
        StepStarted("amazon"),
        ModelReplied("amazon", "execution", "openai/gpt-5.4", 1.0, Usage(1_000, 200)),
        StepDone("amazon", 1, "up"),
        StepStarted("google"),
    ]
    run = told(two_searches(), events)
    async with open_stage(browser) as stage:
        await stage.draw(view_of(run.plan, run))
        cost = "1 model call, 1,200 tokens, $0.0055"
        await expect(stage.view.locator(".portia-spent")).to_have_text(cost)
        await unfold_all(stage)
        await expect(stage.step("amazon")).to_contain_text(f"model: openai/gpt-5.4 · {cost}")
        asked = ModelReplied("google", "execution", "own/model", 1.0, Usage(10, 2))
        later = told(two_searches(), [*events, asked, StepDone("google", 1, "down")])
        view = view_of(later.plan, later)
        await stage.update(
            {"head": {"spent": view["spent"]}, "steps": {"google": view["steps"][1]}}
        )
        total = "2 model calls, 1,212 tokens, cost unknown"
        await expect(stage.view.locator(".portia-spent")).to_have_text(total)
        await expect(stage.step("google")).to_contain_text("1 model call, 12 tokens, cost unknown")
        await expect(stage.step("faster")).not_to_contain_text("model call")
    bundle = run_bundle(later)
    assert total in bundle["text/plain"] and total in bundle["text/html"]
    assert "12 tokens, cost unknown" in bundle["text/html"]
