"""`weather_tool`: the weather now, from OpenWeatherMap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, Field, PrivateAttr

from portia_nb.config import KEYS
from portia_nb.errors import ToolSoftError
from portia_nb.tools.aside import run_aside
from portia_nb.tools.clients import ClientsByLoop
from portia_nb.tools.context import ToolRunContext

from .keyed import KeyedTool, service_error

if TYPE_CHECKING:
    import httpx

SERVICE = "OpenWeatherMap"
TIMEOUT_S = 20.0
MAX_CITY_CHARS = 100


class WeatherArguments(BaseModel):
    """Where."""

    city: str = Field(
        min_length=1,
        max_length=MAX_CITY_CHARS,
        description="Name of the city, e.g. London or Paris,FR.",
    )


class WeatherTool(KeyedTool[str]):
    """Say what the weather in a city is now."""

    key_setting: ClassVar[str] = "openweathermap_api_key"

    id: str = "weather_tool"
    name: str = "Weather Tool"
    description: str = (
        "Tells the current weather in a city: sky and temperature in degrees Celsius."
    )
    args_schema: type[BaseModel] = WeatherArguments
    output_schema: tuple[str, str] = ("str", "A sentence with the sky and the temperature.")

    _clients: ClientsByLoop[Any] = PrivateAttr(default_factory=ClientsByLoop)

    async def arun(self, ctx: ToolRunContext, city: str) -> str:
        """Say what the weather in `city` is.

        Raises:
            ToolHardError: the key is missing or refused, or the request is.
            ToolSoftError: no such city is known, or the service can't answer now.
        """
        import httpx

        key, address = self.key(ctx), ctx.config.openweathermap_base_url
        client = await self._clients.get((key, address), lambda: run_aside(_connect, key, address))
        try:
            response = await client.get("/data/2.5/weather", params={"q": city, "units": "metric"})
        except (httpx.TransportError, httpx.InvalidURL, httpx.DecodingError) as error:
            said = type(error).__name__
            raise service_error(self.id, SERVICE, None, said, KEYS[self.key_setting]) from None
        if response.status_code == 404:
            raise ToolSoftError(
                f"{self.id}: {SERVICE} knows no city {city!r}; write it as City or City,COUNTRY",
                tool_id=self.id,
            )
        if response.status_code != 200:
            raise service_error(self.id, SERVICE, response.status_code, "", KEYS[self.key_setting])
        description, celsius = _read(response, self.id)
        return f"The current weather in {city} is {description} with a temperature of {celsius}°C."

    async def aclose(self) -> None:
        """Close the connections that were opened on the running loop."""
        await self._clients.close(lambda client: client.aclose())


def _read(response: httpx.Response, tool_id: str) -> tuple[str, float]:
    try:
        data = response.json()
        description, celsius = data["weather"][0]["description"], data["main"]["temp"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ToolSoftError(
            f"{tool_id}: {SERVICE}'s answer has no description and temperature in their places",
            tool_id=tool_id,
        ) from error
    return str(description), celsius


def _connect(key: str, address: str) -> httpx.AsyncClient:
    # On a thread: import and certificates take a while, and the loop has other things to do.
    from urllib.request import getproxies, proxy_bypass

    import httpx

    url = httpx.URL(address)
    proxy = None if proxy_bypass(url.host) else getproxies().get(url.scheme)

    class WithKey(httpx.AsyncHTTPTransport):
        # The service wants its key in the address, and httpx logs addresses: so the key is added
        # below the place where it logs.
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            request.url = request.url.copy_set_param("appid", key)
            try:
                return await super().handle_async_request(request)
            finally:
                request.url = request.url.copy_remove_param("appid")

    return httpx.AsyncClient(base_url=address, transport=WithKey(proxy=proxy), timeout=TIMEOUT_S)
