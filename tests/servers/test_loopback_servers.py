import asyncio
import json

import httpx
import openai
import pytest
from tavily import AsyncTavilyClient
from tavily.errors import InvalidAPIKeyError, UsageLimitExceededError

from tests.servers.openai_server import OpenAIServer
from tests.servers.script import (
    Call,
    Reply,
    empty,
    failing,
    malformed,
    model_not_found,
    rate_limited,
    reset,
    silent,
    truncated,
)
from tests.servers.strict_schema import strict_schema_violations
from tests.servers.tavily_server import TavilyServer, search_result

ASK = {"model": "gpt-4.1", "messages": [{"role": "user", "content": "Say hello"}]}
POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "note": {"type": ["string", "null"]}},
    "required": ["x", "note"],
    "additionalProperties": False,
}
TOOL = {
    "type": "function",
    "function": {"name": "place", "description": "Place it", "parameters": POINT, "strict": True},
}


def client_of(server, **settings):
    settings = {"api_key": "sk-test", "max_retries": 0, "timeout": 5, **settings}
    return openai.AsyncOpenAI(base_url=server.url, **settings)


async def test_text_comes_back_with_usage_and_is_counted():
    with OpenAIServer(["Hello"]) as server:
        async with client_of(server) as client:
            reply = await client.chat.completions.create(**ASK)
    assert reply.choices[0].message.content == "Hello"
    assert reply.usage.total_tokens > 0
    assert len(server.requests) == 1
    assert server.prompt_characters == len("Say hello")


async def test_a_stream_carries_text_calls_and_usage():
    reply = Reply(text="Grüße, 世界! " * 5, calls=(Call(name="place", arguments={"x": 1}),))
    with OpenAIServer([reply]) as server:
        async with client_of(server) as client:
            stream = await client.chat.completions.create(
                **ASK, tools=[TOOL], stream=True, stream_options={"include_usage": True}
            )
            text, arguments, usage, finish = "", "", None, None
            async for event in stream:
                usage = event.usage or usage
                for choice in event.choices:
                    text += choice.delta.content or ""
                    finish = choice.finish_reason or finish
                    for call in choice.delta.tool_calls or []:
                        arguments += call.function.arguments
    assert text == reply.text
    assert json.loads(arguments) == {"x": 1}
    assert finish == "tool_calls"
    assert usage.completion_tokens > 0


async def test_data_comes_as_content_or_as_the_forced_tools_arguments():
    with OpenAIServer([{"x": 1, "note": None}, {"x": 2, "note": None}]) as server:
        async with client_of(server) as client:
            format_ = {"name": "point", "schema": POINT, "strict": True}
            first = await client.chat.completions.create(
                **ASK, response_format={"type": "json_schema", "json_schema": format_}
            )
            choice = {"type": "function", "function": {"name": "place"}}
            second = await client.chat.completions.create(**ASK, tools=[TOOL], tool_choice=choice)
    assert json.loads(first.choices[0].message.content)["x"] == 1
    call = second.choices[0].message.tool_calls[0].function
    assert (call.name, json.loads(call.arguments)["x"]) == ("place", 2)


MALFORMED = {
    "unknown field": {"mode": "fast"},
    "invalid temperature": {"temperature": 3},
    "missing content": {"messages": [{"role": "user"}]},
    "unknown role": {"messages": [{"role": "robot", "content": "x"}]},
    "tool message without call": {
        "messages": [{"role": "tool", "content": "x", "tool_call_id": "call_1"}]
    },
    "unanswered call": {
        "messages": [
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            {"role": "user", "content": "and?"},
        ]
    },
    "tool name": {"tools": [{"type": "function", "function": {"name": "my tool"}}]},
    "choice of an absent tool": {
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "other"}},
    },
    "choice without tools": {"tool_choice": "auto"},
    "stream options": {"stream_options": {"include_usage": True}},
    "loose schema called strict": {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a", "strict": True, "schema": {"type": "object"}},
        }
    },
    "schema name": {
        "response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": POINT}}
    },
    "json_object without the word": {"response_format": {"type": "json_object"}},
    "temperature of a reasoning model": {"model": "gpt-5", "temperature": 0},
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_request_is_refused_and_recorded(change):
    with OpenAIServer(["never"]) as server:
        async with client_of(server) as client:
            with pytest.raises(openai.BadRequestError) as caught:
                body = {"extra_body": change} if "mode" in change else change
                await client.chat.completions.create(**{**ASK, **body})
        assert len(server.take_violations()) == 1
    assert caught.value.type == "invalid_request_error"
    assert server.requests == []


async def test_leaving_the_block_with_violations_fails_the_test():
    with pytest.raises(AssertionError, match="json_object"), OpenAIServer(["never"]) as server:
        async with client_of(server) as client:
            with pytest.raises(openai.BadRequestError):
                await client.chat.completions.create(**ASK, response_format={"type": "json_object"})


async def test_a_request_after_the_last_reply_is_a_violation():
    with OpenAIServer([]) as server:
        async with client_of(server) as client:
            with pytest.raises(openai.InternalServerError):
                await client.chat.completions.create(**ASK)
        assert "no reply is left" in server.take_violations()[0]


FAULTS = {
    "401": (failing(401), openai.AuthenticationError),
    "404": (model_not_found("gpt-4.1"), openai.NotFoundError),
    "429": (rate_limited(3), openai.RateLimitError),
    "500": (failing(500), openai.InternalServerError),
    "503": (failing(503), openai.InternalServerError),
    "reset": (reset(), openai.APIConnectionError),
    "silent": (silent(5), openai.APITimeoutError),
    "truncated": (truncated(), openai.APIConnectionError),
    "malformed": (malformed(), ValueError),
    "empty": (empty(), ValueError),
}


@pytest.mark.parametrize(("fault", "error"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_reaches_the_real_client_as_itself(fault, error):
    with OpenAIServer([fault]) as server:
        async with client_of(server, timeout=0.3) as client:
            with pytest.raises(error) as caught:
                await client.chat.completions.create(**ASK)
    if error is openai.RateLimitError:
        assert caught.value.response.headers["retry-after"] == "3"


@pytest.mark.parametrize("after", [0, 1, 3])
async def test_a_dropped_stream_is_an_error_and_a_politely_ended_one_has_no_finish_reason(after):
    replies = [Reply(text="a" * 50, cut_after_chunks=after)]
    replies.append(Reply(text="a" * 50, end_after_chunks=after))
    with OpenAIServer(replies) as server:
        async with client_of(server) as client:
            stream = await client.chat.completions.create(**ASK, stream=True)
            # Older versions of the client let the error below through.
            with pytest.raises((openai.APIConnectionError, httpx.RemoteProtocolError)):
                [event async for event in stream]
            stream = await client.chat.completions.create(**ASK, stream=True)
            events = [event async for event in stream]
    assert len(events) == after
    assert all(event.choices[0].finish_reason is None for event in events)


async def test_a_stream_split_inside_characters_arrives_whole():
    with OpenAIServer([Reply(text="naïve 世界 🎈", write_bytes=1)]) as server:
        async with client_of(server) as client:
            stream = await client.chat.completions.create(**ASK, stream=True)
            text = "".join([e.choices[0].delta.content or "" async for e in stream if e.choices])
    assert text == "naïve 世界 🎈"


async def test_a_function_of_the_request_answers_many_at_once():
    def repeat(request):
        return request.messages[0]["content"].upper()

    with OpenAIServer(repeat, latency_s=0.05) as server:
        async with client_of(server) as client:

            async def ask(word):
                messages = [{"role": "user", "content": word}]
                reply = await client.chat.completions.create(model="gpt-4.1", messages=messages)
                return reply.choices[0].message.content

            assert await asyncio.gather(*map(ask, "abcdef")) == list("ABCDEF")
    assert server.most_at_once > 1


async def test_what_a_server_refuses_is_400_and_no_violation():
    with OpenAIServer(["never"], refuses={"tools", "keyword:note"}) as server:
        async with client_of(server) as client:
            with pytest.raises(openai.BadRequestError, match="tools"):
                await client.chat.completions.create(**ASK, tools=[TOOL])
    assert len(server.refused) == 1


async def test_models_are_listed_and_keys_checked():
    with OpenAIServer(models=["one", "two"], api_key="right") as server:
        async with client_of(server, api_key="right") as client:
            assert [model.id async for model in client.models.list()] == ["one", "two"]
            with pytest.raises(openai.NotFoundError, match="does not exist"):
                await client.chat.completions.create(**ASK)
        async with client_of(server, api_key="wrong") as client:
            with pytest.raises(openai.AuthenticationError):
                await client.chat.completions.create(**ASK)


BROKEN_SCHEMAS = {
    "root is no object": {"type": "array", "items": {"type": "string"}},
    "root anyOf": {**POINT, "anyOf": []},
    "open object": {**POINT, "additionalProperties": True},
    "not all required": {**POINT, "required": ["x"]},
    "oneOf": {**POINT, "properties": {"x": {"oneOf": []}, "note": {"type": "string"}}},
    "default": {
        **POINT,
        "properties": {"x": {"type": "integer", "default": 1}, "note": {"type": "string"}},
    },
    "minLength": {
        **POINT,
        "properties": {"x": {"type": "integer"}, "note": {"type": "string", "minLength": 1}},
    },
    "no type": {**POINT, "properties": {"x": {}, "note": {"type": "string"}}},
    "dangling reference": {
        **POINT,
        "properties": {"x": {"$ref": "#/$defs/X"}, "note": {"type": "string"}},
    },
    "array without items": {
        **POINT,
        "properties": {"x": {"type": "array"}, "note": {"type": "string"}},
    },
}


@pytest.mark.parametrize("schema", BROKEN_SCHEMAS.values(), ids=BROKEN_SCHEMAS)
def test_a_schema_that_breaks_a_rule_of_strict_outputs_is_named(schema):
    assert strict_schema_violations(schema)


def nested(levels):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = {
            "type": "object",
            "properties": {"a": schema},
            "required": ["a"],
            "additionalProperties": False,
        }
    return schema


def test_ten_levels_and_a_recursive_schema_are_fine_and_eleven_levels_are_not():
    tree = {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["children"],
        "additionalProperties": False,
    }
    assert strict_schema_violations(nested(10)) == []
    assert strict_schema_violations(tree) == []
    assert strict_schema_violations(POINT) == []
    assert "11 levels" in strict_schema_violations(nested(11))[0]


async def test_tavily_answers_search_extract_crawl_and_map():
    results = [search_result("Title", "https://example.org", "Text")]
    with TavilyServer([results, "Page", "Site", ["https://example.org/a"]]) as server:
        async with AsyncTavilyClient("tvly-test", api_base_url=server.url) as client:
            found = await client.search("amazon", max_results=3, include_answer=True)
            page = await client.extract("https://example.org")
            site = await client.crawl("https://example.org", limit=2)
            urls = await client.map("https://example.org")
    assert found["results"][0]["title"] == "Title"
    assert page["results"][0]["raw_content"] == "Page"
    assert site["results"][0]["raw_content"] == "Site"
    assert urls["results"] == ["https://example.org/a"]
    assert [request.path for request in server.requests] == [
        "/search",
        "/extract",
        "/crawl",
        "/map",
    ]


async def test_tavily_refuses_what_its_api_does_not_know():
    with TavilyServer(api_key="tvly-right") as server:
        async with AsyncTavilyClient("tvly-right", api_base_url=server.url) as client:
            with pytest.raises(Exception, match="max_results"):
                await client.search("amazon", max_results=50)
            with pytest.raises(Exception, match="colour"):
                await client.search("amazon", colour="red")
        assert len(server.take_violations()) == 2
        async with AsyncTavilyClient("tvly-wrong", api_base_url=server.url) as client:
            with pytest.raises(InvalidAPIKeyError):
                await client.search("amazon")


async def test_tavily_faults_reach_the_real_client():
    with TavilyServer([rate_limited()]) as server:
        async with AsyncTavilyClient("tvly-test", api_base_url=server.url) as client:
            with pytest.raises(UsageLimitExceededError, match="Rate limit"):
                await client.search("amazon")
