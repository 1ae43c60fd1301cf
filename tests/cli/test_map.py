"""`portia-nb map`: rows in as CSV or JSON, a table out, and on with what isn't done."""

import asyncio
import concurrent.futures
import csv
import io
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from portia_nb import Config, Input, PlanBuilderV2, Portia
from portia_nb.cli import maps
from portia_nb.cli.terminal import Terminal
from portia_nb.session.map_options import MapOptions
from tests.cli import stories
from tests.cli.conftest import Call


def rows(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_rows_come_as_csv_go_out_as_csv_and_a_failed_one_is_told_and_gone_on_with(call: Call):
    plan = stories.written(stories.greeting())
    # Text that a template or a spreadsheet would obey is data all the way.
    source = rows("in.csv", '\ufeffn,note\n4,"a\nb"\n{number},=1\n5,c\n')
    tried = call("map", plan, source, "--column", "number=n", "--limit", "1")
    assert (tried.returncode, [row["output"] for row in table(tried.stdout)]) == (0, ["8"])
    done = call("map", plan, source, "--column", "number=n")
    found = table(done.stdout)
    assert done.returncode == 1
    assert [row["state"] for row in found] == ["done", "failed", "done"]
    assert [row["number"] for row in found] == ["4", "{number}", "5"]
    assert found[2]["output"] == "10"
    assert "done, 1 of 3 rows failed" in done.stderr
    assert "to go on: portia-nb map map-" in done.stderr
    assert "1 row was done before and not run again" in done.stderr
    listed = json.loads(call("runs", "--json").stdout)
    assert {(each["rows"], each["steps_done"]) for each in listed} == {(1, 1), (3, 2)}
    map_id = listed[0]["id"]
    again = call("map", map_id[:14])
    assert again.returncode == 1
    assert "it went on: 2 of 3 rows had been done" in again.stderr
    assert call("resume", map_id).returncode == 1
    assert len(json.loads(call("runs", "--of-map", map_id, "--json").stdout)) == 2
    shown = json.loads(call("show", map_id, "--json").stdout)
    assert [row["state"] for row in shown["rows"]] == ["done", "failed", "done"]
    assert call("export", map_id, "out.csv").returncode == 0
    assert len(table(Path("out.csv").read_text())) == 3


def test_json_in_and_out_keeps_types(call: Call, monkeypatch: pytest.MonkeyPatch):
    plan = stories.written(stories.greeting())
    lines = rows("in.jsonl", '{"number": 4}\n\n{"number": 4.5}\n')
    done = json.loads(call("map", plan, lines, "--json").stdout)
    assert [row["inputs"] for row in done["rows"]] == [{"number": 4}, {"number": 4.5}]
    assert [row["output"] for row in done["rows"]] == [8, 9]
    array = rows("in.json", '[{"number": 7}]')
    assert table(call("map", plan, array).stdout)[0]["output"] == "14"
    stdin = io.TextIOWrapper(io.BytesIO(b'{"number": 1}\n'))
    monkeypatch.setattr("sys.stdin", stdin)
    assert table(call("map", plan, "-").stdout)[0]["output"] == "2"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("in.csv", "n,n\n1,2\n", "'n'"),
        ("in.csv", "number,b\n1\n", "line 2: 1 cells, and there are 2 columns"),
        ("in.csv", 'number\n"1\n', "line 2: unexpected end of data"),
        ("in.csv", "nummer\n1\n", "--column number=COLUMN"),
        ("in.json", "{}", "an array of objects"),
        ("in.json", "[1]", "row 0: int 1"),
        ("in.jsonl", '{"number": 1}\n{', "line 2: no JSON"),
        ("in.txt", "1", ".csv, .json"),
        ("in.csv", "", "the rows have"),
    ],
)
def test_what_is_no_table_is_a_usage_error_that_says_where(
    call: Call, name: str, text: str, says: str
):
    done = call("map", stories.written(stories.greeting()), rows(name, text))
    told = (done.returncode, done.stdout)
    if text == "":  # an empty file has no rows, and nothing to do
        assert told == (0, "row,state,error,question,run_id,calls,tokens,dollars,seconds\n")
    else:
        assert told == (2, "")
        assert says in done.stderr


def test_a_map_that_writes_is_asked_about_with_the_number_of_rows_and_its_first_call(call: Call):
    writes = (
        PlanBuilderV2("write files")
        .input(name="name")
        .invoke_tool_step(
            tool="file_writer_tool",
            args={"filename": Input("name"), "content": "hi"},
            step_name="write",
        )
    )
    plan, source = stories.written(writes), rows("in.jsonl", '{"name": "a.txt"}\n{"name": "b.txt"}')
    waits = call("map", plan, source, "--limit", "2")
    assert waits.returncode == 3
    assert "portia-nb map plan.json in.jsonl --limit 2 --yes" in waits.stderr
    assert not Path("a.txt").exists()
    assert json.loads(call("runs", "--json").stdout) == []
    done = call("map", plan, source, "--yes")
    assert done.returncode == 0
    assert Path("a.txt").read_text() == Path("b.txt").read_text() == "hi"


def test_ctrl_c_stops_a_map_begins_no_further_row_and_leaves_when_it_has_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    begun: list[str] = []

    async def write(name: str) -> None:
        begun.append(name)
        await asyncio.sleep(30)

    plan = (
        PlanBuilderV2("write")
        .input(name="name")
        .function_step(function=write, args={"name": Input("name")}, step_name="write")
        .build()
    )
    portia = Portia(Config(store="memory"), tools=[])
    live = portia.start_map(plan, [{"name": "a"}, {"name": "b"}], MapOptions(max_parallel=1))
    came: list[int] = []

    def wait(futures: Any, timeout: float) -> Any:
        if begun and not came:
            came.append(1)
            signal.raise_signal(signal.SIGINT)
        return concurrent.futures.wait(futures, timeout)

    monkeypatch.setattr(maps, "wait", wait)
    assert maps._attend(Terminal(), live)
    made = portia.result_of(live)
    assert (begun, made.state) == (["a"], "stopped, 0 of 2 rows are done")
    assert "again Ctrl-C to leave at once" in capsys.readouterr().err
