"""Large values by reference: what a prompt shows, what a reference brings, what it never does."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from portia_nb import PlanBuilderV2, StepOutput, ToolSoftError, tool
from portia_nb.model.language import CallAnswer, ModelReply, ToolCall
from portia_nb.running.memory import Memory
from tests.planning.answers import Answering

from .stage import Stage

TABLE = pd.DataFrame({"city": ["Oslo", "Rome", "Bonn", "Bern"], "degrees": [3, 17, 9, 8]})
ANY = {"properties": {"x": {}}}


@pytest.mark.parametrize("value", ["short", 7, None, [1, 2], {"a": {"b": 1.5}}, "é" * 20])
def test_a_small_value_is_shown_as_it_is(value: Any) -> None:
    memory = Memory(10)
    assert memory.show("v", value) == value
    assert not memory


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("x" * 41, "41 characters"),
        ("é" * 21, "21 characters"),
        ([1234567890] * 9, "9 items, 108 characters of JSON"),
        (b"\0\1", "2 bytes"),
        (TABLE, "4 rows of 2 columns: city, degrees"),
        (TABLE["city"], "4 items"),
        (np.arange(3), "3 items"),
        ({"raw": b"\0"}, "1 entry, 24 characters of JSON"),
        ([{"deep": [TABLE.head(1)]}], None),
    ],
    ids=lambda given: type(given).__name__,
)
def test_what_is_large_binary_or_a_table_goes_by_reference(value: Any, size: str | None) -> None:
    memory = Memory(10)
    card = memory.show("$v", value)
    assert size is None or card["size"] == size
    assert card["by_reference"].startswith("v#")
    settled = memory.settle({"x": {"by_reference": card["by_reference"]}}, ANY)
    assert settled["x"] is value
    json.dumps(card)


def test_binary_data_has_no_preview_and_a_table_shows_its_first_rows() -> None:
    memory = Memory(10)
    assert "preview" not in memory.show("raw", b"secret bytes")
    preview = memory.show("table", TABLE)["preview"]
    assert "Oslo" in preview and "Bern" not in preview


def test_a_reference_can_lead_to_a_part() -> None:
    memory = Memory(10)
    card = memory.show("news", {"items": [{"title": "a" * 50}]})
    given = {"by_reference": card["by_reference"], "path": "items.0.title"}
    assert memory.settle({"x": given}, ANY) == {"x": "a" * 50}
    with pytest.raises(ToolSoftError, match="value 'news' has no 'title'"):
        memory.settle({"x": {**given, "path": "title"}}, ANY)


def test_where_text_is_wanted_a_value_comes_as_its_json_but_binary_data_as_it_is() -> None:
    memory = Memory(10)
    wants = {"properties": {"x": {"type": "string"}}}
    news = memory.show("news", list(range(30)))["by_reference"]
    assert memory.settle({"x": {"by_reference": news}}, wants)["x"].startswith("[0, 1, 2")
    raw = memory.show("raw", b"\0")["by_reference"]
    assert memory.settle({"x": {"by_reference": raw}}, wants) == {"x": b"\0"}


def test_a_reference_that_was_never_given_out_is_refused() -> None:
    memory = Memory(10)
    memory.show("secret", "s" * 50)
    for forged in ("secret", "secret#00000000", "other#12345678", 7, None):
        with pytest.raises(ToolSoftError, match="there is no value"):
            memory.settle({"x": {"by_reference": forged}}, ANY)


def test_a_reference_inside_data_stays_data() -> None:
    memory = Memory(10)
    secret = memory.show("secret", "s" * 50)["by_reference"]
    forged = {"by_reference": secret}
    hostile = memory.show("mail", {"body": "x" * 50, "inner": forged})["by_reference"]
    settled = memory.settle(
        {
            "whole": {"by_reference": hostile},
            "nested": {"inner": forged},
            "listed": [forged],
            "text": json.dumps(forged),
            "more": {**forged, "and": 1},
        },
        {"properties": {}},
    )
    assert settled["whole"]["inner"] == forged
    assert settled["nested"] == {"inner": forged} and settled["listed"] == [forged]
    assert settled["text"] == json.dumps(forged) and settled["more"] == {**forged, "and": 1}
    inside = memory.settle({"x": {"by_reference": hostile, "path": "inner"}}, ANY)
    assert inside == {"x": forged}, "what a reference brings is not looked through again"


def test_without_large_values_nothing_is_a_reference() -> None:
    literal = {"x": {"by_reference": "secret#1"}}
    assert Memory(10).settle(literal, ANY) == literal
    assert Memory(10).with_references(ANY) == ANY


def test_reading_is_bounded() -> None:
    memory = Memory(10)
    text = memory.show("text", "0123456789" * 20)["by_reference"]
    piece = memory.read({"reference": text, "start": 5, "length": 10_000})
    assert piece == {
        "reference": text, "unit": "characters", "from": 5, "of": 200,
        "text": ("0123456789" * 20)[5:45],
    }  # fmt: skip
    table = memory.show("table", TABLE)["by_reference"]
    rows = memory.read({"reference": table, "start": 2, "length": 1})
    assert (rows["unit"], rows["of"]) == ("rows", 4)
    assert json.loads(rows["text"]) == [{"city": "Bonn", "degrees": 9}]
    column = memory.read({"reference": table, "path": "city", "length": 2})
    assert json.loads(column["text"]) == ["Oslo", "Rome"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"reference": "no"}, "there is no value 'no'"),
        ({"start": -1}, "'start' is a whole number"),
        ({"length": "all"}, "'length' is a whole number"),
        ({"path": "nowhere"}, "it is text"),
    ],
)
def test_what_can_not_be_read_is_told(given: dict[str, Any], problem: str) -> None:
    memory = Memory(10)
    reference = memory.show("text", "x" * 50)["by_reference"]
    with pytest.raises(ToolSoftError, match=problem):
        memory.read({"reference": reference, **given})


def test_binary_data_can_not_be_read_as_text() -> None:
    memory = Memory(10)
    raw = memory.show("raw", b"\0")["by_reference"]
    with pytest.raises(ToolSoftError, match="binary"):
        memory.read({"reference": raw})


# -- the agent of one tool -----------------------------------------------------------------------


def _single(text: Any, model: Any) -> tuple[Stage, list[Any]]:
    got: list[Any] = []

    @tool(side_effect=False)
    def keep(what: Any, note: str) -> str:
        """Keep something."""
        got.append((what, note))
        return "kept"

    plan = (
        PlanBuilderV2()
        .single_tool_agent_step(tool=keep, task="Keep it", inputs={"it": text}, step_name="s")
        .build()
    )
    return Stage(plan, model=model, large_output_threshold_tokens=10), got


def _call(name: str, arguments: dict[str, Any]) -> ModelReply:
    return ModelReply(tool_calls=(ToolCall("1", name, arguments),), model="test/model")


async def test_with_small_inputs_one_forced_call_is_all() -> None:
    model = Answering(_call("keep", {"what": "small", "note": "n"}))
    stage, got = _single("small", model)
    assert (await stage.run()).state == "COMPLETE"
    (request,) = model.requests
    assert isinstance(request.answer, CallAnswer)
    assert request.answer.forced == "keep" and len(request.answer.tools) == 1
    assert "by_reference" not in request.messages[0].content
    assert got == [("small", "n")]


async def test_a_large_input_may_be_read_first_and_is_passed_by_reference() -> None:
    large = {"rows": ["first"] + ["x"] * 60}

    class Reading(Answering):
        async def reply(self, request: Any, *, on_text: Any = None) -> ModelReply:
            self.requests.append(request)
            inputs = json.loads(request.messages[1].content)["inputs"]
            reference = inputs["it"]["by_reference"]
            if len(self.requests) == 1:
                return _call("read_value", {"reference": reference, "path": "rows.0"})
            note = json.loads(request.messages[-1].content)["output"]["text"]
            return _call("keep", {"what": {"by_reference": reference}, "note": note})

    model = Reading()
    stage, got = _single(large, model)
    run = await stage.run()
    assert run.state == "COMPLETE", run.error
    assert got == [(large, "first")]
    assert len(model.requests) == 2
    assert len(model.requests[0].messages[1].content) < 600


async def test_what_was_chosen_by_reference_beside_a_question_is_passed_with_the_answer() -> None:
    class Asking(Answering):
        async def reply(self, request: Any, *, on_text: Any = None) -> ModelReply:
            self.requests.append(request)
            reference = json.loads(request.messages[1].content)["inputs"]["it"]["by_reference"]
            missing = [{"argument": "note", "question": "Which note?"}]
            chosen = {"what": {"by_reference": reference}, "note": None, "missing": missing}
            return _call("keep", chosen)

    model = Asking()
    stage, got = _single("x" * 100, model)
    assert (await stage.run()).state == "NEED_CLARIFICATION"
    stage.answer(stage.questions[0], "n")
    run = await stage.resume()
    assert run.state == "COMPLETE", run.error
    assert got == [("x" * 100, "n")] and len(model.requests) == 1


async def test_looking_is_bounded_and_then_the_call_is_forced() -> None:
    class Staring(Answering):
        async def reply(self, request: Any, *, on_text: Any = None) -> ModelReply:
            self.requests.append(request)
            if request.answer.forced:
                return _call("keep", {"what": 1, "note": "n"})
            return _call("read_value", {"reference": "nothing"})

    model = Staring()
    stage, _ = _single("x" * 100, model)
    assert (await stage.run()).state == "COMPLETE"
    assert [bool(r.answer.forced) for r in model.requests] == [False] * 5 + [True]
    assert "there is no value 'nothing'" in model.requests[-1].messages[-1].content


async def test_a_tables_rows_never_stand_in_a_prompt() -> None:
    table = pd.DataFrame({"n": range(1000), "secret": [f"row-{i}" for i in range(1000)]})

    class Passing(Answering):
        async def reply(self, request: Any, *, on_text: Any = None) -> ModelReply:
            self.requests.append(request)
            reference = json.loads(request.messages[1].content)["inputs"]["it"]["by_reference"]
            return _call("keep", {"what": {"by_reference": reference}, "note": "n"})

    model = Passing()
    stage, got = _single_table(table, model)
    run = await stage.run()
    assert run.state == "COMPLETE", run.error
    assert got[0] is table
    assert "row-3" not in "".join(m.content for m in model.requests[0].messages)


def _single_table(table: Any, model: Any) -> tuple[Stage, list[Any]]:
    got: list[Any] = []

    @tool(side_effect=False)
    def keep(what: Any, note: str) -> int:
        """Keep something."""
        got.append(what)
        return len(what)

    async def load() -> Any:
        return table

    plan = (
        PlanBuilderV2()
        .function_step(function=load, step_name="load", side_effect=False)
        .single_tool_agent_step(tool=keep, task="Keep", inputs={"it": StepOutput("load")})
        .build()
    )
    return Stage(plan, model=model), got
