"""Faults R10 to R12 of RELIABILITY.md, a sample of each."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

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
from portia_nb.llm.failures import address_to_show, retry_after_s
from tests.llm.asking import ask, ask_for_point
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import (
    Fault,
    Reply,
    empty,
    failing,
    key_refused,
    malformed,
    model_not_found,
    rate_limited,
    reset,
    silent,
    truncated,
)

KEY = "sk-test-key"

TRANSIENT = {
    "429 with Retry-After": (rate_limited(0), ModelRateLimited),
    "429 without": (rate_limited(), ModelRateLimited),
    "429 with milliseconds": (Fault(status=429, headers={"retry-after-ms": "5"}), ModelRateLimited),
    "500": (failing(500), ModelServerError),
    "502": (Fault(status=502, body=b"<html>Bad gateway</html>"), ModelServerError),
    "503": (failing(503), ModelServerError),
    "408": (failing(408), ModelServerError),
    "reset": (reset(), ModelUnreachable),
    "slow": (silent(5), ModelUnreachable),
    "cut off": (truncated(), ModelReplyCutOff),
    "not JSON": (malformed(), ModelReplyInvalid),
    "empty": (empty(), ModelReplyInvalid),
    "an error with status 200": (Fault(error={"message": "upstream failed"}), ModelServerError),
}


@pytest.mark.parametrize(("fault", "_"), TRANSIENT.values(), ids=TRANSIENT)
async def test_a_passing_fault_is_tried_again_and_counted(model_of, fault, _):
    with OpenAIServer([fault, fault, "Oslo"]) as server:
        reply = await model_of(server, model_timeout_s=0.5).reply(ask())
    assert reply.text == "Oslo"
    assert reply.usage.calls == 3


@pytest.mark.parametrize(("fault", "error"), TRANSIENT.values(), ids=TRANSIENT)
async def test_a_fault_that_stays_is_a_typed_error_after_the_last_try(model_of, fault, error):
    with OpenAIServer([fault] * 3) as server:
        with pytest.raises(error) as caught:
            await model_of(server, model_retries=2, model_timeout_s=0.3).reply(ask())
        assert len(server.requests) == 3
    assert type(caught.value) is error
    assert caught.value.model == "openai/gpt-4.1"
    assert caught.value.base_url == server.url
    assert caught.value.calls == 3
    assert f"openai/gpt-4.1 at {server.url}" in str(caught.value)


LASTING = {
    "401": (key_refused(), ModelKeyRefused, "check OPENAI_API_KEY"),
    "403": (failing(403, "no access"), ModelKeyRefused, "no access"),
    "a bad key as 400": (failing(400, "API key not valid."), ModelKeyRefused, "OPENAI_API_KEY"),
    "404": (model_not_found("gpt-4.1"), ModelNotFound, "no such model: openai/gpt-4.1 at"),
    "quota": (failing(429, "You ran out", code="insufficient_quota"), ModelRateLimited, "billing"),
    "400": (failing(400, "context too long"), ModelRequestRefused, "context too long"),
    "413": (failing(413, "too big"), ModelRequestRefused, "HTTP 413"),
    "501": (failing(501, "not here"), ModelServerError, "not here"),
    "a long wait": (rate_limited(3600), ModelRateLimited, "asks to wait 3600 s"),
    "a list as error": (
        Fault(status=404, body=b'[{"error": {"message": "models/x is not found"}}]'),
        ModelNotFound,
        "models/x is not found",
    ),
    "a filter": (Reply(text="So", finish_reason="content_filter"), ModelReplyInvalid, "filter"),
    "a refusal": (Reply(refusal="I can't help."), ModelReplyInvalid, "I can't help."),
    "the limit": (Reply(text="So", finish_reason="length"), ModelReplyCutOff, "max_tokens"),
    "10 MB": (Reply(text="a" * 10_000_000), ModelReplyInvalid, "4,000,000 characters"),
}


@pytest.mark.parametrize(("fault", "error", "says"), LASTING.values(), ids=LASTING)
async def test_a_lasting_fault_is_not_tried_again_and_says_what_to_do(model_of, fault, error, says):
    with OpenAIServer([fault]) as server:
        with pytest.raises(error) as caught:
            await model_of(server).reply(ask())
        assert len(server.requests) == 1
    assert type(caught.value) is error
    assert says in str(caught.value)
    assert KEY not in str(caught.value)


FOREIGN = {
    "a list": b"[]",
    "a string": b'"hello"',
    "a number": b"7",
    "null": b"null",
    "no choices": b'{"id": "x"}',
    "empty choices": b'{"choices": []}',
    "a choice without a message": b'{"choices": [{"index": 0}]}',
    "choices of another kind": b'{"choices": "many"}',
}


@pytest.mark.parametrize("body", FOREIGN.values(), ids=FOREIGN)
async def test_json_that_is_no_chat_completion_is_a_typed_error(model_of, body):
    with OpenAIServer([malformed(body)] * 2) as server, pytest.raises(ModelReplyInvalid) as caught:
        await model_of(server, model_retries=0).reply(ask())
    assert "base URL is that of an OpenAI-compatible API" in str(caught.value)


SPARSE = {
    "a message of nothing": b'{"choices": [{"message": {}}]}',
    "a tool call of nothing": b'{"choices": [{"message": {"tool_calls": [{}]}}]}',
    "a usage of nothing": b'{"choices": [{"message": {"content": ""}}], "usage": {}}',
}


@pytest.mark.parametrize("body", SPARSE.values(), ids=SPARSE)
async def test_a_completion_that_leaves_things_out_is_no_crash(model_of, body):
    with OpenAIServer([malformed(body)] * 2) as server:
        model = model_of(server, model_retries=0)
        assert (await model.reply(ask())).text == ""
        with pytest.raises(ModelReplyInvalid):
            await model.reply(ask_for_point(repairs=0))


async def test_the_key_is_never_in_an_error_nor_in_what_it_is_chained_to(model_of):
    echo = failing(401, f"Incorrect API key provided: {KEY}")
    with OpenAIServer([echo]) as server, pytest.raises(ModelKeyRefused) as caught:
        await model_of(server).reply(ask())
    assert "***" in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert KEY not in repr(caught.value.facts)


async def test_a_server_that_is_down_is_named_with_what_to_start(model_of):
    with OpenAIServer() as server:
        url = server.url
    model = model_of(url, model="ollama/llama3.2", openai_api_key=None, model_retries=1)
    with pytest.raises(ModelUnreachable, match="start Ollama") as caught:
        await model.reply(ask())
    assert caught.value.calls == 2


async def test_a_tls_error_is_not_tried_again(model_of):
    with OpenAIServer() as server:
        model = model_of(server.url.replace("http:", "https:"))
        with pytest.raises(ModelUnreachable, match="no safe connection"):
            await model.reply(ask())
        server.take_violations()


async def test_retry_after_is_honoured_and_the_wait_is_logged(model_of, caplog):
    with OpenAIServer([rate_limited(0.4), "ok"]) as server:
        await model_of(server).reply(ask())
    assert "trying again in 0.4 s" in caplog.text
    first, second = server.requests
    assert 0.4 <= second.http.at_s - first.http.at_s < 4


async def test_the_whole_call_can_have_a_limit(model_of):
    with OpenAIServer([silent(5)]) as server:
        began = time.monotonic()
        with pytest.raises(ModelUnreachable, match="no answer"):
            await model_of(server).reply(ask(timeout_s=0.2))
    assert time.monotonic() - began < 4


# -- streams ---------------------------------------------------------------------------------------

WHOLE = Reply(text="Grüße aus Bodø, 世界! ", chunk_characters=3)
EVENTS = 2 + len(WHOLE.text) // 3 + 1


def changed(reply, **facts):
    from dataclasses import replace

    return replace(reply, **facts)


@pytest.mark.parametrize("after", range(EVENTS))
@pytest.mark.parametrize("how", ["cut_after_chunks", "end_after_chunks"])
async def test_half_a_stream_is_never_taken_as_done(model_of, how, after):
    broken = changed(WHOLE, **{how: after})
    with OpenAIServer([broken]) as server, pytest.raises(ModelReplyCutOff):
        await model_of(server, model_retries=0).reply(ask(), on_text=lambda _: None)


async def test_a_broken_stream_is_tried_again_in_silence_and_the_reply_is_whole(model_of):
    pieces = []
    with OpenAIServer([changed(WHOLE, cut_after_chunks=3), WHOLE]) as server:
        reply = await model_of(server).reply(ask(), on_text=pieces.append)
    assert reply.text == WHOLE.text
    assert "".join(pieces) == WHOLE.text[:6]
    assert reply.usage.calls == 2


@pytest.mark.parametrize("size", [1, 2, 5, 7])
async def test_characters_split_across_pieces_arrive_whole(model_of, size):
    with OpenAIServer([changed(WHOLE, write_bytes=size)]) as server:
        reply = await model_of(server).reply(ask(), on_text=lambda _: None)
    assert reply.text == WHOLE.text


async def test_a_stream_that_falls_silent_ends_after_the_idle_time(model_of):
    with OpenAIServer([changed(WHOLE, stall_after_chunks=3)]) as server:
        model = model_of(server, idle_timeout_s=0.2, model_retries=0)
        began = time.monotonic()
        with pytest.raises(ModelUnreachable):
            await model.reply(ask(), on_text=lambda _: None)
    assert 0.2 <= time.monotonic() - began < 4


async def test_a_stream_of_a_byte_now_and_then_ends_after_the_idle_time(model_of):
    slow = changed(WHOLE, write_bytes=1, chunk_delay_s=0.001)
    with OpenAIServer([slow]) as server:
        model = model_of(server, idle_timeout_s=0.1, model_retries=0, model_timeout_s=5)
        began = time.monotonic()
        with pytest.raises(ModelUnreachable):
            await model.reply(ask(), on_text=lambda _: None)
    assert time.monotonic() - began < 3


async def test_an_error_within_a_stream_is_a_server_error(model_of):
    body = b'data: {"error": {"message": "overloaded"}}\n\n'
    fault = Fault(body=body, headers={"content-type": "text/event-stream"})
    with OpenAIServer([fault]) as server, pytest.raises(ModelServerError, match="overloaded"):
        await model_of(server, model_retries=0).reply(ask(), on_text=lambda _: None)


async def test_an_endless_stream_is_left_once_it_is_too_large(model_of):
    big = Reply(text="a" * 6_000_000, chunk_characters=500_000)
    with OpenAIServer([big]) as server, pytest.raises(ModelReplyInvalid, match="larger than"):
        await model_of(server).reply(ask(), on_text=lambda _: None)


# -- small functions -------------------------------------------------------------------------------


def test_retry_after_is_read_in_all_its_forms():
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert retry_after_s({"retry-after": "1.5"}) == 1.5
    assert retry_after_s({"retry-after-ms": "250"}) == 0.25
    assert 25 < retry_after_s({"retry-after": soon}) <= 30
    assert retry_after_s({"retry-after": "soon"}) is None
    assert retry_after_s({"retry-after": "nan"}) is None
    assert retry_after_s({"retry-after": "-3"}) == 0
    assert retry_after_s({}) is None


def test_an_address_is_shown_without_its_password():
    assert address_to_show("https://u:p@h.example:1/v1?k=1#f") == "https://h.example:1/v1"


async def test_many_faulty_calls_at_once_leave_no_task_behind(model_of):
    def alternate(request):
        return failing(500) if request.number % 3 else {"x": 1, "note": None}

    with OpenAIServer(alternate) as server:
        model = model_of(server, model_retries=1)
        before = len(asyncio.all_tasks())
        results = await asyncio.gather(
            *(model.reply(ask_for_point()) for _ in range(20)), return_exceptions=True
        )
        assert len(asyncio.all_tasks()) == before
    assert all(getattr(r, "data", None) == {"x": 1} or isinstance(r, ModelError) for r in results)


async def test_replies_that_were_refused_are_counted_in_the_error(model_of):
    replies = ["no JSON", "none either"]
    with OpenAIServer(replies) as server, pytest.raises(ModelReplyInvalid) as caught:
        await model_of(server).reply(ask_for_point(repairs=1))
    usage = caught.value.facts["usage"]
    assert usage.calls == 2
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0
