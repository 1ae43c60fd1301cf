"""N32 and N26: one table of settings, where each value comes from, and of keys never the value."""

from __future__ import annotations

from pathlib import Path

import pytest

from portia_nb import Config, InvalidConfigError, PlanBuilderV2, Portia
from portia_nb.session.settings_table import rows_of, table_text


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The ``pyproject.toml`` of the working folder's parent."""
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    return tmp_path / "pyproject.toml"


def test_each_setting_says_its_value_and_where_it_comes_from(project, monkeypatch):
    project.write_text("[tool.portia-nb]\nstep_timeout_s = 20\nmax_model_calls = 2\n")
    monkeypatch.setenv("PORTIA_MAX_MODEL_CALLS", "3")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-shown")
    config = Config.in_use(cache=False, base_url="http://ada:secret@127.0.0.1:1/v1")
    rows = {row.name: (row.value, row.origin) for row in rows_of(config)}
    assert rows == {
        "openai_api_key": ("set", "OPENAI_API_KEY in the environment"),
        "base_url": ("http://…@127.0.0.1:1/v1", "given"),
        "max_model_calls": ("3", "PORTIA_MAX_MODEL_CALLS in the environment"),
        "step_timeout_s": ("20.0", f"[tool.portia-nb] in {project}"),
        "cache": ("false", "given"),
    }
    every = rows_of(config, every=True)
    assert len(every) == len(Config.model_fields)
    text = table_text(every)
    assert "sk-never-shown" not in text
    assert "secret" not in text
    assert "tavily_api_key" in text
    assert ("tavily_api_key", "not set", "default") in every


@pytest.mark.parametrize(
    "line",
    [
        'base_url = "http://elsewhere"',
        'default_model = "openai/x"',
        'openai_api_key = "sk-1"',
        'store = "/elsewhere"',
        "assume_side_effects = false",
    ],
)
def test_a_project_may_not_say_where_anything_goes(project: Path, line: str):
    project.write_text(f"[tool.portia-nb]\n{line}\n")
    name = line.partition(" ")[0]
    with pytest.raises(InvalidConfigError, match=rf"sets {name}, which a project must not") as it:
        Config.from_default()
    assert str(project) in str(it.value)
    assert "sk-1" not in str(it.value)


def test_a_misspelt_setting_of_a_project_is_named_with_the_nearest(project: Path):
    project.write_text("[tool.portia-nb]\nmax_model_cals = 1\n")
    with pytest.raises(InvalidConfigError, match=r"did you mean 'max_model_calls'\?$"):
        Config.from_default()


def test_a_value_of_a_project_that_can_not_be_used_says_where_it_stands(project: Path):
    project.write_text("[tool.portia-nb]\nmax_model_calls = 0\n")
    with pytest.raises(InvalidConfigError, match=r"max_model_calls .*\[tool.portia-nb\] in "):
        Config.from_default()


@pytest.mark.parametrize("text", ["", "[tool]\n", "portia-nb is no TOML [", 'tool = "portia-nb"\n'])
def test_a_file_that_says_nothing_changes_nothing(project: Path, text: str):
    project.write_text(text)
    assert Config.from_default() == Config()


def test_a_store_may_be_given_as_a_path(tmp_path: Path):
    portia = Portia(Config(store=tmp_path / "kept"), tools=[])
    portia.run_plan(PlanBuilderV2("one").function_step(function=lambda: 1).build())
    assert (tmp_path / "kept").is_dir()
