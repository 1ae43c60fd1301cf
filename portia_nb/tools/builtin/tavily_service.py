"""Tavily's API through its own client: one client for each loop and key, errors in our words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import PrivateAttr

from portia_nb.config import KEYS
from portia_nb.errors import PortiaBaseError, ToolSoftError
from portia_nb.tools.aside import run_aside
from portia_nb.tools.clients import ClientsByLoop
from portia_nb.tools.context import ToolRunContext

from .keyed import KeyedTool, service_error

if TYPE_CHECKING:
    from tavily import AsyncTavilyClient

R = TypeVar("R")
SERVICE = "Tavily"


class TavilyTool(KeyedTool[R], Generic[R]):
    """A tool that asks Tavily."""

    key_setting: ClassVar[str] = "tavily_api_key"
    _clients: ClientsByLoop[Any] = PrivateAttr(default_factory=ClientsByLoop)

    async def ask(
        self,
        ctx: ToolRunContext,
        call: Callable[[AsyncTavilyClient], Awaitable[Any]],
    ) -> dict[str, Any]:
        """Return what ``call(client)`` brings, a JSON object.

        Raises:
            ToolHardError: the key is missing or refused, or the request is.
            ToolSoftError: no answer or an unreadable one, too many requests, or the service failed.
        """
        key, address = self.key(ctx), ctx.config.tavily_base_url
        client = await self._clients.get((key, address), lambda: run_aside(_connect, key, address))
        try:
            reply = await call(client)
        except Exception as error:
            known = _explain(self.id, error)
            if known is None:
                raise
            raise known from error
        if not isinstance(reply, dict):
            raise ToolSoftError(
                f"{self.id}: {SERVICE} answered with {type(reply).__name__} instead of an object",
                tool_id=self.id,
            )
        return reply

    async def aclose(self) -> None:
        """Close the connections that were opened on the running loop."""
        await self._clients.close(lambda client: client.close())


def _connect(key: str, address: str | None) -> AsyncTavilyClient:
    # On a thread: the import takes half a second, and the loop has other things to do.
    from tavily import AsyncTavilyClient

    return AsyncTavilyClient(api_key=key, api_base_url=address)


def _explain(tool_id: str, error: Exception) -> PortiaBaseError | None:
    """Return our error for one of Tavily's client, or None where it is a fault of the program."""
    import httpx
    from tavily import errors

    said = str(error)
    status: int | None
    match error:
        case errors.UsageLimitExceededError():
            status = 429
        case errors.InvalidAPIKeyError():
            status = 401
        case errors.ForbiddenError():
            status = 403
        case errors.BadRequestError():
            status = 400
        case httpx.HTTPStatusError():
            status, said = error.response.status_code, ""
        case errors.TimeoutError() | httpx.TransportError() | httpx.StreamError():
            status, said = None, said or type(error).__name__
        case httpx.InvalidURL():
            status, said = None, f"its address can't be read ({said})"
        case ValueError():
            return ToolSoftError(
                f"{tool_id}: {SERVICE}'s answer is not JSON; try again later", tool_id=tool_id
            )
        case _:
            return None
    return service_error(tool_id, SERVICE, status, said, KEYS["tavily_api_key"])
