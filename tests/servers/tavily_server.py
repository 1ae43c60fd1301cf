"""A server on loopback that speaks Tavily's API: search, extract, crawl and map."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.servers.chat_rules import parse_json
from tests.servers.loopback import Connection, HttpRequest, LoopbackServer
from tests.servers.openai_server import send_fault
from tests.servers.script import Fault

Script = Sequence[Any] | Callable[["TavilyRequest"], Any]
Check = Callable[[Any], bool]


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value) is not None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_int(low: int, high: int) -> Check:
    return lambda v: isinstance(v, int) and not isinstance(v, bool) and low <= v <= high


def _one_of(*values: Any) -> Check:
    return lambda v: any(v is value or (isinstance(v, str) and v == value) for value in values)


_PAGES: dict[str, Check] = {
    "extract_depth": _one_of("basic", "advanced"),
    "format": _one_of("markdown", "text"),
    "include_images": _is_bool,
    "include_favicon": _is_bool,
    "include_usage": _is_bool,
    "chunks_per_source": _is_int(1, 5),
    "timeout": _is_number,
}
_SITE: dict[str, Check] = {
    "url": _is_text,
    "instructions": _is_text,
    "max_depth": _is_int(1, 5),
    "max_breadth": _is_int(1, 500),
    "limit": _is_int(1, 10_000),
    "select_paths": _is_texts,
    "select_domains": _is_texts,
    "exclude_paths": _is_texts,
    "exclude_domains": _is_texts,
    "allow_external": _is_bool,
}
FIELDS: Mapping[str, dict[str, Check]] = {
    "/search": {
        "query": lambda v: _is_text(v) and len(v) <= 400,
        "search_depth": _one_of("basic", "advanced", "fast", "ultra-fast"),
        "topic": _one_of("general", "news", "finance"),
        "time_range": _one_of("day", "week", "month", "year", "d", "w", "m", "y"),
        "start_date": _is_date,
        "end_date": _is_date,
        "days": _is_int(1, 3650),
        "max_results": _is_int(0, 20),
        "include_domains": _is_texts,
        "exclude_domains": _is_texts,
        "include_answer": _one_of(True, False, "basic", "advanced"),
        "include_raw_content": _one_of(True, False, "markdown", "text"),
        "include_images": _is_bool,
        "include_image_descriptions": _is_bool,
        "include_favicon": _is_bool,
        "include_usage": _is_bool,
        "chunks_per_source": _is_int(1, 3),
        "country": _is_text,
        "auto_parameters": _is_bool,
        "exact_match": _is_bool,
        "timeout": _is_number,
    },
    "/extract": {"urls": lambda v: _is_text(v) or _is_texts(v), "query": _is_text, **_PAGES},
    "/crawl": {**_SITE, **_PAGES},
    "/map": {**_SITE, "timeout": _is_number, "include_usage": _is_bool},
}
REQUIRED = {"/search": "query", "/extract": "urls", "/crawl": "url", "/map": "url"}


@dataclass(frozen=True)
class TavilyRequest:
    """One request as it was asked for."""

    number: int
    path: str
    """`/search`, `/extract`, `/crawl` or `/map`."""
    body: dict[str, Any]
    http: HttpRequest


def search_result(title: str, url: str, content: str, score: float = 0.9) -> dict[str, Any]:
    """Return one result of a search as Tavily words it."""
    return {"title": title, "url": url, "content": content, "score": score, "raw_content": None}


class TavilyServer(LoopbackServer):
    """Serve Tavily's API on loopback with scripted answers.

    Args:
        replies: answers in order, or a function (plain or async) of the `TavilyRequest` that
            returns one: a string (a search's `answer`), a list of results, a whole body as a dict,
            or a `Fault`. Without replies each request gets a plain answer made from its query.
        api_key: the key that is accepted; None: any.
        latency_s: seconds before each answer.
    """

    def __init__(
        self,
        replies: Script | None = None,
        *,
        api_key: str | None = None,
        latency_s: float = 0.0,
    ) -> None:
        super().__init__()
        self.requests: list[TavilyRequest] = []
        self._replies = _plain_answer if replies is None else replies
        self._api_key = api_key
        self._latency_s = latency_s

    @property
    def url(self) -> str:
        """The base URL that clients are given (`api_base_url`)."""
        return self.root_url

    async def answer(self, request: HttpRequest, connection: Connection) -> None:
        if request.method != "POST" or request.path not in FIELDS:
            await self._refuse(connection, 404, f"no such path: {request.method} {request.path}")
            return
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            await self._refuse(connection, 401, "Unauthorized: missing or invalid API key.")
            return
        try:
            body = parse_json(request.body)
            violations = _violations(request.path, body)
        except ValueError as error:
            violations = [f"the body is not JSON: {error}"]
        if violations:
            await self._refuse(connection, 400, "; ".join(violations))
            return
        asked = TavilyRequest(len(self.requests), request.path, body, request)
        self.requests.append(asked)
        if self._api_key is not None and key != self._api_key:
            await connection.send_json(
                401, {"detail": {"error": "Unauthorized: missing or invalid API key."}}
            )
            return
        answer = await self._next(asked)
        if isinstance(answer, Fault):
            detail = {"error": (answer.error or {}).get("message", "scripted failure")}
            await send_fault(answer, connection, shape={"detail": detail})
            return
        await asyncio.sleep(self._latency_s)
        await connection.send_json(200, _body_of(asked, answer))

    async def _next(self, request: TavilyRequest) -> Any:
        if callable(self._replies):
            try:
                answer = self._replies(request)
                return await answer if inspect.isawaitable(answer) else answer
            except Exception as error:
                self.violations.append(f"the test's script raised {error!r}")
        elif request.number < len(self._replies):
            return self._replies[request.number]
        else:
            self.violations.append(f"request {request.number}: no reply is left for {request.body}")
        return Fault(status=500)

    async def _refuse(self, connection: Connection, status: int, message: str) -> None:
        self.violations.append(message)
        await connection.send_json(status, {"detail": {"error": message}})


def _plain_answer(request: TavilyRequest) -> str:
    return f"Found for {request.body[REQUIRED[request.path]]}"


def _violations(path: str, body: Any) -> list[str]:
    if not isinstance(body, dict):
        return [f"the body must be a JSON object, got {type(body).__name__}"]
    checks = FIELDS[path]
    found = [f"{path}: unknown field {name!r}" for name in body if name not in checks]
    found += [
        f"{path}: invalid {name}: {value!r:.200}"
        for name, value in body.items()
        if name in checks and not checks[name](value)
    ]
    if REQUIRED[path] not in body:
        found.append(f"{path}: missing {REQUIRED[path]}")
    return found


def _body_of(request: TavilyRequest, answer: Any) -> dict[str, Any]:
    """Fill up what the script left out, in the shape of the request's endpoint."""
    if isinstance(answer, dict):
        return answer
    text = answer if isinstance(answer, str) else None
    given = answer if isinstance(answer, list) else []
    facts = {"response_time": 0.01, "request_id": f"request-{request.number}"}
    asked = request.body
    if request.path == "/search":
        found = given or [search_result(asked["query"], "https://example.org/1", text or "")]
        shown = text if asked.get("include_answer") else None
        limit = asked.get("max_results", 5)
        return {
            "query": asked["query"],
            "follow_up_questions": None,
            "answer": shown,
            "images": [],
            "results": found[:limit],
            **facts,
        }
    if request.path == "/extract":
        urls = [asked["urls"]] if isinstance(asked["urls"], str) else asked["urls"]
        pages = given or [{"url": url, "raw_content": text, "images": []} for url in urls]
        return {"results": pages, "failed_results": [], **facts}
    if request.path == "/crawl":
        pages = given or [{"url": asked["url"], "raw_content": text}]
        return {"base_url": asked["url"], "results": pages, **facts}
    return {"base_url": asked["url"], "results": given or [asked["url"]], **facts}
