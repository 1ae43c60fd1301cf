"""Commands on a terminal: questions, approval, colours, and Ctrl-C."""

import sys
import termios
import time
from pathlib import Path

import pytest

from portia_nb import PlanBuilderV2
from portia_nb.cli.attending import STOP_TIME_S
from tests.cli.command import OnTerminal, run_id_in
from tests.cli.conftest import Call
from tests.cli.stories import asking, sums, telling, to_model, writing, written
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Reply

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def _in_a_project(project: Path) -> None:
    """Run each command in a project of its own."""


def test_a_choice_is_asked_until_the_answer_fits():
    with OnTerminal("run-plan", written(asking())) as command:
        command.expect("city asks: Which city?")
        command.expect("1. Rome")
        command.expect("2. New York")
        command.expect("> ")
        command.type("Bern")
        command.expect("'Bern' is not offered")
        command.expect("> ")
        command.type("")
        command.expect("nothing was typed")
        command.expect("> ")
        command.type("2")
        assert command.end() == (0, "New York\n")


def test_every_kind_of_builder_question_is_asked_in_turn():
    builder = (
        PlanBuilderV2("asks")
        .user_input(message="Your name?", step_name="name")
        .user_input(message="How many?", options=[1, 2], step_name="count", default=2)
        .user_verify(message="Go on?", step_name="sure")
    )
    with OnTerminal("run-plan", written(builder), "--json") as command:
        command.expect("Your name?")
        command.type("Zoë \x1b[A")
        command.expect("Enter for 2> ")
        command.type("")
        command.expect("yes or no> ")
        command.type("perhaps")
        command.expect("neither yes nor no")
        command.expect("yes or no> ")
        command.type("y")
        status, out = command.end()
    assert status == 0, command.screen
    values = values_in(out)
    assert values[:2] == ["Zoë ", 2]


def test_a_no_ends_the_run_with_the_status_of_a_failure_and_in_words_of_its_own():
    builder = PlanBuilderV2("asks").user_verify(message="Go on?", step_name="sure")
    with OnTerminal("run-plan", written(builder)) as command:
        command.expect("yes or no> ")
        command.type("no")
        status, _ = command.end()
    assert status == 1
    assert "■ ended by a no" in command.screen
    assert "failed" not in command.screen


def test_a_plan_is_approved_once_with_the_exact_arguments_that_it_spells_out():
    with OnTerminal("run-plan", written(writing("pay \u202e100"))) as command:
        command.expect("Run this plan (")
        command.expect("file_writer_tool {")
        command.expect(r'"content": "pay \u202e100"')
        command.expect("yes or no> ")
        assert not Path("out.txt").exists()
        command.type("yes")
        status, _ = command.end()
    assert status == 0, command.screen
    assert Path("out.txt").read_text() == "pay \u202e100"


def test_a_plan_that_is_refused_runs_nothing():
    with OnTerminal("run-plan", written(writing())) as command:
        command.expect("yes or no> ")
        command.type("no")
        status, _ = command.end()
    assert status == 1
    assert "ApprovalRefused: the plan was not approved" in command.screen
    assert not Path("out.txt").exists()


def test_the_end_of_input_leaves_the_question_open():
    with OnTerminal("run-plan", written(asking())) as command:
        command.expect("number or text> ")
        command.hang_up()
        status, _ = command.end()
    assert status == 3
    assert "--answer city=VALUE" in command.screen


def test_no_ask_asks_nobody():
    with OnTerminal("run-plan", written(asking()), PORTIA_NO_ASK="1") as command:
        assert command.end()[0] == 3
    assert "number or text" not in command.screen


def test_ctrl_c_at_a_question_stops_the_run_and_resume_asks_again(call: Call):
    with OnTerminal("run-plan", written(asking())) as command:
        command.expect("number or text> ")
        command.interrupt()
        status, _ = command.end()
    assert status == 130, command.screen
    assert "Traceback" not in command.screen
    done = call("resume", run_id_in(command.screen), "--answer", "city=Rome")
    assert (done.returncode, done.stdout) == (0, "Rome\n"), done.stderr


def test_ctrl_c_stops_the_run_and_resume_repeats_no_finished_step(call: Call):
    with OpenAIServer([Reply(text="late", latency_s=30), "forty-three"]) as server:
        env = {"OPENAI_API_KEY": "sk-test"}
        with OnTerminal("run-plan", written(telling()), *to_model(server.url), **env) as command:
            server.wait_for_requests(1, timeout_s=10)
            command.interrupt()
            status, out = command.end()
        assert (status, out) == (130, ""), command.screen
        assert "■ stopped" in command.screen
        assert "kept: 2 finished steps of run" in command.screen
        assert "Traceback" not in command.screen
        words = command.screen.partition("to go on: portia-nb ")[2].split()
        done = call(*words, env=env)
    assert (done.returncode, done.stdout) == (0, "forty-three\n"), done.stderr
    assert "first" not in done.stderr.partition("steps are done")[2]


def test_a_second_ctrl_c_leaves_at_once_and_the_terminal_as_it_was():
    program = (sys.executable, "-m", "tests.cli.slow_to_stop")
    with OnTerminal(program=program, PYTHONPATH=str(ROOT)) as command:
        before = termios.tcgetattr(command.slave)
        command.expect("▶ running    linger")
        command.interrupt()
        command.expect("again Ctrl-C to leave at once")
        began = time.monotonic()
        command.interrupt()
        status, _ = command.end()
        assert time.monotonic() - began < STOP_TIME_S / 2
        assert termios.tcgetattr(command.slave) == before
    assert status == 130, command.screen
    assert "■ left" in command.screen
    assert "to go on: portia-nb resume prun-" in command.screen
    assert "Traceback" not in command.screen
    assert "Exception ignored" not in command.screen


def test_ctrl_c_while_planning_ends_with_130():
    with OpenAIServer([Reply(text="late", latency_s=30)]) as server:
        env = {"OPENAI_API_KEY": "sk-test"}
        with OnTerminal("run", "anything", *to_model(server.url), **env) as command:
            server.wait_for_requests(1, timeout_s=10)
            command.interrupt()
            assert command.end() == (130, "")
    assert "stopped while planning; nothing was run" in command.screen
    assert "Traceback" not in command.screen


def test_colour_comes_on_a_terminal_only_and_not_with_no_color():
    name = written(sums())
    with OnTerminal("run-plan", name, NO_COLOR="") as command:
        command.expect("\x1b[32m✓ done")
        assert command.end() == (0, "43\n")
    with OnTerminal("run-plan", name) as command:
        assert command.end() == (0, "43\n")
    assert "\x1b" not in command.screen


def values_in(out: str) -> list[object]:
    from portia_nb import PlanRun

    return [
        output.value for output in PlanRun.model_validate_json(out).outputs.step_outputs.values()
    ]
