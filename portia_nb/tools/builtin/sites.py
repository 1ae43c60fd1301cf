"""`extract_tool`, `crawl_tool` and `map_tool`: read pages and sites with Tavily.

Tavily fetches the pages, not this machine, so nothing here can reach into the local network.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from portia_nb.tools.context import ToolRunContext

from .tavily_service import TavilyTool

MAX_URLS = 20
"""Tavily refuses more in one request."""
MAX_PAGES = 50


def _check_address(value: str) -> str:
    plain = value.strip()
    if not plain.lower().startswith(("https://", "http://")) or not plain.isprintable():
        raise ValueError("a web address starts with https:// or http://")
    return plain


Address = Annotated[str, AfterValidator(_check_address)]


class ExtractArguments(BaseModel):
    """Which pages to read."""

    urls: list[Address] = Field(
        min_length=1, max_length=MAX_URLS, description="Web addresses of the pages to read."
    )


class SiteArguments(BaseModel):
    """Which site to walk, and how far."""

    url: Address = Field(description="Web address to start from.")
    instructions: str | None = Field(
        default=None, description="Which pages are wanted, in plain words."
    )
    max_depth: int = Field(default=1, ge=1, le=5, description="How many links away from the start.")
    limit: int = Field(default=MAX_PAGES, ge=1, le=500, description="Most pages to look at.")


class ExtractTool(TavilyTool[list[dict[str, str]]]):
    """Read the text of web pages."""

    id: str = "extract_tool"
    name: str = "Extract Tool"
    description: str = "Reads web pages whose addresses are known and returns their text."
    args_schema: type[BaseModel] = ExtractArguments
    output_schema: tuple[str, str] = ("list", "For each page its url and its content as text.")

    async def arun(self, ctx: ToolRunContext, urls: list[str]) -> list[dict[str, str]]:
        """Read the pages at `urls`; a page that can't be read is left out.

        Raises:
            ToolHardError: the key is missing or refused, or the request is.
            ToolSoftError: the service can't answer now.
        """
        reply = await self.ask(ctx, lambda client: client.extract(urls=urls))
        return _pages(reply)


class CrawlTool(TavilyTool[list[dict[str, str]]]):
    """Read the pages of a site."""

    id: str = "crawl_tool"
    name: str = "Crawl Tool"
    description: str = (
        "Follows the links of a web site from one address on and returns the pages' text."
    )
    args_schema: type[BaseModel] = SiteArguments
    output_schema: tuple[str, str] = ("list", "For each page its url and its content as text.")

    async def arun(
        self, ctx: ToolRunContext, url: str, instructions: str | None, max_depth: int, limit: int
    ) -> list[dict[str, str]]:
        """Read the pages that are linked from `url`.

        Raises:
            ToolHardError: the key is missing or refused, or the request is.
            ToolSoftError: the service can't answer now.
        """
        wanted: dict[str, Any] = {"instructions": instructions} if instructions else {}
        reply = await self.ask(
            ctx, lambda client: client.crawl(url=url, max_depth=max_depth, limit=limit, **wanted)
        )
        return _pages(reply)


class MapTool(TavilyTool[list[str]]):
    """List the pages of a site."""

    id: str = "map_tool"
    name: str = "Map Tool"
    description: str = (
        "Follows the links of a web site from one address on and returns the addresses found."
    )
    args_schema: type[BaseModel] = SiteArguments
    output_schema: tuple[str, str] = ("list", "Web addresses.")

    async def arun(
        self, ctx: ToolRunContext, url: str, instructions: str | None, max_depth: int, limit: int
    ) -> list[str]:
        """List the pages that are linked from `url`.

        Raises:
            ToolHardError: the key is missing or refused, or the request is.
            ToolSoftError: the service can't answer now.
        """
        wanted: dict[str, Any] = {"instructions": instructions} if instructions else {}
        reply = await self.ask(
            ctx, lambda client: client.map(url=url, max_depth=max_depth, limit=limit, **wanted)
        )
        found = reply.get("results")
        return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _pages(reply: dict[str, Any]) -> list[dict[str, str]]:
    found = reply.get("results")
    given = [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
    return [
        {"url": str(each.get("url") or ""), "content": str(each.get("raw_content") or "")}
        for each in given
    ]
