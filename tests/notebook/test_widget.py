import asyncio
import json
import threading
import zlib
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from typing import Any

import pytest

from portia_nb.model.clarification import InputClarification, MultipleChoiceClarification
from portia_nb.model.events import (
    AnyEvent,
    ClarificationRaised,
    ClarificationResolved,
    Recorded,
    RunCompleted,
    RunCreated,
    RunStarted,
    StepDone,
    StepStarted,
    TextStreamed,
)
from portia_nb.model.plan import Plan
from portia_nb.model.run import Run
from portia_nb.notebook.leaving import Leaving
from portia_nb.notebook.widget import RATE_HZ, WIDGET_MIME, LiveView
from tests.notebook.stories import BEGAN, RUN_ID, chain, two_searches


class FakeChannel:
    """Keeps what would go to the browser; `hear` plays the browser."""

    model_id = "model-1"

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.bytes = 0
        self.closed = False
        self.was_taken_back = False
        self.arrived = asyncio.Event()
        self._heard: list[Callable[..., None]] = []

    def send(self, content: Any, buffers: Any = None) -> None:
        self.bytes += len(json.dumps(content).encode()) + sum(map(len, buffers or ()))
        if content["type"] == "packed":
            content = json.loads(zlib.decompress(buffers[0]))
        self.sent.append(content)
        self.times.append(asyncio.get_running_loop().time())
        self.arrived.set()

    def on_msg(self, callback: Callable[..., None], remove: bool = False) -> None:
        self._heard.append(callback)

    def close(self) -> None:
        self.closed = True
        self.arrived.set()

    def take_back(self) -> None:
        self.was_taken_back = True

    def hear(self, message: Any) -> None:
        for callback in self._heard:
            callback(self, message, [])

    async def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self.arrived.clear()
            await self.arrived.wait()


class FakePublisher:
    """Keeps what would be shown."""

    def __init__(self) -> None:
        self.shown: list[tuple[dict[str, Any], bool, str]] = []

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
    ) -> None:
        self.shown.append((data, update, (transient or {})["display_id"]))


class Stage:
    """A live view between a run and a browser, both played by the test."""

    def __init__(self, plan: Plan) -> None:
        self.channel, self.publisher = FakeChannel(), FakePublisher()
        self.answers: list[tuple[str, Any]] = []
        self.stops = 0
        self.view = LiveView(
            plan,
            loop=asyncio.get_running_loop(),
            publisher=self.publisher,
            on_answer=self._answer,
            on_stop=self._stop,
            open_channel=lambda: self.channel,
        )
        self.view.show()
        self.run = Run(RUN_ID, plan)
        self._seq = 0

    def _answer(self, question_id: str, value: Any) -> None:
        self.answers.append((question_id, value))
        self.channel.arrived.set()

    def _stop(self) -> None:
        self.stops += 1
        self.channel.arrived.set()

    def happen(self, *events: AnyEvent) -> None:
        for event in events:
            self._seq += 1
            recorded = Recorded(self._seq, BEGAN + self._seq / 100, RUN_ID, event)
            self.run.apply(recorded)
            self.view.listen(self.run, recorded)

    def begin(self) -> None:
        self.happen(RunCreated(str(self.run.plan.id), {}), RunStarted())

    async def open(self) -> None:
        self.channel.hear({"type": "ready"})
        await self.channel.until(lambda: bool(self.channel.sent))

    def seen(self) -> dict[str, Any]:
        """Return what a browser would show now: full states with all deltas applied."""
        view: dict[str, Any] = {}
        for message in self.channel.sent:
            if message["type"] == "full":
                view = json.loads(json.dumps(message["view"]))
                view["steps"] = {row["path"]: row for row in view["steps"]}
                continue
            _merge(view, message.get("head", {}))
            for path, changed in message.get("steps", {}).items():
                _merge(view["steps"].setdefault(path, {"path": path}), changed)
            view["questions"] = message.get("questions", view["questions"])
        return view


def _merge(target: dict[str, Any], changed: dict[str, Any]) -> None:
    for key, value in changed.items():
        if key == "more_text":
            target["text"] = target.get("text", "") + value
        elif value is None:
            target.pop(key, None)
        else:
            target[key] = value


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    yield Stage(two_searches())


async def test_the_live_output_holds_the_widget_and_a_picture_for_a_kernel_that_dies(stage: Stage):
    data, update, display_id = stage.publisher.shown[0]
    assert set(data) == {WIDGET_MIME, "text/html", "text/plain"}
    assert data[WIDGET_MIME]["model_id"] == "model-1"
    assert not update and display_id == stage.view.display_id


async def test_nothing_is_sent_until_a_view_is_ready(stage: Stage):
    stage.begin()
    stage.happen(StepStarted("amazon"))
    await asyncio.sleep(2 / RATE_HZ)
    assert stage.channel.sent == [] and not stage.view.ready.is_set()
    assert not await stage.view.until_ready(0.01)
    await stage.open()
    assert stage.view.ready.is_set() and await stage.view.until_ready(0.01)
    assert stage.seen()["steps"]["amazon"]["state"] == "running"


async def test_deltas_lead_to_what_a_new_view_is_told(stage: Stage):
    await stage.open()
    stage.begin()
    question = InputClarification(user_guidance="Which year?", path="google")
    stories: list[list[AnyEvent]] = [
        [StepStarted("amazon"), StepStarted("google")],
        [TextStreamed("amazon", "a")],
        [TextStreamed("amazon", "b"), TextStreamed("amazon", "\x1b")],
        [StepDone("amazon", 1, "x" * 3_000), ClarificationRaised("google", question)],
        [ClarificationResolved(question.id, "2024"), StepStarted("google", 2)],
        [StepDone("google", 2, {"a": 1}), StepStarted("faster"), StepDone("faster", 1, "up")],
        [RunCompleted("faster")],
    ]
    for events in stories:
        count = len(stage.channel.sent)
        stage.happen(*events)
        await stage.channel.until(lambda count=count: len(stage.channel.sent) > count)
        before = stage.seen()
        stage.channel.hear({"type": "ready"})
        await stage.channel.until(lambda: stage.channel.sent[-1]["type"] == "full")
        after = stage.seen()
        for key in ("now", "picture"):
            before.pop(key), after.pop(key)
        assert before == after


@pytest.mark.alone
async def test_a_burst_of_events_is_few_messages_and_its_last_one_arrives(stage: Stage):
    await stage.open()
    stage.begin()
    stage.happen(StepStarted("amazon"))
    for i in range(300):
        stage.happen(TextStreamed("amazon", f"{i} "))
        if i % 10 == 0:
            await asyncio.sleep(0.01)
    stage.happen(StepDone("amazon", 1, "the end"))
    await stage.channel.until(lambda: stage.seen()["steps"]["amazon"].get("state") == "done")
    deltas = stage.channel.times[1:]
    assert len(deltas) < 25
    assert all(b - a > 0.9 / RATE_HZ for a, b in pairwise(deltas))
    assert stage.seen()["steps"]["amazon"]["output"] == {"text": "the end"}


async def test_20_steps_of_2_kb_are_at_most_45_kb():
    stage = Stage(chain(20, task="Search for the latest growth data of one company."))
    await stage.open()
    stage.begin()
    for i in range(20):
        count = len(stage.channel.sent)
        # Text that doesn't shrink: 2,000 bytes of hex digits.
        text = "".join(f"{hash((i, j)) & 0xFFFFFFFF:08x}" for j in range(250))
        stage.happen(StepStarted(f"step_{i}"), StepDone(f"step_{i}", 1, text))
        await stage.channel.until(lambda count=count: len(stage.channel.sent) > count)
    assert stage.channel.bytes < 45_000
    assert "cut" not in stage.seen()["steps"]["step_19"]["output"]


async def test_an_answer_is_handed_over_once_and_again_after_it_was_refused(stage: Stage):
    stage.begin()
    question = MultipleChoiceClarification(options=(1, {"a": 2}), user_guidance="?", path="amazon")
    stage.happen(ClarificationRaised("amazon", question))
    await stage.open()
    answer = {"type": "answer", "id": str(question.id), "value": {"option": 1}}
    for _ in range(3):
        stage.channel.hear(answer)
    await stage.channel.until(lambda: bool(stage.answers))
    stage.view.refuse(str(question.id), "not that\x1b")
    await stage.channel.until(lambda: "refused" in stage.channel.sent[-1])
    assert stage.channel.sent[-1]["refused"] == {"id": str(question.id), "message": "not that␛"}
    assert stage.answers == [(question.id, {"a": 2})]
    stage.channel.hear({**answer, "value": {"option": 0}})
    await stage.channel.until(lambda: len(stage.answers) == 2)
    assert stage.answers[1] == (question.id, 1)


async def test_an_answer_that_means_nothing_is_refused_or_ignored(stage: Stage):
    stage.begin()
    question = MultipleChoiceClarification(options=(1,), user_guidance="?", path="amazon")
    stage.happen(ClarificationRaised("amazon", question))
    await stage.open()
    for strange in (None, [], {"type": "answer"}, {"type": "answer", "id": "clar-x", "value": 1}):
        stage.channel.hear(strange)
    stage.channel.hear({"type": "answer", "id": str(question.id), "value": {"option": 7}})
    await stage.channel.until(lambda: "refused" in stage.channel.sent[-1])
    assert stage.answers == []


async def test_a_question_outside_the_run_is_shown_until_it_is_withdrawn(stage: Stage):
    await stage.open()
    question = InputClarification(user_guidance="Run this plan?")
    stage.view.ask(question)
    await stage.channel.until(lambda: bool(stage.seen()["questions"]))
    stage.channel.hear({"type": "answer", "id": str(question.id), "value": "yes"})
    await stage.channel.until(lambda: bool(stage.answers))
    stage.view.withdraw(str(question.id))
    await stage.channel.until(lambda: not stage.seen()["questions"])
    assert stage.answers == [(question.id, "yes")]


async def test_stop_is_handed_over_from_any_thread(stage: Stage):
    threading.Thread(target=stage.channel.hear, args=({"type": "stop"},)).start()
    await stage.channel.until(lambda: stage.stops == 1)
    assert stage.stops == 1


async def test_a_front_end_that_went_away_stops_nothing(
    stage: Stage, caplog: pytest.LogCaptureFixture
):
    await stage.open()

    def refuse(content: Any, buffers: Any = None) -> None:
        stage.channel.arrived.set()
        raise ConnectionError("the browser is gone")

    stage.channel.send = refuse  # type: ignore[method-assign]
    stage.channel.arrived.clear()
    stage.begin()
    await stage.channel.arrived.wait()
    assert not [r for r in caplog.records if r.levelname in ("ERROR", "CRITICAL")]


async def test_at_the_end_the_output_holds_no_widget_and_the_widget_is_closed(stage: Stage):
    await stage.open()
    stage.begin()
    stage.happen(StepDone("faster", 1, "Amazon"), RunCompleted("faster"))
    stage.view.finish()
    await stage.channel.until(lambda: stage.channel.closed)
    data, update, display_id = stage.publisher.shown[-1]
    assert update and display_id == stage.view.display_id
    assert WIDGET_MIME not in data
    assert "Amazon" in data["text/html"] and "Amazon" in data["text/plain"]
    assert stage.channel.sent[-1]["head"]["state"] == "COMPLETE"


@pytest.mark.parametrize("is_drawn", [True, False])
async def test_its_code_is_taken_back_only_where_no_page_drew_it(stage: Stage, is_drawn: bool):
    if is_drawn:
        await stage.open()
    else:
        stage.view.show()
    stage.view.finish()
    await stage.channel.until(lambda: stage.channel.closed)
    assert stage.channel.was_taken_back is not is_drawn


async def test_a_page_that_was_reloaded_keeps_its_view_at_the_end(stage: Stage):
    await stage.open()
    await stage.open()
    stage.view.finish()
    await asyncio.sleep(0.05)
    assert not stage.channel.closed


async def test_a_loop_that_is_closed_makes_no_noise(stage: Stage):
    loop = asyncio.new_event_loop()
    channel = FakeChannel()
    view = LiveView(
        two_searches(), loop=loop, publisher=stage.publisher, open_channel=lambda: channel,
        on_answer=lambda *_: None, on_stop=lambda: None,
    )  # fmt: skip
    view.show()
    loop.close()
    channel.hear({"type": "ready"})
    view.finish()


async def test_the_widget_itself_carries_the_view_and_no_state_of_the_run():
    from portia_nb.notebook.run_widget import RunWidget

    widget = RunWidget()
    assert "drawRun" in widget._esm and ".portia-view" in widget._css  # type: ignore[attr-defined]
    stored = widget._esm + widget._css  # type: ignore[attr-defined]
    assert len(stored.encode()) < 58_000, "with its other keys each widget adds under 60 kB"
    assert len(json.dumps(widget.get_state(drop_defaults=True))) < 60_000
    assert not {"view", "steps", "run"} & set(widget.keys)
    widget.close()


async def test_a_view_that_stands_when_the_kernel_ends_leaves_its_record_once() -> None:
    """A saved notebook would show the widget, dead, and not the record that lies beside it."""
    stage, views = Stage(chain(2)), Leaving()
    stage.begin()
    views.add(stage.view)
    for _ in range(2):
        views.leave_records()
    shown, update, display_id = stage.publisher.shown[-1]
    assert len(stage.publisher.shown) == 2
    assert (update, display_id) == (True, stage.view.display_id)
    assert WIDGET_MIME not in shown and "text/html" in shown


async def test_a_view_that_can_leave_no_record_holds_up_no_other() -> None:
    broken, sound, views = Stage(chain(2)), Stage(chain(2)), Leaving()
    for stage in (broken, sound):
        views.add(stage.view)
    broken.publisher.publish = None  # type: ignore[method-assign,assignment]
    views.leave_records()
    assert len(sound.publisher.shown) == 2
