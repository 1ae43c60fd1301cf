"""N27: a plan over the rows of a table: what runs, what is found again, and how it goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest
from pydantic import BaseModel

from portia_nb import (
    Config,
    Input,
    InvalidPlanRunStateError,
    Plan,
    PlanBuilderV2,
    PlanRunState,
    Portia,
    tool,
)
from portia_nb.errors import InputsMissing, InvalidOption, PlanRunNotFoundError
from portia_nb.session.map_options import MapOptions
from portia_nb.session.map_row import RowState
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Reply

DONE, FAILED, WAITING = RowState.DONE, RowState.FAILED, RowState.WAITING


class Spot(BaseModel):
    name: str


class Cities:
    """A plan over cities, and what it was called with."""

    def __init__(self, effect: bool | None = None, bad: str = "") -> None:
        self.calls: list[str] = []
        self.bad = {bad}
        self._effect = effect

    def plan(self) -> Plan:
        calls, bad = self.calls, self.bad

        def measure(city: str, size: int) -> dict[str, Any]:
            calls.append(city)
            if city in bad:
                raise ValueError(f"no map of {city}")
            return {"letters": len(city), "size": size}

        return (
            PlanBuilderV2("measure cities")
            .input(name="city")
            .input(name="size", default_value=1)
            .function_step(
                function=measure,
                args={"city": Input("city"), "size": Input("size")},
                step_name="measure",
                side_effect=self._effect,
            )
            .build()
        )


def frame(*cities: str) -> pandas.DataFrame:
    index = [f"row {number}" for number in range(len(cities))]
    return pandas.DataFrame({"city": cities, "note": ["n"] * len(cities)}, index=index)


@pytest.fixture(params=["memory", "journal"])
def portia(request: pytest.FixtureRequest, tmp_path: Path) -> Portia:
    store = "memory" if request.param == "memory" else str(tmp_path / "store")
    return Portia(Config(store=store), tools=[])


def test_outputs_come_back_beside_the_rows_they_belong_to(portia: Portia):
    found = portia.map(Cities().plan(), frame("Oslo", "Lisbon"), plan_run_inputs={"size": 7})
    table = found.to_frame()
    assert list(table.index) == ["row 0", "row 1"]
    assert list(table["note"]) == ["n", "n"]
    assert table["output"].tolist() == [{"letters": 4, "size": 7}, {"letters": 6, "size": 7}]
    assert list(table["output.letters"]) == [4, 6]
    assert set(table["state"]) == {"done"}
    assert [run.final_output.value["letters"] for run in found.runs] == [4, 6]
    assert all(run.state is PlanRunState.COMPLETE for run in found.runs)
    assert next(iter(found.to_frame(columns=False).columns)) == "output"


def test_a_map_is_one_line_in_lists_its_rows_are_another_list_and_it_is_not_the_latest_run(
    portia: Portia,
):
    cities = Cities(bad="Rome")
    mapped = portia.map(cities.plan(), [{"city": "Oslo"}, {"city": "Rome"}])
    (line,) = portia.runs()
    assert (line.id, line.steps_done, line.rows) == (mapped.id, 1, 2)
    assert line.state == mapped.state == "done, 1 of 2 rows failed"
    assert "1/2 rows" in repr(portia.runs())
    assert portia.runs(state="failed").total == 1
    assert portia.runs(state="stopped").total == 0
    listed = portia.runs(of_map=mapped.id)
    assert {run.id for run in listed} == {str(run.id) for run in mapped.runs}
    assert {run.steps_done for run in listed} == {0, 1}
    cities.bad.clear()
    assert mapped.retry().state == portia.runs()[0].state == "done"
    assert portia.storage.get_plan_runs().count == 2
    assert portia.show().state == "COMPLETE"


def test_a_changed_cell_runs_that_row_again_and_no_other(portia: Portia):
    cities, rows = Cities(), frame("Oslo", "Lisbon", "Rome")
    portia.map(cities.plan(), rows)
    cities.calls.clear()
    rows.loc["row 1", "city"] = "Paris"
    rows.loc["row 2", "note"] = "no input of the plan"
    found = portia.map(cities.plan(), rows)
    assert cities.calls == ["Paris"]
    assert [row.value["letters"] for row in found.rows] == [4, 5, 4]
    assert [row.reused for row in found.rows] == ["earlier", "", "earlier"]


def test_rows_in_another_order_keep_their_own_outputs(portia: Portia):
    cities, rows = Cities(), frame("Oslo", "Lisbon", "Rio")
    portia.map(cities.plan(), rows)
    cities.calls.clear()
    found = portia.map(cities.plan(), rows.iloc[::-1])
    assert cities.calls == []
    assert [(row.label, row.value["letters"]) for row in found.rows] == [
        ("row 2", 3),
        ("row 1", 6),
        ("row 0", 4),
    ]


def test_equal_rows_run_once_and_it_is_said(portia: Portia):
    cities = Cities()
    found = portia.map(cities.plan(), frame("Oslo", "Rome", "Oslo", "Oslo"))
    assert sorted(cities.calls) == ["Oslo", "Rome"]
    assert found.outputs[3] == found.outputs[0]
    assert "2 rows are the same as another" in str(found)


def test_another_plan_function_constant_or_value_seen_is_another_key(portia: Portia):
    seen: list[str] = []

    def mapped(factor: int) -> Plan:
        def grow(city: str) -> int:
            seen.append(city)
            return len(city) * factor

        return (
            PlanBuilderV2("grow")
            .input(name="city")
            .function_step(function=grow, args={"city": Input("city")}, step_name="grow")
            .build()
        )

    assert portia.map(mapped(2), frame("Oslo")).outputs == [8]
    assert portia.map(mapped(2), frame("Oslo")).outputs == [8]
    assert portia.map(mapped(3), frame("Oslo")).outputs == [12]
    assert seen == ["Oslo", "Oslo"]
    cities = Cities()
    for size in (1, 2, 1):
        portia.map(cities.plan(), frame("Oslo"), plan_run_inputs={"size": size})
    assert len(cities.calls) == 2
    portia.map(cities.plan(), frame("Oslo"), plan_run_inputs={"size": 1}, reuse=False)
    assert len(cities.calls) == 3


def test_side_effects_are_never_reused_unasked(portia: Portia):
    cities, rows = Cities(effect=True), frame("Oslo", "Oslo", "Rome")
    assert portia.map(cities.plan(), rows, limit=2).counts[DONE] == 2
    assert cities.calls == ["Oslo", "Oslo"]
    with pytest.raises(InvalidOption, match=r"1 of these 3 rows were done before.*measure"):
        portia.map(cities.plan(), rows)
    with pytest.raises(InvalidOption, match="reuse=True"):
        portia.map(cities.plan(), rows, limit=2)
    assert len(cities.calls) == 2
    portia.map(cities.plan(), rows, reuse=True)
    assert cities.calls[2:] == ["Rome"]
    portia.map(cities.plan(), rows, reuse=False)
    assert cities.calls[3:] == ["Oslo", "Oslo", "Rome"]


def test_going_on_with_one_map_repeats_no_side_effect(portia: Portia):
    cities, rows = Cities(effect=True, bad="Rome"), frame("Oslo", "Rome", "Oslo")
    first = portia.map(cities.plan(), rows)
    assert (first.counts[DONE], first.counts[FAILED]) == (2, 1)
    cities.bad.clear()
    second = portia.map(cities.plan(), rows)
    assert second.id == first.id
    assert cities.calls == ["Oslo", "Rome", "Oslo", "Rome"]
    assert second.is_complete


def test_a_failed_row_stops_no_other_and_is_tried_again(portia: Portia):
    cities = Cities(bad="Lisbon")
    found = portia.map(cities.plan(), frame("Oslo", "Lisbon", "Rome"))
    assert [row.state for row in found.rows] == [DONE, FAILED, DONE]
    error = found.to_frame()["error"]
    assert error["row 1"] == "ValueError: no map of Lisbon"
    assert error.isna().tolist() == [True, False, True]
    assert "row row 1 failed at step measure" in str(found)
    cities.calls.clear()
    cities.bad.clear()
    mended = found.retry()
    assert (mended.is_complete, cities.calls) == (True, ["Lisbon"])
    assert mended.runs[1].id == found.runs[1].id
    assert portia.get_map(found.id).outputs == mended.outputs


def test_on_error_stop_starts_no_further_row(portia: Portia):
    cities = Cities(bad="Oslo")
    found = portia.map(
        cities.plan(), frame("Oslo", "Lisbon", "Rome"), on_error="stop", max_parallel=1
    )
    assert cities.calls == ["Oslo"]
    assert [row.state.value for row in found.rows] == ["failed", "not run", "not run"]
    assert "on_error" in found.stop_reason


def test_limit_tries_the_first_rows_which_later_are_not_run_again(portia: Portia):
    cities, rows = Cities(), frame("Oslo", "Lisbon", "Rome", "Paris")
    tried = portia.map(cities.plan(), rows, limit=2)
    assert (len(tried), sorted(cities.calls)) == (2, ["Lisbon", "Oslo"])
    assert "the first 2 of 4 rows" in str(tried)
    portia.map(cities.plan(), rows)
    assert sorted(cities.calls[2:]) == ["Paris", "Rome"]


def test_a_row_that_asks_waits_and_the_others_go_on(portia: Portia):
    plan = (
        PlanBuilderV2("approve cities")
        .input(name="city")
        .if_(lambda city: city == "Paris", {"city": Input("city")})
        .user_input(message="Which Paris?", step_name="which")
        .endif()
        .function_step(function=lambda city: city, args={"city": Input("city")})
        .build()
    )
    rows = frame("Oslo", "Paris", "Rome")
    found = portia.map(plan, rows)
    assert [row.state for row in found.rows] == [DONE, WAITING, DONE]
    assert "Which Paris?" in found.waiting[0].question
    assert ".answer('row 1', …)" in str(found)
    assert portia.get_map(found.id).counts[DONE] == 2
    found.answer("row 1", "France")
    assert found.retry().is_complete
    declared = portia.map(plan, frame("Paris"), reuse=False, answers={"which": "Texas"})
    assert declared.is_complete


def test_a_waiting_row_is_told_when_the_map_is_read_again(portia: Portia):
    plan = PlanBuilderV2("ask").input(name="city").user_input(message="Which?").build()
    found = portia.map(plan, [{"city": "Paris"}])
    assert found.state == "needs you, 1 of 1 rows wait for an answer"
    kept = portia.get_map(found.id)
    assert (kept.state, kept.waiting[0].question) == (found.state, found.waiting[0].question)
    assert portia.runs(state="needs you")[0].id == found.id


@pytest.mark.parametrize(
    ("rows", "options", "says"),
    [
        ([{"town": "Oslo"}], {}, r"needs 'city'.*'town'"),
        ([{"citty": "Oslo"}], {}, r"did you mean 'citty'"),
        ([{"town": "Oslo"}], {"inputs": {"city": "tonw"}}, r"did you mean 'town'"),
        ([{"city": "Oslo"}], {"inputs": {"cty": "city"}}, r"no input 'cty'.*did you mean 'city'"),
        ([{"city": "Oslo"}, {"town": "Rome"}], {}, r"row 1 has no 'city'"),
        ([{"city": "Oslo"}], {"plan_run_inputs": {"sice": 1}}, r"did you mean 'size'"),
        ([{"city": "Oslo"}, "Rome"], {}, r"row 1 is str 'Rome'"),
        ("Oslo", {}, r"a DataFrame or dicts"),
        (7, {}, r"not int"),
        ([{"city": "Oslo"}], {"limit": 0}, r"1 or more"),
        ([{"city": "Oslo"}], {"max_parallel": 0}, r"1 or more"),
        ([{"city": "Oslo"}], {"on_error": "ignore"}, r"'continue'"),
        ([{"city": "Oslo"}], {"budget": "much"}, r"20k tokens"),
    ],
)
def test_what_cannot_be_mapped_is_refused_before_anything_runs(
    rows: Any, options: dict[str, Any], says: str
):
    cities = Cities()
    with pytest.raises((InvalidOption, InputsMissing), match=says):
        Portia(Config(store="memory"), tools=[]).map(cities.plan(), rows, **options)
    assert cities.calls == []


def test_a_column_of_another_name_is_named(portia: Portia):
    rows = pandas.DataFrame({"City name": ["Oslo"], "size": [3]})
    found = portia.map(Cities().plan(), rows, inputs={"city": "City name"}, output="measured")
    assert found.to_frame()["measured.size"].tolist() == [3]
    mappings = ({"city": name} for name in ("Oslo", "Rome"))
    assert len(portia.map(Cities().plan(), mappings)) == 2
    assert len(portia.map(Cities().plan(), [])) == 0


def test_missing_numbers_and_texts_reach_the_plan_as_python_values(portia: Portia):
    kinds: list[Any] = []

    def look(city: Any, size: Any) -> None:
        kinds.append((type(city), type(size)))

    plan = (
        PlanBuilderV2("look")
        .input(name="city")
        .input(name="size")
        .function_step(function=look, args={"city": Input("city"), "size": Input("size")})
        .build()
    )
    rows = pandas.DataFrame({"city": ["Oslo", pandas.NA], "size": [1, 2]})
    assert portia.map(plan, rows, max_parallel=1).is_complete
    assert kinds == [(str, int), (type(None), int)]


def test_rows_run_beside_each_other_up_to_a_limit():
    under_way, most, lock = 0, 0, threading.Lock()
    gate = threading.Barrier(3, timeout=10)

    def look(city: str) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        gate.wait()
        with lock:
            under_way -= 1

    plan = (
        PlanBuilderV2("look")
        .input(name="city")
        .function_step(function=look, args={"city": Input("city")})
        .build()
    )
    Portia(Config(store="memory"), tools=[]).map(
        plan, [{"city": str(number)} for number in range(9)], max_parallel=3
    )
    assert most == 3


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        program = [sys.executable, "-m", "tests.session.mapped_in_a_process"]
        made = subprocess.Popen([*program, str(tmp_path / "store"), str(tmp_path / "calls")])
        started.append(made)
        return made

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_killed_map_goes_on_and_runs_no_finished_row_again(
    tmp_path: Path, child: Callable[[], subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
):
    from tests.session import mapped_in_a_process as program

    calls = tmp_path / "calls"
    process = child()
    deadline = time.monotonic() + 15
    while not calls.exists() or len(calls.read_text().splitlines()) < 12:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    monkeypatch.setattr(program, "CALLS", calls)
    before = calls.read_text().splitlines()
    portia = Portia(Config(store=str(tmp_path / "store")), tools=[])
    found = portia.map(program.plan(), program.ROWS)
    after = calls.read_text().splitlines()
    assert found.is_complete
    assert found.outputs == [len(row["city"]) for row in program.ROWS]
    assert set(after) == {row["city"] for row in program.ROWS}
    # Only what was under way when it was killed may be called twice: two rows at most.
    assert len(after) - len(set(after)) <= 2
    assert after[: len(before)] == before
    assert portia.get_map(found.id).is_complete


def test_a_map_is_stopped_and_goes_on_by_its_id(tmp_path: Path):
    gate, begun = threading.Event(), threading.Event()
    calls: list[str] = []

    def look(city: str) -> str:
        calls.append(city)
        if city == "Rome":
            begun.set()
            gate.wait(10)
        return city

    plan = (
        PlanBuilderV2("look")
        .input(name="city")
        .function_step(
            function=look, args={"city": Input("city")}, step_name="look", side_effect=False
        )
        .build()
    )
    portia = Portia(Config(store=str(tmp_path)), tools=[])
    rows = [{"city": name} for name in ("Oslo", "Rome", "Paris")]
    live = portia.start_map(plan, rows, MapOptions(max_parallel=1))
    assert begun.wait(10)
    live.stop()
    gate.set()
    live.done.result(10)
    stopped = portia.result_of(live)
    assert [row.state.value for row in stopped.rows] == ["done", "stopped", "not run"]
    done = Portia(Config(store=str(tmp_path)), tools=[]).map(stopped.id)
    assert (done.outputs, calls.count("Oslo")) == (["Oslo", "Rome", "Paris"], 1)
    assert done.to_frame()["city"].tolist() == ["Oslo", "Rome", "Paris"]
    with pytest.raises(PlanRunNotFoundError):
        portia.get_map("map-0")


async def test_rows_of_coroutines_run_on_the_callers_loop():
    import asyncio

    home = asyncio.get_running_loop()

    async def look(city: str) -> bool:
        await asyncio.sleep(0)
        return asyncio.get_running_loop() is home

    plan = (
        PlanBuilderV2("look")
        .input(name="city")
        .function_step(function=look, args={"city": Input("city")})
        .build()
    )
    found = await Portia(Config(store="memory"), tools=[]).amap(plan, [{"city": "Oslo"}])
    assert found.outputs == [True]


def test_all_rows_share_one_budget_and_each_tells_its_cost(tmp_path: Path):
    plan = (
        PlanBuilderV2("describe")
        .input(name="city")
        .llm_step(task="Describe the city", inputs=[Input("city")], step_name="say")
        .build()
    )
    rows = frame(*(f"city {number}" for number in range(12)))
    with OpenAIServer(lambda _: Reply(text="fine", usage=(100, 10))) as server:
        config = Config(
            store=str(tmp_path),
            base_url=server.url,
            openai_api_key="sk-test-0123",
            default_model="openai/own",
        )
        portia = Portia(config, tools=[])
        found = portia.map(plan, rows, budget="5 calls")
        assert (len(server.requests), found.counts[DONE]) == (5, 5)
        assert ".retry(budget=…)" in str(found)
        assert found.cost.money == "unknown"
        assert found.to_frame()["tokens"].sum() == 550
        # What was spent counts on: in a new process, by the same call.
        more = Portia(config, tools=[]).map(plan, rows, budget="8 calls")
        assert (len(server.requests), more.counts[DONE], more.id) == (8, 8, found.id)
        assert more.cost.calls == 8
        assert more.retry(budget="12 calls").is_complete
        assert len(server.requests) == 12


def test_what_rows_say_is_shown_as_text_only(portia: Portia):
    nasty = "<img src=x onerror=alert(1)> $x$ \x1b[31m"
    found = portia.map(Cities(bad=nasty).plan(), frame(nasty, "Oslo"))
    html = found._repr_html_()
    assert "<img" not in html and "&lt;img" in html
    assert "\x1b" not in str(found) + html


def test_a_row_tells_its_map_and_the_map_is_no_run(portia: Portia):
    found = portia.map(Cities().plan(), frame("Oslo"))
    created = portia.store.load_events(found.rows[0].run_id or "")[0].event
    assert created.map_id == found.id
    with pytest.raises(InvalidPlanRunStateError, match=r"is a map.*portia\.map"):
        portia.resume(found.id)


def test_a_row_that_is_taken_over_has_what_its_tool_put_out_as_what_it_was(tmp_path: Path):
    @tool(side_effect=False)
    def locate(city: str) -> Spot:
        """Tell where a city is."""
        return Spot(name=city)

    builder = PlanBuilderV2("locate").input(name="city")
    plan = builder.invoke_tool_step(tool="locate", args={"city": Input("city")}).build()
    home = Portia(Config(store=str(tmp_path)), tools=[locate])
    first, second = (home.map(plan, frame("Oslo")) for _ in range(2))
    assert [each.rows[0].reused for each in (first, second)] == ["", "earlier"]
    assert first.outputs == second.outputs == [Spot(name="Oslo")]
