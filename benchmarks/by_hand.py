"""B11: the page's plan beside a client written by hand, against servers that take 50 ms."""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import Iterator
from typing import Any

from tests.servers.openai_server import OpenAIServer
from tests.servers.tavily_server import TavilyServer

from .row import Row, interleaved, spread
from .workloads import page_plan, portia_at, reply_to_page

TIMES = 15
LATENCY_S = 0.05


def wall_time() -> Iterator[Row]:
    """B11: the page's plan with servers that take 50 ms, beside a client written by hand."""
    with (
        OpenAIServer(reply_to_page, latency_s=LATENCY_S) as openai,
        TavilyServer(latency_s=LATENCY_S) as tavily,
        asyncio.Runner() as runner,
    ):
        portia, plan = portia_at(openai, tavily), page_plan()
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
