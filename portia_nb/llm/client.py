"""A model behind any server that speaks the OpenAI API, called through the `openai` client."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Thread
from typing import Any

from portia_nb.config import Config
from portia_nb.errors import (
    BudgetReached,
    ModelError,
    ModelNotFound,
    ModelReplyInvalid,
    ModelRequestRefused,
)
from portia_nb.model import json_schema
from portia_nb.model.language import (
    CallAnswer,
    DataAnswer,
    Message,
    ModelReply,
    ModelRequest,
    TextAnswer,
    Usage,
)

from .connections import ADVICE_WHEN_DOWN, Address, Connection, Connections
from .failures import Failure, Whom, failure_of, made_error
from .habits import Habits, is_about_schema
from .receive import collect, raw_of_completion, refuse_unfinished
from .wire import RawReply, Unfit, read_answer, request_for_wire

_log = logging.getLogger(__name__)

MAX_WAIT_S = 60.0
"""A server that asks to wait longer than this gets no further try."""
MAX_LESSONS = 8
"""How many refusals of one request are learned from."""
MAX_QUOTED = 4_000
"""Characters of a reply that doesn't fit, quoted back to the model."""


@dataclass(slots=True)
class _Call:
    """One call of `reply` under way."""

    request: ModelRequest
    on_text: Callable[[str], None] | None
    usage: Usage = field(default_factory=lambda: Usage(calls=0))
    has_text: bool = False
    """Some of the reply was passed on, so that another try stays silent."""

    def pass_on(self, piece: str) -> None:
        self.has_text = True
        if self.on_text is not None:
            self.on_text(piece)


class OpenAIModel:
    """A model of one provider.

    Retries are bounded and happen here only: for connections that fail, time-outs, 408, 409, 425,
    429 and 5xx, replies that are cut off or aren't JSON. `Retry-After` is honoured up to a minute.
    """

    def __init__(
        self,
        address: Address,
        model: str | None,
        connections: Connections,
        config: Config,
        *,
        backoff_s: float = 0.5,
        idle_timeout_s: float = 30.0,
    ) -> None:
        """Set up without touching the network.

        Args:
            address: where its server is.
            model: its name there; None takes the first that the server lists.
            connections: the clients of the session.
            config: limits on calls, tries and time.
            backoff_s: seconds before the second try; each further wait is twice as long.
            idle_timeout_s: seconds that a stream may fall silent.
        """
        self.address = address
        self._model = model
        self._connections = connections
        self._config = config
        self._backoff_s = backoff_s
        self._idle_timeout_s = idle_timeout_s

    @property
    def name(self) -> str:
        """The model as ``provider/name``."""
        return f"{self.address.preset.provider}/{self._model or ''}"

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Answer `request`; see `LanguageModel.reply`.

        Raises:
            ModelError: its fact `usage` tells what the calls cost that were made all the same.
        """
        call = _Call(request, on_text)
        began = time.monotonic()
        try:
            async with asyncio.timeout(request.timeout_s):
                connection = await self._connections.to(self.address)
                if self._model is None:
                    self._model = await self._first_model(connection)
                return await self._answer(call, connection)
        except TimeoutError as error:
            failed = failure_of(error, self._whom(), waited_s=time.monotonic() - began).error
            failed.facts["usage"] = call.usage
            raise failed from None
        except (ModelError, BudgetReached) as error:
            error.facts["usage"] = call.usage
            raise

    async def _answer(self, call: _Call, connection: Connection) -> ModelReply:
        """Ask until the reply fits what is wanted, telling the model what was wrong."""
        request = call.request
        if "jsonschema" not in sys.modules and not isinstance(request.answer, TextAnswer):
            # The model takes its time; the checker of its reply is there when that comes.
            Thread(target=json_schema.load, name="portia-nb-import", daemon=True).start()
        messages = list(request.messages)
        for repair in range(request.repairs + 1):
            raw, habits = await self._ask(call, messages, connection)
            try:
                text, data, calls = read_answer(raw, request, habits)
            except Unfit as unfit:
                if repair == request.repairs:
                    raise self._invalid(raw, unfit, repair + 1) from None
                messages += _repair_messages(raw, str(unfit))
                continue
            return ModelReply(text, data, calls, self.name, call.usage)
        raise AssertionError("unreachable: the last repair returns or raises")

    def _invalid(self, raw: RawReply, unfit: Unfit, tries: int) -> ModelReplyInvalid:
        whom = self._whom()
        said = raw.text or "".join(call.arguments for call in raw.calls)
        message = f"the reply of {whom.place} isn't what was asked for: {unfit}"
        return made_error(
            ModelReplyInvalid,
            message,
            whom,
            detail=said,
            problem=str(unfit),
            text=said,
            tries=tries,
        )

    async def _ask(
        self, call: _Call, messages: list[Message], connection: Connection
    ) -> tuple[RawReply, Habits]:
        """Ask in the way that the server is known to take, and learn from its refusals."""
        model = self._model or ""
        schema = _schema_of(call.request) if self._connections.knows_schemas else ""
        habits = self._connections.habits(self.address, model, schema)
        first_refusal: ModelRequestRefused | None = None
        for _ in range(MAX_LESSONS):
            is_streamed = habits.streams and call.on_text is not None and _is_text(call.request)
            body = request_for_wire(call.request, messages, model, habits, stream=is_streamed)
            try:
                raw = await self._try(call, body, connection)
            except ModelRequestRefused as refusal:
                first_refusal = first_refusal or refusal
                lesson = habits.next_after(str(refusal.detail), body, call.request.answer)
                if lesson is None:
                    raise first_refusal from None
                habits = lesson
                continue
            if first_refusal is not None:
                is_of_one = is_about_schema(str(first_refusal.detail))
                place = _schema_of(call.request) if is_of_one else ""
                self._connections.learn(self.address, model, habits, place)
            return raw, habits
        assert first_refusal is not None
        raise first_refusal

    async def _try(self, call: _Call, body: dict[str, Any], connection: Connection) -> RawReply:
        """Send `body`, again where that is worth it."""
        whom = self._whom()
        for attempt in range(self._config.model_retries + 1):
            async with connection.slots:
                began = time.monotonic()
                if call.request.before_call is not None:
                    call.request.before_call()
                call.usage = replace(call.usage, calls=call.usage.calls + 1)
                try:
                    async with asyncio.timeout(self._config.model_timeout_s):
                        raw = await self._send(call, body, connection)
                except Exception as error:
                    failure = failure_of(error, whom, waited_s=time.monotonic() - began)
                    failure.error.facts["calls"] = call.usage.calls
                    failure.error.calls = call.usage.calls  # type: ignore[attr-defined]
                    cause = None if whom.mentions_key(error) or error is failure.error else error
                else:
                    self._tell(call, raw, time.monotonic() - began)
                    call.usage = replace(call.usage + raw.usage, calls=call.usage.calls)
                    refuse_unfinished(raw, whom)
                    return raw
                wait_s = self._wait_s(failure, attempt)
                if wait_s is None:
                    raise failure.error from cause
                _log.warning("%s; trying again in %.1f s", failure.error, wait_s)
                # Still holding the slot: a provider in trouble gets fewer calls, not more.
                await asyncio.sleep(wait_s)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _tell(self, call: _Call, raw: RawReply, took_s: float) -> None:
        tokens = f"{raw.usage.input_tokens} + {raw.usage.output_tokens} tokens"
        _log.debug("%s call to %s: %.2f s, %s", call.request.purpose, self.name, took_s, tokens)

    def _wait_s(self, failure: Failure, attempt: int) -> float | None:
        """Return how long to wait before the next try, or None for no further try."""
        if not failure.is_worth_a_retry or attempt >= self._config.model_retries:
            return None
        if failure.retry_after_s is not None:
            return failure.retry_after_s if failure.retry_after_s <= MAX_WAIT_S else None
        return min(self._backoff_s * 2**attempt, 8.0) * random.uniform(0.75, 1.25)

    async def _send(self, call: _Call, body: dict[str, Any], connection: Connection) -> RawReply:
        whom = self._whom()
        answer = await connection.client.chat.completions.create(**body)
        if not body.get("stream"):
            return raw_of_completion(answer, whom)
        on_text = None if call.has_text else call.pass_on
        try:
            return await collect(
                aiter(answer),
                whom,
                on_text,
                idle_timeout_s=self._idle_timeout_s,
                content_type=answer.response.headers.get("content-type", ""),
            )
        finally:
            await answer.close()

    async def _first_model(self, connection: Connection) -> str:
        """Return the first model that the server lists."""
        whom = self._whom()
        began = time.monotonic()
        try:
            async for model in connection.client.models.list():
                return model.id
        except Exception as error:
            raise failure_of(error, whom, waited_s=time.monotonic() - began).error from error
        message = f"the server lists no model: {whom.place}"
        raise made_error(ModelNotFound, message, whom, advice="load one, then try again")

    def _whom(self) -> Whom:
        address = self.address
        return Whom(
            model=self.name,
            title=address.preset.title,
            base_url=address.base_url,
            key=address.key,
            key_variable=address.key_variable,
            advice_when_down=ADVICE_WHEN_DOWN.get(address.preset.provider, ""),
        )


def _is_text(request: ModelRequest) -> bool:
    match request.answer:
        case TextAnswer() | CallAnswer(forced=None):
            return True
        case _:
            return False


def _schema_of(request: ModelRequest) -> str:
    """Return what tells the schema of `request` from others."""
    match request.answer:
        case DataAnswer(schema=schema):
            shapes: Any = schema
        case CallAnswer(tools=tools):
            shapes = [tool.parameters for tool in tools]
        case _:
            return ""
    return hashlib.sha256(json.dumps(shapes, sort_keys=True).encode()).hexdigest()


def _repair_messages(raw: RawReply, problem: str) -> list[Message]:
    said = (raw.text or "".join(call.arguments for call in raw.calls))[:MAX_QUOTED]
    asks = f"That answer can't be used: {problem}\nAnswer again, whole, with this put right."
    return [Message("assistant", said or "(empty)"), Message("user", asks)]
