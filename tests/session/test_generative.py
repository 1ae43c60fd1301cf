"""Models to be asked by hand, and models that people write themselves."""

import asyncio
import json
import threading

import pytest
from pydantic import BaseModel

from portia_nb import (
    Config,
    GenerativeModel,
    GenerativeModelsConfig,
    InvalidAgentOutputError,
    LanguageModel,
    LLMProvider,
    Message,
    ModelError,
    NoModelKey,
    PlanBuilderV2,
    Portia,
    StepOutput,
    tool,
)
from portia_nb.errors import ModelReplyInvalid
from portia_nb.model.language import CallAnswer, ModelRequest, ToolCall, ToolSpec
from tests.llm.asking import MOVE, PLACE, ask, ask_for_call, ask_for_point
from tests.planning.answers import Answering, planned
from tests.servers.openai_server import OpenAIServer


class Point(BaseModel):
    x: int


HELLO = [Message(role="user", content="hello")]


def settings(server: OpenAIServer, **more) -> Config:
    return Config(base_url=server.url, openai_api_key="sk-test", llm_provider="openai", **more)


# -- asking by hand ------------------------------------------------------------------------------


def test_the_default_model_answers_messages_in_plain_code():
    with OpenAIServer(["hi"]) as server:
        model = settings(server, default_model="openai/gpt-4.1").get_default_model()
        assert isinstance(model, GenerativeModel)
        assert (str(model), model.model_name, model.provider) == (
            "openai/gpt-4.1", "gpt-4.1", LLMProvider.OPENAI,
        )  # fmt: skip
        assert model.get_response(HELLO) == Message("assistant", "hi")
    assert server.requests[0].body["messages"] == [{"role": "user", "content": "hello"}]
    assert server.violations == []


async def test_it_answers_inside_a_running_loop_too_both_ways():
    with OpenAIServer(["one", "two"]) as server:
        model = settings(server).get_default_model()
        assert model.get_response(HELLO).content == "one"
        assert (await model.aget_response(HELLO)).content == "two"


async def test_structured_answers_are_instances_of_the_class():
    with OpenAIServer([{"x": 3}, {"x": 4}]) as server:
        model = settings(server).get_planning_model()
        assert model.get_structured_response(HELLO, Point) == Point(x=3)
        assert await model.aget_structured_response(HELLO, Point) == Point(x=4)


def test_an_answer_that_pydantic_refuses_goes_back_with_what_is_wrong():
    model = Config(default_model=Answering({"x": "?"}, {"x": 5})).get_default_model()
    assert model.get_structured_response(HELLO, Point) == Point(x=5)
    never = Config(default_model=Answering(*[{"x": "?"}] * 3)).get_default_model()
    with pytest.raises(InvalidAgentOutputError, match="3 answers that don't fit Point"):
        never.get_structured_response(HELLO, Point)


PURPOSES = {
    "get_planning_model": "planning_model",
    "get_execution_model": "execution_model",
    "get_introspection_model": "introspection_model",
    "get_summarizer_model": "summarizer_model",
}


@pytest.mark.parametrize(("call", "setting"), PURPOSES.items(), ids=PURPOSES)
def test_each_purpose_has_its_model_and_falls_back_to_the_default(call, setting):
    config = Config(**{setting: "groq/own", "default_model": "groq/common"})
    assert getattr(config, call)().name == "scripted"  # no key is needed before it is asked
    config = config.changed(groq_api_key="gsk")
    assert getattr(config, call)().name == "groq/own"
    assert getattr(config.changed(**{setting: None}), call)().name == "groq/common"
    assert config.get_generative_model("groq/other").name == "groq/other"


def test_without_a_key_the_call_says_which_to_set():
    with pytest.raises(NoModelKey, match="OPENAI_API_KEY"):
        Config(llm_provider="openai").get_default_model().get_response(HELLO)


def test_ones_own_model_is_handed_out_as_it_is():
    own = Own()
    assert Config(default_model=own).get_default_model() is own


@pytest.mark.parametrize("messages", ["hello", [], [{"role": "user", "content": "x"}]])
def test_messages_are_a_list_of_messages(messages):
    with pytest.raises(TypeError, match="messages is a list of Message"):
        Config(default_model=Answering()).get_default_model().get_response(messages)


async def test_a_tool_asks_the_configs_model_while_its_run_waits():
    @tool
    def shout(ctx, word: str) -> str:
        """Shout."""
        return ctx.config.get_default_model().get_response([Message("user", word)]).content

    plan = PlanBuilderV2().invoke_tool_step(tool=shout(), args={"word": "hey"}).build()
    with OpenAIServer(["HEY"]) as server:
        run = await Portia(settings(server, store="memory"), tools=[]).arun_plan(plan)
    assert run.outputs.final_output.value == "HEY"


# -- a model of one's own ------------------------------------------------------------------------


class Own(GenerativeModel):
    """Answers as a test says; remembers what it was asked, and on which thread."""

    def __init__(self, *answers) -> None:
        super().__init__("mine")
        self.answers = list(answers)
        self.asked: list[list[Message]] = []
        self.schemas: list[type[BaseModel]] = []
        self.threads: set[int] = set()

    def _next(self, messages):
        self.asked.append(messages)
        self.threads.add(threading.get_ident())
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get_response(self, messages):
        return Message("assistant", self._next(messages))

    def get_structured_response(self, messages, schema):
        self.schemas.append(schema)
        return schema.model_validate(self._next(messages))


def test_a_model_of_ones_own_is_a_language_model():
    assert isinstance(Own(), LanguageModel)
    assert (str(Own()), repr(Own())) == ("custom/mine", "Own('custom/mine')")


async def test_it_gives_text_off_the_loops_thread_and_shows_it():
    own, shown = Own("here"), []
    reply = await own.reply(ask(), on_text=shown.append)
    assert (reply.text, reply.model, reply.usage.calls, shown) == (
        "here",
        "custom/mine",
        1,
        ["here"],
    )
    assert own.threads.isdisjoint({threading.get_ident()})


async def test_it_is_asked_for_data_by_a_class_that_checks_it():
    own = Own({"x": 1})
    reply = await own.reply(ask_for_point())
    assert reply.data == {"x": 1}
    assert own.schemas[0].model_json_schema()["required"] == ["x"]
    assert own.schemas[0].__name__ == "point"


async def test_data_that_does_not_fit_goes_back_and_then_fails():
    own = Own({"x": -1}, {"x": 2})
    assert (await own.reply(ask_for_point())).data == {"x": 2}
    assert "x: -1 is less than" in own.asked[1][-1].content
    with pytest.raises(ModelReplyInvalid, match="the reply of custom/mine isn't") as caught:
        await Own({}, {}).reply(ask_for_point())
    assert "'x' is missing" in caught.value.facts["problem"]


async def test_a_forced_tool_is_asked_for_as_data():
    reply = await Own({"x": 7}).reply(ask_for_call())
    assert reply.tool_calls == (ToolCall("call_0", "place", {"x": 7}),)


async def test_among_several_tools_it_chooses_or_answers_in_words():
    request = ModelRequest((Message("user", "go"),), CallAnswer((PLACE, MOVE)))
    calls = {"tool": "move", "arguments": '{"by": 2}', "text": None}
    reply = await Own(calls).reply(request)
    assert reply.tool_calls == (ToolCall("call_0", "move", {"by": 2}),)
    words = {"tool": None, "arguments": None, "text": "done"}
    assert (await Own(words).reply(request)).text == "done"
    wrong = {"tool": "move", "arguments": '{"by": "far"}', "text": None}
    own = Own(wrong, calls)
    assert (await own.reply(request)).tool_calls[0].arguments == {"by": 2}
    assert "That call can't be made: by" in own.asked[1][-1].content
    with pytest.raises(ModelReplyInvalid, match="called move with arguments that don't fit"):
        await Own(wrong, wrong).reply(request)


async def test_it_sees_the_three_plain_roles_only():
    spec = ToolSpec("look", "Look.", {"type": "object"})
    request = ModelRequest(
        (
            Message("user", "go"),
            Message("assistant", tool_calls=(ToolCall("c1", "look", {"at": 1}),)),
            Message("tool", "a tree", tool_call_id="c1"),
        ),
        CallAnswer((spec,)),
    )
    own = Own({"tool": None, "arguments": None, "text": "a tree"})
    await own.reply(request)
    assert [message.role for message in own.asked[0]] == ["user", "assistant", "user", "user"]
    assert own.asked[0][2].content == "Result of call c1: a tree"
    assert 'look with {"at": 1}' in own.asked[0][1].content


async def test_what_it_raises_is_a_model_error_that_names_it():
    with pytest.raises(ModelError, match="custom/mine raised KeyError: 'quota'") as caught:
        await Own(KeyError("quota")).reply(ask())
    assert isinstance(caught.value.__cause__, KeyError)


async def test_an_answer_that_is_no_message_is_named():
    class Wrong(Own):
        def get_response(self, messages):
            return 7

    with pytest.raises(ModelReplyInvalid, match="get_response returned 7; a Message is needed"):
        await Wrong().reply(ask())


async def test_async_methods_of_ones_own_are_preferred():
    class Async(Own):
        async def aget_response(self, messages):
            await asyncio.sleep(0)
            return Message("assistant", "async")

    assert (await Async().reply(ask())).text == "async"


async def test_it_plans_and_does_steps_and_chooses_arguments():
    @tool
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"sun in {city}"

    steps = [
        planned("sky", "weather", args={"city": None}),
        planned("verdict", inputs=["$sky"], args={}),
    ]
    own = Own({"steps": steps, "error": None}, {"city": "Oslo"}, "warm")
    config = Config(store="memory", models=GenerativeModelsConfig(default_model=own))
    run = await Portia(config, tools=[weather()]).arun("Is it warm in Oslo?")
    assert run.error is None, run.error
    assert run.outputs.final_output.value == "warm"
    assert json.loads(own.asked[2][1].content)["inputs"] == {"sky": "sun in Oslo"}


async def test_a_step_may_have_a_model_of_its_own():
    plan = (
        PlanBuilderV2()
        .llm_step(task="Say it", model=Own("one"), step_name="a")
        .llm_step(task="Judge", inputs=[StepOutput("a")], model=Own({"x": 1}), output_schema=Point)
        .build()
    )
    run = await Portia(Config(store="memory"), tools=[]).arun_plan(plan)
    assert run.outputs.final_output.value == Point(x=1)
