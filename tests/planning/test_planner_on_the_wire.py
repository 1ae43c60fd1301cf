"""The planner through the real client, against a server that is as strict as OpenAI's."""

from portia_nb.config import Config
from portia_nb.llm.choice import Models
from portia_nb.model.plan import InvokeToolStep, LLMStep
from portia_nb.planning.planner import make_plan
from portia_nb.tools.examples import example_tool_registry, open_source_tool_registry
from tests.planning.answers import planned
from tests.servers.openai_server import OpenAIServer

QUERY = "Which stock price grew faster in 2024, Amazon or Google?"


def on_the_wire(output, tool_id="llm_tool", /, args=None, inputs=()):
    """Return a step with nulls for what is left out, as strict outputs make it."""
    return {**planned(output, tool_id, inputs=inputs), "args": args, "condition": None}


REPLY = {
    "steps": [
        on_the_wire("amazon", "search_tool", {"search_query": "Amazon stock growth 2024"}),
        on_the_wire("google", "search_tool", {"search_query": "Google stock growth 2024"}),
        on_the_wire("comparison", inputs=["$amazon", "$google"]),
    ],
    "error": None,
}


def config(server):
    return Config(default_model="openai/gpt-test", openai_api_key="sk-test", base_url=server.url)


async def test_the_pages_query_is_planned_in_one_strict_call_of_few_characters():
    with OpenAIServer([REPLY]) as server:
        models = Models(config(server))
        plan = await make_plan(QUERY, example_tool_registry, model=models.for_purpose("planning"))
        await models.aclose()
        assert [type(s) for s in plan.steps] == [InvokeToolStep, InvokeToolStep, LLMStep]
        assert len(server.requests) == 1
        assert server.violations == []
        assert server.prompt_characters < 4_100


async def test_every_server_that_cannot_hold_to_a_schema_is_planned_with_too():
    for refuses in (["json_schema"], ["json_schema", "json_object", "forced_tool"], ["strict"]):
        with OpenAIServer(lambda _: REPLY, refuses=refuses) as server:
            models = Models(config(server))
            model = models.for_purpose("planning")
            plan = await make_plan(QUERY, open_source_tool_registry, model=model)
            await models.aclose()
            assert [s.name for s in plan.steps] == ["amazon", "google", "comparison"]
            assert server.violations == []
