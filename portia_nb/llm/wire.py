"""A request in the words of the chat completions API, and what its answers say."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from portia_nb.model.json_schema import schema_violations
from portia_nb.model.language import (
    CallAnswer,
    DataAnswer,
    Message,
    ModelRequest,
    ToolCall,
    ToolSpec,
    Usage,
)

from .habits import Habits
from .strict import bring_back, schema_for_wire

MAX_TOOL_DESCRIPTION = 1024
MAX_REPLY_CHARACTERS = 4_000_000


@dataclass(frozen=True, slots=True)
class RawCall:
    """A tool call as it came."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class RawReply:
    """A whole answer as it came, from a stream or not."""

    text: str = ""
    calls: tuple[RawCall, ...] = ()
    finish_reason: str | None = None
    refusal: str | None = None
    model: str = ""
    usage: Usage = field(default_factory=Usage)


class Unfit(Exception):
    """A reply that isn't what was asked for; the text says why, for the model to read."""


# -- asking --------------------------------------------------------------------------------------


def request_for_wire(
    request: ModelRequest, messages: Sequence[Message], model: str, habits: Habits, *, stream: bool
) -> dict[str, Any]:
    """Return the body of the request for `messages`, asked as `habits` say.

    Args:
        request: what is asked.
        messages: its messages, and any that were added since.
        model: the name without its provider.
        habits: how the server is asked.
        stream: the reply is wanted in pieces.
    """
    body: dict[str, Any] = {"model": model, "messages": [_message(each) for each in messages]}
    match request.answer:
        case DataAnswer(name=name, schema=schema):
            spec = ToolSpec(name, f"Give the answer: {name}.", schema)
            _ask_for_data(body, spec, request, habits)
        case CallAnswer(tools=tools, forced=str() as forced):
            _ask_for_data(body, _offered(tools, forced), request, habits)
        case CallAnswer(tools=tools) if tools:
            body["tools"] = [_tool(tool, habits) for tool in tools]
        case _:
            pass
    if request.max_tokens is not None:
        body[habits.limit_field] = request.max_tokens
    if stream:
        body["stream"] = True
        if habits.counts_stream:
            body["stream_options"] = {"include_usage": True}
    return body


def _ask_for_data(
    body: dict[str, Any], spec: ToolSpec, request: ModelRequest, habits: Habits
) -> None:
    """Ask for data under the schema of `spec`, in the mode that the server is known to take."""
    mode = habits.mode_for(request.answer)
    if mode == "json_schema":
        wire = schema_for_wire(spec.parameters, habits.removed, strict=habits.strict)
        format_ = {"name": spec.name, "schema": wire.schema, "strict": wire.is_strict}
        body["response_format"] = {"type": "json_schema", "json_schema": format_}
    elif mode == "forced_tool":
        body["tools"] = [_tool(spec, habits)]
        named = {"type": "function", "function": {"name": spec.name}}
        body["tool_choice"] = named if habits.choice == "named" else habits.choice
        body.update(habits.extras)
    else:
        schema = json.dumps(spec.parameters, ensure_ascii=False)
        told = f"Answer with JSON alone, without any other words, under this JSON schema:\n{schema}"
        # Beside the system's message where there is one: some servers take only one.
        first = body["messages"][0]
        if first["role"] == "system":
            first["content"] = f"{first['content']}\n\n{told}"
        else:
            body["messages"].insert(0, {"role": "system", "content": told})


def _offered(tools: Sequence[ToolSpec], name: str) -> ToolSpec:
    for tool in tools:
        if tool.name == name:
            return tool
    names = ", ".join(tool.name for tool in tools) or "none"
    raise ValueError(f"the forced tool {name!r} is not among those offered: {names}")


def _tool(tool: ToolSpec, habits: Habits) -> dict[str, Any]:
    wire = schema_for_wire(tool.parameters, habits.removed, strict=habits.strict)
    function: dict[str, Any] = {"name": tool.name, "parameters": wire.schema}
    if tool.description:
        function["description"] = _cut(_without_surrogates(tool.description), MAX_TOOL_DESCRIPTION)
    if wire.is_strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _message(message: Message) -> dict[str, Any]:
    content = _without_surrogates(message.content)
    made: dict[str, Any] = {"role": message.role, "content": content}
    if message.images:
        pictures = [{"type": "image_url", "image_url": {"url": url}} for url in message.images]
        made["content"] = [{"type": "text", "text": content}, *pictures]
    if message.tool_calls:
        made["content"] = content or None
        made["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        made["tool_call_id"] = message.tool_call_id
    return made


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


# -- reading -------------------------------------------------------------------------------------


def read_answer(
    raw: RawReply, request: ModelRequest, habits: Habits
) -> tuple[str, Any, tuple[ToolCall, ...]]:
    """Return text, data and tool calls of `raw`, checked against what `request` asked for.

    Raises:
        Unfit: the reply isn't that.
    """
    match request.answer:
        case DataAnswer(name=name, schema=schema):
            source = _source_of_data(raw, name, habits.mode_for(request.answer) == "forced_tool")
            return "", _checked(source, schema), ()
        case CallAnswer(tools=tools, forced=str() as forced):
            spec = _offered(tools, forced)
            is_called = habits.mode_for(request.answer) == "forced_tool"
            arguments = _checked(_source_of_data(raw, forced, is_called), spec.parameters)
            call_id = next((call.id for call in raw.calls if call.name == forced), "call_0")
            return _clean(raw.text), None, (ToolCall(call_id, forced, arguments),)
        case CallAnswer(tools=tools):
            calls = tuple(_read_call(call, tools) for call in raw.calls)
            return _clean(raw.text), None, calls
        case _:
            return _clean(raw.text), None, ()


def _source_of_data(raw: RawReply, name: str, is_called: bool) -> str:
    """Return the text that should be the JSON."""
    if is_called:
        for call in raw.calls:
            if call.name == name:
                return call.arguments
        if raw.calls:
            names = ", ".join(repr(call.name) for call in raw.calls)
            raise Unfit(f"you called {names}; call {name!r}")
    # A server that ignores tool_choice may still have answered in words that are JSON.
    return raw.text


def _read_call(call: RawCall, tools: Sequence[ToolSpec]) -> ToolCall:
    wanted = next((tool for tool in tools if tool.name == call.name), None)
    if wanted is None:
        names = ", ".join(tool.name for tool in tools)
        raise Unfit(f"there is no tool {call.name!r}; the tools: {names}")
    arguments = parse_json(call.arguments or "{}")
    if not isinstance(arguments, dict):
        raise Unfit(f"the arguments of {call.name} must be a JSON object")
    back = bring_back(arguments, wanted.parameters)
    return ToolCall(call.id, call.name, cast("dict[str, Any]", back))


def _checked(source: str, schema: Mapping[str, Any]) -> Any:
    value = bring_back(parse_json(source), schema)
    violations = schema_violations(value, schema)
    if violations:
        raise Unfit("; ".join(violations[:5]))
    return value


_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)


def parse_json(text: str) -> Any:
    """Parse the JSON in `text`, which may be fenced or have words around it.

    Raises:
        Unfit: there is none, or it holds NaN or Infinity.
    """
    stripped = text.strip()
    if not stripped:
        raise Unfit("the answer is empty; JSON is wanted")
    fenced = _FENCED.search(stripped)
    start, end = stripped.find("{"), stripped.rfind("}")
    tries = [stripped, fenced[1] if fenced else "", stripped[start : end + 1] if start >= 0 else ""]
    problem = ""
    for candidate in filter(None, tries):
        try:
            return _clean(json.loads(candidate, parse_constant=_refuse_constant))
        except (ValueError, RecursionError) as error:
            problem = problem or str(error)
    raise Unfit(f"that is not JSON: {problem}")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _clean(value: Any) -> Any:
    """Replace lone surrogates, which JSON can spell and no store or socket takes."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return _mended(value)
    return value


def _mended(value: Any) -> Any:
    match value:
        case str():
            return _without_surrogates(value)
        case list():
            return [_mended(each) for each in cast("list[Any]", value)]
        case dict():
            parts = cast("dict[str, Any]", value)
            return {_without_surrogates(key): _mended(each) for key, each in parts.items()}
        case _:
            return value


def _without_surrogates(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
