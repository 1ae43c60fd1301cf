"""N27: maps by their ids: shown, explained, exported, timed, stopped, replayed, gone on with."""

from __future__ import annotations

import csv
import inspect
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from portia_nb import Config, Input, Plan, PlanBuilderV2, Portia
from portia_nb.errors import (
    FunctionsMissing,
    InvalidOption,
    InvalidPlanRunStateError,
    PlanRunNotFoundError,
)
from portia_nb.planning import bound
from portia_nb.session.map_options import MapOptions, options_of
from portia_nb.session.maps import Maps

NASTY = "=HYPERLINK(<script>)"


def measure(city: str) -> dict[str, Any]:
    """Refuse one city."""
    if city == "Nowhere":
        raise ValueError("no such city")
    return {"letters": len(city), "said": NASTY}


def measuring(effect: bool | None = None) -> Plan:
    return (
        PlanBuilderV2("measure cities")
        .input(name="city")
        .function_step(
            function=measure, args={"city": Input("city")}, step_name="measure", side_effect=effect
        )
        .build()
    )


ROWS = [{"city": "Oslo"}, {"city": "Nowhere"}, {"city": "-5"}]


@pytest.fixture(params=["memory", "journal"])
def portia(request: pytest.FixtureRequest, tmp_path: Path) -> Portia:
    store = "memory" if request.param == "memory" else str(tmp_path / "store")
    return Portia(Config(store=store), tools=[])


def test_a_map_is_shown_explained_and_timed_by_the_beginning_of_its_id(portia: Portia):
    made = portia.map(measuring(), ROWS)
    assert portia.show(made.id[:12]).outputs == made.outputs
    why = portia.why(made.id)
    assert "done, 1 of 3 rows failed" in why
    assert (
        f"row 1 failed at step measure: ValueError: no such city (run {made.rows[1].run_id})" in why
    )
    assert portia.why(made.rows[1].run_id).splitlines()[0].endswith("no such city")
    bars = portia.timeline(made).bars
    assert [(bar.path, bar.state) for bar in bars] == [
        ("row[0]", "done"),
        ("row[1]", "failed"),
        ("row[2]", "done"),
    ]
    for refused in (portia.get_run, portia.fork):
        with pytest.raises(PlanRunNotFoundError, match=r"is a map, which is many runs"):
            refused(made.id)
    with pytest.raises(InvalidOption, match="is no map"):
        portia.runs(of_map="prun-1")
    with pytest.raises(PlanRunNotFoundError):
        portia.show("map-0000")


def test_a_map_is_exported_as_a_table_a_document_and_a_page(portia: Portia, tmp_path: Path):
    made = portia.map(measuring(), ROWS, plan_run_inputs=None)
    table = portia.export(made.id, tmp_path / "m.csv")
    with table.path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["output.letters"] for row in rows] == ["4", "", "2"]
    assert [row["city"] for row in rows] == ["Oslo", "Nowhere", "-5"]
    assert rows[0]["output.said"] == f"'{NASTY}"  # no formula in a spreadsheet
    assert rows[1]["error"] == "ValueError: no such city"
    document = json.loads(portia.export(made, tmp_path / "m.json").path.read_text())
    assert (document["id"], document["state"]) == (made.id, made.state)
    assert document["rows"][0]["output"] == {"letters": 4, "said": NASTY}
    page = portia.export(made, tmp_path / "m.html").path.read_text()
    assert "<script" not in page and "no such city" in page and made.id in page
    bare = portia.export(made, tmp_path / "bare.csv", values=False).path.read_text()
    assert "Oslo" not in bare and NASTY not in bare and "failed" in bare
    with pytest.raises(InvalidOption, match=r"\.csv: its table"):
        portia.export(made, tmp_path / "m.py")


def test_keys_and_passwords_leave_no_map(tmp_path: Path):
    portia = Portia(Config(store="memory", openai_api_key="sk-very-secret-0123456789"), tools=[])
    rows = [{"city": "sk-very-secret-0123456789"}]
    made = portia.map(measuring(), rows)
    for suffix in ("csv", "json", "html"):
        done = portia.export(made, tmp_path / f"m.{suffix}")
        assert "very-secret" not in done.path.read_text()
        assert done.redacted


def test_a_forgotten_map_takes_the_runs_of_its_rows_along(portia: Portia):
    kept = portia.map(measuring(), ROWS[:1])
    made = portia.map(measuring(), ROWS[1:])
    portia.forget(made)
    assert [run.id for run in portia.runs()] == [kept.id]
    assert portia.runs(of_map=kept.id).total == 1
    assert len(portia.store.find_runs()) == 2


def test_a_map_is_stopped_by_its_id_starts_no_further_row_and_says_what_it_took_over(
    tmp_path: Path,
):
    begun, gate, calls = threading.Event(), threading.Event(), list[str]()

    def look(city: str) -> str:
        calls.append(city)
        if city == "Rome" and not gate.is_set():
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
    rows = [{"city": name} for name in ("Oslo", "Rome", "Paris", "Bern")]
    live = portia.start_map(plan, rows, MapOptions(max_parallel=1))
    assert begun.wait(10)
    assert portia.get_map(live.id).state == "running, 1 of 4 rows are done"
    with pytest.raises(InvalidPlanRunStateError, match=r"under way in this process: cancel\('map-"):
        portia.map(plan, rows)
    stopped = portia.cancel(live.id, reason="enough")
    gate.set()
    live.done.result(10)
    assert stopped.state == "stopped, 1 of 4 rows are done"
    assert portia.get_map(live.id).stop_reason == "enough"
    assert "stopped, 1 of 4 rows are done: enough" in str(portia.get_map(live.id))
    assert calls == ["Oslo", "Rome"]
    done = portia.map(plan, rows)
    assert (done.id, done.is_complete, done.already) == (live.id, True, 1)
    assert "it went on: 1 of 4 rows had been done and was not run again" in str(done)
    assert calls.count("Oslo") == 1
    assert portia.cancel(done).is_complete  # nothing to stop


def test_a_side_effect_that_may_have_happened_is_asked_about_and_not_made_again(tmp_path: Path):
    """As after a kill in the midst of a call: the row's run has begun it, and nobody knows more."""
    from tests.session import mapped_in_a_process as program

    begin = (
        "from tests.session.mapped_in_a_process import *;"
        f"Portia(Config(store={str(tmp_path)!r}), tools=[]).map(sending(), ROWS[:3])"
    )
    environment = {**os.environ, "DIE_WHEN_SENDING": "1"}
    command = [sys.executable, "-c", begin]
    ended = subprocess.run(command, check=False, timeout=15, env=environment)
    assert ended.returncode == 9
    program.SENT.clear()
    portia = Portia(Config(store=str(tmp_path)), tools=[])
    line = portia.runs()[0]
    assert (line.state, line.rows) == ("process died", 3)
    assert portia.get_map(line.id).stop_reason == "its process died"
    found = portia.map(program.sending(), program.ROWS[:3])
    assert found.id == line.id
    assert program.SENT == ["city 1", "city 2"]
    assert "nobody here knows" in found.waiting[0].question
    assert [row.state.value for row in found.rows] == ["waiting", "done", "done"]


def test_going_on_without_the_functions_says_so_and_fails_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    portia = Portia(Config(store=str(tmp_path)), tools=[])
    made = portia.map(measuring(), ROWS)
    monkeypatch.setattr(bound, "built_plan", lambda _: None)
    monkeypatch.setattr("portia_nb.session.opening.built_plan", lambda _: None)
    with pytest.raises(
        FunctionsMissing, match=r"run the cell that builds the plan, then map\('map-"
    ):
        portia.map(made.id)
    assert portia.get_map(made.id).rows[1].attempt == made.rows[1].attempt


def test_a_replayed_map_has_the_same_ids_and_bytes_each_time(tmp_path: Path):
    record = tmp_path / "record.json"
    Portia(Config(store="memory"), tools=[]).recording(record).map(measuring(True), ROWS)
    program = "; ".join(
        [
            "import sys",
            "from tests.session.test_map_by_id import measuring, ROWS",
            "from portia_nb import Config, Portia",
            f"portia = Portia(Config(store='memory', replay={str(record)!r}), tools=[])",
            "made = portia.map(measuring(True), ROWS, max_parallel=3)",
            "portia.export(made, sys.argv[1]); portia.export(made, sys.argv[2])",
            "print(made)",
        ]
    )
    told: list[Any] = []
    for name in ("a", "b"):
        files = [tmp_path / f"{name}.json", tmp_path / f"{name}.html"]
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, files)],
            check=True,
            capture_output=True,
            timeout=15,
        )
        document = files[0].read_text()
        # Each process builds its plan anew, and a plan built by hand has an id of its own.
        plan_id = json.loads(document)["plan"]["id"]
        texts = [document, files[1].read_text(), done.stdout.decode()]
        told.append([text.replace(plan_id, "") for text in texts])
    assert told[0] == told[1]
    assert "map-" in told[0][0]


def test_the_twin_takes_the_arguments_of_map_and_names_a_wrong_one():
    taken = set(inspect.signature(Maps.map).parameters) - {"self", "plan", "rows"}
    assert options_of(dict.fromkeys(taken)) is not None
    with pytest.raises(TypeError, match="no argument 'limt': did you mean 'limit'"):
        options_of({"limt": 1})
    with pytest.raises(TypeError, match="'gate'"):
        options_of({"gate": True})
