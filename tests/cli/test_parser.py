"""What the command line understands, and what it says of the rest."""

import argparse

import pytest

from portia_nb.cli.commands import COMMANDS
from portia_nb.cli.main import main
from portia_nb.cli.parser import parse
from portia_nb.cli.settings import HELP, NO_OPTIONS, again, config_of
from portia_nb.config import Config
from portia_nb.errors import InvalidOption


def args_of(*words: str) -> argparse.Namespace:
    return parse(words)[0]


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"\n    {name}" in shown for name in COMMANDS)
    assert "exit status: 0 complete, 1 failed, 2 wrong usage, 3 waiting" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: portia-nb {command}")


@pytest.mark.parametrize("command", ["diff", "run", "store prune"])
def test_the_help_of_a_command_is_its_own_options_and_where_the_settings_are_listed(
    command: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    shown = capsys.readouterr().out
    assert "--json" in shown
    assert "--model-timeout-s" not in shown
    assert "`portia-nb config --help`" in " ".join(shown.split())
    with pytest.raises(SystemExit):
        main(["config", "--help"])
    listed = capsys.readouterr().out
    assert all(f"--{setting.replace('_', '-')}" in listed for setting in HELP)
    assert "--profile NAME" in listed


def test_an_option_that_is_near_to_none_is_refused_with_those_of_its_command(
    capsys: pytest.CaptureFixture[str],
):
    said = refusal(capsys, "diff", "prun-1", "--qqqq")
    assert said.endswith("no option '--qqqq': there are: -h, --help, --debug, --json\n")


def test_every_setting_is_an_option_or_left_out_on_purpose():
    assert {*HELP} | NO_OPTIONS == {*Config.model_fields}
    assert not {*HELP} & NO_OPTIONS


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "COMMAND"),
        (["rnu"], "no command 'rnu': did you mean 'run'?"),
        (["run"], "required: QUERY"),
        (["run", "hi", "--modle", "x"], "no option '--modle': did you mean '--model'?"),
        (["run", "hi", "--mod", "x"], "no option '--mod'"),
        (["runs", "--limit", "x"], "invalid int value: 'x'"),
        (["runs", "--limit", "0"], "limit 0: at least 1 is needed"),
        (["runs", "more"], "'more' is too much"),
        (["store", "path", "--yes"], "no option '--yes'"),
        (["store", "forget"], "which run?"),
        (["run", "hi", "--openai-api-key", "sk-1"], "set OPENAI_API_KEY in the environment"),
        (["run", "hi", "--max-parallel-steps", "x"], "--max-parallel-steps has a value 'x'"),
        (["run", "hi", "--log-level", "LOUD"], "--log-level has a value 'LOUD'"),
        (["run", "hi", "--tools", "calculater_tool"], "did you mean 'calculator_tool'?"),
        (["run", "hi", "--input", "city"], "--input 'city': NAME=VALUE is needed"),
        (["run-plan", "missing.json"], "missing.json: no plan can be read there"),
        (["run-plan", "pyproject.toml"], "pyproject.toml holds no plan: Invalid JSON"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_right(
    words: list[str], said: str, project: object, capsys: pytest.CaptureFixture[str]
):
    assert said in refusal(capsys, *words)


def test_a_usage_error_shows_no_control_characters(capsys: pytest.CaptureFixture[str]):
    assert "\x1b" not in refusal(capsys, "run", "hi", "--\x1b[31mred")


def test_options_beat_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PORTIA_MAX_PARALLEL_STEPS", "3")
    monkeypatch.setenv("PORTIA_STORE", "memory")
    config = config_of(args_of("run", "hi", "--max-parallel-steps", "5"))
    assert (config.max_parallel_steps, config.store) == (5, "memory")


def test_a_wrong_value_of_the_environment_is_no_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PORTIA_MAX_PARALLEL_STEPS", "x")
    assert main(["runs"]) == 1
    assert "InvalidConfigError: setting max_parallel_steps" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--model", "openai/any", "--step-timeout-s", "2"],
        ["--no-assume-side-effects", "--no-ask"],
        ["--store", "a folder", "--tools", "calculator_tool"],
        [],
    ],
)
def test_settings_that_were_given_are_repeated_for_the_next_command(words: list[str]):
    repeated = again(args_of("run", "hi", *words))
    assert sorted(repeated) == sorted(words)
    assert config_of(args_of("resume", "prun-1", *repeated)) == config_of(
        args_of("run", "hi", *words)
    )


def test_both_names_of_the_model_mean_the_same():
    long, short = (
        args_of("run", "hi", "--default-model", "x/y"),
        args_of("plan", "hi", "--model", "x/y"),
    )
    assert config_of(long).default_model == config_of(short).default_model == "x/y"


def test_a_query_may_go_without_quotation_marks():
    assert args_of("run", "two", "words", "--yes").query == ["two", "words"]


def test_an_unknown_setting_of_a_value_is_named_by_its_option():
    with pytest.raises(InvalidOption, match=r"^--model-retries has a value '-1'"):
        config_of(args_of("run", "hi", "--model-retries=-1"))
