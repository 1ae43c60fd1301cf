"""B9 to B11: model calls, prompt characters, and wall time beside a client written by hand."""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import Iterator
from typing import Any

from portia_nb import Config, PlanBuilderV2, Portia, StepOutput, example_tool_registry
from portia_nb.model.plan import Plan
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Reply
from tests.servers.tavily_server import TavilyServer

from .row import Row, interleaved, spread

QUERY = "Which stock price grew faster in 2024, Amazon or Google?"
TIMES = 15
LATENCY_S = 0.05


def _step(task: str, output: str, query: str) -> dict[str, Any]:
    return {
        "task": task,
        "inputs": [],
        "tool_id": "search_tool",
        "output": output,
        "args": {"search_query": query},
        "condition": None,
    }


PLANNED: dict[str, Any] = {
    "steps": [
        _step("Search for Amazon's growth in 2024.", "$amazon", "Amazon stock growth 2024"),
        _step("Search for Google's growth in 2024.", "$google", "Google stock growth 2024"),
        {
            "task": "Compare the growth of Amazon and Google.",
            "inputs": [
                {"name": "$amazon", "description": "Amazon's growth."},
                {"name": "$google", "description": "Google's growth."},
            ],
            "tool_id": "llm_tool",
            "output": "$comparison",
            "args": None,
            "condition": None,
        },
    ],
    "error": None,
}


def _reply(request: Any) -> Any:
    if request.schema_name:
        return PLANNED
    if request.forced_tool:
        return Reply(data={"search_query": "stock growth since the start of 2024", "missing": []})
    return "Amazon's stock price grew by 52 %, Google's by 35.5 %."


def page_plan() -> Plan:
    """Return the plan that the page builds."""
    return (
        PlanBuilderV2()
        .single_tool_agent_step(
            step_name="amazon_stock_price",
            task="Find the growth of Amazon's stock price since the start of 2024",
            tool="search_tool",
        )
        .single_tool_agent_step(
            step_name="google_stock_price",
            task="Find the growth of Google's stock price since the start of 2024",
            tool="search_tool",
        )
        .llm_step(
            task="Determine which company has grown more since the start of 2024",
            inputs=[StepOutput("amazon_stock_price"), StepOutput("google_stock_price")],
        )
        .build()
    )


def _portia(openai: OpenAIServer, tavily: TavilyServer) -> Portia:
    return Portia(
        Config(
            llm_provider="openai",
            openai_api_key="sk-bench",
            base_url=openai.url,
            tavily_api_key="tvly-bench",
            tavily_base_url=tavily.url,
            store="memory",
            default_log_level="WARN",
        ),
        tools=example_tool_registry,
    )


def calls_and_characters() -> Iterator[Row]:
    """B9 and B10: the least that the page's query and the page's plan need."""
    with OpenAIServer(_reply) as openai, TavilyServer() as tavily:
        run = _portia(openai, tavily).run(QUERY)
        assert run.state == "COMPLETE", run.error
        yield Row("B9", "the page's query: model calls", len(openai.requests), 2, "calls")
        characters = openai.prompt_characters
        yield Row("B9", "the page's query: prompt", characters, 6_000, "characters")
    with OpenAIServer(_reply) as openai, TavilyServer() as tavily:
        run = _portia(openai, tavily).run_plan(page_plan())
        assert run.state == "COMPLETE", run.error
        yield Row("B10", "the page's plan: model calls", len(openai.requests), 3, "calls")
        characters = openai.prompt_characters
        yield Row("B10", "the page's plan: prompt", characters, 4_500, "characters")


def wall_time() -> Iterator[Row]:
    """B11: the page's plan with servers that take 50 ms, beside a client written by hand."""
    with (
        OpenAIServer(_reply, latency_s=LATENCY_S) as openai,
        TavilyServer(latency_s=LATENCY_S) as tavily,
        asyncio.Runner() as runner,
    ):
        portia, plan = _portia(openai, tavily), page_plan()
        lean = Lean(openai.url, tavily.url)
        ours, by_hand = interleaved(
            [
                lambda: runner.run(portia.arun_plan(plan)),
                lambda: runner.run(lean.answer()),
            ],
            TIMES,
        )
    yield Row(
        "B11",
        "the page's plan, over a client written by hand",
        statistics.median(ours) / statistics.median(by_hand),
        1.15,
        "x",
        f"ours {spread(ours, 1000)}; by hand {spread(by_hand, 1000)}",
    )


class Lean:
    """What a person would write by hand for the page's plan, with the same two clients."""

    def __init__(self, openai_url: str, tavily_url: str) -> None:
        from openai import AsyncOpenAI
        from tavily import AsyncTavilyClient

        self._openai = AsyncOpenAI(api_key="sk-bench", base_url=openai_url)
        self._tavily = AsyncTavilyClient(api_key="tvly-bench", api_base_url=tavily_url)

    async def answer(self) -> str:
        """Search twice side by side, then compare."""
        found = await asyncio.gather(self._search("Amazon"), self._search("Google"))
        reply = await self._openai.chat.completions.create(
            model="gpt-5.4-mini",
            messages=[
                {"role": "system", "content": "Do the task, using the inputs."},
                {"role": "user", "content": json.dumps({"task": "Compare.", "inputs": found})},
            ],
        )
        return reply.choices[0].message.content or ""

    async def _search(self, company: str) -> Any:
        task = f"Find the growth of {company}'s stock price since the start of 2024"
        tool: Any = {
            "type": "function",
            "function": {
                "name": "search_tool",
                "description": "Searches the internet.",
                "strict": True,
                "parameters": {
                    "type": "object",
                    "properties": {"search_query": {"type": "string"}},
                    "required": ["search_query"],
                    "additionalProperties": False,
                },
            },
        }
        reply = await self._openai.chat.completions.create(
            model="gpt-5.4-mini",
            messages=[{"role": "user", "content": task}],
            tools=[tool],
            tool_choice={"type": "function", "function": {"name": "search_tool"}},
        )
        calls: Any = reply.choices[0].message.tool_calls
        query = json.loads(calls[0].function.arguments)["search_query"]
        found = await self._tavily.search(query, include_answer=True, max_results=3)
        return found["results"]
