"""Each thing that people rely on has tests: those of `rows.toml` exist, and speak of its names."""

from __future__ import annotations

import ast
import functools
import tomllib
from pathlib import Path
from typing import Any

import pytest

from portia_nb import Config, LocalDataValue, Plan, Portia
from tests.servers.openai_server import OpenAIServer

ROOT = Path(__file__).parents[2]
ROWS: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "rows.toml").read_text(encoding="utf-8")
)["row"]


@functools.cache
def found_in(file: str) -> frozenset[str]:
    """Return the names of the tests in a file, without importing it."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = (n for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(f.name for f in functions if f.name.startswith("test_"))


@pytest.mark.parametrize("row", ROWS, ids=[row["what"][:60] for row in ROWS])
def test_the_row_has_tests_that_exist_and_speak_of_its_names(row: dict[str, Any]):
    assert row.keys() == {"what", "marked", "names", "tests"}
    assert row["marked"] in ("must", "should")
    assert row["tests"]
    assert row["names"]
    places = [test.split("::") for test in row["tests"]]
    missing = [name for file, name in places if name not in found_in(file)]
    assert missing == []
    files = {file for file, _ in places}
    # A program of a story stands beside its test.
    programs = sorted((ROOT / "tests" / "stories" / "old_code").glob("*.txt"))
    beside = programs if any("test_old_code" in file for file in files) else []
    said = "\n".join(p.read_text("utf-8") for p in [*(ROOT / file for file in files), *beside])
    assert [name for name in row["names"] if name not in said] == []


def test_no_row_is_told_twice():
    told = [row["what"] for row in ROWS]
    assert len(told) == len(set(told))


def test_every_test_of_where_ours_is_right_is_in_a_row():
    file = "tests/api/test_where_ours_is_right.py"
    named = {test.partition("::")[2] for row in ROWS for test in row["tests"] if file in test}
    # These belong to a row by another test of the same thing.
    others = {
        "test_the_plain_forms_work_inside_a_running_loop",
        "test_one_plan_runs_many_times_at_once",
    }
    assert found_in(file) - named == others


# -- what no other test holds --------------------------------------------------------------------


def test_an_output_gives_its_value_its_summary_and_its_text():
    output = LocalDataValue(value={"a": [1]}, summary="one")
    assert output.get_value() == output.full_value() == {"a": [1]}
    assert output.get_summary() == "one"
    assert output.serialize_value() == '{"a": [1]}'
    assert LocalDataValue(value="text").serialize_value() == "text"
    assert LocalDataValue(value=None).get_summary() is None


def test_a_planned_step_whose_condition_is_false_is_skipped():
    plan = Plan.model_validate(
        {
            "plan_context": {"query": "Greet", "tool_ids": []},
            "plan_inputs": [{"name": "$who"}],
            "steps": [
                {
                    "task": "Greet", "inputs": [{"name": "$who", "description": "whom"}],
                    "tool_id": None, "output": "$greeting",
                },
                {
                    "task": "Shout", "inputs": [{"name": "$greeting", "description": "it"}],
                    "tool_id": None, "output": "$shout", "condition": "$greeting is a quiet one",
                },
            ],
        }
    )  # fmt: skip
    with OpenAIServer(["Hello!", {"holds": False}]) as server:
        config = Config(store="memory", base_url=server.url, openai_api_key="sk-rows")
        run = Portia(config, tools=[]).run_plan(plan, plan_run_inputs={"who": "Ada"})
    assert run.state == "COMPLETE", run.error
    assert list(run.outputs.step_outputs) == ["$greeting"]
    assert run.outputs.final_output is not None
    assert run.outputs.final_output.value == "Hello!"
