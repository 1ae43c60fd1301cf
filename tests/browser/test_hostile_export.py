"""N28, S1: an exported page full of hostile text, opened from a file with scripts enabled."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, expect

from portia_nb import Config, MultipleChoiceClarification, PlanBuilderV2, PlanRun, Portia, tool
from portia_nb.errors import ToolHardError
from tests.browser.hostile_plan import ALL, SIGN, hostile_plan
from tests.browser.test_hostile_surfaces import Watch

POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
LINKS = "[x](javascript:alert(1)) <a href='javascript:alert(1)'>x</a> https://evil.example/x.png"


def odd_tool() -> Any:
    """Return a tool whose name, description, arguments and errors are payloads."""

    @tool(side_effect=False, retries=1)
    def odd(text: str) -> str:
        raise ToolHardError(f"{text} {SIGN}")

    made = odd()
    made.name, made.description = SIGN, ALL
    return made


def runs(portia: Portia) -> Iterator[PlanRun]:
    """Yield a run that is complete and was answered with payloads, and three that failed."""
    run = portia.run_plan(hostile_plan())
    while asked := run.get_outstanding_clarifications():
        for each in asked:
            is_choice = isinstance(each, MultipleChoiceClarification)
            run = portia.resolve_clarification(each, SIGN if is_choice else True, run)
        run = portia.resume(run)
    assert run.state == "COMPLETE", run.error
    yield run
    yield portia.run_plan(hostile_plan(fails=True))
    huge = PlanBuilderV2(LINKS).function_step(
        function=lambda: {SIGN * 100: (LINKS + ALL) * 400, "rows": [{SIGN: LINKS}] * 3_000}
    )
    yield portia.run_plan(huge.build())
    calling = PlanBuilderV2(SIGN).invoke_tool_step(tool=odd_tool(), args={"text": LINKS + ALL})
    yield portia.run_plan(calling.build())


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the pages of hostile runs, and copies that have lost the policy in their head."""
    folder = tmp_path_factory.mktemp("shared")
    portia = Portia(Config(store="memory", default_log_level="CRITICAL"), tools=[])
    made: list[Path] = []
    for number, run in enumerate(runs(portia)):
        page = portia.export(run, folder / f"{number}.html", redact=False).path
        bare, count = POLICY.subn("", page.read_text("utf-8"))
        assert count == 1
        unguarded = folder / f"{number}-unguarded.html"
        unguarded.write_text(bare, "utf-8")
        made += [page, unguarded]
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page of a browser in which scripts are enabled, as people have it."""
    context = await browser.new_context(java_script_enabled=True)
    yield await context.new_page()
    await context.close()


async def test_N28_nothing_in_an_exported_page_runs_or_asks_for_anything(
    pages: list[Path], page: Page
):
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        complaints.append(f"{message.type}: {message.text}")

    page.on("console", note)
    for each in pages:
        watch = Watch(page, (each.as_uri(),)).begin()
        await page.goto(each.as_uri())
        await expect(page.locator("h1")).to_have_count(1)
        # A curious reader unfolds everything, and the text is there to be read.
        await page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        await expect(page.locator("body")).to_contain_text(SIGN)
        await watch.look("body")
        assert watch.problems == [], each.name
        assert await page.locator("a, button, form, input").count() == 0
    # The policy had nothing to refuse: the text alone is harmless.
    assert complaints == []
    assert await page.evaluate("1 + 1") == 2, "scripts are enabled"
    assert len(pages) == 8
