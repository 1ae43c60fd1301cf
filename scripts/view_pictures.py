"""Take the pictures of the view that the documentation shows.

    python scripts/view_pictures.py [name …]     writes docs/pictures/view-*.png

The run in them is made up here; the view is the real one, on a page of its own.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from playwright.async_api import Browser

from portia_nb import Config, Portia
from portia_nb.model.clarification import (
    ActionClarification,
    Clarification,
    InputClarification,
    MultipleChoiceClarification,
    UserVerificationClarification,
    ValueConfirmationClarification,
)
from portia_nb.model.events import (
    AnyEvent,
    ClarificationRaised,
    ClarificationResolved,
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
from portia_nb.notebook.inspector_state import editor_view
from scripts.small_png import keep_small
from tests.browser.lab import chromium
from tests.browser.stage import draw_editor, open_stage, view_of
from tests.notebook.stories import BEGAN, approval, told_at
from tests.notebook.test_bodies import looped, one_round
from tests.notebook.test_plan_inspector import forecast, trip

PICTURES = ROOT / "docs" / "pictures"
THEMES = ("light", "dark")
WIDE, NARROW = 1100, 620
SCALE = 1.5


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
Timed = list[tuple[float, AnyEvent]]

BEGIN: Timed = [
    (0.0, StepStarted("amazon")),
    (0.0, StepStarted("google")),
    (1.1, StepFailed("google", 1, ErrorRecord("ToolSoftError", "429 Too Many Requests"), 2.0)),
    (2.2, StepDone("amazon", 1, "Amazon's share price rose by 44 % over 2024.")),
    (3.1, StepStarted("google", 2)),
    (5.0, StepDone("google", 2, {"company": "Alphabet", "growth": 0.355})),
    (5.0, StepStarted("monthly")),
    (5.4, StepDone("monthly", 1, MONTHS)),
    (5.4, StepStarted("faster")),
]
COMPARED: Timed = [
    *BEGIN,
    (8.3, StepDone("faster", 1, "Amazon grew faster: 44 % against 35.5 %.")),
    (8.3, StepStarted("currency")),
]
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
ASKED: Timed = [*COMPARED, (8.4, ClarificationRaised("currency", CURRENCY))]
ANSWERED: Timed = [
    *ASKED,
    (14.0, ClarificationResolved(CURRENCY.id, "USD", "form")),
    (14.0, StepDone("currency", 1, "USD")),
    (14.1, StepStarted("report")),
]
QUESTIONS: list[Clarification] = [
    InputClarification(argument_name="company", user_guidance="Which company?", path="ask"),
    MultipleChoiceClarification(user_guidance="Which month?", options=("2024-11", "2024-12")),
    InputClarification(
        user_guidance="Which years?",
        answer_schema={"type": "array", "items": {"enum": ["2022", "2023", "2024"]}},
    ),
    InputClarification(
        user_guidance="How many shares?",
        answer_schema={"type": "integer", "minimum": 1, "maximum": 500},
    ),
    InputClarification(
        user_guidance="From which day?", answer_schema={"type": "string", "format": "date"}
    ),
    InputClarification(
        user_guidance="Which others?", answer_schema={"type": "array", "items": {"type": "string"}}
    ),
    ValueConfirmationClarification(user_guidance="Is the currency USD?", argument_name="currency"),
    UserVerificationClarification(user_guidance="Two sources disagree. Go on?"),
    ActionClarification(action_url="https://example.org/sign-in", user_guidance="Sign in first."),
    approval("Run this plan? 1 step changes something outside: report."),
    WRITE,
]
SMALL = Plan.model_validate({"steps": [step("ask", "Ask.", "llm_tool")]})


@dataclass(frozen=True)
class Story:
    """What one picture shows."""

    events: Timed | None = None
    """None: the plan alone."""
    plan: Plan = PLAN
    is_live: bool = True
    part: str = ".portia-view"
    """What of the view is photographed."""
    opened: str = ""
    """What is clicked before."""


def untimed(events: Iterable[AnyEvent]) -> Timed:
    """Return events half a second apart."""
    return [(n / 2, event) for n, event in enumerate(events)]


STORIES: dict[str, Story] = {
    "plan": Story(),
    "running": Story([*BEGIN, (6.0, TextStreamed("faster", "In 2024, Amazon's price grew by"))]),
    "asking": Story([*ASKED, (8.4, RunWaiting())]),
    "approving": Story(
        [*ANSWERED, (14.2, ClarificationRaised("report", WRITE)), (14.2, RunWaiting())]
    ),
    "done": Story(
        [*ANSWERED, (14.6, StepDone("report", 1, "report.md")), (14.6, RunCompleted("faster"))],
        is_live=False,
        opened=".portia-row:has-text('monthly')",
    ),
    "timeline": Story(
        [*ANSWERED, (14.6, StepDone("report", 1, "report.md")), (14.6, RunCompleted("faster"))],
        is_live=False,
        part=".portia-timeline",
        opened=".portia-timeline summary",
    ),
    "failed": Story(
        [*BEGIN, (65.4, StepFailed("faster", 1, UNREACHABLE)), (65.4, RunFailed(UNREACHABLE))],
        is_live=False,
    ),
    "loop": Story(
        untimed([StepStarted("each"), *one_round(0), StepStarted("each[1]")]), plan=looped()
    ),
    "forms": Story(
        untimed(ClarificationRaised("", question) for question in QUESTIONS),
        plan=SMALL,
        part=".portia-questions",
    ),
}


async def take(browser: Browser, name: str, theme: str, width: int) -> Path:
    """Take one picture; return its file."""
    story = STORIES[name]
    run = None if story.events is None else told_at(story.plan, story.events)
    async with open_stage(
        browser, theme=theme, width=width, device_scale_factor=SCALE, reduced_motion="reduce"
    ) as stage:
        await stage.page.locator("#elsewhere").evaluate("input => input.remove()")
        view = view_of(story.plan, run)
        if story.events:
            view["now"] = BEGAN + story.events[-1][0] + 1
        await stage.draw(view, is_live=story.is_live)
        if story.opened:
            await stage.view.locator(story.opened).first.click()
            await stage.page.mouse.move(0, 0)
        await stage.page.evaluate("() => document.activeElement?.blur()")
        await stage.page.wait_for_timeout(300)  # until all is drawn
        size = "" if width == WIDE else "-narrow"
        taken = await stage.page.locator(story.part).first.screenshot()
    return keep_small(taken, PICTURES / f"view-{name}-{theme}{size}.png")


async def take_inspector(browser: Browser, theme: str) -> Path:
    """Take the picture of the plan inspector, with a step unfolded; return its file."""
    portia = Portia(Config(store="memory"), tools=[forecast()])
    editor = portia.edit(trip())
    editor.edit("sky", args={"city": "Oslo"})
    async with open_stage(
        browser, theme=theme, width=WIDE, device_scale_factor=SCALE, reduced_motion="reduce"
    ) as stage:
        await stage.page.locator("#elsewhere").evaluate("input => input.remove()")
        await draw_editor(stage, editor_view(editor, portia.tools, ["trip"]))
        await stage.page.locator(".portia-editor [aria-expanded=false]").first.click()
        await stage.page.mouse.move(0, 0)
        await stage.page.wait_for_timeout(300)  # until all is drawn
        taken = await stage.page.locator(".portia-editor").first.screenshot()
    return keep_small(taken, PICTURES / f"view-inspector-{theme}.png")


async def main(names: list[str]) -> None:
    """Take the pictures that are named, or all."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    async with chromium() as browser:
        for theme in THEMES:
            for name in names or [*STORIES, "inspector"]:
                if name == "inspector":
                    print(await take_inspector(browser, theme))
                else:
                    print(await take(browser, name, theme, WIDE))
        if not names:
            print(await take(browser, "running", "light", NARROW))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
