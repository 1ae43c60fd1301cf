"""Commands without a terminal: results, exit statuses, JSON, and what is kept."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from portia_nb import Plan, PlanBuilderV2, PlanRun
from tests.cli.command import portia_nb, run_id_in
from tests.cli.conftest import Call
from tests.cli.stories import asking, greeting, sums, telling, to_model, writing, written
from tests.servers.openai_server import OpenAIServer
from tests.servers.script import Call as Calls, Reply, key_refused
from tests.servers.tavily_server import TavilyServer

PAGE_KEYS = ["id", "plan_id", "current_step_index", "state", "outputs"]
KEY = {"OPENAI_API_KEY": "sk-test"}
ESCAPE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp"


@pytest.fixture(autouse=True)
def _in_a_project(project: Path) -> None:
    """Run each command in a project of its own."""


@pytest.fixture
def tavily() -> Iterator[TavilyServer]:
    with TavilyServer() as server:
        yield server


def planner_reply(tool_id: str, **args: str) -> dict[str, object]:
    step = {"task": "Do it", "inputs": [], "tool_id": tool_id, "output": "$found", "args": args}
    return {"steps": [step], "error": None}


def test_a_query_is_planned_and_run_by_the_real_clients(tavily: TavilyServer):
    with OpenAIServer([planner_reply("search_tool", search_query="growth of Amazon")]) as server:
        done = portia_nb(
            "run", "How did Amazon grow?", *to_model(server.url), "--tavily-base-url", tavily.url,
            env={**KEY, "TAVILY_API_KEY": "tvly-test"},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [request.body["query"] for request in tavily.requests] == ["growth of Amazon"]
    assert "Plan: How did Amazon grow? (1 step)" in done.stderr
    assert "▶ running    found  search_tool: Do it" in done.stderr
    assert "✓ done       found" in done.stderr
    assert "https://example.org/1" in done.stdout
    assert "Plan:" not in done.stdout


def test_a_plan_is_shown_kept_and_run_by_its_id(call: Call):
    reply = planner_reply("calculator_tool", math_question="6 * 7")
    with OpenAIServer([reply, reply]) as server:
        planned = call("plan", "six times seven", *to_model(server.url), env=KEY)
        as_json = call(
            "run", "six times seven", "--plan-only", "--json", *to_model(server.url), env=KEY
        )
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.startswith("Plan: six times seven (1 step)")
    words = planned.stderr.partition("to run it: portia-nb ")[2].split()
    assert words[0] == "run-plan"
    assert "sk-test" not in planned.stderr
    done = call(*words)
    assert (done.returncode, done.stdout) == (0, "42\n"), done.stderr

    plan = json.loads(as_json.stdout)
    assert list(plan) == ["id", "plan_context", "steps"]
    assert Plan.model_validate_json(as_json.stdout).plan_context.query == "six times seven"


def test_json_is_the_run_as_the_page_prints_it_and_nothing_else(call: Call):
    done = call("run-plan", written(sums()), "--json")
    assert done.returncode == 0
    assert list(json.loads(done.stdout)) == PAGE_KEYS
    run = PlanRun.model_validate_json(done.stdout)
    assert (run.state, run.outputs.final_output and run.outputs.final_output.value) == (
        "COMPLETE",
        43,
    )


def test_a_plan_may_come_from_standard_input():
    done = portia_nb("run-plan", "-", stdin=greeting().build().model_dump_json())
    assert done.returncode == 2
    assert "the plan needs inputs: --input number=VALUE" in done.stderr


def test_inputs_are_given_by_name_and_misspelt_ones_refused(call: Call):
    name = written(greeting())
    done = call("run-plan", name, "--input", "number=21")
    assert (done.returncode, done.stdout) == (0, "42\n")
    wrong = call("run-plan", name, "--input", "numbr=21")
    assert wrong.returncode == 2
    assert "no input 'numbr': did you mean 'number'?" in wrong.stderr


def test_a_failed_run_ends_with_1_without_a_traceback_and_is_mended_by_resume(call: Call):
    name = written(telling())
    with OpenAIServer([key_refused(), "forty-three"]) as server:
        failed = portia_nb("run-plan", name, *to_model(server.url), "--json", env=KEY)
        assert failed.returncode == 1
        assert json.loads(failed.stdout)["state"] == "FAILED"
        assert "✗ failed  step 'say': ModelKeyRefused: " in failed.stderr
        assert "Traceback" not in failed.stderr
        assert failed.stderr.count("ModelKeyRefused") == 2  # the step's line and the run's
        command = failed.stderr.partition("mend it, then: portia-nb ")[2].split()
        done = call(*command, env=KEY)  # another process than the first
    assert (done.returncode, done.stdout) == (0, "forty-three\n"), done.stderr
    assert "2 of 3 steps are done" in done.stderr
    assert "first" not in done.stderr.partition("steps are done")[2]


def test_without_a_key_the_error_says_how_to_name_a_model_here(call: Call):
    done = call("run", "anything at all")
    assert done.returncode == 1
    assert "NoModelKey: " in done.stderr
    assert "--model ollama/NAME" in done.stderr
    assert "Traceback" not in done.stderr
    in_a_step = call("run-plan", written(telling()))
    assert in_a_step.returncode == 1
    assert "--model ollama/NAME" in in_a_step.stderr
    shown = call("show", run_id_in(in_a_step.stderr)).stdout
    assert "\nError:\nNoModelKey: " in shown
    assert "Traceback" in call("run", "anything at all", "--debug").stderr


def test_a_question_that_nobody_answers_ends_with_3_and_the_command_that_goes_on(call: Call):
    waiting = portia_nb("run-plan", written(asking()), "--store", "kept here")
    assert waiting.returncode == 3
    assert waiting.stdout == ""
    assert "? waiting  city asks: Which city? (Rome, New York)" in waiting.stderr
    run_id = run_id_in(waiting.stderr)
    assert f"portia-nb resume {run_id} --answer city=VALUE --store 'kept here'" in waiting.stderr
    done = call("resume", run_id, "--answer", "city=New York", "--store", "kept here")
    assert (done.returncode, done.stdout) == (0, "New York\n"), done.stderr
    again = call("resume", run_id, "--store", "kept here")
    assert (again.returncode, again.stdout) == (0, "New York\n"), again.stderr


def test_answers_are_declared_by_option_or_file(call: Call):
    name = written(asking())
    Path("answers.json").write_text('{"city": "New York", "sum": 3}')
    by_file = call("run-plan", name, "--answers", "answers.json")
    assert (by_file.returncode, by_file.stdout) == (0, "New York\n"), by_file.stderr
    both = call("run-plan", name, "--answers", "answers.json", "--answer", "city=Rome")
    assert (both.returncode, both.stdout) == (0, "Rome\n"), both.stderr


def test_a_declared_answer_that_is_refused_leaves_the_question_open(call: Call):
    done = call("run-plan", written(asking(default="Rome")), "--answer", "city=Bern")
    assert done.returncode == 3
    assert "--answer city=Bern is refused: 'Bern' is not offered" in done.stderr


def test_a_no_ends_a_run_without_the_words_of_a_failure(call: Call):
    plan = PlanBuilderV2().user_verify(message="Send it?", step_name="sure")
    done = call("run-plan", written(plan), "--answer", "sure=no", "--store", "kept")
    assert done.returncode == 1
    assert "■ ended by a no  step 'sure': the answer to 'Send it?' was no" in done.stderr
    assert "to be asked again: portia-nb resume prun-" in done.stderr
    assert not {"failed", "✗", "PlanRunExitError"} & set(done.stderr.split())


def test_a_declared_answer_that_meets_no_question_is_named(call: Call):
    done = call("run-plan", written(asking()), "--answer", "citty=Rome")
    assert done.returncode == 3
    assert "no question was called citty; answers are awaited for: city" in done.stderr


def test_the_default_is_taken_where_nobody_can_be_asked(call: Call):
    done = call("run-plan", written(asking(default="Rome")))
    assert (done.returncode, done.stdout) == (0, "Rome\n"), done.stderr
    assert "answered by default: Rome" in done.stderr


def test_a_plan_that_changes_something_needs_yes(call: Call):
    name = written(writing())
    waiting = call("run-plan", name)
    assert waiting.returncode == 3
    assert f"portia-nb run-plan {name} --yes" in waiting.stderr
    assert not Path("out.txt").exists()
    done = call("run-plan", name, "--yes")
    assert done.returncode == 0, done.stderr
    assert Path("out.txt").read_text() == "hello"


def test_a_plan_that_changes_something_can_be_approved_after_planning(call: Call):
    reply = planner_reply("file_writer_tool", filename="out.txt", content="hello")
    with OpenAIServer([reply]) as server:
        waiting = call("run", "write hello", *to_model(server.url), env=KEY)
    assert waiting.returncode == 3
    words = waiting.stderr.partition("look at it, then: portia-nb ")[2].split()
    done = call(*words, env=KEY)
    assert done.returncode == 0, done.stderr
    assert Path("out.txt").read_text() == "hello"


def test_runs_are_listed_shown_and_forgotten(call: Call):
    first = PlanRun.model_validate_json(call("run-plan", written(sums()), "--json").stdout)
    beginning = first.id[:13]
    listed = call("runs")
    assert (listed.returncode, str(first.id) in listed.stdout) == (0, True)
    [row] = json.loads(call("runs", "--json").stdout)
    assert (row["id"], row["state"], row["query"]) == (first.id, "COMPLETE", "sums")
    assert row["held_by"] is None
    assert (row["says"], row["steps_done"], row["steps"]) == ("done", 2, 2)
    wanted = ("--state", "done", "--since", "1d", "--goal", "SUM")
    assert str(first.id) in call("runs", *wanted).stdout
    assert "No such runs" in call("runs", *wanted, "--forked-from", beginning).stderr

    shown = call("show", beginning)
    assert "✓ done" in shown.stdout
    assert shown.stdout.endswith("Final output:\n43\n")
    assert json.loads(call("show", beginning, "--json").stdout)["id"] == first.id
    assert call("show", str(first.plan_id)).stdout.startswith("Plan: sums (2 steps)")
    assert call("store", "path").stdout == f"{Path('.portia').absolute()}\n"

    assert call("store", "forget", beginning).returncode == 0
    gone = call("show", str(first.id))
    assert gone.returncode == 1
    assert "PlanRunNotFoundError" in gone.stderr


def test_a_folder_of_the_reference_is_imported_and_all_is_exported(call: Call):
    page = Path(__file__).parents[1] / "stories" / "page"
    taken = call("store", "import", str(page))
    assert (taken.returncode, taken.stdout) == (0, "")
    assert f"1 plans and 1 runs imported from {page}" in taken.stderr
    again = call("store", "import", str(page))
    assert "0 plans and 0 runs" in again.stderr
    assert "2 were here already" in again.stderr
    name = "prun-18d9aa91-0066-413f-af32-b979bce89821"
    assert "Amazon's stock price grew by 52%" in call("show", name).stdout

    Path("out").mkdir()
    Path("out", f"plan-{name[5:]}.json").write_text("{")
    written_out = call("store", "export", "out", "--layout", "portia")
    assert "2 plans and 1 runs exported to out" in written_out.stderr
    assert json.loads(Path("out", f"{name}.json").read_text()) == json.loads(
        (page / f"{name}.json").read_text()
    )
    spoilt = call("store", "import", "out")
    assert spoilt.returncode == 1
    assert f"left out: plan-{name[5:]}.json" in spoilt.stderr

    missing = call("store", "import", "nowhere")
    assert missing.returncode == 1
    assert "nowhere" in missing.stderr
    assert "to which file or folder?" in call("store", "export").stderr


def test_no_terminal_sequence_of_a_model_reaches_the_screen(call: Call):
    plan = PlanBuilderV2("says").llm_step(task="Say it", step_name="say")
    name = written(plan)
    with OpenAIServer([f"red{ESCAPE}", f"red{ESCAPE}"]) as server:
        done = call("run-plan", name, *to_model(server.url), env=KEY)
        as_json = call("run-plan", name, "--json", *to_model(server.url), env=KEY)
    assert done.stdout == "redgnp\n"
    for shown in (done.stdout, done.stderr, as_json.stdout, as_json.stderr):
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)
    assert json.loads(as_json.stdout)["outputs"]["final_output"]["value"] == f"red{ESCAPE}"


def test_tools_and_version_are_printed(call: Call):
    from portia_nb import __version__

    assert portia_nb("version").stdout == f"{__version__}\n"
    tools = {tool["id"]: tool for tool in json.loads(call("list-tools", "--json").stdout)}
    assert tools["search_tool"]["needs"] == "TAVILY_API_KEY"
    assert tools["file_writer_tool"]["side_effect"] is True
    listed = call("list-tools").stdout
    assert all(tool_id in listed for tool_id in tools)


def test_a_reader_that_leaves_early_is_no_error():
    import subprocess

    from tests.cli.command import PROGRAM, environment

    with subprocess.Popen(
        [PROGRAM, "list-tools", "--json"],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_lab_hands_its_options_to_jupyterlab(project: Path):
    # A JupyterLab of our own, since the real one takes seconds to print its version.
    (project / "jupyterlab.py").write_text("import sys; print('lab', *sys.argv[1:])")
    done = portia_nb("lab", "--no-browser", "here", env={"PYTHONPATH": str(project)})
    assert (done.returncode, done.stdout) == (0, "lab --no-browser here\n"), done.stderr


def test_lab_says_how_to_install_jupyterlab(call: Call, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("portia_nb.cli.records.find_spec", lambda name: None)
    done = call("lab")
    assert done.returncode == 1
    assert '-m pip install "portia-nb[lab]"' in done.stderr


def test_a_run_in_memory_says_that_it_can_not_go_on(call: Call):
    done = call("run-plan", written(asking()), "--store", "memory")
    assert done.returncode == 3
    assert "with --store FOLDER this one could go on" in done.stderr
    assert "portia-nb resume" not in done.stderr
    assert not Path(".portia").exists()


def test_a_store_that_can_not_be_written_is_named_with_a_way_out(call: Call):
    Path("file").write_text("in the way")
    done = call("run-plan", written(sums()), "--store", "file/store")
    assert done.returncode == 1
    assert "StoreUnwritable: " in done.stderr
    assert "here: --store FOLDER, or --store memory" in done.stderr


def test_a_run_is_told_once_unless_a_log_is_asked_for(call: Call):
    done = portia_nb("run-plan", written(sums()))
    assert (done.returncode, done.stdout) == (0, "43\n"), done.stderr
    assert "IN_PROGRESS" not in done.stderr
    logged = call("run-plan", written(sums()), "--log-level", "debug", "--log-sink", "log.txt")
    assert logged.returncode == 0
    assert "IN_PROGRESS" in Path("log.txt").read_text()


def test_an_agents_calls_are_lines_of_its_progress(call: Call):
    plan = PlanBuilderV2().react_agent_step(
        task="Add", tools=["calculator_tool"], step_name="add", tool_call_limit=1
    )
    asks = Reply(calls=(Calls(name="calculator_tool", arguments={"math_question": "1 + 1"}),))
    with OpenAIServer([asks, "It is 2."]) as server:
        done = call("run-plan", written(plan), *to_model(server.url), env=KEY)
    assert done.returncode == 0, done.stderr
    assert "add  agent: calculator_tool: Add" in done.stderr
    assert 'add  calls calculator_tool {"math_question": "1' in done.stderr
    assert "add  tool_call_limit=1 is reached" in done.stderr
    assert "It is 2." in done.stdout


def test_what_is_missing_is_named_with_the_command_that_helps_here(call: Call):
    own = call("run-plan", written(PlanBuilderV2().invoke_tool_step(tool="my_tool", args={})))
    assert (own.returncode, "no tool 'my_tool'" in own.stderr) == (1, True)
    assert "go on in the notebook or program that defines it" in own.stderr
    assert "here: `portia-nb runs` lists the runs" in call("show", "prun-nope").stderr
