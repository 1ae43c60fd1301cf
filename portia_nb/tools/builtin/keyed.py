"""Tools that call a web service with a key."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, Literal, TypeVar

from portia_nb.errors import ConfigNotFoundError, PortiaBaseError, ToolHardError, ToolSoftError
from portia_nb.tools.base import ReadyResponse, Tool
from portia_nb.tools.context import ToolRunContext

R = TypeVar("R")


class KeyedTool(Tool[R], Generic[R]):
    """A tool that only reads from a web service, and needs a key for it when it is called."""

    key_setting: ClassVar[str]
    """Name of the key in `Config`."""

    side_effect: bool | None = False
    loop: Literal["caller", "background"] = "background"

    def key(self, ctx: ToolRunContext) -> str:
        """Return the key.

        Raises:
            ToolHardError: it is not set; the message names the variable to set.
        """
        try:
            return ctx.config.need_key(self.key_setting, self.id)
        except ConfigNotFoundError as error:
            raise ToolHardError(str(error), tool_id=self.id, **error.facts) from error

    def ready(self, ctx: ToolRunContext) -> ReadyResponse:
        """Say that the tool can be called.

        Raises:
            ToolHardError: the key is not set.
        """
        self.key(ctx)
        return ReadyResponse()


def service_error(
    tool_id: str, service: str, status: int | None, said: str, variable: str
) -> PortiaBaseError:
    """Return the error for what a service answered: soft where trying again may help.

    Args:
        tool_id: the tool that asked.
        service: the service's name, as people know it.
        status: HTTP status, or None where no answer came.
        said: the service's own words, or what went wrong.
        variable: the environment variable that holds the key.
    """
    words = f": {said:.300}" if said else ""
    facts: dict[str, Any] = {"tool_id": tool_id, "status": status}
    if status is None:
        message = (
            f"{tool_id}: {service} could not be reached{words}; check the network, then try again"
        )
        return ToolSoftError(message, **facts)
    if status in (401, 403):
        message = f"{tool_id}: {service} refused the key (HTTP {status}){words}; check {variable}"
        return ToolHardError(message, **facts)
    if status in (408, 429) or status >= 500:
        busy = "answered 'too many requests'" if status == 429 else "failed"
        message = f"{tool_id}: {service} {busy} (HTTP {status}){words}; try again later"
        return ToolSoftError(message, **facts)
    return ToolHardError(
        f"{tool_id}: {service} refused the request (HTTP {status}){words}", **facts
    )
