"""Tools that raise, hang, flood, or return what can't be kept; and answers that don't fit."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from portia_nb import (
    PlanRunState,
    ToolHardError,
    ToolSoftError,
    example_tool_registry,
    tool,
)
from tests.servers.script import failing
from tests.servers.tavily_server import TavilyServer

from .conftest import Story


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("even my text fails")


class Ends(BaseException):
    pass


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


RAISED: dict[str, tuple[BaseException, str, tuple[str, ...]]] = {
    "an error": (ZeroDivisionError("division by zero"), "ZeroDivisionError", ("by zero",)),
    "without words": (ValueError(), "ValueError", ("ValueError",)),
    "a long one": (ValueError("x" * 100_000), "ValueError", ("100,000 characters in all",)),
    "without a text": (Unprintable(), "Unprintable", ("can't be shown: RuntimeError",)),
    "no Exception": (Ends("at once"), "Ends", ("at once",)),
    "an exit": (SystemExit(3), "SystemExit", ("3",)),
    "the end of an iteration": (StopIteration("over"), "StopIteration", ("over",)),
    "a lone surrogate": (ValueError("half \ud800 of it"), "ValueError", ("half",)),
    "a hard error": (ToolHardError("the account is closed"), "ToolHardError", ("is closed",)),
}


@pytest.mark.parametrize(("error", "kind", "facts"), RAISED.values(), ids=RAISED)
def test_whatever_a_function_raises_fails_its_step_and_keeps_what_was_done(
    story: Story, error: BaseException, kind: str, facts: tuple[str, ...]
):
    portia = story.portia()
    run = portia.run_plan(story.then(raising(error)))
    message = story.failed(run, kind, "act", *facts)
    assert len(message) < 5_000
    assert run.error is not None
    if not isinstance(error, ToolHardError):
        assert "in act" in (run.error.traceback or ""), "the line of the user's code is shown"
    # The process, its threads and its loop are as well as before.
    assert portia.run_plan(story.builder().build()).state is PlanRunState.COMPLETE


@pytest.mark.parametrize("is_awaited", [True, False], ids=["arun_plan", "run_plan"])
@pytest.mark.parametrize(("error", "kind", "facts"), RAISED.values(), ids=RAISED)
async def test_whatever_a_coroutine_raises_fails_its_step_and_no_loop_ends(
    story: Story, error: BaseException, kind: str, facts: tuple[str, ...], is_awaited: bool
):
    async def act() -> None:
        raise error

    portia = story.portia()
    plan = story.then(act)
    run = await portia.arun_plan(plan) if is_awaited else portia.run_plan(plan)
    if isinstance(error, StopIteration):
        kind, facts = "RuntimeError", ("coroutine raised StopIteration",)  # Python's own words
    story.failed(run, kind, "act", *facts)
    assert (await portia.arun_plan(story.builder().build())).state is PlanRunState.COMPLETE


def test_a_tool_that_failed_is_called_again_on_resume_and_nothing_else_is(story: Story):
    is_up = False

    @tool(side_effect=False)
    def price(company: str) -> str:
        """Return a price."""
        if not is_up:
            raise ToolHardError(f"the exchange has no prices of {company} today")
        return f"{company}: 214.10"

    plan = story.builder().invoke_tool_step(
        tool=price(), args={"company": "Amazon"}, step_name="price"
    )
    portia = story.portia()
    run = portia.run_plan(plan.build())
    story.failed(run, "ToolHardError", "price", "no prices of Amazon today")
    is_up = True
    assert story.goes_on(portia, run).outputs["price"].value == "Amazon: 214.10"


def test_a_tool_that_may_be_tried_again_is_until_its_tries_are_used_up(story: Story):
    calls = 0

    @tool(side_effect=False, retries=1)
    def flaky() -> str:
        """Fail."""
        nonlocal calls
        calls += 1
        raise ToolSoftError("the line is busy")

    run = story.portia().run_plan(story.builder().invoke_tool_step(tool=flaky()).build())
    story.failed(run, "ToolSoftError", "step_1", "the line is busy")
    assert calls == 2


def test_a_tool_without_its_key_names_the_variable(story: Story):
    plan = story.builder().invoke_tool_step(
        tool="search_tool", args={"search_query": "Amazon"}, step_name="search"
    )
    run = story.portia(tools=example_tool_registry).run_plan(plan.build())
    story.failed(run, "ToolHardError", "search", "search_tool", "TAVILY_API_KEY", ".env")


@pytest.mark.parametrize(
    ("settings", "kind", "facts"),
    [
        ({"api_key": "tvly-other"}, "ToolHardError", ("refused the key", "check TAVILY_API_KEY")),
        ({"replies": lambda _: failing(400)}, "ToolHardError", ("HTTP 400", "refused")),
        ({"replies": lambda _: failing(500)}, "ToolSoftError", ("HTTP 500", "try again later")),
    ],
    ids=["key refused", "request refused", "down"],
)
def test_a_search_that_fails_names_the_tool_and_the_service(
    story: Story, settings: dict[str, Any], kind: str, facts: tuple[str, ...]
):
    plan = story.builder().invoke_tool_step(
        tool="search_tool", args={"search_query": "Amazon"}, step_name="search", retries=0
    )
    with TavilyServer(**settings) as tavily:
        portia = story.portia(
            tools=example_tool_registry, tavily_api_key="tvly-story", tavily_base_url=tavily.url
        )
        run = portia.run_plan(plan.build())
    message = story.failed(run, kind, "search", "search_tool", "Tavily", *facts)
    assert "tvly-story" not in message


# -- hanging -------------------------------------------------------------------------------------


def test_a_function_that_hangs_is_left_after_its_time_and_the_session_goes_on(story: Story):
    release = threading.Event()
    portia = story.portia()
    began = time.monotonic()
    run = portia.run_plan(story.then(lambda: release.wait(60), timeout_s=0.2))
    assert time.monotonic() - began < 5
    story.failed(run, "StepTimeout", "act", "'act'", "longer than 0.2 s", "timeout_s=")
    assert portia.run_plan(story.builder().build()).state is PlanRunState.COMPLETE
    release.set()


def test_an_async_function_that_hangs_is_cancelled_after_its_time(story: Story):
    endings: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            endings.append("cancelled")
            raise

    run = story.portia().run_plan(story.then(wait, timeout_s=0.2))
    story.failed(run, "StepTimeout", "act", "longer than 0.2 s", "timeout_s=")
    assert endings == ["cancelled"]


def test_a_setting_limits_all_steps_and_the_message_gives_its_seconds(story: Story):
    release = threading.Event()
    run = story.portia(step_timeout_s=0.2).run_plan(story.then(lambda: release.wait(60)))
    release.set()
    story.failed(run, "StepTimeout", "act", "longer than 0.2 s", "timeout_s=")
