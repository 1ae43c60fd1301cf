"""Take the pictures of the view that the documentation shows.

    python scripts/view_pictures.py            writes docs/pictures/*.png

The run in them is made up here; the view is the real one, on a page of its own.
"""

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.async_api import Browser

from portia_nb.model.clarification import InputClarification
from portia_nb.model.events import (
    AnyEvent,
    ClarificationRaised,
    ErrorRecord,
    RunCompleted,
    RunFailed,
    RunWaiting,
    StepDone,
    StepFailed,
    StepStarted,
    TextStreamed,
)
from portia_nb.model.plan import Plan
from tests.browser.lab import chromium
from tests.browser.stage import open_stage, view_of
from tests.notebook.stories import approval, told

PICTURES = ROOT / "docs" / "pictures"
THEMES = ("light", "dark")
WIDE, NARROW = 1100, 620


def step(name: str, task: str, tool: str, *needs: str) -> dict[str, object]:
    """Return the JSON of one step."""
    inputs = [{"name": f"${need}"} for need in needs]
    return {"task": task, "tool_id": tool, "output": f"${name}", "inputs": inputs}


PLAN = Plan.model_validate(
    {
        "plan_context": {"query": "Which stock price grew faster in 2024, Amazon or Google?"},
        "scripted": True,
        "steps": [
            step("amazon", "Search for the growth of Amazon's stock price.", "search_tool"),
            step("google", "Search for the growth of Google's stock price.", "search_tool"),
            step("monthly", "Prices of both by month.", "price_table", "amazon", "google"),
            step("faster", "Compare the growth of both.", "llm_tool", "amazon", "google"),
            {
                "kind": "user_input",
                "message": {"value": "Which currency should the report use?"},
                "output": "$currency",
            },
            {
                **step("report", "Write report.md.", "file_writer_tool", "faster", "currency"),
                "side_effect": True,
            },
        ],
    }
)
UNREACHABLE = ErrorRecord(
    "ModelUnreachable", "no answer within 60 s: check the network, or the base URL", "faster"
)
MONTHS = [
    {"month": f"2024-{n:02}", "AMZN": 150 + 5.5 * n, "GOOG": 140 + 4 * n} for n in range(1, 13)
]
BEGIN: list[AnyEvent] = [
    StepStarted("amazon"),
    StepStarted("google"),
    StepDone("amazon", 1, "Amazon's share price rose by 44 % over 2024."),
    StepFailed("google", 1, ErrorRecord("ToolSoftError", "429 Too Many Requests", "google"), 0.5),
    StepStarted("google", 2),
    StepDone("google", 2, {"company": "Alphabet", "growth": 0.355}),
    StepStarted("monthly"),
    StepDone("monthly", 1, MONTHS),
    StepStarted("faster"),
]
COMPARED: list[AnyEvent] = [
    *BEGIN,
    StepDone("faster", 1, "Amazon grew faster: 44 % against 35.5 %."),
    StepStarted("currency"),
]
ANSWERED: list[AnyEvent] = [*COMPARED, StepDone("currency", 1, "USD"), StepStarted("report")]
CURRENCY = InputClarification(
    argument_name="currency",
    user_guidance="Which currency should the report use?",
    path="currency",
    default="USD",
)
WRITE = approval(
    "This call changes something. Run it with exactly these arguments?",
    tool_id="file_writer_tool",
    arguments={"filename": "report.md", "content": "# Amazon or Google\n\nAmazon grew faster."},
    path="report",
)
STORIES: dict[str, list[AnyEvent] | None] = {
    "plan": None,
    "running": [*BEGIN, TextStreamed("faster", "In 2024, Amazon's price grew by 44 %, while")],
    "asking": [*COMPARED, ClarificationRaised("currency", CURRENCY), RunWaiting()],
    "approving": [*ANSWERED, ClarificationRaised("report", WRITE), RunWaiting()],
    "done": [*ANSWERED, StepDone("report", 1, "report.md"), RunCompleted("faster")],
    "failed": [*BEGIN, StepFailed("faster", 1, UNREACHABLE), RunFailed(UNREACHABLE)],
}


async def take(browser: Browser, name: str, theme: str, width: int) -> Path:
    """Take one picture; return its file."""
    events = STORIES[name]
    run = None if events is None else told(PLAN, events)
    async with open_stage(browser, theme=theme, width=width, device_scale_factor=1.5) as stage:
        await stage.page.locator("#elsewhere").evaluate("input => input.remove()")
        await stage.draw(view_of(PLAN, run), is_live=name not in ("done", "failed"))
        if name == "done":
            await stage.page.locator(".portia-row").nth(2).click()
            await stage.page.mouse.move(0, 0)
        await stage.page.wait_for_timeout(400)  # until the progress line has come to rest
        size = "" if width == WIDE else "-narrow"
        file = PICTURES / f"view-{name}-{theme}{size}.png"
        await stage.view.screenshot(path=file)
    return file


async def main() -> None:
    """Take all pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with chromium() as browser:
        for theme in THEMES:
            for name in STORIES:
                print(await take(browser, name, theme, WIDE))
        print(await take(browser, "running", "light", NARROW))


if __name__ == "__main__":
    asyncio.run(main())
