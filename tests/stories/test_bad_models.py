"""Models that can't be asked, or answer badly: each a clear error, and nothing lost."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from portia_nb.errors import (
    ModelError,
    ModelRateLimited,
    ModelReplyInvalid,
    NoModelKey,
    PlanError,
)
from portia_nb.model.plan import Plan
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import (
    Reply,
    empty,
    failing,
    malformed,
    rate_limited,
    silent,
    truncated,
)

from .conftest import Story

QUERY = "Which stock price grew faster in 2024, Amazon or Google?"


def spoken(story: Story) -> Plan:
    """Return a plan whose second step asks a model."""
    return story.builder().llm_step(task="Sum up.", step_name="speak").build()


def test_without_a_key_a_step_says_how_to_set_one_or_use_a_local_server(story: Story):
    run = story.portia().run_plan(spoken(story))
    story.failed(run, "NoModelKey", "speak", "Set OPENAI_API_KEY", ".env", "a server of your own")
    with OpenAIServer(["Summed up."]) as server:
        story.goes_on(story.portia(server), run)


def test_without_a_key_a_query_says_how_to_set_one(story: Story):
    with pytest.raises(NoModelKey) as caught:
        story.portia().run("What is the weather in Paris?")
    story.says(caught.value, "Set OPENAI_API_KEY", ".env", "Config.from_default")


def test_a_key_that_the_server_refuses_is_named_by_its_variable_and_never_shown(story: Story):
    with OpenAIServer(api_key="another") as server:
        run = story.portia(server).run_plan(spoken(story))
        assert len(server.requests) == 1
    story.failed(run, "ModelKeyRefused", "speak", "openai/", server.url, "check OPENAI_API_KEY")
    with OpenAIServer(["Summed up."]) as server:
        story.goes_on(story.portia(server), run)


def test_a_model_that_the_server_has_not_is_named(story: Story):
    with OpenAIServer(models=["gpt-4.1"]) as server:
        portia = story.portia(server, default_model="openai/gpt-5-misspelt")
        run = portia.run_plan(spoken(story))
        assert len(server.requests) == 1
    story.failed(run, "ModelNotFound", "speak", "openai/gpt-5-misspelt", "check the model's name")


def test_a_provider_that_is_not_known_is_named_with_the_nearest(story: Story):
    run = story.portia(default_model="opnai/gpt-4.1").run_plan(spoken(story))
    story.failed(run, "InvalidConfigError", "speak", "opnai", "did you mean 'openai'?")


def test_a_server_that_is_down_is_named_by_its_address(story: Story):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    run = story.portia(url).run_plan(spoken(story))
    story.failed(run, "ModelUnreachable", "speak", "can't reach", url, "check the network")
    with OpenAIServer(["Summed up."]) as server:
        story.goes_on(story.portia(server), run)


def test_a_server_that_is_too_slow_is_given_up_and_the_message_says_what_allows_more(story: Story):
    with OpenAIServer([silent(20)] * 2) as server:
        run = story.portia(server, model_timeout_s=0.3).run_plan(spoken(story))
        assert len(server.requests) == 2
    story.failed(run, "ModelUnreachable", "speak", "no answer", "0.3", "Config(model_timeout_s=…)")


def test_too_many_requests_wait_as_long_as_the_server_asks(story: Story):
    with OpenAIServer([rate_limited(1), "Summed up."]) as server:
        run = story.portia(server).run_plan(spoken(story))
        first, second = (request.http.at_s for request in server.requests)
    assert run.state == "COMPLETE"
    assert 1.0 <= second - first < 3.0


FAULTS: dict[str, tuple[Any, int, str, tuple[str, ...]]] = {
    "429 with Retry-After": (
        rate_limited(1),
        2,
        "ModelRateLimited",
        ("too many requests", "HTTP 429", "asks to wait 1 s", "Config(max_model_calls=…)"),
    ),
    "429 without Retry-After": (
        rate_limited(),
        2,
        "ModelRateLimited",
        ("too many requests", "HTTP 429", "Config(max_model_calls=…)"),
    ),
    "429 that asks to wait an hour": (
        rate_limited(3_600),
        1,
        "ModelRateLimited",
        ("asks to wait 3600 s", "Config(max_model_calls=…)"),
    ),
    "429 since the quota is used up": (
        failing(429, "You exceeded your current quota", code="insufficient_quota"),
        1,
        "ModelRateLimited",
        ("quota is used up", "billing"),
    ),
    "500": (
        failing(500, "The server had an error"),
        2,
        "ModelServerError",
        ("HTTP 500", "The server had an error", "try again later"),
    ),
    "400": (
        failing(400, "This model's maximum context length is 8192 tokens"),
        1,
        "ModelRequestRefused",
        ("HTTP 400", "maximum context length", "ask for less"),
    ),
    "not JSON": (malformed(), 1, "ModelReplyInvalid", ("check that the base URL",)),
    "a page of HTML": (
        malformed(b"<html>Sign in</html>"),
        1,
        "ModelReplyInvalid",
        ("check that the base URL",),
    ),
    "no body": (empty(), 1, "ModelReplyInvalid", ("check that the base URL",)),
    "cut off on the wire": (truncated(), 2, "ModelReplyCutOff", ("was cut off", "try again")),
    "cut off by the model's limit": (
        Reply(text="Summed", finish_reason="length"),
        1,
        "ModelReplyCutOff",
        ("cut off",),
    ),
}

STREAM_FAULTS: dict[str, tuple[Any, int, str, tuple[str, ...]]] = {
    "cut off in mid-stream": (
        Reply(text="Summed up: " * 20, cut_after_chunks=3),
        2,
        "ModelReplyCutOff",
        ("was cut off", "try again"),
    ),
    "a stream that ends too early": (
        Reply(text="Summed up: " * 20, end_after_chunks=3),
        2,
        "ModelReplyCutOff",
        ("cut off after 24 characters", "try again"),
    ),
}
BOTH = FAULTS | STREAM_FAULTS


@pytest.mark.parametrize(("fault", "tries", "kind", "facts"), BOTH.values(), ids=BOTH)
def test_a_fault_of_the_server_fails_the_step_and_resume_goes_on_from_there(
    story: Story, fault: Any, tries: int, kind: str, facts: tuple[str, ...]
):
    with OpenAIServer(lambda _: fault) as server:
        run = story.portia(server).run_plan(spoken(story))
        assert len(server.requests) == tries
    story.failed(run, kind, "speak", "openai/", server.url, *facts)
    with OpenAIServer(["Summed up."]) as server:
        ended = story.goes_on(story.portia(server), run)
    assert ended.outputs["speak"].value == "Summed up."


@pytest.mark.parametrize(("fault", "tries", "kind", "facts"), FAULTS.values(), ids=FAULTS)
def test_the_same_fault_while_planning_is_raised(
    story: Story, fault: Any, tries: int, kind: str, facts: tuple[str, ...]
):
    """A model that can't be asked is a ModelError; one that answers, but badly, made no plan."""
    with OpenAIServer(lambda _: fault) as server, pytest.raises((ModelError, PlanError)) as caught:
        story.portia(server, model_retries=0).run(QUERY)
    cause = caught.value.__cause__ if isinstance(caught.value, PlanError) else caught.value
    assert type(cause).__name__ == kind
    assert isinstance(caught.value, PlanError) == isinstance(cause, ModelReplyInvalid)
    story.says(caught.value, "openai/", *facts)


def test_what_a_fault_says_is_there_as_facts_too(story: Story):
    with (
        OpenAIServer([rate_limited(0), rate_limited(0)]) as server,
        pytest.raises(ModelRateLimited) as caught,
    ):
        story.portia(server).plan(QUERY)
    facts = caught.value.facts
    assert facts["base_url"] == server.url
    assert (facts["status"], facts["retry_after_s"]) == (429, 0)
