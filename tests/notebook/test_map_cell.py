"""N27: `%portia map` without a kernel: asked once in a form, stopped by a button, resumed by id."""

from __future__ import annotations

import asyncio
import json
import threading
import zlib
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from portia_nb import Config, Input, Plan, PlanBuilderV2, Portia
from portia_nb.errors import ApprovalRefused, WaitingForAnswer
from portia_nb.model.events import PlanApproved
from portia_nb.notebook.asking import Prompts
from portia_nb.notebook.commands.call import run_line
from portia_nb.notebook.face import Face
from portia_nb.notebook.map_view import watch
from portia_nb.notebook.viewing import open_view
from portia_nb.notebook.widget import WIDGET_MIME
from portia_nb.session.live_map import LiveMap, live_map
from portia_nb.session.mapping import prepare_map
from portia_nb.session.watchers import add_map_watcher, remove_map_watcher


class Page:
    """A channel whose other end is the test: it answers each message as `react` says."""

    model_id = "m"

    def __init__(self, react: Callable[[Page, dict[str, Any]], None]) -> None:
        self.told: list[dict[str, Any]] = []
        self.hear: Any = None
        self.closed = threading.Event()
        self._react = react

    def send(self, content: Any, buffers: Any = None) -> None:
        if content["type"] == "packed":
            content = json.loads(zlib.decompress(buffers[0]))
        self.told.append(content)
        self._react(self, content)

    def on_msg(self, callback: Any, remove: bool = False) -> None:
        self.hear = callback

    def say(self, **message: Any) -> None:
        self.hear(None, message, None)

    def close(self) -> None:
        self.closed.set()

    def take_back(self) -> None: ...


class StoppedError(Exception):
    """A cell ended as if it had been interrupted."""


class Notebook:
    """A face in a shell that is no kernel's, and what its cells show."""

    def __init__(self, portia: Portia, *, form_time_s: float = 5.0) -> None:
        self.shown: list[dict[str, Any]] = []
        self.space: dict[str, Any] = {"portia": portia}

        def publish(data: dict[str, Any], metadata: Any = None, **_: Any) -> None:
            self.shown.append(data)

        shell = SimpleNamespace(
            kernel=SimpleNamespace(_allow_stdin=False),
            user_ns=self.space,
            user_ns_hidden={},
            execution_count=1,
            display_pub=SimpleNamespace(publish=publish),
            displayhook=SimpleNamespace(),
            display_formatter=SimpleNamespace(
                format=lambda value: ({"text/plain": str(value)}, {})
            ),
            push=self.space.update,
            ev=self.space.get,
            compile=SimpleNamespace(),
        )
        settings = SimpleNamespace(ask=True, form_time_s=form_time_s, live_view=True)
        self.face = Face(shell, settings)

    async def line(self, text: str) -> Any:
        prompts = Prompts(self.face.shell)
        try:
            async with asyncio.timeout(15):
                return await run_line(self.face, text, prompts, serves=True, target="")
        except KeyboardInterrupt as error:  # which would end the test's own loop
            raise StoppedError(str(error)) from None

    @property
    def said(self) -> str:
        return "\n".join(data["text/plain"] for data in self.shown)


def mapping(call: Callable[[str], Any], effect: bool | None = None) -> Plan:
    return (
        PlanBuilderV2("write to people")
        .input(name="name")
        .function_step(
            function=call, args={"name": Input("name")}, step_name="write", side_effect=effect
        )
        .build()
    )


def writer(calls: list[str]) -> Callable[[str], None]:
    def write(name: str) -> None:
        calls.append(name)

    return write


def writing(calls: list[str]) -> Plan:
    """Return a plan that changes something outside."""
    return mapping(writer(calls), effect=True)


ROWS = [{"name": name} for name in ("Ann <b>", "Bob", "Cid", "Dan")]


@pytest.fixture
def portia() -> Portia:
    return Portia(Config(store="memory"), tools=[])


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Page]:
    """Answer the question of a plan's view as it is told."""

    def answering(answer: Any) -> Page:
        def react(page: Page, told: dict[str, Any]) -> None:
            view = told.get("view", told)
            for question in view.get("questions") or ():
                page.say(type="answer", id=question["id"], value=answer)

        page = Page(react)

        def open_and_draw(*given: Any, **more: Any) -> Any:
            view = open_view(*given, open_channel=lambda: page, **more)
            page.say(type="ready")
            return view

        monkeypatch.setattr("portia_nb.notebook.starting.open_view", open_and_draw)
        return page

    return answering


@pytest.fixture(autouse=True)
def page(monkeypatch: pytest.MonkeyPatch) -> Page:
    """The page that draws a map's view, which a test makes react."""
    page = Page(lambda *_: None)
    monkeypatch.setattr("portia_nb.notebook.map_widget.open_map_widget", lambda: page)
    return page


async def test_stop_in_the_view_begins_no_further_row_and_resume_goes_on(
    portia: Portia, page: Page
):
    begun, gate, calls = threading.Event(), threading.Event(), list[str]()

    def write(name: str) -> str:
        calls.append(name)
        if name == "Bob" and not gate.is_set():
            begun.set()
            gate.wait(10)
        return name

    notebook = Notebook(portia)
    notebook.space |= {"plan": mapping(write), "rows": ROWS}
    cell = asyncio.ensure_future(notebook.line("map plan rows --parallel 1 -o found"))
    assert await asyncio.to_thread(begun.wait, 10)
    page.say(type="ready")
    assert page.told[-1]["state"]["ended"] == 1
    assert page.told[-1]["state"]["title"] == "write to people, for each row"
    page.say(type="stop")
    gate.set()
    with pytest.raises(StoppedError, match=r"stopped, 1 of 4 rows are done.*in the view"):
        await cell
    assert calls == ["Ann <b>", "Bob"]
    assert page.told[-1]["state"]["isOver"]
    assert WIDGET_MIME in notebook.shown[0]
    assert WIDGET_MIME not in notebook.shown[-1]
    assert "Ann &lt;b&gt;" in notebook.shown[-1]["text/html"]
    found = notebook.space["found"]
    await notebook.line(f"resume {found.id} -o found")
    assert notebook.space["found"].is_complete
    assert calls.count("Ann <b>") == 1
    assert "it went on: 1 of 4 rows had been done" in notebook.said
    # What is kept is shown, explained and listed by its variable and its id.
    notebook.shown.clear()
    for line in ("show found", f"why {found.id}", "timeline found", f"runs --of-map {found.id}"):
        await notebook.line(line)
    assert "4 done" in notebook.said
    assert f"Map {found.id}: done." in notebook.said
    assert (await notebook.line("runs"))[0].rows == 4


async def test_a_map_that_changes_something_is_asked_about_once_with_the_first_call(
    portia: Portia, asked: Callable[[Any], Page]
):
    calls: list[str] = []
    notebook = Notebook(portia)
    notebook.space |= {"plan": writing(calls), "rows": iter(ROWS[:3])}
    form = asked(True)
    found = await notebook.line("map plan rows")
    assert calls == ["Ann <b>", "Bob", "Cid"]
    (question,) = [q for told in form.told for q in told.get("questions") or ()]
    assert "for each of 3 rows? 1 step changes something outside: write" in json.dumps(question)
    assert "Ann <b>" in json.dumps(question)
    events = [each.event for each in portia.store.load_events(found.id)]
    (approval,) = [event for event in events if isinstance(event, PlanApproved)]
    assert (approval.how, approval.plan_hash) == ("form", found.plan.content_hash())


async def test_a_no_maps_nothing_and_keeps_no_map(portia: Portia, asked: Callable[[Any], Page]):
    calls: list[str] = []
    notebook = Notebook(portia)
    notebook.space |= {"plan": writing(calls), "rows": ROWS}
    asked(False)
    with pytest.raises(ApprovalRefused):
        await notebook.line("map plan rows")
    assert (calls, portia.runs().total) == ([], 0)


async def test_where_nobody_can_be_asked_a_map_says_what_it_would_do_and_yes_does_it(
    portia: Portia, asked: Callable[[Any], Page], monkeypatch: pytest.MonkeyPatch
):
    calls: list[str] = []
    notebook = Notebook(portia, form_time_s=0.0)
    notebook.space |= {"plan": writing(calls), "rows": ROWS}
    nowhere = Page(lambda *_: None)
    monkeypatch.setattr(
        "portia_nb.notebook.starting.open_view",
        lambda *given, **more: open_view(*given, open_channel=lambda: nowhere, **more),
    )
    with pytest.raises(WaitingForAnswer, match=r"each of 4 rows.*--limit 1, then.*--yes"):
        await notebook.line("map plan rows")
    assert calls == []
    found = await notebook.line("map plan rows --yes")
    assert len(calls) == 4
    events = [each.event for each in portia.store.load_events(found.id)]
    assert [event.how for event in events if isinstance(event, PlanApproved)] == ["--yes"]


async def test_a_map_of_a_python_call_is_shown_and_stopped_in_its_view_and_leaves_a_record(
    portia: Portia, page: Page
):
    begun, gate = threading.Event(), threading.Event()

    def write(name: str) -> str:
        begun.set()
        gate.wait(10)
        return name

    notebook = Notebook(portia)
    add_map_watcher(watcher := partial(watch, notebook.face))
    try:
        rows = [{"name": name} for name in "abcd"]
        call = asyncio.ensure_future(portia.amap(mapping(write), rows, max_parallel=1))
        assert await asyncio.to_thread(begun.wait, 10)
        page.say(type="ready")
        page.say(type="stop")
        gate.set()
        found = await asyncio.wait_for(call, 10)
    finally:
        remove_map_watcher(watcher)
    assert found.in_state("not run")
    assert WIDGET_MIME in notebook.shown[0]
    assert WIDGET_MIME not in notebook.shown[-1]
    assert "stopped in the view; the same call goes on" in notebook.said


async def test_an_interrupted_cell_gives_its_prompt_back_and_the_view_ends_with_the_map(
    portia: Portia, page: Page, monkeypatch: pytest.MonkeyPatch
):
    begun, gate = threading.Event(), threading.Event()

    async def write(name: str) -> str:
        begun.set()
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.to_thread(gate.wait, 10)  # cleaning up takes its time
        return name

    monkeypatch.setattr("portia_nb.notebook.map_cell.STOP_TIME_S", 0.1)
    notebook = Notebook(portia)
    notebook.space |= {"plan": mapping(write), "rows": ROWS}
    cell = asyncio.ensure_future(notebook.line("map plan rows --parallel 1 -o found"))
    assert await asyncio.to_thread(begun.wait, 10)
    cell.cancel()
    with pytest.raises(StoppedError, match="still cleaning up"):
        await cell
    assert WIDGET_MIME in notebook.shown[-1]
    live = live_map(notebook.space["found"].id)
    assert live is not None
    gate.set()
    await asyncio.wrap_future(live.done)
    assert await asyncio.to_thread(page.closed.wait, 10)
    assert WIDGET_MIME not in notebook.shown[-1]
    assert "stopped, 0 of 4 rows are done: interrupted" in notebook.said


async def test_an_interrupt_while_a_map_is_made_ready_leaves_nothing_held_and_nothing_running(
    portia: Portia, monkeypatch: pytest.MonkeyPatch
):
    from portia_nb.session import map_handing

    ready, gate, given_back = threading.Event(), threading.Event(), threading.Event()
    calls: list[str] = []
    notebook = Notebook(portia)
    notebook.space |= {"plan": mapping(writer(calls)), "rows": ROWS}

    def slowly(*given: Any) -> Any:
        made = prepare_map(*given)
        ready.set()
        gate.wait(10)
        return made

    give_back = LiveMap.give_back
    monkeypatch.setattr(map_handing, "prepare_map", slowly)
    monkeypatch.setattr(LiveMap, "give_back", lambda self: (give_back(self), given_back.set()))
    cell = asyncio.ensure_future(notebook.line("map plan rows"))
    assert await asyncio.to_thread(ready.wait, 10)
    cell.cancel()
    gate.set()
    with pytest.raises(StoppedError, match="nothing was run"):
        await cell
    assert await asyncio.to_thread(given_back.wait, 10)
    assert (calls, portia.runs().total) == ([], 0)
    monkeypatch.undo()
    assert (await portia.amap(notebook.space["plan"], ROWS)).is_complete
