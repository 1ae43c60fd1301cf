"""`search_tool`: search the web with Tavily."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from portia_nb.errors import ToolSoftError
from portia_nb.model.values import LocalDataValue
from portia_nb.tools.context import ToolRunContext

from .tavily_service import TavilyTool

MAX_RESULTS = 3
MAX_QUERY_CHARS = 400
"""Tavily refuses longer queries."""


class SearchArguments(BaseModel):
    """What to search for."""

    search_query: str = Field(
        min_length=1,
        max_length=MAX_QUERY_CHARS,
        description="What to search for, as one would type it into a search engine.",
    )


class SearchTool(TavilyTool[LocalDataValue]):
    """Search the web; the value is at most 3 results, the summary is Tavily's own answer."""

    id: str = "search_tool"
    name: str = "Search Tool"
    description: str = (
        "Searches the internet for current facts and returns the best matching pages with an "
        "answer drawn from them. Use it for anything recent, or that has to be looked up."
    )
    args_schema: type[BaseModel] = SearchArguments
    output_schema: tuple[str, str] = (
        "list",
        "At most 3 results, each with title, url and content; the summary answers the query.",
    )

    async def arun(self, ctx: ToolRunContext, search_query: str) -> LocalDataValue:
        """Search for `search_query`.

        Raises:
            ToolHardError: the key is missing or refused, or the query is refused.
            ToolSoftError: nothing was found, or the service can't answer now.
        """
        reply = await self.ask(
            ctx,
            lambda client: client.search(
                query=search_query, include_answer=True, max_results=MAX_RESULTS
            ),
        )
        answer = reply.get("answer")
        results = _results(reply.get("results"))
        if not results and not answer:
            raise ToolSoftError(
                f"{self.id}: nothing was found for {search_query!r}; try other words",
                tool_id=self.id,
            )
        return LocalDataValue(value=results, summary=answer if isinstance(answer, str) else None)


def _results(found: Any) -> list[dict[str, str]]:
    """Keep title, url and content of the first results."""
    given = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return [
        {part: str(each.get(part) or "") for part in ("title", "url", "content")}
        for each in given[:MAX_RESULTS]
    ]
