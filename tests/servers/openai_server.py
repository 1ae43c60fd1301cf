"""A server on loopback that speaks OpenAI's chat completions as strictly as OpenAI does."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.servers.chat_rules import chat_violations, parse_json
from tests.servers.chat_wire import (
    ChatRequest,
    message_of,
    refusal_of,
    stream_events,
    usage_of,
)
from tests.servers.loopback import Connection, HttpRequest, LoopbackServer
from tests.servers.script import Fault, Reply, key_refused, model_not_found

Answer = Reply | Fault | str | dict[str, Any] | list[Any]
Script = Sequence[Answer] | Callable[[ChatRequest], Any]


class OpenAIServer(LoopbackServer):
    """Serve the OpenAI API on loopback with scripted answers.

    Args:
        replies: answers in order, or a function (plain or async) of the `ChatRequest` that returns
            one. A string is text, a dict or list is structured data, else a `Reply` or a `Fault`.
            A request after the last reply is a violation.
        models: the models that exist; None: any.
        api_key: the key that is accepted; None: any.
        refuses: what this server can't do, answered with 400 and no violation: `json_schema`,
            `json_object`, `tools`, `forced_tool`, `stream_options`, `stream`, `strict`,
            `max_completion_tokens`, or `keyword:NAME` for a schema keyword.
        latency_s: seconds before each reply.

    >>> with OpenAIServer(["Hello"]) as server:
    ...     server.url == f"http://127.0.0.1:{server.port}/v1"
    True
    """

    def __init__(
        self,
        replies: Script = (),
        *,
        models: Sequence[str] | None = None,
        api_key: str | None = None,
        refuses: Iterable[str] = (),
        latency_s: float = 0.0,
    ) -> None:
        super().__init__()
        self.requests: list[ChatRequest] = []
        self.refused: list[tuple[ChatRequest, str]] = []
        self.refuses = set(refuses)
        self._replies = replies
        self._models = models
        self._api_key = api_key
        self._latency_s = latency_s
        self._numbers = itertools.count()
        self._arrived = threading.Condition()

    @property
    def url(self) -> str:
        """The base URL that clients are given."""
        return f"{self.root_url}/v1"

    @property
    def prompt_characters(self) -> int:
        """Sum over all requests."""
        return sum(request.prompt_characters for request in self.requests)

    def wait_for_requests(self, count: int, timeout_s: float = 5.0) -> None:
        """Block until `count` requests have come; from a coroutine use `asyncio.to_thread`."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.requests) >= count, timeout_s):
                raise TimeoutError(f"{len(self.requests)} of {count} requests in {timeout_s} s")

    async def answer(self, request: HttpRequest, connection: Connection) -> None:
        path = request.path.partition("?")[0]
        if (request.method, path) == ("GET", "/v1/models"):
            await connection.send_json(200, self._model_list())
        elif (request.method, path) == ("POST", "/v1/chat/completions"):
            await self._answer_chat(request, connection)
        else:
            message = f"Invalid URL ({request.method} {request.path})"
            await self._refuse(connection, 404, message, is_violation=True)

    async def _answer_chat(self, http: HttpRequest, connection: Connection) -> None:
        scheme, _, key = http.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            await self._refuse(connection, 401, "You didn't provide an API key", is_violation=True)
            return
        try:
            body = parse_json(http.body)
            violations = chat_violations(body)
        except ValueError as error:
            violations = [f"We could not parse the JSON body of your request: {error}"]
        if "application/json" not in http.headers.get("content-type", ""):
            violations.append(f"content-type is {http.headers.get('content-type')!r}")
        if violations:
            await self._refuse(connection, 400, "; ".join(violations), is_violation=True)
            return
        request = ChatRequest(next(self._numbers), body, http)
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
        if self._api_key is not None and key != self._api_key:
            await self._send(key_refused(), request, connection)
        elif self._models is not None and request.model not in self._models:
            await self._send(model_not_found(request.model), request, connection)
        elif (refusal := refusal_of(body, self.refuses)) is not None:
            self.refused.append((request, refusal))
            await self._refuse(connection, 400, refusal)
        else:
            await self._send(await self._next(request), request, connection)

    async def _next(self, request: ChatRequest) -> Reply | Fault:
        if callable(self._replies):
            try:
                answer = self._replies(request)
                answer = await answer if inspect.isawaitable(answer) else answer
            except Exception as error:
                self.violations.append(f"the test's script raised {error!r}")
                return Fault(status=500, error={"message": repr(error)})
        elif request.number < len(self._replies):
            answer = self._replies[request.number]
        else:
            self.violations.append(f"request {request.number}: no reply is left for {request.text}")
            return Fault(status=500, error={"message": "no reply is left in the test's script"})
        match answer:
            case Reply() | Fault():
                return answer
            case str():
                return Reply(text=answer)
            case _:
                return Reply(data=answer)

    async def _send(self, answer: Reply | Fault, request: ChatRequest, to: Connection) -> None:
        if isinstance(answer, Fault):
            await send_fault(answer, to)
            return
        await asyncio.sleep(self._latency_s + answer.latency_s)
        if answer.release is not None:
            await asyncio.to_thread(answer.release.wait, 20)
        message = message_of(answer, request)
        finish = answer.finish_reason or ("tool_calls" if "tool_calls" in message else "stop")
        usage = usage_of(answer, request, message)
        head = {"id": f"chatcmpl-{request.number}", "created": int(time.time())}
        head["model"] = answer.model or request.model
        if request.is_streamed:
            events = list(stream_events(head, message, finish, usage, answer, request))
            await _send_events(events, answer, to)
            return
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        body = {**head, "object": "chat.completion", "choices": [choice]}
        await to.send_json(200, body if usage is None else {**body, "usage": usage})

    async def _refuse(
        self, connection: Connection, status: int, message: str, *, is_violation: bool = False
    ) -> None:
        if is_violation:
            self.violations.append(message)
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        await connection.send_json(status, {"error": error})

    def _model_list(self) -> dict[str, Any]:
        facts = {"object": "model", "created": 1, "owned_by": "tests"}
        return {"object": "list", "data": [{"id": m, **facts} for m in self._models or ()]}


async def send_fault(
    fault: Fault, connection: Connection, *, shape: dict[str, Any] | None = None
) -> None:
    """Answer as `fault` says; `shape` replaces OpenAI's way of wording an error."""
    if fault.reset:
        connection.reset()
    elif fault.silent_s is not None:
        await connection.wait_for_client_to_leave(fault.silent_s)
        connection.close()
    else:
        body = fault.body
        if body is None:
            body = json.dumps(shape or {"error": fault.error}).encode()
        length = len(body) + fault.missing_bytes
        await connection.send(fault.status, body, headers=fault.headers, declared_length=length)


async def _send_events(events: list[dict[str, Any]], answer: Reply, to: Connection) -> None:
    lines = [f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode() for event in events]
    lines.append(b"data: [DONE]\n\n")
    if answer.write_bytes is not None:
        whole = b"".join(lines)
        step = answer.write_bytes
        lines = [whole[start : start + step] for start in range(0, len(whole), step)]
    await to.start_stream()
    for sent, line in enumerate(lines):
        if sent == answer.cut_after_chunks:
            to.close()
            return
        if sent == answer.end_after_chunks:
            break
        if sent == answer.stall_after_chunks:
            await to.wait_for_client_to_leave(20)
            to.close()
            return
        await to.send_chunk(line)
        await asyncio.sleep(answer.chunk_delay_s)
    await to.end_stream()
