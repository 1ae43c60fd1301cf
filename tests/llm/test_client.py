import asyncio
import json
import threading

import pytest

from portia_nb.errors import ModelReplyInvalid, ModelRequestRefused
from portia_nb.model.language import (
    LanguageModel,
    Message,
    ModelRequest,
    ToolCall,
)
from tests.llm.asking import ask, ask_for_call, ask_for_point
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Call, Reply


async def test_text_comes_back_with_the_models_name_and_usage(model_of):
    with OpenAIServer([Reply(text="Oslo", usage=(7, 3))]) as server:
        model = model_of(server)
        reply = await model.reply(ask())
    assert isinstance(model, LanguageModel)
    assert (reply.text, reply.model) == ("Oslo", "openai/gpt-4.1")
    usage = reply.usage
    assert (usage.input_tokens, usage.output_tokens, usage.calls) == (7, 3, 1)
    assert server.prompt_characters == len("Be brief.") + len("Where?")


async def test_data_is_asked_for_under_a_strict_schema_and_comes_back_under_ours(model_of):
    with OpenAIServer([{"x": 3, "note": None}]) as server:
        reply = await model_of(server).reply(ask_for_point())
    assert reply.data == {"x": 3}
    sent = server.requests[0].body["response_format"]["json_schema"]
    assert sent["strict"] is True
    note = sent["schema"]["properties"]["note"]
    assert "minLength" not in note
    assert "minLength: 2" in note["description"]


async def test_a_forced_call_returns_checked_arguments(model_of):
    with OpenAIServer([{"x": 3, "note": None}]) as server:
        reply = await model_of(server).reply(ask_for_call())
    assert reply.tool_calls == (ToolCall("call_0_0", "place", {"x": 3}),)
    body = server.requests[0].body
    assert body["tool_choice"] == {"type": "function", "function": {"name": "place"}}
    assert server.requests[0].tool_names == ["place"]
    assert body["parallel_tool_calls"] is False


async def test_a_free_choice_of_tools_returns_calls_or_text(model_of):
    calls = (Call(name="place", arguments={"x": 1}), Call(name="move", arguments={"by": None}))
    with OpenAIServer([Reply(calls=calls), "None is needed."]) as server:
        model = model_of(server)
        first = await model.reply(ask_for_call(forced=None))
        second = await model.reply(ask_for_call(forced=None))
    assert [(call.name, call.arguments) for call in first.tool_calls] == [
        ("place", {"x": 1}),
        ("move", {}),
    ]
    assert (second.text, second.tool_calls) == ("None is needed.", ())


async def test_a_conversation_with_tool_calls_and_pictures_is_well_formed(model_of):
    request = ModelRequest(
        (
            Message("user", "Look", images=("data:image/png;base64,AA==",)),
            Message("assistant", tool_calls=(ToolCall("c1", "place", {"x": 1}),)),
            Message("tool", "placed \ud800", tool_call_id="c1"),
        )
    )
    with OpenAIServer(["Fine."]) as server:
        await model_of(server).reply(request)
    sent = server.requests[0].messages
    assert sent[1]["content"] is None
    assert json.loads(sent[1]["tool_calls"][0]["function"]["arguments"]) == {"x": 1}
    assert sent[2]["content"] == "placed \ufffd"


async def test_text_streams_in_pieces_and_counts_its_usage(model_of):
    pieces = []
    text = "naïve 世界 🎈 " * 5
    with OpenAIServer([Reply(text=text, write_bytes=3, usage=(5, 6))]) as server:
        reply = await model_of(server).reply(ask(), on_text=pieces.append)
    assert reply.text == text == "".join(pieces)
    assert len(pieces) > 3
    assert reply.usage.output_tokens == 6


async def test_data_is_not_streamed_even_where_text_would_be(model_of):
    with OpenAIServer([{"x": 3, "note": None}]) as server:
        await model_of(server).reply(ask_for_point(), on_text=print)
    assert not server.requests[0].is_streamed


async def test_a_free_choice_of_tools_streams_its_calls_whole(model_of):
    with OpenAIServer([Reply(text="Well.", calls=(Call(name="place", arguments={"x": 7}),))]) as s:
        pieces = []
        reply = await model_of(s).reply(ask_for_call(forced=None), on_text=pieces.append)
    assert "".join(pieces) == reply.text == "Well."
    assert reply.tool_calls[0].arguments == {"x": 7}


# -- the ladder ------------------------------------------------------------------------------------

LADDER = {
    "json_schema": ({"json_schema"}, "tools"),
    "strict": ({"strict"}, "response_format"),
    "a keyword": ({"keyword:minimum"}, "response_format"),
    "named tools": ({"json_schema", "forced_tool"}, "tools"),
    "tools": ({"json_schema", "tools"}, None),
}


@pytest.mark.parametrize(("refuses", "field"), LADDER.values(), ids=LADDER)
async def test_what_a_server_refuses_is_left_behind_and_remembered(model_of, refuses, field):
    with OpenAIServer(lambda _: {"x": 3, "note": None}, refuses=refuses) as server:
        model = model_of(server)
        first = await model.reply(ask_for_point())
        refused = len(server.refused)
        second = await model.reply(ask_for_point())
        assert refused >= 1
        assert len(server.refused) == refused
    assert first.data == second.data == {"x": 3}
    assert first.usage.calls == refused + 1
    assert second.usage.calls == 1
    last = server.requests[-1].body
    assert {"tools", "response_format"} & last.keys() == ({field} if field else set())


async def test_forced_calls_climb_down_to_words_too(model_of):
    with OpenAIServer(lambda _: {"x": 3}, refuses={"tools", "json_schema"}) as server:
        reply = await model_of(server).reply(ask_for_call())
    assert reply.tool_calls[0].name == "place"
    assert reply.tool_calls[0].arguments == {"x": 3}
    assert "JSON schema" in server.requests[-1].text


async def test_fields_that_a_server_refuses_are_renamed_or_left_out(model_of):
    refuses = {"max_completion_tokens", "stream_options"}
    with OpenAIServer(lambda _: "Hello", refuses=refuses) as server:
        model = model_of(server)
        reply = await model.reply(ask(max_tokens=50), on_text=lambda _: None)
        assert reply.text == "Hello"
        assert server.requests[-1].body["max_tokens"] == 50
        await model.reply(ask(max_tokens=50), on_text=lambda _: None)
        assert len(server.refused) == 2


async def test_a_request_that_is_wrong_in_itself_is_refused_with_the_servers_words(model_of):
    def too_long(request):
        from tests.servers.script import failing

        return failing(400, "This model's maximum context length is 10 tokens.")

    with OpenAIServer(too_long) as server:
        with pytest.raises(ModelRequestRefused, match="maximum context length") as caught:
            await model_of(server).reply(ask_for_point())
        assert len(server.requests) <= 4
    assert caught.value.model == "openai/gpt-4.1"
    assert caught.value.status == 400


async def test_parallel_calls_that_meet_the_same_refusal_skip_no_mode(model_of):
    refuses = {"json_schema"}
    with OpenAIServer(lambda _: {"x": 3, "note": None}, refuses=refuses) as server:
        model = model_of(server)
        await asyncio.gather(*(model.reply(ask_for_point()) for _ in range(4)))
        await model.reply(ask_for_point())
    assert "tools" in server.requests[-1].body


# -- repair ----------------------------------------------------------------------------------------


async def test_a_reply_that_does_not_fit_goes_back_with_what_is_wrong(model_of):
    with OpenAIServer([{"x": -4, "note": None}, {"x": 4, "note": None}]) as server:
        reply = await model_of(server).reply(ask_for_point())
    assert reply.data == {"x": 4}
    assert reply.usage.calls == 2
    assert "x: -4 is less than the minimum of 0" in server.requests[1].messages[-1]["content"]


BAD = {
    "not JSON": Reply(text="I'd say (3, 4)."),
    "empty": Reply(text=""),
    "NaN": Reply(text='{"x": NaN}'),
    "wrong schema": Reply(data={"y": 1}),
    "a list": Reply(data=[1]),
    "too deep": Reply(text="[" * 100_000),
    "a huge number": Reply(text='{"x": 1' + "0" * 5000 + "}"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
async def test_a_reply_that_never_fits_is_a_typed_error_after_the_last_repair(model_of, bad):
    with OpenAIServer([bad, bad, bad]) as server:
        with pytest.raises(ModelReplyInvalid) as caught:
            await model_of(server).reply(ask_for_point(repairs=2))
        assert len(server.requests) == 3
    assert "openai/gpt-4.1 at http://127.0.0.1" in str(caught.value)
    assert caught.value.tries == 3


async def test_an_unknown_tool_and_broken_arguments_go_back_too(model_of):
    replies = [
        Reply(calls=(Call(name="fly", arguments={}),)),
        Reply(calls=(Call(name="place", arguments='{"x": 1'),)),
        Reply(calls=(Call(name="place", arguments={"x": 1}),)),
    ]
    with OpenAIServer(replies) as server:
        reply = await model_of(server).reply(ask_for_call(forced=None, repairs=2))
    assert reply.tool_calls[0].name == "place"
    assert "no tool 'fly'; the tools: place, move" in server.requests[1].text


@pytest.mark.parametrize(
    "text",
    ['{"x": 1}', '```json\n{"x": 1}\n```', 'Here you are: {"x": 1}, anything else?'],
)
async def test_json_among_words_is_found(model_of, text):
    with OpenAIServer([Reply(text=text)]) as server:
        assert (await model_of(server).reply(ask_for_point())).data == {"x": 1}


async def test_lone_surrogates_in_a_reply_are_replaced(model_of):
    with OpenAIServer([Reply(text='{"x": 1, "note": "ab\\ud800"}')]) as server:
        assert (await model_of(server).reply(ask_for_point())).data["note"] == "ab\ufffd"


# -- sharing ---------------------------------------------------------------------------------------


async def test_at_most_eight_calls_are_under_way_at_once(model_of):
    release = threading.Event()
    with OpenAIServer(lambda _: Reply(text="ok", release=release)) as server:
        model = model_of(server)
        calls = [asyncio.ensure_future(model.reply(ask())) for _ in range(20)]
        await asyncio.to_thread(server.wait_for_requests, 8)
        release.set()
        await asyncio.gather(*calls)
    assert server.most_at_once == 8
    assert len(server.requests) == 20


async def test_a_cancelled_call_hangs_up_and_leaves_the_client_usable(model_of):
    release = threading.Event()
    with OpenAIServer(lambda r: Reply(text="ok", release=None if r.number else release)) as server:
        model = model_of(server)
        call = asyncio.ensure_future(model.reply(ask()))
        await asyncio.to_thread(server.wait_for_requests, 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert (await model.reply(ask())).text == "ok"
        release.set()


def test_one_model_serves_several_loops_one_after_the_other():
    from portia_nb.config import Config
    from portia_nb.llm.choice import Models

    with OpenAIServer(lambda _: "ok") as server:
        models = Models(Config(openai_api_key="sk-test", base_url=server.url))

        async def once():
            try:
                return (await models.for_purpose("execution").reply(ask())).text
            finally:
                await models.aclose()

        assert [asyncio.run(once()) for _ in range(2)] == ["ok", "ok"]


async def test_a_local_server_answers_with_the_model_that_it_lists(model_of):
    with OpenAIServer(lambda _: "ok", models=["llama3.2:3b"]) as server:
        model = model_of(server, model="ollama/", openai_api_key=None)
        reply = await model.reply(ask())
    assert reply.model == "ollama/llama3.2:3b"


def test_asking_for_a_tool_that_is_not_offered_is_a_mistake_of_the_caller():
    from portia_nb.llm.habits import Habits
    from portia_nb.llm.wire import request_for_wire

    request = ask_for_call(forced="fly")
    with pytest.raises(ValueError, match="'fly' is not among those offered: place, move"):
        request_for_wire(request, request.messages, "m", Habits(), stream=False)
