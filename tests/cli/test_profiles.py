"""The command `config`: what is in force and why, and changes to profiles."""

import io
import json
from pathlib import Path

import pytest

from tests.cli.command import OnTerminal
from tests.cli.conftest import Call
from tests.cli.stories import sums, written

TEXT = '[profile.default]\nstore = "memory"\n\n[profile.work]\nllm_provider = "groq"\n'


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home" / "config.toml"
    path.parent.mkdir()
    path.write_text(TEXT)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setenv("PORTIA_CONFIG_FILE", str(path))
    return path


def test_list_shows_what_is_set_and_where_it_comes_from(file: Path, call: Call):
    env = {"OPENAI_API_KEY": "sk-secret", "PORTIA_NO_ASK": "1"}
    done = call("config", "--max-parallel-steps", "3", env=env)
    assert done.returncode == 0, done.stderr
    rows = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    assert ["store", "memory", f"profile 'default' in {file}, line 2"] in rows
    assert ["openai_api_key", "set", "OPENAI_API_KEY in the environment"] in rows
    assert ["no_ask", "true", "PORTIA_NO_ASK in the environment"] in rows
    assert ["max_parallel_steps", "3", "given"] in rows
    assert len(rows) == 4
    assert "further settings have their defaults: config list --all" in done.stderr
    assert "sk-secret" not in done.stdout + done.stderr


def test_list_all_shows_defaults_too_and_json_holds_values(file: Path, call: Call):
    assert "step_timeout_s" in call("config", "list", "--all").stdout
    found = json.loads(call("config", "list", "--json", "--all").stdout)
    assert found["file"] == str(file)
    assert found["settings"]["step_timeout_s"] == {"value": 300.0, "origin": "default"}
    assert found["settings"]["openai_api_key"]["value"] is None


def test_get_gives_one_value_for_scripts(file: Path, call: Call):
    assert call("config", "get", "store").stdout == "memory\n"
    assert call("config", "get", "max-parallel-steps").stdout == "64\n"
    assert call("config", "get", "openai_api_key", env={"OPENAI_API_KEY": "sk-1"}).stdout == "set\n"
    missing = call("config", "get", "budget")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert json.loads(call("config", "get", "store", "--json").stdout)["value"] == "memory"


def test_set_writes_the_profile_in_use_and_runs_take_it(file: Path, call: Call, project: Path):
    done = call("config", "set", "max_parallel_steps", "2")
    assert done.stderr == f"max_parallel_steps = 2 in profile 'default' of {file}\n"
    assert "max_parallel_steps = 2\n" in file.read_text()
    assert call("config", "set", "assume_side_effects", "no").returncode == 0
    assert "assume_side_effects = false" in file.read_text()
    done = call("run-plan", written(sums()))
    assert (done.returncode, done.stdout) == (0, "43\n"), done.stderr
    assert not (project / ".portia").exists()  # the profile keeps runs in memory


def test_a_profile_is_chosen_for_one_command_or_from_here_on(file: Path, call: Call):
    assert call("config", "get", "llm_provider", "--profile", "work").stdout == "groq\n"
    assert call("config", "profiles").stdout == "* default\n  work\n"
    assert call("config", "use", "work").returncode == 0
    assert call("config", "profiles").stdout == "  default\n* work\n"
    assert call("config", "get", "llm_provider").stdout == "groq\n"
    found = json.loads(call("config", "profiles", "--json").stdout)
    assert (found["in_use"], found["profiles"]) == ("work", ["default", "work"])
    assert call("config", "unset", "llm_provider").returncode == 0
    assert call("config", "get", "llm_provider").returncode == 1
    assert call("config", "set", "budget", "2", "--profile", "new").returncode == 0
    assert '[profile.new]\nbudget = "2"' in file.read_text()


def test_the_next_command_repeats_the_profile(file: Path, call: Call):
    file.write_text('[profile.work]\nstore = "kept"\n')
    done = call("plan", "x", "--profile", "work", "--model", "ollama/none")
    assert done.returncode == 1  # nobody listens there
    from portia_nb.cli.parser import parse
    from portia_nb.cli.settings import again

    args, _ = parse(["run", "x", "--profile", "work"])
    assert again(args) == ["--profile", "work"]


def test_path_tells_where_the_file_is(file: Path, call: Call):
    assert call("config", "path").stdout == f"{file}\n"


def test_without_a_file_there_are_no_profiles_and_set_makes_one(file: Path, call: Call):
    file.unlink()
    assert "No profiles yet" in call("config", "profiles").stderr
    assert call("config", "set", "default_model", "ollama/llama3.2").returncode == 0
    assert file.read_text() == '[profile.default]\ndefault_model = "ollama/llama3.2"\n'


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["set", "defualt_model", "x/y"], 2, "did you mean 'default_model'?"),
        (["set", "max_parallel_steps", "none"], 2, "setting max_parallel_steps has a value 'none'"),
        (["set", "default_model", "opnai/x"], 2, "did you mean 'openai'?"),
        (["set", "budget"], 2, "config set takes SETTING VALUE"),
        (["get"], 2, "config get takes SETTING"),
        (["path", "more"], 2, "config path takes nothing more"),
        (["set", "openai_api_key", "sk-secret"], 2, "since others can see it"),
        (["set", "openai_api_key"], 2, "no key came"),
        (["set", "feature_flags", "x"], 2, "[profile.NAME.feature_flags] of"),
        (["set", "approve", "x"], 2, "approve isn't set from here, but in code only"),
        (["use", "wrok"], 1, "did you mean 'work'?"),
        (["unset", "budget"], 1, "doesn't set budget"),
        (["list", "--profile", "wrok"], 1, "did you mean 'work'?"),
        (["lst"], 2, "invalid choice: 'lst'"),
    ],
)
def test_what_is_wrong_is_named(file: Path, call: Call, words: list[str], status: int, said: str):
    done = call("config", *words)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "sk-secret" not in done.stderr
    assert file.read_text() == TEXT


def test_a_key_comes_by_a_pipe(file: Path, monkeypatch: pytest.MonkeyPatch, call: Call):
    monkeypatch.setattr("sys.stdin", io.StringIO("sk-piped\n"))
    done = call("config", "set", "openai_api_key")
    assert done.stderr == f"openai_api_key is set in profile 'default' of {file}\n"
    assert 'openai_api_key = "sk-piped"' in file.read_text()


def test_a_key_is_typed_where_nobody_sees_it(file: Path):
    with OnTerminal("config", "set", "groq_api_key", PORTIA_CONFIG_FILE=str(file)) as command:
        command.expect("GROQ_API_KEY (not shown): ")
        command.type("gsk-typed")
        assert command.end() == (0, "")
        assert "gsk-typed" not in command.screen
    assert 'groq_api_key = "gsk-typed"' in file.read_text()


@pytest.mark.parametrize(
    ("option", "said"),
    [("--nosuch", "there are: "), ("--modle", "did you mean '--model'?"), ("--jason", "'--json'")],
)
def test_an_option_is_suggested_where_it_is_near(call: Call, option: str, said: str):
    done = call("run", "hi", option)
    assert done.returncode == 2
    assert f"no option {option!r}: " in done.stderr
    assert said in done.stderr
