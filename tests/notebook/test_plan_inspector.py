"""The plan inspector without a browser: what it is told, what it does, what it refuses."""

from __future__ import annotations

import json
import threading
import zlib
from types import SimpleNamespace
from typing import Any

import pytest

from portia_nb import Config, Plan, PlanBuilderV2, Portia, StepOutput, tool
from portia_nb.model.reference import Value
from portia_nb.notebook.inspector_state import argument_text, editor_view, read_argument_text
from portia_nb.notebook.leaving import Leaving
from portia_nb.notebook.plan_inspector import PlanInspector, open_inspector
from portia_nb.notebook.plan_record import difference_bundle
from tests.planning.answers import Answering, planned


@tool(side_effect=False)
def forecast(city: str, days: int = 1) -> str:
    """Tell the weather.

    Args:
        city: where.
        days: how many.
    """
    return f"{city}: {days} days of sun"


def trip() -> Plan:
    return (
        PlanBuilderV2("Plan a trip")
        .invoke_tool_step(tool="forecast", args={"city": "Rome"}, step_name="sky")
        .llm_step(task="Pack", inputs=[StepOutput("sky")], step_name="pack")
        .build()
    )


class Page:
    """A channel whose other end is the test."""

    model_id = "m"
    record = ""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.hear: Any = None
        self.closed = False
        self.news = threading.Condition()

    def send(self, content: Any, buffers: Any = None) -> None:
        if content["type"] == "packed":
            content = json.loads(zlib.decompress(buffers[0]))
        with self.news:
            self.told.append(content)
            self.news.notify_all()

    def on_msg(self, callback: Any, remove: bool = False) -> None:
        self.hear = callback

    def close(self) -> None:
        self.closed = True

    def take_back(self) -> None:
        pass

    def last(self, kind: str) -> Any:
        return next(m for m in reversed(self.told) if m["type"] == kind)

    def wait_for(self, kind: str, count: int = 1) -> Any:
        with self.news:
            assert self.news.wait_for(
                lambda: sum(m["type"] == kind for m in self.told) >= count, 10
            )
        return self.last(kind)


class Room:
    """An inspector of the plan ``trip``, with the variable of that name."""

    def __init__(self, plan: Plan | None = None, model: Any = None) -> None:
        self.shown: list[Any] = []
        self.page = Page()
        self.portia = Portia(
            Config(store="memory", **({"planning_model": model} if model else {})), tools=[forecast]
        )
        self.names: dict[str, Any] = {}
        shell = SimpleNamespace(
            kernel=object(),
            user_ns=self.names,
            display_pub=SimpleNamespace(
                publish=lambda data, metadata=None, **more: self.shown.append((data, more))
            ),
        )
        face: Any = SimpleNamespace(shell=shell, remember_plan=lambda plan: None, views=Leaving())
        self.editor = self.portia.edit(plan or trip(), "trip")
        self.views = face.views
        self.inspector: PlanInspector = open_inspector(
            face, self.portia, self.editor, ("trip",), lambda: self.page
        )
        self.page.hear(None, {"type": "ready"}, None)

    @property
    def state(self) -> dict[str, Any]:
        return self.page.last("state")["state"]

    def do(self, what: str, **more: Any) -> dict[str, Any]:
        """Do something as the page would, and return what is told in the end."""
        message = {"type": "do", "what": what, "id": 7, "hash": self.state["hash"], **more}
        self.page.hear(None, message, None)
        return self.page.told[-1]

    def fields(self, place: str) -> dict[str, str]:
        row = next(row for row in self.state["steps"] if row["place"] == place)
        return {field["name"]: field["text"] for field in row["fields"]}


def test_it_shows_steps_with_their_fields_needs_tools_and_version():
    state = Room().state
    assert [row["place"] for row in state["steps"]] == ["sky", "pack"]
    assert state["tools"] == ["llm_tool", "forecast"]
    assert state["needs"] == ["Needs at least 1 model call.", "Tools: forecast."]
    assert state["version"] == {"number": 1, "of": 1, "change": ""}
    assert "deflated" in state["picture"]
    fields = Room().fields("sky")
    assert fields["args.city"] == "Rome"
    assert fields["args.days"] == ""
    assert Room().fields("pack")["inputs"] == "$sky"


def test_each_change_goes_to_the_variable_and_shows_what_changed():
    room = Room()
    assert room.do("set", place="sky", field="args.city", text="Oslo")["type"] == "said"
    assert room.names["trip"].step("sky").args["city"] == Value("Oslo")
    assert room.state["changes"] == [["~", "step 'sky' edited"], ["", "args.city: Rome → Oslo"]]
    room.do("set", place="sky", field="args.days", text="3")
    assert room.names["trip"].step("sky").args["days"] == Value(3)
    room.do("set", place="sky", field="name", text="weather")
    assert room.fields("pack")["inputs"] == "$weather"
    room.do("set", place="pack", field="task", text="Pack light")
    room.do("off", place="weather")
    notes = {row["place"]: row.get("note") for row in room.state["steps"]}
    assert "switched off" in notes["pack"]
    assert room.portia.edit("trip").plan.content_hash() == room.names["trip"].content_hash()
    for _ in range(5):
        room.do("undo")
    assert room.names["trip"].content_hash() == trip().content_hash()
    assert room.state["changes"] == []
    room.do("redo")
    assert room.state["version"]["number"] == 2


def test_a_refusal_names_what_was_asked_and_changes_nothing():
    room = Room()
    for more, message in (
        ({"what": "set", "place": "pack", "field": "inputs", "text": "$sk"}, "did you mean 'sky'"),
        ({"what": "set", "place": "sky", "field": "args.days", "text": "many"}, "can't be read"),
        ({"what": "set", "place": "sky", "field": "name", "text": "pack"}, "already"),
        ({"what": "down", "place": "sky"}, "comes later in the plan"),
        ({"what": "up", "place": "sky"}, "is the first already"),
        ({"what": "remove", "place": "sky"}, "'pack' refers to it"),
        ({"what": "insert", "place": "", "text": " "}, "say what the new step shall do"),
        ({"what": "undo"}, "nothing to undo"),
        ({"what": "no such thing"}, "nothing here is called"),
        ({"what": "set", "place": "sky", "field": "tool", "text": "forcast"}, "did you mean"),
    ):
        told = room.do(**more)
        assert (told["type"], told["id"]) == ("refused", 7), more
        assert message in told["message"]
    assert room.editor.number == 1


def test_what_was_changed_elsewhere_meanwhile_is_shown_and_nothing_is_done():
    room = Room()
    room.portia.edit("trip").edit("pack", task="Pack at once")
    room.page.hear(None, {"type": "do", "what": "off", "id": 1, "hash": room.state["hash"],
                          "place": "sky"}, None)  # fmt: skip
    assert "changed elsewhere" in room.page.last("refused")["message"]
    assert room.fields("pack")["task"] == "Pack at once"


def test_another_tool_brings_its_arguments_and_one_left_open_is_a_models_choice():
    room = Room()
    room.do("set", place="pack", field="tool", text="forecast")
    assert room.names["trip"].step("pack").kind == "agent"
    assert room.fields("pack")["args.city"] == ""
    room.do("set", place="pack", field="args.city", text="$sky")
    step = room.names["trip"].step("pack")
    assert (step.kind, step.args["city"]) == ("tool", StepOutput("sky"))
    room.do("set", place="pack", field="tool", text="llm_tool")
    assert room.names["trip"].step("pack").kind == "llm"


def test_steps_are_added_moved_and_taken_away():
    room = Room()
    room.do("insert", place="sky", text="Look twice")
    assert [row["place"] for row in room.state["steps"]] == ["sky", "step_1", "pack"]
    room.do("up", place="step_1")
    room.do("down", place="step_1")
    room.do("down", place="step_1")
    assert [row["place"] for row in room.state["steps"]] == ["sky", "pack", "step_1"]
    room.do("remove", place="step_1")
    assert [row["place"] for row in room.state["steps"]] == ["sky", "pack"]


def test_a_change_in_words_comes_from_the_model_and_is_told_by_the_difference():
    reply = {"steps": [planned("sky", "forecast", args={"city": "Oslo"})], "error": None}
    room = Room(model=Answering(reply))
    assert room.do("words", text="Go to Oslo, skip the packing")["type"] in ("busy", "said")
    room.page.wait_for("said")
    assert ["-", "step 'pack' removed"] in room.state["changes"]
    assert room.editor.versions[-1].change == "“Go to Oslo, skip the packing”"


def test_approving_is_by_hash_and_gone_with_the_next_change():
    room = Room()
    room.do("approve")
    assert room.state["approved"].startswith("approved by ")
    assert room.portia.approvals(room.names["trip"])[0].how == "notebook"
    room.do("off", place="pack")
    assert room.state["approved"] is None


def test_the_record_has_steps_difference_and_approval_and_nothing_to_press():
    room = Room()
    room.do("set", place="pack", field="task", text="<b>Pack</b> $x$ now")
    room.do("approve")
    assert "approved by" in room.page.record
    room.do("close")
    (data, more) = room.shown[-1]
    assert more["update"] is True
    assert "application/vnd.jupyter.widget-view+json" not in data
    html = data["text/html"]
    assert "<button" not in html
    assert "<script" not in html
    assert "<b>Pack" not in html
    assert "What changed" in html
    assert "approved by" in html
    assert "%portia run trip" in data["text/plain"]
    assert room.page.closed
    told = len(room.shown)
    room.views.leave_records()
    assert len(room.shown) == told


def test_one_that_is_open_when_the_kernel_ends_leaves_its_record():
    room = Room()
    room.views.leave_records()
    (data, more) = room.shown[-1]
    assert more["update"] is True
    assert "application/vnd.jupyter.widget-view+json" not in data


def test_where_no_page_is_it_prints_the_plan_and_how_to_change_it():
    shown: list[Any] = []
    shell = SimpleNamespace(
        user_ns={}, display_pub=SimpleNamespace(publish=lambda data, *_, **__: shown.append(data))
    )
    portia = Portia(Config(store="memory"), tools=[forecast])
    face: Any = SimpleNamespace(shell=shell, remember_plan=lambda plan: None, views=Leaving())
    open_inspector(face, portia, portia.edit(trip(), "trip"), ("trip",))
    (data,) = shown
    assert "portia.edit('trip')" in data["text/plain"]
    assert "sky" in data["text/plain"]


@pytest.mark.parametrize(
    "value", ["Oslo", "$5", "\\x", "", 5, 1.5, True, None, [1, "a"], {"a": 1}], ids=repr
)
def test_what_is_shown_of_an_argument_reads_back_as_the_same(value: Any):
    text, locked = argument_text(Value(value))
    schema = {} if isinstance(value, str) else {"type": "object"}
    assert not locked
    if text:
        assert read_argument_text(text, trip(), "sky", schema) == value


def test_hostile_names_and_texts_stay_text():
    plan = trip().edit("pack", task="\u202e<img src=x onerror=alert(1)>\x1b[2J")
    portia = Portia(Config(store="memory"), tools=[forecast])
    state = json.dumps(editor_view(portia.edit(plan), portia.tools, ()), ensure_ascii=False)
    assert "\u202e" not in state
    assert "\x1b" not in state
    bundle = difference_bundle(portia.diff_plans(trip(), plan))
    assert "<img" not in bundle["text/html"]


def test_the_inspectors_widget_adds_under_60_kb_to_a_notebook_that_keeps_it():
    from portia_nb.notebook.editor_widget import EditorWidget

    widget = EditorWidget()
    assert "drawEditor" in widget._esm and ".portia-editor" in widget._css  # type: ignore[attr-defined]
    assert len((widget._esm + widget._css).encode()) < 59_000  # type: ignore[attr-defined]
    widget.close()
