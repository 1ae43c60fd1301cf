"""Photograph notebooks in JupyterLab for the documentation, in light and dark.

    python scripts/notebook_pictures.py [folder]

Writes `lab-<what>-<theme>.png`, by default to `docs/pictures`: of the quickstart the plan, the
question and the end; of a notebook that is made up here, what commands and calls show. Look at each
picture before committing it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.async_api import Browser, Locator, expect

from scripts.small_png import keep_small
from tests.browser.lab import (
    NotebookPage,
    Server,
    chromium,
    open_page,
    serve,
    write_notebook,
)

QUICKSTART = ROOT / "notebooks" / "00_quickstart.ipynb"
SIZE = {"width": 1400, "height": 940}
ANSWER = "2007-01"
TOP_PX = 12
"""Room that is left above the photographed cell."""


def unrun(path: Path) -> dict[str, int]:
    """Write the quickstart without its outputs to `path`; return where each of its cells is."""
    notebook = json.loads(QUICKSTART.read_text("utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), "utf-8")
    return {c["id"].removeprefix("quickstart-"): i for i, c in enumerate(notebook["cells"])}


async def photograph(nb: NotebookPage, top: Locator, file: Path) -> None:
    """Take a picture of the window, scrolled such that `top` is its first part."""
    await nb.page.mouse.move(0, 0)
    await top.evaluate(
        """(top, room) => {
          top.scrollIntoView({ block: 'start' });
          top.closest('.jp-WindowedPanel-outer').scrollTop -= room;
        }""",
        TOP_PX,
    )
    await nb.page.wait_for_timeout(700)  # until the scrolling and the progress line have ended
    keep_small(await nb.page.screenshot(), file)


SHOWN = """
%load_ext portia_nb
import random, time
from portia_nb import Config, Input, Portia, PlanBuilderV2, StepOutput
portia = Portia(Config(store="memory", default_log_level="ERROR"), tools=[])
refused = [True]

def prices(company, year=2024):
    time.sleep(0.3)
    return {"company": company, "year": year, "rise": 44.0 if company == "Amazon" else 35.5}

def exchange_rate(currency):
    time.sleep(0.2)
    if refused.pop() if refused else False:
        raise ConnectionError("the server refused the connection")
    return 1.08

def compare(a, b, rate):
    time.sleep(0.2)
    return f"{a['company']} rose by {a['rise'] - b['rise']:.1f} points more."

growth = (
    PlanBuilderV2("Which stock price grew faster, Amazon or Google?")
    .function_step(function=prices, args={"company": "Amazon"}, step_name="amazon")
    .function_step(function=prices, args={"company": "Google", "year": 2024}, step_name="google")
    .function_step(function=exchange_rate, args={"currency": "EUR"}, step_name="rate")
    .function_step(
        function=compare,
        args={"a": StepOutput("amazon"), "b": StepOutput("google"), "rate": StepOutput("rate")},
        step_name="faster",
    )
    .build()
)
rise = (
    PlanBuilderV2("How much did its stock price rise?")
    .input(name="company")
    .function_step(function=prices, args={"company": Input("company")}, step_name="rise")
    .build()
)
"""
CELLS = {
    "set": SHOWN,
    "error": "%portia run growth -o first",
    "retry": "first = %portia retry",
    "fork": "second = portia.fork(first, 'google', args={'company': 'Google', 'year': 2023})",
    "compare": "%portia diff first second",
    "history": "%portia runs",
    "timeline": "%portia timeline first",
    "map": "portia.map(rise, [{'company': c} for c in ('Amazon', 'Google', 'Apple', 'Amazon')])",
    "doctor": "%portia doctor",
}
PHOTOGRAPHED = ("error", "compare", "history", "timeline", "map", "doctor")


async def show(browser: Browser, server: Server, theme: Literal["light", "dark"], to: Path) -> None:
    """Run a notebook of commands and calls in one theme and take pictures of what they show."""
    path = write_notebook(server.root / theme / "shown.ipynb", list(CELLS.values()))
    async with open_page(browser, server, path) as nb:
        await nb.page.set_viewport_size({"width": 1240, "height": 1600})
        await nb.set_theme(theme)
        for index, name in enumerate(CELLS):
            await nb.run_cell(index)
            await nb.wait_until_done(index)
            if name in PHOTOGRAPHED:
                await expect(nb.output(index)).to_contain_text(re.compile(r"\S"))
                await nb.page.mouse.move(0, 0)
                await nb.page.wait_for_timeout(500)  # until the record has taken the view's place
                taken = await nb.cell(index).screenshot()
                keep_small(taken, to / f"lab-{name}-{theme}.png")


async def tell(browser: Browser, server: Server, theme: Literal["light", "dark"], to: Path) -> None:
    """Run the quickstart in one theme and take its pictures."""
    notebook = server.root / theme / QUICKSTART.name
    at = unrun(notebook)
    async with open_page(browser, server, notebook) as nb:
        await nb.page.set_viewport_size(SIZE)  # type: ignore[arg-type]
        await nb.set_theme(theme)
        for name in ("01", "03", "05"):
            await nb.run_cell(at[name])
            await nb.wait_until_done(at[name])
        await photograph(nb, nb.output(at["05"]), to / f"lab-plan-{theme}.png")
        await nb.run_cell(at["07"])
        form = nb.output(at["07"]).locator("form")
        await expect(form.get_by_label("2004-08")).to_be_focused(timeout=30_000)
        await nb.page.keyboard.press("ArrowDown")
        await photograph(nb, nb.cell(at["07"]), to / f"lab-asking-{theme}.png")
        await form.get_by_label(ANSWER).press("Enter")
        await nb.wait_until_done(at["07"])
        await nb.output(at["07"]).locator(".portia-row", has_text="growth").click()
        await photograph(nb, nb.cell(at["07"]), to / f"lab-done-{theme}.png")


async def main(to: Path) -> None:
    """Take all pictures."""
    with tempfile.TemporaryDirectory() as folder, serve("lab", Path(folder) / "server") as server:
        async with chromium() as browser:
            for theme in ("light", "dark"):
                await tell(browser, server, theme, to)
                await show(browser, server, theme, to)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(folder))
    for picture in sorted(folder.glob("lab-*.png")):
        print(f"{picture.name}: {picture.stat().st_size / 1000:.0f} kB")
