"""Files with profiles: read, refused with file and line, and changed one line at a time."""

import os
import stat
from pathlib import Path

import pytest

from portia_nb import Config, ConfigNotFoundError, InvalidConfigError
from portia_nb.settings.edits import remove_setting, use_profile, write_setting
from portia_nb.settings.profiles import read_profiles

TEXT = """\
# mine
[profile.default]
default_model = "ollama/llama3.2"  # small
max_parallel_steps = 4

[profile.work]
llm_provider = "anthropic"
anthropic_api_key = "sk-ant-secret"
no_ask = true

[profile.work.feature_flags]
fast = true
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home" / "config.toml"
    path.parent.mkdir()
    path.write_text(TEXT)
    monkeypatch.setenv("PORTIA_CONFIG_FILE", str(path))
    monkeypatch.chdir(tmp_path)
    return path


# -- reading -------------------------------------------------------------------------------------


def test_from_local_config_reads_the_default_profile(file):
    config = Config.from_local_config()
    assert (config.default_model, config.max_parallel_steps) == ("ollama/llama3.2", 4)


def test_from_local_config_reads_the_profile_that_is_named(file):
    config = Config.from_local_config("work")
    assert config.provider() == "anthropic"
    assert config.key("anthropic_api_key") == "sk-ant-secret"
    assert config.no_ask is True
    assert config.feature_flags == {"fast": True}
    assert "sk-ant-secret" not in repr(config)


def test_another_file_can_be_given(file, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text("[profile.default]\nbudget = 2.5\n")
    assert Config.from_local_config(config_file=other).budget == 2.5


def test_without_the_variable_the_file_is_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("PORTIA_CONFIG_FILE")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    (tmp_path / ".portia").mkdir()
    (tmp_path / ".portia" / "config.toml").write_text("[profile.default]\nno_ask = true\n")
    assert Config.from_local_config().no_ask is True


def test_overrides_come_before_the_profile_and_that_before_the_environment(file, monkeypatch):
    monkeypatch.setenv("PORTIA_DEFAULT_MODEL", "groq/a")
    monkeypatch.setenv("PORTIA_PLANNING_MODEL", "groq/b")
    config = Config.from_local_config(max_parallel_steps=9)
    assert (config.default_model, config.planning_model) == ("ollama/llama3.2", "groq/b")
    assert config.max_parallel_steps == 9
    assert config.origin("max_parallel_steps") == "given"
    assert config.origin("default_model") == f"profile 'default' in {file}, line 3"
    assert config.origin("planning_model") == "PORTIA_PLANNING_MODEL in the environment"
    assert config.origin("budget") == "default"


def test_the_profile_in_use_is_as_the_environment_then_the_file_says(file, monkeypatch):
    use_profile("work")
    assert Config.from_local_config().llm_provider == "anthropic"
    monkeypatch.setenv("PORTIA_DEFAULT_PROFILE", "default")
    assert Config.from_local_config().llm_provider is None


def test_in_use_takes_a_profile_where_there_is_one(file, monkeypatch):
    assert Config.in_use().default_model == "ollama/llama3.2"
    assert Config.in_use("work").llm_provider == "anthropic"
    monkeypatch.setenv("PORTIA_CONFIG_FILE", str(file.parent / "none.toml"))
    assert Config.in_use(no_ask=True).default_model is None
    with pytest.raises(ConfigNotFoundError, match="no file with profiles at"):
        Config.in_use("work")


def test_a_missing_file_or_profile_is_a_config_not_found_error(file):
    with pytest.raises(ConfigNotFoundError, match=r"no profile 'wrok' in .*: did you mean 'work'"):
        Config.from_local_config("wrok")
    with pytest.raises(ConfigNotFoundError, match="its profiles: default, work"):
        Config.from_local_config("zzz")
    file.unlink()
    with pytest.raises(ConfigNotFoundError, match="`portia-nb config set SETTING VALUE` makes one"):
        Config.from_local_config()


WRONG = {
    "[profile.default]\n\ndefualt_model = 'x/y'\n": (
        "profile 'default' in .*, line 3: no setting 'defualt_model': did you mean 'default_model'?"
    ),
    "[profile.default]\nmax_parallel_steps = 0\n": (
        "setting max_parallel_steps has a value 0 .* \\(profile 'default' in .*, line 2\\)"
    ),
    "[profile.default]\naws_default_region = 'eu'\n": "line 2: aws_default_region: Amazon Bedrock",
    "[profile.default\n": "can't be read: .*line 1",
    "profile = 3\n": "settings stand in tables called",
    "no_ask = true\n": "'no_ask' stands outside of any profile: put it under",
    "default_profile = 3\n[profile.default]\n": "default_profile is the name of a profile",
}


@pytest.mark.parametrize(("text", "message"), WRONG.items(), ids=range(len(WRONG)))
def test_a_file_that_is_wrong_is_refused_by_file_and_line(file, text, message):
    file.write_text(text)
    with pytest.raises(InvalidConfigError, match=message):
        Config.from_local_config()


def test_a_key_of_the_wrong_kind_is_not_shown(file):
    file.write_text('[profile.default]\nopenai_api_key = ["sk-secret"]\n')
    with pytest.raises(InvalidConfigError) as caught:
        Config.from_local_config()
    assert "sk-secret" not in str(caught.value)
    assert "line 2" in str(caught.value)


def test_settings_of_the_closed_cloud_are_ignored_with_a_word(file, caplog):
    file.write_text('[profile.default]\nportia_api_key = "prt-1"\nbudget = 1.0\n')
    assert Config.from_local_config().budget == 1.0
    assert "portia_api_key is ignored: the cloud service" in caplog.text
    assert "prt-1" not in caplog.text


def test_a_file_that_is_not_text_is_refused(file):
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidConfigError, match="can't be read"):
        Config.from_local_config()


# -- changing ------------------------------------------------------------------------------------


def test_one_line_changes_and_everything_else_stays(file):
    write_setting("default", "default_model", "ollama/qwen")
    assert file.read_text() == TEXT.replace(
        'default_model = "ollama/llama3.2"  # small', 'default_model = "ollama/qwen"'
    )


def test_a_new_setting_goes_to_the_end_of_its_profile(file):
    write_setting("default", "no_ask", True)
    assert "max_parallel_steps = 4\nno_ask = true\n\n[profile.work]" in file.read_text()
    write_setting("work", "budget", 1.5)
    assert Config.from_local_config("work").budget == 1.5
    assert Config.from_local_config("work").feature_flags == {"fast": True}


def test_a_new_profile_and_a_new_file_are_made(tmp_path, monkeypatch):
    path = tmp_path / "new" / "config.toml"
    monkeypatch.setenv("PORTIA_CONFIG_FILE", str(path))
    assert write_setting("default", "base_url", 'http://a/"b"\n') == path
    assert read_profiles().profiles == {"default": {"base_url": 'http://a/"b"\n'}}
    write_setting("two", "budget", 3)
    assert read_profiles().profiles["two"] == {"budget": 3}
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_setting_is_removed(file):
    remove_setting("work", "no_ask")
    assert Config.from_local_config("work").no_ask is False
    with pytest.raises(ConfigNotFoundError, match="doesn't set no_ask"):
        remove_setting("work", "no_ask")


def test_the_profile_in_use_is_written_above_all_tables(file):
    use_profile("work")
    use_profile("default")
    assert file.read_text() == f'default_profile = "default"\n\n{TEXT}'
    with pytest.raises(ConfigNotFoundError, match="no profile 'play'"):
        use_profile("play")


@pytest.mark.parametrize(
    "text",
    [
        "[profile]\ndefault = {budget = 1.0}\n",
        "[profile.default]\nbase_url = '''\nbudget = 3\n'''\n",
    ],
)
def test_what_cannot_be_changed_without_loss_is_left_alone(file, text):
    file.write_text(text)
    with pytest.raises(InvalidConfigError, match="change it in an editor"):
        write_setting("default", "budget", 2.0)
    assert file.read_text() == text
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


def test_a_link_is_followed(file, tmp_path):
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    write_setting("default", "budget", 2.0, link)
    assert link.is_symlink()
    assert "budget = 2.0" in file.read_text()


def test_a_profiles_name_is_checked(file):
    with pytest.raises(InvalidConfigError, match="can't be a profile's name"):
        write_setting("a.b", "budget", 1)


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "config.toml").mkdir()
    link = tmp_path / "link.toml"
    link.symlink_to(tmp_path / "missing" / "config.toml")
    (tmp_path / "missing").write_text("a file, not a folder")
    with pytest.raises(InvalidConfigError, match=r"can't be (read|written): "):
        write_setting("default", "budget", 1, link)
    with pytest.raises(InvalidConfigError, match="can't be read: "):
        write_setting("default", "budget", 1, tmp_path / "config.toml")
