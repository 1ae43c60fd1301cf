"""What a test's script may answer: a good reply, or one of the faults that servers show."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class _Unset:
    def __repr__(self) -> str:
        return "UNSET"


UNSET = _Unset()


@dataclass(frozen=True, kw_only=True)
class Call:
    """One tool call of a reply; `arguments` may be raw text to send something broken."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A good reply (or one that is spoilt on its way, by the fields below `model`)."""

    text: str = ""
    data: Any = UNSET
    """JSON: sent as content, or as the arguments of the tool that the request forces."""
    calls: tuple[Call, ...] = ()
    usage: tuple[int, int] | None = None
    """Prompt and completion tokens; else estimated. (-1, -1): no usage is sent."""
    finish_reason: str | None = None
    refusal: str | None = None
    model: str | None = None

    latency_s: float = 0.0
    release: threading.Event | None = None
    """The reply waits until this is set."""
    chunk_characters: int = 12
    """Size of a stream's pieces of text."""
    chunk_delay_s: float = 0.0
    write_bytes: int | None = None
    """A stream is written in pieces of this many bytes, wherever they fall."""
    cut_after_chunks: int | None = None
    """The connection drops after so many events of the stream."""
    end_after_chunks: int | None = None
    """The stream ends politely after so many events, without finish_reason or [DONE]."""
    stall_after_chunks: int | None = None
    """The stream says nothing more after so many events, and stays open."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Anything but a good reply."""

    status: int = 200
    error: Mapping[str, Any] | None = None
    """Sent as `{"error": …}`."""
    body: bytes | None = None
    """Sent as it is instead, labelled as JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)
    missing_bytes: int = 0
    """The answer promises so many bytes more than it sends, then closes."""
    reset: bool = False
    silent_s: float | None = None
    """Nothing is said for so long, then the connection closes."""


def failing(status: int, message: str = "scripted failure", **error: Any) -> Fault:
    """An HTTP error in OpenAI's shape."""
    filled = {"message": message, "type": "server_error", "param": None, "code": None, **error}
    return Fault(status=status, error=filled)


def rate_limited(retry_after: str | float | None = None) -> Fault:
    """429, with or without a Retry-After."""
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    error = {
        "message": "Rate limit reached for requests",
        "type": "requests",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    return Fault(status=429, error=error, headers=headers)


def model_not_found(model: str) -> Fault:
    """404 as OpenAI answers for a model that it doesn't have."""
    message = f"The model `{model}` does not exist or you do not have access to it."
    return failing(404, message, type="invalid_request_error", code="model_not_found")


def key_refused() -> Fault:
    """401 as OpenAI answers for a wrong key."""
    return failing(
        401, "Incorrect API key provided.", type="invalid_request_error", code="invalid_api_key"
    )


def reset() -> Fault:
    """The connection is reset."""
    return Fault(reset=True)


def silent(seconds: float) -> Fault:
    """No answer for so many seconds."""
    return Fault(silent_s=seconds)


def malformed(body: bytes = b'{"id": "x", "choices": [{') -> Fault:
    """200 with a body that is not JSON, or not the JSON that was promised."""
    return Fault(body=body)


def truncated(body: bytes = b'{"id": "chatcmpl-1", "choices": [', missing: int = 400) -> Fault:
    """200 with a body that ends before its declared length."""
    return Fault(body=body, missing_bytes=missing)


def empty() -> Fault:
    """200 with no body at all."""
    return Fault(body=b"")
