"""`portia-nb fork` and `portia-nb retry`."""

from __future__ import annotations

import json

from tests.cli.conftest import Call
from tests.cli.stories import greeting, sums, telling, writing, written
from tests.servers.openai_server import OpenAIServer

STORE = ("--store", "kept")


def run_of(call: Call, plan: str, *words: str) -> str:
    done = call("run-plan", plan, "--json", *STORE, *words)
    return json.loads(done.stdout)["id"]


def test_a_fork_runs_what_depends_on_the_changed_step(call: Call):
    run = run_of(call, written(sums()))
    done = call("fork", run, "second", "--set", "args.math_question=$first * 100", *STORE)
    assert done.returncode == 1  # text stays text: no reference is read into it
    done = call("fork", run, "second", "--set", "args.math_question=2 * 100", *STORE)
    assert (done.returncode, done.stdout) == (0, "200\n"), done.stderr
    assert f"fork of {run}: 1 output is reused; runs again: second" in done.stderr
    assert "reused → 42" in done.stderr
    done = call("fork", run, "--set", "first.output=7", "--json", *STORE)
    forked = json.loads(done.stdout)
    assert (forked["forked_from"], forked["outputs"]["final_output"]["value"]) == (run, 8.0)
    rows = json.loads(call("runs", "--json", *STORE).stdout)
    assert [row["forked_from"] for row in rows] == [run, run, run, None]
    assert f"  {run[:13]}  " in call("runs", "--forked-from", run, *STORE).stdout
    assert f"(forked from {run})" in call("show", forked["id"], *STORE).stdout
    assert "given by hand: 7" in call("show", forked["id"], *STORE).stdout


def test_changed_inputs_run_what_refers_to_them(call: Call):
    run = run_of(call, written(greeting()), "--input", "number=4")
    done = call("fork", run, "--input", "number=5", *STORE)
    assert (done.returncode, done.stdout.split()[0]) == (0, "10"), done.stderr


def test_what_cannot_be_forked_is_a_clear_error(call: Call):
    run = run_of(call, written(sums()))
    for words, says in (
        (("secnd",), "no step 'secnd' in this plan: did you mean 'second'?"),
        (("second", "--set", "arg=1"), "has no field 'arg' to change: did you mean 'args'?"),
        (("--set", "task=x"), "--set task: of which step?"),
        (("second", "--set", "args=3", "--set", "args.a=4"), "gives a part of what the other"),
        ((), "complete and nothing differs"),
    ):
        done = call("fork", run, *words, *STORE)
        assert done.returncode in (1, 2)
        assert says in done.stderr
        assert "Traceback" not in done.stderr


def test_a_side_effect_is_named_before_it_is_done_again(call: Call):
    run = run_of(call, written(writing()), "--yes")
    done = call("fork", run, "write", *STORE)
    assert done.returncode == 3
    assert f"portia-nb fork {run} write --yes" in done.stderr
    done = call("fork", run, "write", "--set", "args.content=again", "--yes", *STORE)
    assert done.returncode == 0, done.stderr


def test_a_failed_step_is_tried_again_and_can_be_changed_first(call: Call):
    plan = written(telling())
    key = {"OPENAI_API_KEY": "sk-test"}
    to = ("--model", "openai/any")
    run = run_of(call, plan, *to)
    with OpenAIServer(["once more", "in other words"]) as server:
        base = (*STORE, *to, "--base-url", server.url)
        done = call("retry", run, "first", *base, env=key)
        assert done.returncode == 1
        assert "'first' of run" in done.stderr
        done = call("retry", run, "--set", "task=Say it otherwise", *base, env=key)
        assert (done.returncode, done.stdout) == (0, "once more\n"), done.stderr
        assert "Say it otherwise" in server.requests[0].text
        done = call("retry", run, *base, env=key)
        assert (done.returncode, done.stdout) == (0, "in other words\n"), done.stderr
        done = call("retry", run, *base, env=key)
        assert "has not failed (state: done)" in done.stderr
