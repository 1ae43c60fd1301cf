"""Turn what the `openai` client raises into our errors, and say which are worth another try."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit, urlunsplit

from portia_nb.errors import (
    ModelError,
    ModelKeyRefused,
    ModelNotFound,
    ModelRateLimited,
    ModelReplyCutOff,
    ModelReplyInvalid,
    ModelRequestRefused,
    ModelServerError,
    ModelUnreachable,
)

MAX_DETAIL = 300
ADVICE_WHEN_FOREIGN = "check that the base URL is that of an OpenAI-compatible API"

Kind = TypeVar("Kind", bound=ModelError)

_KEY_WORDS = re.compile(r"api[ _]key[ _](not[ _]valid|invalid)|(invalid|incorrect)[ _]api[ _]key")
# How the HTTP client words a body that ends too early, with a length and in chunks.
_CUT_OFF_WORDS = re.compile(r"without sending complete message body|incomplete chunked read")
_MODEL_WORDS = re.compile(r"model_not_found|model_decommissioned|not a valid model|no such model")


@dataclass(frozen=True, slots=True)
class Whom:
    """Who was asked, for the messages of errors."""

    model: str
    """As ``provider/name``."""
    title: str
    base_url: str
    key: str | None = None
    """Kept out of every message."""
    key_variable: str | None = None
    advice_when_down: str = ""

    @property
    def place(self) -> str:
        """The model and the address, without whatever the address may hold of a password."""
        return f"{self.model} at {address_to_show(self.base_url)}"

    def clean(self, text: str) -> str:
        """Return `text` fit to be shown: without the key and control characters, and short."""
        if self.key:
            text = text.replace(self.key, "***")
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 1] + "…"

    def mentions_key(self, error: BaseException) -> bool:
        """Say whether the text of `error` holds the key, so that it must not be chained."""
        return bool(self.key) and str(self.key) in f"{error}{getattr(error, 'body', '')}"


@dataclass(frozen=True, slots=True)
class Failure:
    """One try that failed."""

    error: ModelError
    is_worth_a_retry: bool
    retry_after_s: float | None = None
    """How long the server asks to wait, in seconds."""


def address_to_show(url: str) -> str:
    """Return `url` without user, password, query and fragment.

    >>> address_to_show("https://me:secret@example.org/v1?key=secret")
    'https://example.org/v1'
    """
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def failure_of(error: Exception, whom: Whom, *, waited_s: float) -> Failure:
    """Say what `error`, raised by a call to `whom`, means.

    Args:
        error: an error of the `openai` client, a `TimeoutError`, or a `ValueError` of its JSON.
        whom: who was asked.
        waited_s: seconds that the try took.
    """
    import openai

    match error:
        case ModelError():
            return Failure(error, isinstance(error, ModelServerError | ModelReplyCutOff))
        case openai.APIStatusError():
            return _status_failure(error.status_code, error.body, error.response.headers, whom)
        case TimeoutError() | openai.APITimeoutError():
            message = f"no answer from {whom.place} within {waited_s:.3g} s"
            advice = "try again, or allow more with Config(model_timeout_s=…)"
            return Failure(made_error(ModelUnreachable, message, whom, advice=advice), True)
        case openai.APIConnectionError():
            return _connection_failure(error, whom)
        case _ if _is_of_http_client(error):
            return _connection_failure(error, whom)
        case openai.APIResponseValidationError() | json.JSONDecodeError() | UnicodeDecodeError():
            message = f"{whom.place} sent a reply that isn't JSON"
            facts = {"detail": str(error), "advice": ADVICE_WHEN_FOREIGN}
            return Failure(made_error(ModelReplyInvalid, message, whom, **facts), True)
        case openai.APIError():
            message = f"{whom.place} broke off with an error"
            return Failure(made_error(ModelServerError, message, whom, detail=error.message), True)
        case _:
            message = f"the call to {whom.place} failed: {type(error).__name__}"
            return Failure(made_error(ModelError, message, whom, detail=str(error)), False)


def _is_of_http_client(error: Exception) -> bool:
    # Up to version 2 `openai` lets these through where a stream breaks; the package below it has
    # changed its name since, so it is known by name only.
    return type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore")


def _status_failure(status: int, body: Any, headers: Mapping[str, str], whom: Whom) -> Failure:
    detail = detail_of(body)
    lowered = f"{detail} {_code_of(body)}".lower()
    at = f"{whom.place} (HTTP {status})"
    facts: dict[str, Any] = {"detail": detail, "status": status}
    if status in (401, 403) or (status == 400 and _KEY_WORDS.search(lowered)):
        advice = f"check {whom.key_variable}" if whom.key_variable else "it may want a key"
        message = f"the key was refused by {at}"
        return Failure(made_error(ModelKeyRefused, message, whom, advice=advice, **facts), False)
    if status == 404 or (status == 400 and _MODEL_WORDS.search(lowered)):
        message = f"the server has no such model: {at}"
        advice = "check the model's name, and the base URL's path"
        return Failure(made_error(ModelNotFound, message, whom, advice=advice, **facts), False)
    if status == 429:
        return _rate_failure(lowered, headers, whom, at, facts)
    if status in (408, 409, 425) or status >= 500:
        after = retry_after_s(headers)
        message = f"{whom.title} failed to answer for {at}"
        made = made_error(ModelServerError, message, whom, advice="try again later", **facts)
        return Failure(made, status != 501, after)
    message = f"the request was refused by {at}"
    advice = "ask for less, or take another model"
    return Failure(made_error(ModelRequestRefused, message, whom, advice=advice, **facts), False)


def _rate_failure(
    lowered: str, headers: Mapping[str, str], whom: Whom, at: str, facts: dict[str, Any]
) -> Failure:
    after = retry_after_s(headers)
    is_used_up = "insufficient_quota" in lowered
    wait = f"; it asks to wait {after:.0f} s" if after is not None else ""
    message = f"too many requests for {at}{wait}"
    advice = "fewer at once: Config(max_model_calls=…)"
    if is_used_up:
        message, advice = f"the quota is used up for {at}", "see the provider's billing page"
    made = made_error(ModelRateLimited, message, whom, advice=advice, retry_after_s=after, **facts)
    return Failure(made, not is_used_up, after)


def _connection_failure(error: Exception, whom: Whom) -> Failure:
    causes = _chain(error)
    last = causes[-1]
    detail = str(last) or type(last).__name__
    if any(_CUT_OFF_WORDS.search(str(cause)) for cause in causes):
        message = f"the reply of {whom.place} was cut off"
        facts = {"detail": detail, "advice": "try again"}
        return Failure(made_error(ModelReplyCutOff, message, whom, **facts), True)
    is_tls = any(isinstance(cause, ssl.SSLError) for cause in causes)
    if is_tls:
        message = f"no safe connection to {whom.place}"
        advice = "check that the base URL begins with http or https as the server wants it"
        return Failure(
            made_error(ModelUnreachable, message, whom, advice=advice, detail=detail), False
        )
    advice = whom.advice_when_down or "check the network and the base URL"
    message = f"can't reach {whom.place}"
    return Failure(made_error(ModelUnreachable, message, whom, advice=advice, detail=detail), True)


def _chain(error: BaseException) -> list[BaseException]:
    """Return `error` and what caused it, outermost first."""
    found: list[BaseException] = [error]
    while (inner := found[-1].__cause__ or found[-1].__context__) is not None and len(found) < 10:
        found.append(inner)
    return found


def made_error(
    kind: type[Kind], message: str, whom: Whom, *, advice: str = "", detail: str = "", **facts: Any
) -> Kind:
    """Return an error of `kind` whose message ends in `detail` and `advice`, cleaned.

    Args:
        kind: its class.
        message: what was found; it names `whom` already.
        whom: who was asked; its model and address become facts.
        advice: what to do.
        detail: what the server said.
        facts: further attributes.
    """
    detail = whom.clean(detail)
    said = f': "{detail}"' if detail else ""
    do = f"; {advice}" if advice else ""
    address = address_to_show(whom.base_url)
    return kind(message + said + do, model=whom.model, base_url=address, detail=detail, **facts)


def detail_of(body: Any) -> str:
    """Return what an error's body says, in whichever of the usual shapes it says it."""
    body = _first(body)
    if isinstance(body, dict):
        for key in ("message", "error", "detail"):
            inner = body.get(key)
            if inner:
                return detail_of(inner)
        return json.dumps(body)[:MAX_DETAIL]
    return str(body or "")


def _first(body: Any) -> Any:
    # Google wraps its error in a list.
    return cast("list[Any]", body)[0] if isinstance(body, list) and body else body


def _code_of(body: Any) -> str:
    body = _first(body)
    inner = body.get("error", body) if isinstance(body, dict) else None
    return f"{inner.get('code')} {inner.get('type')}" if isinstance(inner, dict) else ""


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds a server asks to wait, or None where it doesn't say.

    Reads ``retry-after-ms`` and both forms of ``Retry-After`` (RFC 9110, section 10.2.3).

    >>> retry_after_s({"retry-after": "2"})
    2.0
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        return max(0.0, seconds) if seconds == seconds else None
    try:
        moment = parsedate_to_datetime(headers.get("retry-after", ""))
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
