"""`--record` and `--replay` at the command line."""

from __future__ import annotations

import json
from pathlib import Path

from portia_nb import PlanBuilderV2, StepOutput
from tests.cli.conftest import Call
from tests.cli.stories import asking, telling, to_model, writing, written
from tests.cli.test_commands import KEY, planner_reply
from tests.servers.openai_server import OpenAIServer


def test_a_query_replays_without_a_key_to_the_same_result(call: Call, project: Path):
    reply = planner_reply("calculator_tool", math_question="6 * 7")
    with OpenAIServer([reply]) as server:
        recorded = call(
            "run", "six times seven", "--record", "r.json", *to_model(server.url), env=KEY
        )
    assert recorded.returncode == 0, recorded.stderr
    record = json.loads((project / "r.json").read_text())
    assert [each["tool_id"] for each in record["outputs"]] == ["calculator_tool"]
    replayed = call("run", "six times seven", "--replay", "r.json")
    assert (replayed.returncode, replayed.stdout) == (0, recorded.stdout), replayed.stderr
    assert "more than was asked for" not in replayed.stderr
    drifted = call("run", "seven times six", "--replay", "r.json")
    assert drifted.returncode == 1
    assert "the record holds no answer to planning" in drifted.stderr
    assert "six times seven" in drifted.stderr
    assert "Traceback" not in drifted.stderr


def test_an_answer_is_recorded_and_then_given_without_asking(call: Call):
    plan = written(asking())
    recorded = call("run-plan", plan, "--record", "r.json", "--answer", "city=Rome")
    assert recorded.returncode == 0, recorded.stderr
    replayed = call("run-plan", plan, "--replay", "r.json")
    assert (replayed.returncode, replayed.stdout) == (0, recorded.stdout), replayed.stderr


def test_a_replay_needs_no_approval_and_writes_nothing(call: Call, project: Path):
    plan = written(writing())
    assert call("run-plan", plan, "--yes", "--record", "r.json").returncode == 0
    (project / "out.txt").unlink()
    replayed = call("run-plan", plan, "--replay", "r.json")
    assert replayed.returncode == 0, replayed.stderr
    assert not (project / "out.txt").exists()


def test_what_the_record_holds_beside_is_told(call: Call):
    with OpenAIServer(["Said."]) as server:
        plan = written(telling())
        call("run-plan", plan, "--record", "r.json", *to_model(server.url), env=KEY)
    shorter = PlanBuilderV2("sums").invoke_tool_step(
        tool="calculator_tool", args={"math_question": "6 * 7"}, step_name="first"
    )
    replayed = call("run-plan", written(shorter, "shorter.json"), "--replay", "r.json")
    assert replayed.returncode == 0, replayed.stderr
    assert "the record holds more than was asked for: execution reply in step 'say'" in (
        replayed.stderr
    )
    assert "call of calculator_tool in step 'second'" in replayed.stderr
    assert str(StepOutput("second")) not in replayed.stdout


def test_both_options_or_no_record_are_refused_in_one_line(call: Call, project: Path):
    plan = written(asking())
    both = call("run-plan", plan, "--record", "a.json", "--replay", "b.json")
    assert both.returncode != 0 and "both set" in both.stderr
    gone = call("run-plan", plan, "--replay", "gone.json")
    assert gone.returncode != 0 and "can't read the record" in gone.stderr
    (project / "mine.json").write_text("{}x")
    other = call("run-plan", plan, "--record", "mine.json", "--answer", "city=Rome")
    assert other.returncode != 0 and "is not a record" in other.stderr
    assert (project / "mine.json").read_text() == "{}x"
    for done in (both, gone, other):
        assert "Traceback" not in done.stderr


def test_an_option_beats_what_the_environment_says_of_the_other(call: Call):
    plan = written(asking())
    recorded = call("run-plan", plan, "--record", "r.json", "--answer", "city=Rome")
    replayed = call("run-plan", plan, "--replay", "r.json", env={"PORTIA_RECORD": "other.json"})
    assert (replayed.returncode, replayed.stdout) == (0, recorded.stdout), replayed.stderr
