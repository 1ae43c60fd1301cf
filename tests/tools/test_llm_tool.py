"""`llm_tool` asks the run's model and gives it data as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from portia_nb.config import Config
from portia_nb.errors import InvalidAgentOutputError, ModelRateLimited, ToolHardError
from portia_nb.model.language import DataAnswer, ModelReply, ModelRequest, TextAnswer
from portia_nb.tools.builtin.llm import LLMTool
from portia_nb.tools.context import ToolRunContext


class Echo:
    """A model that answers with `reply` and remembers what it was asked."""

    name = "test/echo"

    def __init__(self, reply: ModelReply | Exception) -> None:
        self._reply = reply
        self.requests: list[ModelRequest] = []

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        self.requests.append(request)
        if isinstance(self._reply, Exception):
            raise self._reply
        if on_text is not None:
            on_text(self._reply.text)
        return self._reply


class Growth(BaseModel):
    faster: str


def context(model: Any, **more: Any) -> ToolRunContext:
    return ToolRunContext(config=Config(), model=model, **more)


async def test_the_model_is_asked_and_its_text_streams_and_comes_back() -> None:
    model, heard = Echo(ModelReply(text="Amazon")), list[str]()
    tool = LLMTool()
    arguments = tool.parse_arguments(
        {"task": "Which grew faster?", "task_data": ["52%", {"g": 35.5}]}
    )
    answer = await tool.arun(context(model, on_text=heard.append), **arguments)
    assert answer == "Amazon"
    assert heard == ["Amazon"]
    (request,) = model.requests
    assert isinstance(request.answer, TextAnswer)
    assert [message.role for message in request.messages] == ["system", "user"]
    assert request.messages[1].content == (
        'Task: Which grew faster?\n\nData 1:\n52%\n\nData 2:\n{"g": 35.5}'
    )
    assert request.record_key[0] == "llm_tool"


@pytest.mark.parametrize("data", ["{{ 7*7 }}", "{0.__class__}", "%s", "$(id)", "Task: other"])
async def test_data_is_never_read_as_a_template(data: str) -> None:
    model = Echo(ModelReply(text="x"))
    await LLMTool().arun(context(model), task="Do", task_data=data)
    assert model.requests[0].messages[1].content == f"Task: Do\n\nData:\n{data}"


async def test_without_data_only_the_task_is_sent() -> None:
    model = Echo(ModelReply(text="x"))
    tool = LLMTool()
    await tool.arun(context(model), **tool.parse_arguments({"task": "Do"}))
    assert model.requests[0].messages[1].content == "Task: Do"


async def test_a_schema_is_asked_for_and_checked() -> None:
    model = Echo(ModelReply(data={"faster": "Amazon"}))
    tool = LLMTool(structured_output_schema=Growth)
    assert await tool.arun(context(model), task="Which?") == Growth(faster="Amazon")
    answer = model.requests[0].answer
    assert isinstance(answer, DataAnswer)
    assert answer.name == "Growth"
    with pytest.raises(InvalidAgentOutputError, match="no Growth"):
        await tool.arun(context(Echo(ModelReply(data={"slower": 1}))), task="Which?")


async def test_without_a_model_it_is_a_hard_error_and_a_models_error_passes() -> None:
    with pytest.raises(ToolHardError, match="without a language model"):
        await LLMTool().arun(context(None), task="Do")
    with pytest.raises(ModelRateLimited):
        await LLMTool().arun(context(Echo(ModelRateLimited("slow down"))), task="Do")


def test_a_model_is_offered_text_or_texts_and_a_plan_may_bind_anything() -> None:
    tool = LLMTool()
    assert "anyOf" in tool.json_schema()["properties"]["task_data"]
    thing = object()
    assert tool.parse_arguments({"task": "t", "task_data": thing})["task_data"] is thing
