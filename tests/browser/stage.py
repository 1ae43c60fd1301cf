"""The view on a page of its own, without Jupyter: fast, and each message is the test's."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Locator, Page

from portia_nb.model.clarification import Clarification
from portia_nb.model.plan import Plan
from portia_nb.model.run import Run
from portia_nb.notebook.view_picture import draw_picture, packed
from portia_nb.notebook.view_state import plan_view, run_view
from tests.notebook.stories import BEGAN, told

STATIC = Path(__file__).parents[2] / "portia_nb" / "notebook" / "static"
THEMES = {
    "light": "--jp-ui-font-color1:rgba(0,0,0,.87);--jp-layout-color1:#fff;background:#fff",
    "dark": "--jp-ui-font-color1:rgba(255,255,255,.87);--jp-layout-color1:#111;background:#111",
}
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A run</title></head>
<body data-jp-theme-light="{light}" style="margin:12px;{theme}"><main>
<input id="elsewhere" aria-label="elsewhere"><div id="host"></div></main></body></html>"""
DRAW = """async ([view, isLive]) => {
  window.drawn?.destroy();
  window.sent = [];
  const host = isLive ? { send: message => window.sent.push(message) } : undefined;
  window.drawn = window.module.drawRun(document.getElementById('host'), view, host);
}"""


@dataclass
class Stage:
    """A page with one view on it."""

    page: Page
    problems: list[str] = field(default_factory=list)
    """Errors of the page, and requests that it made."""

    @property
    def view(self) -> Locator:
        """Return the view."""
        return self.page.locator(".portia-view")

    def step(self, name: str) -> Locator:
        """Return the list's item of a step."""
        return self.page.locator(".portia-step").filter(
            has=self.page.locator(f".portia-name >> text={name}")
        )

    def card(self, index: int) -> Locator:
        """Return the picture's card of a step."""
        return self.page.locator(f"svg > g[id$='-pn{index}']")

    async def draw(self, view: dict[str, Any], *, is_live: bool = True) -> None:
        """Draw `view` and wait for its picture."""
        await self.page.evaluate(DRAW, [json.loads(json.dumps(view)), is_live])
        if "picture" in view:
            await self.page.wait_for_selector(".portia-picture svg")

    async def draw_run(self, plan: Plan, events: Iterable[Any], *, is_live: bool = True) -> Run:
        """Draw a run that has heard `events`."""
        run = told(plan, events)
        await self.draw(view_of(plan, run), is_live=is_live)
        return run

    async def update(self, delta: dict[str, Any]) -> None:
        """Apply a delta, and wait for the next frame."""
        await self.page.evaluate("delta => window.drawn.update(delta)", delta)

    async def ask(self, question: Clarification) -> None:
        """Let the view ask `question`."""
        from portia_nb.notebook.questions import show_question

        await self.update({"questions": [show_question(question)]})

    async def sent(self) -> list[Any]:
        """Return what the view has told its host."""
        return await self.page.evaluate("window.sent")


def view_of(plan: Plan, run: Run | None = None) -> dict[str, Any]:
    """Return what Python sends to a new view."""
    view = plan_view(plan) if run is None else run_view(run)
    picture = packed(draw_picture(plan, run, live=True))
    # As if the story had been told just now, by a clock that is years behind the browser's.
    return {**view, "picture": picture, "now": BEGAN + 5}


@asynccontextmanager
async def open_stage(
    browser: Browser, *, theme: str = "light", width: int = 1100, **options: Any
) -> AsyncIterator[Stage]:
    """Open an empty stage; `options` are those of a Playwright page."""
    page = await browser.new_page(viewport={"width": width, "height": 800}, **options)
    stage = Stage(page)
    page.on("pageerror", lambda error: stage.problems.append(str(error)))
    page.on("request", lambda request: _note(stage, request.url))
    page.on("dialog", lambda dialog: stage.problems.append(f"dialog: {dialog.message}"))
    page.on(
        "console",
        lambda m: stage.problems.append(m.text) if m.type in ("error", "warning") else None,
    )
    is_light = str(theme == "light").lower()
    await page.set_content(PAGE.format(light=is_light, theme=THEMES[theme]))
    await page.add_style_tag(content=(STATIC / "run_view.css").read_text(encoding="utf-8"))
    source = (STATIC / "run_view.js").read_text(encoding="utf-8")
    await page.evaluate(
        "async source => { const blob = new Blob([source], { type: 'text/javascript' });"
        " window.module = await import(URL.createObjectURL(blob)); }",
        source,
    )
    try:
        yield stage
    finally:
        await page.close()


def _note(stage: Stage, url: str) -> None:
    if not url.startswith(("blob:", "data:")):
        stage.problems.append(f"request: {url}")


async def draw_editor(stage: Stage, state: dict[str, Any]) -> None:
    """Draw the plan inspector in the place of a view, and wait for it."""
    source = (STATIC / "plan_editor.js").read_text(encoding="utf-8")
    styles = (STATIC / "plan_editor.css").read_text(encoding="utf-8")
    await stage.page.add_style_tag(content=styles)
    await stage.page.evaluate(
        "async ([source, state]) => {"
        " const blob = new Blob([source], { type: 'text/javascript' });"
        " const { drawEditor } = await import(URL.createObjectURL(blob));"
        " drawEditor(document.getElementById('host'), () => {}).show(state); }",
        [source, json.loads(json.dumps(state))],
    )
    await stage.page.wait_for_selector(".portia-editor")


async def draw_map(stage: Stage, state: dict[str, Any]) -> None:
    """Draw how far a map has got in the place of a view; `window.map.show(state)` tells it more."""
    source = (STATIC / "map_view.js").read_text(encoding="utf-8")
    styles = (STATIC / "map_view.css").read_text(encoding="utf-8")
    await stage.page.add_style_tag(content=styles)
    await stage.page.evaluate(
        "async ([source, state]) => {"
        " const blob = new Blob([source], { type: 'text/javascript' });"
        " const { drawMap } = await import(URL.createObjectURL(blob));"
        " window.sent = [];"
        " window.map = drawMap(document.getElementById('host'), each => window.sent.push(each));"
        " window.map.show(state); }",
        [source, state],
    )
