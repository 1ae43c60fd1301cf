"""Check the body of POST /v1/chat/completions as strictly as OpenAI's API reference words it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.servers.strict_schema import strict_schema_violations

NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
MAX_TOOLS = 128
MAX_TOOL_DESCRIPTION = 1024
# These models answer 400 to a temperature other than their own.
FIXED_TEMPERATURE = re.compile(r"^(o\d|gpt-5)")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(low: float, high: float) -> Callable[[Any], bool]:
    return lambda v: isinstance(v, int | float) and not isinstance(v, bool) and low <= v <= high


def _one_of(*values: str) -> Callable[[Any], bool]:
    return lambda v: v in values


def _is_stop(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and 0 < len(value) <= 4 and all(isinstance(v, str) for v in value)
    )


def _is_metadata(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) <= 16
        and all(isinstance(v, str) and len(k) <= 64 and len(v) <= 512 for k, v in value.items())
    )


FIELDS: dict[str, Callable[[Any], bool]] = {
    "model": lambda v: isinstance(v, str) and v != "",
    "messages": lambda v: isinstance(v, list) and len(v) > 0,
    "stream": lambda v: isinstance(v, bool),
    "stream_options": lambda v: isinstance(v, dict) and v.keys() <= {"include_usage"},
    "tools": lambda v: isinstance(v, list) and 0 < len(v) <= MAX_TOOLS,
    "tool_choice": lambda v: isinstance(v, dict) or v in ("none", "auto", "required"),
    "parallel_tool_calls": lambda v: isinstance(v, bool),
    "response_format": lambda v: isinstance(v, dict),
    "temperature": _is_number(0, 2),
    "top_p": _is_number(0, 1),
    "frequency_penalty": _is_number(-2, 2),
    "presence_penalty": _is_number(-2, 2),
    "max_tokens": lambda v: _is_int(v) and v >= 1,
    "max_completion_tokens": lambda v: _is_int(v) and v >= 1,
    "n": lambda v: _is_int(v) and 1 <= v <= 128,
    "seed": _is_int,
    "stop": _is_stop,
    "user": lambda v: isinstance(v, str),
    "metadata": _is_metadata,
    "store": lambda v: isinstance(v, bool),
    "logprobs": lambda v: isinstance(v, bool),
    "top_logprobs": lambda v: _is_int(v) and 0 <= v <= 20,
    "reasoning_effort": _one_of("none", "minimal", "low", "medium", "high", "xhigh"),
    "verbosity": _one_of("low", "medium", "high"),
    "service_tier": _one_of("auto", "default", "flex", "scale", "priority"),
    "prompt_cache_key": lambda v: isinstance(v, str),
    "safety_identifier": lambda v: isinstance(v, str),
}


def chat_violations(body: Any) -> list[str]:
    """Return one sentence for each rule that the parsed `body` breaks."""
    if not isinstance(body, dict):
        return [f"the body must be a JSON object, got {type(body).__name__}"]
    found = [f"unknown field {name!r}" for name in body if name not in FIELDS]
    found += [
        f"invalid {name}: {body[name]!r:.200}"
        for name, is_right in FIELDS.items()
        if name in body and not is_right(body[name])
    ]
    found += [f"missing {name}" for name in ("model", "messages") if name not in body]
    if found:
        return found
    return [*_combinations(body), *_messages(body), *_tools(body), *_response_format(body)]


def parse_json(raw: bytes) -> Any:
    """Parse a request's body as the API does: UTF-8, strict JSON, no lone surrogates.

    Raises:
        ValueError: it isn't; the message says why.
    """

    def refuse(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    value = json.loads(raw.decode("utf-8"), parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _combinations(body: dict[str, Any]) -> Iterator[str]:
    if "stream_options" in body and not body.get("stream"):
        yield "stream_options is only allowed when stream is true"
    if {"max_tokens", "max_completion_tokens"} <= body.keys():
        yield "max_tokens and max_completion_tokens can't both be set"
    if FIXED_TEMPERATURE.match(body["model"]) and body.get("temperature", 1) != 1:
        yield f"temperature {body['temperature']} is not supported with {body['model']}"
    if FIXED_TEMPERATURE.match(body["model"]) and "max_tokens" in body:
        yield f"max_tokens is not supported with {body['model']}: use max_completion_tokens"
    if "top_logprobs" in body and not body.get("logprobs"):
        yield "top_logprobs needs logprobs"
    for name in ("tool_choice", "parallel_tool_calls"):
        if name in body and "tools" not in body:
            yield f"{name} is only allowed when tools are specified"


# -- messages --------------------------------------------------------------------------------


def _messages(body: dict[str, Any]) -> Iterator[str]:
    pending: set[str] = set()
    for index, message in enumerate(body["messages"]):
        where = f"messages[{index}]"
        if not isinstance(message, dict) or message.get("role") not in _FIELDS_OF:
            yield f"{where}: invalid role in {message!r:.200}"
            continue
        role = message["role"]
        for name in message.keys() - _FIELDS_OF[role]:
            yield f"{where}: unknown field {name!r} for role {role}"
        if role == "tool":
            if message.get("tool_call_id") not in pending:
                yield (
                    f"{where}: role 'tool' must be a response to a preceding message with "
                    f"'tool_calls'; {message.get('tool_call_id')!r} is not pending"
                )
            pending.discard(message.get("tool_call_id"))
        elif pending:
            yield f"{where}: tool_calls without an answer before it: {sorted(pending)}"
            pending = set()
        yield from _content(message, where)
        if message.get("tool_calls") is not None:
            yield from _tool_calls(message["tool_calls"], where)
            pending = {c["id"] for c in message["tool_calls"] if isinstance(c, dict) and "id" in c}
    if pending:
        yield f"tool_calls without an answer at the end: {sorted(pending)}"


_FIELDS_OF = {
    "system": {"role", "content", "name"},
    "developer": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "assistant": {"role", "content", "name", "tool_calls", "refusal"},
    "tool": {"role", "content", "tool_call_id"},
}
_PARTS_OF = {
    "system": {"text"},
    "developer": {"text"},
    "user": {"text", "image_url"},
    "assistant": {"text", "refusal"},
    "tool": {"text"},
}


def _content(message: dict[str, Any], where: str) -> Iterator[str]:
    content = message.get("content")
    if isinstance(content, str):
        return
    if content is None:
        if message["role"] != "assistant" or not message.get("tool_calls"):
            yield f"{where}: content must be a string or a list of parts, got null"
        return
    if not isinstance(content, list) or not content:
        yield f"{where}: content must be a string or a non-empty list, got {content!r:.100}"
        return
    for number, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind not in _PARTS_OF[message["role"]]:
            yield f"{where}.content[{number}]: part of type {kind!r} is not allowed"
        elif kind == "image_url":
            image = part.get("image_url")
            url = image.get("url") if isinstance(image, dict) else None
            if not isinstance(url, str) or not url.startswith(("https:", "http:", "data:image/")):
                yield f"{where}.content[{number}]: invalid image_url {url!r:.60}"
        elif not isinstance(part.get(kind), str) or part.keys() != {"type", kind}:
            yield f"{where}.content[{number}]: invalid {kind} part"


def _tool_calls(calls: Any, where: str) -> Iterator[str]:
    if not isinstance(calls, list) or not calls:
        yield f"{where}: tool_calls must be a non-empty list"
        return
    for number, call in enumerate(calls):
        at = f"{where}.tool_calls[{number}]"
        if not isinstance(call, dict) or call.keys() != {"id", "type", "function"}:
            yield f"{at}: must have exactly id, type and function"
            continue
        function = call["function"]
        if call["type"] != "function" or not isinstance(call["id"], str) or not call["id"]:
            yield f"{at}: invalid id or type"
        if not isinstance(function, dict) or function.keys() != {"name", "arguments"}:
            yield f"{at}: function must have exactly name and arguments"
        elif not NAME.match(str(function["name"])) or not isinstance(function["arguments"], str):
            yield f"{at}: name must match {NAME.pattern} and arguments be a string"


# -- tools and the answer's format -------------------------------------------------------------


def _tools(body: dict[str, Any]) -> Iterator[str]:
    names: list[str] = []
    for index, tool in enumerate(body.get("tools", [])):
        where = f"tools[{index}]"
        function = tool.get("function") if isinstance(tool, dict) else None
        if not isinstance(function, dict) or tool.keys() != {"type", "function"}:
            yield f"{where}: must be {{'type': 'function', 'function': …}}"
            continue
        names.append(str(function.get("name")))
        yield from _function(function, f"{where}.function")
    for name in {name for name in names if names.count(name) > 1}:
        yield f"tools: {name!r} is there twice"
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        chosen = choice.get("function")
        if choice.get("type") != "function" or not isinstance(chosen, dict):
            yield f"tool_choice: invalid {choice!r:.200}"
        elif chosen.keys() != {"name"} or chosen["name"] not in names:
            yield f"tool_choice: {chosen!r} names none of the tools {names}"


def _function(function: dict[str, Any], where: str) -> Iterator[str]:
    for name in function.keys() - {"name", "description", "parameters", "strict"}:
        yield f"{where}: unknown field {name!r}"
    if not NAME.match(str(function.get("name"))):
        yield f"{where}.name: {function.get('name')!r:.100} doesn't match {NAME.pattern}"
    description = function.get("description", "")
    if not isinstance(description, str) or len(description) > MAX_TOOL_DESCRIPTION:
        yield f"{where}.description: must be a string of at most {MAX_TOOL_DESCRIPTION} characters"
    if not isinstance(function.get("strict", False), bool):
        yield f"{where}.strict: must be a boolean"
    parameters = function.get("parameters", {"type": "object", "properties": {}})
    yield from _schema(parameters, bool(function.get("strict")), f"{where}.parameters")


def _response_format(body: dict[str, Any]) -> Iterator[str]:
    if (format_ := body.get("response_format")) is None:
        return
    kind = format_.get("type")
    if kind not in ("text", "json_object", "json_schema"):
        yield f"response_format.type: {kind!r} is none of text, json_object, json_schema"
    elif kind == "json_object" and "json" not in json.dumps(body["messages"]).lower():
        yield "messages must contain the word 'json' to use response_format json_object"
    if kind != "json_schema":
        return
    wanted = format_.get("json_schema")
    if not isinstance(wanted, dict) or not NAME.match(str(wanted.get("name"))):
        yield f"response_format.json_schema.name must match {NAME.pattern}, in {wanted!r:.200}"
        return
    for name in wanted.keys() - {"name", "description", "schema", "strict"}:
        yield f"response_format.json_schema: unknown field {name!r}"
    yield from _schema(wanted.get("schema"), bool(wanted.get("strict")), "response_format.schema")


def _schema(schema: Any, strict: bool, where: str) -> Iterator[str]:
    if strict:
        yield from (f"{where}: {violation}" for violation in strict_schema_violations(schema))
    elif not isinstance(schema, dict) or schema.get("type") != "object":
        yield f"{where}: schema must be a JSON schema of type 'object', got {schema!r:.100}"
