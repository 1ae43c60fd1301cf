"""Take in an answer of the `openai` client, whole or in pieces, and never half of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from portia_nb.errors import ModelReplyCutOff, ModelReplyInvalid, ModelServerError
from portia_nb.model.language import Usage

from .failures import ADVICE_WHEN_FOREIGN, Whom, detail_of, made_error
from .wire import MAX_REPLY_CHARACTERS, RawCall, RawReply


def raw_of_completion(completion: Any, whom: Whom) -> RawReply:
    """Return what a chat completion says.

    The `openai` client builds its objects from any JSON without a check, so nothing of their shape
    is taken for granted here.

    Raises:
        ModelReplyInvalid: it isn't a chat completion, or it is too large.
        ModelServerError: it is an error sent with status 200.
    """
    error = getattr(completion, "error", None)
    if error:
        message = f"{whom.place} answered with an error"
        raise made_error(ModelServerError, message, whom, detail=detail_of(error))
    choices: Any = getattr(completion, "choices", None)
    first = choices[0] if isinstance(choices, list) and choices else None
    message = getattr(first, "message", None)
    if message is None:
        shown = completion if isinstance(completion, str) else ""
        foreign = f"{whom.place} sent no chat completion"
        facts = {"detail": shown, "advice": ADVICE_WHEN_FOREIGN}
        raise made_error(ModelReplyInvalid, foreign, whom, **facts)
    calls = [
        _read_call(call, number)
        for number, call in enumerate(getattr(message, "tool_calls", None) or ())
    ]
    raw = RawReply(
        text=_text(getattr(message, "content", "")),
        calls=tuple(calls),
        finish_reason=getattr(first, "finish_reason", None),
        refusal=getattr(message, "refusal", None),
        model=_text(getattr(completion, "model", "")),
        usage=usage_of(getattr(completion, "usage", None)),
    )
    _refuse_too_large(len(raw.text) + sum(len(call.arguments) for call in calls), whom)
    return raw


def _read_call(call: Any, number: int) -> RawCall:
    function = getattr(call, "function", None)
    return RawCall(
        _text(getattr(call, "id", "")) or f"call_{number}",
        _text(getattr(function, "name", "")),
        _text(getattr(function, "arguments", "")),
    )


async def collect(
    stream: AsyncIterator[Any],
    whom: Whom,
    on_text: Callable[[str], None] | None,
    *,
    idle_timeout_s: float,
    content_type: str = "",
) -> RawReply:
    """Return the whole reply of `stream`, passing its text on as it comes.

    Args:
        stream: the events of a chat completion.
        whom: who was asked.
        on_text: called with each piece of text.
        idle_timeout_s: seconds between two events, once the reply has begun. (Before that, a model
            that reasons may be silent for as long as the whole request may take.)
        content_type: what the server says that it sent, for the message where no event came.

    Raises:
        ModelReplyCutOff: the stream ended without saying that it was finished.
        ModelReplyInvalid: it is too large, or no stream of events at all.
        TimeoutError: it fell silent.
    """
    gathered = _Gathered()
    while True:
        try:
            async with asyncio.timeout(idle_timeout_s if gathered.size else None):
                event = await anext(stream)
        except StopAsyncIteration:
            break
        piece = gathered.add(event)
        _refuse_too_large(gathered.size, whom)
        if piece and on_text is not None:
            on_text(piece)
    if gathered.finish_reason is None:
        raise _unfinished(gathered, whom, content_type)
    return gathered.raw()


def _unfinished(gathered: _Gathered, whom: Whom, content_type: str) -> ModelReplyInvalid:
    kind = content_type.partition(";")[0].strip()
    if not gathered.has_events and kind and kind != "text/event-stream":
        message = f"{whom.place} sent {whom.clean(kind)} instead of a stream of events"
        return made_error(ModelReplyInvalid, message, whom, advice=ADVICE_WHEN_FOREIGN)
    message = (
        f"the stream of {whom.place} ended before the reply was complete: it was cut off after "
        f"{gathered.size:,} characters"
    )
    return made_error(ModelReplyCutOff, message, whom, advice="try again")


class _Gathered:
    """The pieces of one streamed reply."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.refusals: list[str] = []
        self.calls: dict[int, list[str]] = {}
        self.arguments: dict[int, list[str]] = {}
        self.finish_reason: str | None = None
        self.model = ""
        self.usage = Usage()
        self.size = 0
        self.has_events = False

    def add(self, event: Any) -> str:
        """Take one event in and return its text."""
        self.has_events = True
        self.model = _text(getattr(event, "model", "")) or self.model
        if getattr(event, "usage", None) is not None:
            self.usage = usage_of(event.usage)
        piece = ""
        for choice in getattr(event, "choices", None) or ():
            self.finish_reason = getattr(choice, "finish_reason", None) or self.finish_reason
            delta = getattr(choice, "delta", None)
            piece += _text(getattr(delta, "content", ""))
            self.refusals.append(_text(getattr(delta, "refusal", "")))
            for call in getattr(delta, "tool_calls", None) or ():
                self._add_call(call)
        self.texts.append(piece)
        self.size += len(piece)
        return piece

    def _add_call(self, call: Any) -> None:
        # The first piece of a call names it; some servers leave the index out and send it whole.
        index = call.index if isinstance(call.index, int) else len(self.calls)
        named = self.calls.setdefault(index, ["", ""])
        named[0] = named[0] or _text(call.id)
        function = getattr(call, "function", None)
        named[1] = named[1] or _text(getattr(function, "name", ""))
        arguments = _text(getattr(function, "arguments", ""))
        self.arguments.setdefault(index, []).append(arguments)
        self.size += len(arguments) + 1

    def raw(self) -> RawReply:
        calls = tuple(
            RawCall(call_id or f"call_{index}", name, "".join(self.arguments[index]))
            for index, (call_id, name) in sorted(self.calls.items())
        )
        return RawReply(
            text="".join(self.texts),
            calls=calls,
            finish_reason=self.finish_reason,
            refusal="".join(self.refusals) or None,
            model=self.model,
            usage=self.usage,
        )


def usage_of(usage: Any) -> Usage:
    """Return the tokens that a provider counted, 0 where it doesn't say."""
    details = getattr(usage, "prompt_tokens_details", None)
    return Usage(
        input_tokens=_count(getattr(usage, "prompt_tokens", 0)),
        output_tokens=_count(getattr(usage, "completion_tokens", 0)),
        cached_tokens=_count(getattr(details, "cached_tokens", 0)),
    )


def refuse_unfinished(raw: RawReply, whom: Whom) -> None:
    """Refuse a reply that its provider says isn't whole.

    Raises:
        ModelReplyCutOff: it reached the limit of tokens.
        ModelReplyInvalid: a filter stopped it, or the model refused.
    """
    if raw.finish_reason == "length":
        message = f"the reply of {whom.place} reached the limit of tokens and was cut off"
        advice = "ask for less, or raise max_tokens"
        raise made_error(ModelReplyCutOff, message, whom, advice=advice, text=raw.text)
    if raw.finish_reason == "content_filter":
        raise made_error(ModelReplyInvalid, f"a content filter stopped {whom.place}", whom)
    if raw.refusal:
        message = f"{whom.place} refused to answer"
        raise made_error(ModelReplyInvalid, message, whom, detail=raw.refusal)


def _refuse_too_large(characters: int, whom: Whom) -> None:
    if characters > MAX_REPLY_CHARACTERS:
        message = f"the reply of {whom.place} is larger than {MAX_REPLY_CHARACTERS:,} characters"
        raise made_error(ModelReplyInvalid, message, whom, advice="ask for less at once")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0
