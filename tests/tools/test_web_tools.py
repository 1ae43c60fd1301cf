"""The tools that ask web services, against servers on loopback."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from portia_nb.config import Config
from portia_nb.errors import PortiaBaseError, ToolHardError, ToolSoftError
from portia_nb.tools.builtin.search import SearchTool
from portia_nb.tools.builtin.sites import CrawlTool, ExtractTool, MapTool
from portia_nb.tools.builtin.weather import WeatherTool
from portia_nb.tools.context import ToolRunContext
from tests.servers.loopback import Connection, HttpRequest, LoopbackServer
from tests.servers.script import Fault
from tests.servers.tavily_server import TavilyServer, search_result

KEY = "tvly-canary-0123456789"
CLOSED = "http://127.0.0.1:9"


def context(url: str | None = None, **settings: Any) -> ToolRunContext:
    given = {"tavily_api_key": KEY, "tavily_base_url": url, **settings}
    return ToolRunContext(config=Config(**given))


@asynccontextmanager
async def opened(made: Any) -> AsyncIterator[Any]:
    """Close the tool's connections before the server goes."""
    try:
        yield made
    finally:
        await made.aclose()


@pytest.fixture(autouse=True)
def _no_keys_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("TAVILY_API_KEY", "OPENWEATHERMAP_API_KEY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(variable, raising=False)


# -- search ---------------------------------------------------------------------------------------


async def test_a_search_gives_three_results_and_the_services_own_answer() -> None:
    found = [search_result(f"T{n}", f"https://example.org/{n}", f"content {n}") for n in range(5)]
    answer = {"query": "q", "answer": "It grew by 52%.", "results": found, "images": []}
    with TavilyServer([answer], api_key=KEY) as server:
        async with opened(SearchTool()) as search:
            output = await search.arun(context(server.url), search_query="Amazon {{ x }} & 'y'")
    assert output.value == [
        {"title": f"T{n}", "url": f"https://example.org/{n}", "content": f"content {n}"}
        for n in range(3)
    ]
    assert output.summary == "It grew by 52%."
    assert server.requests[0].body == {
        "query": "Amazon {{ x }} & 'y'",
        "include_answer": True,
        "max_results": 3,
    }


async def test_searches_at_once_and_later_use_one_client() -> None:
    with TavilyServer(latency_s=0.05) as server:
        async with opened(SearchTool()) as search:
            asked = (search.arun(context(server.url), search_query=f"q{n}") for n in range(4))
            outputs = await asyncio.gather(*asked)
            await search.arun(context(server.url), search_query="later")
            (clients,) = search._clients._clients.values()
            assert len(clients) == 1
    assert [output.summary for output in outputs] == [f"Found for q{n}" for n in range(4)]
    assert server.most_at_once > 1


async def test_a_missing_key_is_a_hard_error_that_names_the_variable_and_sends_nothing() -> None:
    with TavilyServer() as server:
        for made in (SearchTool(), ExtractTool(), CrawlTool(), MapTool()):
            empty = ToolRunContext(config=Config(tavily_base_url=server.url))
            arguments = {
                name: ["https://a.example"] if name == "urls" else "https://a.example"
                for name in ("search_query", "urls", "url")
                if name in made.args_schema.model_fields
            }
            with pytest.raises(ToolHardError, match=f"{made.id}.*TAVILY_API_KEY") as caught:
                await made.arun(empty, **made.parse_arguments(arguments))
            assert caught.value.facts["variable"] == "TAVILY_API_KEY"
    assert server.requests == []


@pytest.mark.parametrize(
    ("reply", "kind", "words"),
    [
        (Fault(status=401), ToolHardError, r"refused the key \(HTTP 401\).*check TAVILY_API_KEY"),
        (Fault(status=403), ToolHardError, "refused the key"),
        (Fault(status=400), ToolHardError, r"refused the request \(HTTP 400\): scripted failure"),
        (Fault(status=404), ToolHardError, r"refused the request \(HTTP 404\)"),
        (Fault(status=429), ToolSoftError, r"too many requests.*\(HTTP 429\)"),
        (Fault(status=500), ToolSoftError, r"failed \(HTTP 500\).*try again later"),
        (Fault(status=503), ToolSoftError, r"failed \(HTTP 503\)"),
        (Fault(reset=True), ToolSoftError, "could not be reached"),
        (Fault(body=b"{}", missing_bytes=5), ToolSoftError, "could not be reached"),
        (Fault(body=b"<html>not json"), ToolSoftError, "not JSON"),
        (Fault(body=b""), ToolSoftError, "not JSON"),
        (
            Fault(body=b'{"answer": null, "results": []}'),
            ToolSoftError,
            "nothing was found for 'q'",
        ),
        (Fault(body=b'{"answer": null, "results": "x"}'), ToolSoftError, "nothing was found"),
    ],
)
async def test_a_failing_service_is_a_soft_or_a_hard_error_without_the_key(
    reply: Fault, kind: type[PortiaBaseError], words: str
) -> None:
    with TavilyServer([reply]) as server:
        async with opened(SearchTool()) as search:
            with pytest.raises(kind, match=words) as caught:
                await search.arun(context(server.url), search_query="q")
    assert KEY not in str(caught.value)
    assert caught.value.facts["tool_id"] == "search_tool"


async def test_a_service_that_is_not_there_is_a_soft_error() -> None:
    async with opened(SearchTool()) as search:
        with pytest.raises(ToolSoftError, match="could not be reached"):
            await search.arun(context(CLOSED), search_query="q")


async def test_odd_results_are_kept_as_text() -> None:
    body = {"answer": ["x"], "results": [{"title": None, "url": 5}, "junk", None]}
    with TavilyServer([Fault(body=json.dumps(body).encode())]) as server:
        async with opened(SearchTool()) as search:
            output = await search.arun(context(server.url), search_query="q")
    assert output.value == [{"title": "", "url": "5", "content": ""}]
    assert output.summary is None


def test_a_query_that_the_service_would_refuse_is_refused_before() -> None:
    assert SearchTool().argument_problems({"search_query": "x" * 401})
    assert SearchTool().argument_problems({"search_query": ""})


# -- sites ----------------------------------------------------------------------------------------


async def test_extract_crawl_and_map_return_pages_and_addresses() -> None:
    with TavilyServer(
        lambda request: ["https://a.example/b"] if request.path == "/map" else "text"
    ) as server:
        async with opened(ExtractTool()) as extract:
            arguments = extract.parse_arguments({"urls": ["https://a.example", "http://b.example"]})
            assert await extract.arun(context(server.url), **arguments) == [
                {"url": "https://a.example", "content": "text"},
                {"url": "http://b.example", "content": "text"},
            ]
        async with opened(CrawlTool()) as crawl:
            arguments = crawl.parse_arguments({"url": "https://a.example", "instructions": "news"})
            assert await crawl.arun(context(server.url), **arguments) == [
                {"url": "https://a.example", "content": "text"}
            ]
        async with opened(MapTool()) as mapper:
            arguments = mapper.parse_arguments({"url": "https://a.example"})
            assert await mapper.arun(context(server.url), **arguments) == ["https://a.example/b"]
    assert server.requests[1].body["instructions"] == "news"
    assert "instructions" not in server.requests[2].body


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "javascript:alert(1)", "example.org", "a\nb"]
)
def test_an_address_that_is_no_web_address_is_refused(url: str) -> None:
    assert "web address" in CrawlTool().argument_problems({"url": url})[0]
    assert ExtractTool().argument_problems({"urls": [url]})


# -- weather --------------------------------------------------------------------------------------

WEATHER_KEY = "owm-canary-0123456789"
GOOD = {"weather": [{"description": "light rain"}], "main": {"temp": 11.5}}


class WeatherServer(LoopbackServer):
    """Answer as OpenWeatherMap does, or as `reply` says."""

    def __init__(self, reply: Callable[[], tuple[int, bytes]]) -> None:
        super().__init__()
        self._reply = reply
        self.queries: list[dict[str, list[str]]] = []

    async def answer(self, request: HttpRequest, connection: Connection) -> None:
        parts = urlsplit(request.path)
        if request.method != "GET" or parts.path != "/data/2.5/weather":
            self.violations.append(f"{request.method} {request.path}")
        self.queries.append(parse_qs(parts.query))
        status, body = self._reply()
        await connection.send(status, body)


def weather_context(url: str) -> ToolRunContext:
    return context(None, openweathermap_api_key=WEATHER_KEY, openweathermap_base_url=url)


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.DEBUG)
    yield caplog


@pytest.mark.parametrize("city", ["London", "Paris,FR", "São Paulo", "a&appid=x#y?z=1/../%00 {0}"])
async def test_the_weather_is_told_in_one_sentence_and_the_city_is_escaped(
    city: str, logs: pytest.LogCaptureFixture
) -> None:
    with WeatherServer(lambda: (200, json.dumps(GOOD).encode())) as server:
        async with opened(WeatherTool()) as weather:
            said = await weather.arun(weather_context(server.root_url), city=city)
            await weather.arun(weather_context(server.root_url), city=city)
    assert said == (f"The current weather in {city} is light rain with a temperature of 11.5°C.")
    expected = {"q": [city], "units": ["metric"], "appid": [WEATHER_KEY]}
    assert server.queries == [expected, expected]
    assert WEATHER_KEY not in logs.text


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, b"{}", ToolHardError, r"refused the key \(HTTP 401\); check OPENWEATHERMAP_API_KEY"),
        (404, b"{}", ToolSoftError, "knows no city 'Nowhere'"),
        (429, b"{}", ToolSoftError, "too many requests"),
        (500, b"{}", ToolSoftError, "failed"),
        (301, b"{}", ToolHardError, "refused the request"),
        (200, b"<html>", ToolSoftError, "no description and temperature"),
        (200, b"{}", ToolSoftError, "no description and temperature"),
        (200, b'{"weather": [], "main": {"temp": 1}}', ToolSoftError, "no description"),
        (200, b"[1]", ToolSoftError, "no description and temperature"),
    ],
)
async def test_a_failing_weather_service_is_a_typed_error_without_the_key(
    status: int,
    body: bytes,
    kind: type[PortiaBaseError],
    words: str,
    logs: pytest.LogCaptureFixture,
) -> None:
    with WeatherServer(lambda: (status, body)) as server:
        async with opened(WeatherTool()) as weather:
            with pytest.raises(kind, match=words) as caught:
                await weather.arun(weather_context(server.root_url), city="Nowhere")
    assert WEATHER_KEY not in f"{caught.value} {caught.value.facts} {logs.text}"


async def test_a_weather_service_that_is_not_there_is_a_soft_error_without_the_key() -> None:
    async with opened(WeatherTool()) as weather:
        with pytest.raises(ToolSoftError, match="could not be reached") as caught:
            await weather.arun(weather_context(CLOSED), city="Oslo")
    assert WEATHER_KEY not in str(caught.value)


async def test_the_weather_needs_a_key_and_speaks_https_by_default() -> None:
    with pytest.raises(ToolHardError, match="OPENWEATHERMAP_API_KEY"):
        await WeatherTool().arun(ToolRunContext(config=Config()), city="Oslo")
    assert Config().openweathermap_base_url.startswith("https://")
