"""`portia-nb diff`."""

from __future__ import annotations

import json

from tests.cli.conftest import Call
from tests.cli.stories import sums, written

STORE = ("--store", "kept")


def test_diff_shows_what_a_fork_changed_and_names_what_is_missing(call: Call):
    run = json.loads(call("run-plan", written(sums()), "--json", *STORE).stdout)["id"]
    edit = ("second", "--set", "args.math_question=2 * 100")
    fork = json.loads(call("fork", run, *edit, "--json", *STORE).stdout)["id"]
    done = call("diff", fork, *STORE)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["run", run, fork] in lines
    assert ["second", "~", "edited", "args.math_question"] in lines
    assert any(line[:3] == ["first", "=", "equal"] for line in lines)
    assert any(line[:3] == ["second", "≠", "differs"] for line in lines)
    other = call("diff", run, fork, "--json", *STORE)
    found = json.loads(other.stdout)
    assert (found["a"]["run_id"], found["b"]["run_id"]) == (run, fork)
    assert found["steps"][1]["how"] == "differs"
    alone = call("diff", run, *STORE)
    assert alone.returncode != 0
    assert "was not forked from another: name the run to compare it with" in alone.stderr
    unknown = call("diff", run, "prun-nosuch", *STORE)
    assert unknown.returncode != 0
    assert "prun-nosuch" in unknown.stderr
    assert "did you mean 'diff'?" in call("dif", run).stderr
