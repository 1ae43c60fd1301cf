"""Chat completions on the wire: the request as a test sees it, the reply as a client sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.servers.loopback import HttpRequest
from tests.servers.script import UNSET, Call, Reply


@dataclass(frozen=True)
class ChatRequest:
    """One chat completion as it was asked for."""

    number: int
    """0 for the first request of this server."""
    body: dict[str, Any]
    http: HttpRequest

    @property
    def model(self) -> str:
        return self.body["model"]

    @property
    def messages(self) -> list[dict[str, Any]]:
        return self.body["messages"]

    @property
    def is_streamed(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def tool_names(self) -> list[str]:
        return [tool["function"]["name"] for tool in self.body.get("tools", [])]

    @property
    def forced_tool(self) -> str | None:
        choice = self.body.get("tool_choice")
        if isinstance(choice, dict):
            return choice["function"]["name"]
        return self.tool_names[0] if choice == "required" else None

    @property
    def schema_name(self) -> str | None:
        return self.body.get("response_format", {}).get("json_schema", {}).get("name")

    @property
    def text(self) -> str:
        """All that the messages say, joined by newlines."""
        return "\n".join(_texts(self.messages))

    @property
    def prompt_characters(self) -> int:
        """Characters of the messages' contents, the tools and the response format as JSON."""
        extra = [self.body[name] for name in ("tools", "response_format") if name in self.body]
        calls = [m["tool_calls"] for m in self.messages if m.get("tool_calls")]
        serialized = sum(len(json.dumps(part, ensure_ascii=False)) for part in (*extra, *calls))
        return sum(map(len, _texts(self.messages))) + serialized


def _texts(messages: Iterable[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for message in messages:
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"text": content or ""}]
        found += [part["text"] for part in parts if "text" in part]
    return found


def refusal_of(body: dict[str, Any], refuses: set[str]) -> str | None:
    """Return the sentence with which a server that lacks `refuses` turns `body` down."""
    format_ = body.get("response_format", {}).get("type")
    if format_ in refuses:
        return f"response_format type {format_} is unavailable for this model"
    for name in ("tools", "stream", "stream_options", "max_completion_tokens"):
        if name in refuses and name in body:
            return f"Unsupported parameter: '{name}'"
    if "forced_tool" in refuses and isinstance(body.get("tool_choice"), dict):
        return "tool_choice of a named function is not supported"
    asked = json.dumps([body.get("response_format"), body.get("tools")])
    if "strict" in refuses and '"strict": true' in asked:
        return "strict is not supported"
    for name in (each.removeprefix("keyword:") for each in refuses if each.startswith("keyword:")):
        if re.search(rf'"{re.escape(name)}": ', asked):
            return f"Invalid schema: '{name}' is not permitted"
    return None


def message_of(answer: Reply, request: ChatRequest) -> dict[str, Any]:
    text, calls = answer.text, list(answer.calls)
    if answer.data is not UNSET:
        forced = request.forced_tool
        if forced is not None:
            calls.append(Call(name=forced, arguments=json.dumps(answer.data)))
        else:
            text = json.dumps(answer.data)
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    message["refusal"] = answer.refusal
    if calls:
        message["tool_calls"] = [
            {
                "id": call.id or f"call_{request.number}_{index}",
                "type": "function",
                "function": {"name": call.name, "arguments": _raw(call.arguments)},
            }
            for index, call in enumerate(calls)
        ]
    else:
        message["content"] = text
    return message


def _raw(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def usage_of(answer: Reply, request: ChatRequest, message: dict[str, Any]) -> dict[str, Any] | None:
    if answer.usage == (-1, -1):
        return None
    estimate = (request.prompt_characters // 4 + 1, len(json.dumps(message)) // 4)
    asked, said = answer.usage or estimate
    details = {"prompt_tokens_details": {"cached_tokens": 0}}
    return {
        "prompt_tokens": asked,
        "completion_tokens": said,
        "total_tokens": asked + said,
    } | details


def stream_events(
    head: dict[str, Any],
    message: dict[str, Any],
    finish: str,
    usage: dict[str, Any] | None,
    answer: Reply,
    request: ChatRequest,
) -> Iterable[dict[str, Any]]:
    """Yield the events of a stream, as OpenAI cuts them."""
    head = {**head, "object": "chat.completion.chunk"}
    size = answer.chunk_characters

    def event(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**head, "choices": [choice]}

    yield event({"role": "assistant", "content": "" if message["content"] is not None else None})
    text = message["content"] or ""
    for start in range(0, len(text), size):
        yield event({"content": text[start : start + size]})
    for index, call in enumerate(message.get("tool_calls", [])):
        raw = call["function"]["arguments"]
        named = {"name": call["function"]["name"], "arguments": ""}
        yield event({"tool_calls": [{"index": index, **call, "function": named}]})
        for start in range(0, len(raw), size):
            piece = {"index": index, "function": {"arguments": raw[start : start + size]}}
            yield event({"tool_calls": [piece]})
    yield event({}, finish)
    if usage is not None and request.body.get("stream_options", {}).get("include_usage"):
        yield {**head, "choices": [], "usage": usage}
