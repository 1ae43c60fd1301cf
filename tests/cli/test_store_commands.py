"""`portia-nb store`: check, export, import, prune, vacuum and forget, as people type them."""

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from portia_nb import Config, PlanBuilderV2, Portia
from tests.cli.conftest import Call

JOURNAL = Path(".portia/journal.sqlite")


@pytest.fixture(autouse=True)
def _in_a_project(project: Path) -> None:
    """Run each command in a project of its own."""


@pytest.fixture
def run_id(project: Path) -> str:
    """Keep one run that is complete, and return its id."""
    portia = Portia(Config(), tools=[])
    plan = PlanBuilderV2("add").function_step(function=lambda: 42, step_name="answer").build()
    run = portia.run_plan(plan)
    portia.store.close()
    return str(run.id)


def sql(statement: str) -> None:
    with contextlib.closing(sqlite3.connect(JOURNAL)) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_check_says_whether_all_is_whole_and_ends_with_0_or_1(call: Call, run_id: str):
    done = call("store", "check")
    assert done.returncode == 0, done.stderr
    assert "all is whole: 1 runs with" in done.stdout
    assert json.loads(call("store", "check", "--json").stdout)["ok"] is True
    sql("UPDATE event SET at = 0 WHERE seq = 2")
    done = call("store", "check")
    assert done.returncode == 1
    assert f"event 2 of run {run_id} is damaged" in done.stdout
    assert f"affected runs: {run_id}" in done.stdout
    assert "store export TARGET --salvage" in done.stderr
    facts = json.loads(call("store", "check", "--json").stdout)
    assert (facts["ok"], facts["affected_runs"]) == (False, [run_id])


def test_runs_are_exported_imported_and_salvaged(call: Call, run_id: str):
    done = call("store", "export", "runs.jsonl")
    assert (done.returncode, done.stderr.split(" with ")[0]) == (0, "1 runs"), done.stderr
    again = call("store", "export", "runs.jsonl")
    assert again.returncode == 1
    assert "runs.jsonl is there already" in again.stderr
    piped = call("store", "export", "-", run_id[:12])
    assert piped.stdout.splitlines()[1:] == Path("runs.jsonl").read_text().splitlines()[1:]

    taken = call("store", "import", "runs.jsonl", "--store", "elsewhere")
    assert (taken.returncode, "1 runs added" in taken.stderr) == (0, True), taken.stderr
    shown = call("show", run_id, "--json", "--store", "elsewhere")
    assert shown.stdout == call("show", run_id, "--json").stdout

    sql("UPDATE event SET at = 0 WHERE seq = 3")
    spoilt = call("store", "export", "spoilt.jsonl")
    assert (spoilt.returncode, Path("spoilt.jsonl").exists()) == (1, False)
    assert "store export TARGET --salvage" in spoilt.stderr
    saved = call("store", "export", "saved", "--salvage")
    assert saved.returncode == 1, "something is lost"
    assert "are lost" in saved.stderr
    assert call("store", "import", "saved", "--store", "third").returncode == 0


def test_what_is_no_export_is_refused(call: Call):
    Path("notes.jsonl").write_text("hello")
    done = call("store", "import", "notes.jsonl")
    assert done.returncode == 1
    assert "notes.jsonl, line 1: it is not JSON" in done.stderr
    assert (
        "a file is needed that `portia-nb store export` or `portia-nb export` wrote" in done.stderr
    )
    assert "isn't there" in call("store", "import", "nothing.jsonl").stderr
    assert "to which file or folder?" in call("store", "export").stderr


def test_a_check_of_a_store_that_is_not_there_says_so_and_makes_none(call: Call):
    done = call("store", "check", "--store", "mistyped")
    assert "there is no such file, so no run is kept there" in done.stdout
    assert "whole" not in done.stdout
    assert not Path("mistyped").exists()


def test_an_export_of_a_store_that_is_not_there_makes_neither(call: Call):
    done = call("store", "export", "all.jsonl", "--store", "mistyped")
    assert (done.returncode, "no run is kept in" in done.stderr) == (1, True)
    assert not Path("mistyped").exists()
    assert not Path("all.jsonl").exists()


def test_a_name_in_another_encoding_is_told_apart_from_a_damaged_store(call: Call, run_id: str):
    done = call("show", "l\udcf6schen")
    assert done.returncode == 1
    assert "half a character" in done.stderr
    assert "damaged" not in done.stderr


def test_a_run_is_salvaged_by_its_id_from_a_store_that_nothing_can_open(call: Call, run_id: str):
    JOURNAL.write_bytes(b"\0" * 100 + JOURNAL.read_bytes()[100:])
    done = call("store", "export", "a.jsonl", run_id, "--salvage")
    assert (done.returncode, done.stderr[:6]) == (0, "1 runs"), done.stderr


def test_old_runs_are_pruned_and_the_space_is_given_back(call: Call, run_id: str):
    assert call("store", "prune", "--older-than", "1d").stderr == "0 runs deleted\n"
    sql("UPDATE event SET at = 1000")  # a check would say so; pruning goes by the time
    dry = call("store", "prune", "--older-than", "1d", "--dry-run")
    assert dry.stdout == f"{run_id}  COMPLETE\n"
    assert json.loads(call("store", "prune", "--older-than", "1d", "--state", "failed", "--json")
                      .stdout) == {"dry_run": False, "runs": [], "spared": []}  # fmt: skip
    done = call("store", "prune", "--older-than", "1d", "--state", "done")
    assert (done.returncode, done.stderr) == (0, "1 runs deleted\n")
    assert "No runs" in call("runs").stderr
    assert "given back" in call("store", "vacuum").stderr
    assert "'1y' is no age" in call("store", "prune", "--older-than", "1y").stderr
    assert "no state 'x'" in call("store", "prune", "--older-than", "1d", "--state", "x").stderr


def test_a_misspelt_action_is_named(call: Call):
    done = call("store", "chek")
    assert (done.returncode, "did you mean 'check'?" in done.stderr) == (2, True)


def test_a_store_that_is_not_there_is_whole_and_stays_away(call: Call):
    assert call("store", "check").returncode == 0
    assert not Path(".portia").exists()
