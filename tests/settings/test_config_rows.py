"""The rows of API.md's section "Config", one by one: each setting does what it says."""

import json
import logging
import re
from pathlib import Path

import pytest

from portia_nb import (
    Config,
    ConfigNotFoundError,
    ExecutionAgentType,
    GenerativeModelsConfig,
    InvalidConfigError,
    LLMModel,
    LLMProvider,
    LogLevel,
    PlanBuilderV2,
    PlanningAgentType,
    Portia,
    StorageClass,
    default_config,
)
from portia_nb.config import KEYS
from portia_nb.llm.choice import Models
from portia_nb.llm.connections import address_of
from portia_nb.llm.presets import PRESETS
from portia_nb.settings.environment import variable_of
from portia_nb.storage.place import open_store

PROVIDERS = {
    "OPENAI_API_KEY": "openai",
    "ANTHROPIC_API_KEY": "anthropic",
    "MISTRAL_API_KEY": "mistralai",
    "GOOGLE_API_KEY": "google",
    "AZURE_OPENAI_API_KEY": "azure-openai",
    "GROQ_API_KEY": "groq",
    "XAI_API_KEY": "xai",
    "OPENROUTER_API_KEY": "openrouter",
}
MODELS = ["default", "planning", "execution", "introspection", "summarizer"]


@pytest.fixture(autouse=True)
def _in_a_project(project: Path) -> None:
    """Keep what a test keeps in a project of its own."""


# -- models and providers ------------------------------------------------------------------------


@pytest.mark.parametrize(("variable", "provider"), PROVIDERS.items(), ids=PROVIDERS)
def test_llm_provider_is_inferred_from_the_key_that_is_set(monkeypatch, variable, provider):
    monkeypatch.setenv(variable, "k-1")
    config = Config.from_default(azure_openai_endpoint="https://me.openai.azure.com")
    assert config.provider() == provider
    assert Models(config).for_purpose("planning").name.startswith(f"{provider}/")
    setting = next(setting for setting, name in KEYS.items() if name == variable)
    assert config.origin(setting) == f"{variable} in the environment"
    assert Config(**{setting: "given"}).key(setting) == "given"
    assert "k-1" not in repr(config) + str(config) + config.model_dump_json()


@pytest.mark.parametrize("name", ["openai", "OPENAI", LLMProvider.OPENAI, " OpenAI "])
def test_llm_provider_may_be_named(name, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert Config.from_default(llm_provider=name).provider() is LLMProvider.OPENAI


@pytest.mark.parametrize("purpose", MODELS)
def test_each_model_is_named_in_the_constructor_the_environment_or_models(purpose, monkeypatch):
    setting = f"{purpose}_model"
    assert getattr(Config(**{setting: "groq/a"}), setting) == "groq/a"
    models = GenerativeModelsConfig(**{setting: "groq/b"})
    assert getattr(Config(models=models), setting) == "groq/b"
    assert getattr(Config(models={setting: "groq/b"}), setting) == "groq/b"
    monkeypatch.setenv(f"PORTIA_{setting.upper()}", "groq/c")
    assert getattr(Config.from_default(), setting) == "groq/c"
    assert getattr(Config.from_default(models=models), setting) == "groq/b"
    assert Config.from_default(models=models).models == models


def test_models_and_a_setting_must_not_contradict_each_other():
    models = GenerativeModelsConfig(default_model="groq/a")
    assert Config(models=models, default_model="groq/a").default_model == "groq/a"
    with pytest.raises(InvalidConfigError, match="default_model is 'groq/b' and, in models"):
        Config(models=models, default_model="groq/b")
    with pytest.raises(InvalidConfigError, match="models is a GenerativeModelsConfig"):
        Config(models="groq/a")
    with pytest.raises(InvalidConfigError, match="models is a GenerativeModelsConfig"):
        Config(models={"modle": "groq/a"})


def test_the_references_model_names_mean_their_models():
    config = Config(default_model=LLMModel.GPT_4_O, openai_api_key="k")
    assert config.get_default_model().name == "openai/gpt-4o"
    for model in LLMModel:
        assert model.provider in PRESETS
        assert model == f"{model.provider.value}/{model.api_name}"


def test_azure_openai_endpoint_and_ollama_base_url_say_where_the_server_is(monkeypatch):
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://me.openai.azure.com")
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://10.0.0.2:11434")
    config = Config.from_default(azure_openai_api_key="k")
    azure = address_of(PRESETS[LLMProvider.AZURE_OPENAI], config)
    assert azure.base_url == "https://me.openai.azure.com/openai/v1"
    ollama = address_of(PRESETS[LLMProvider.OLLAMA], config)
    assert ollama.base_url == "http://10.0.0.2:11434/v1"
    with pytest.raises(ConfigNotFoundError, match="azure_openai_endpoint"):
        address_of(PRESETS[LLMProvider.AZURE_OPENAI], Config(azure_openai_api_key="k"))


AWS = [
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_default_region",
    "aws_credentials_profile_name",
]


@pytest.mark.parametrize("setting", AWS)
def test_aws_settings_are_refused_with_what_to_use_instead(setting):
    with pytest.raises(InvalidConfigError, match=f"{setting}: Amazon Bedrock isn't .* gateway"):
        Config(**{setting: "x"})


@pytest.mark.parametrize("given", [{"llm_provider": "amazon"}, {"default_model": "bedrock/claude"}])
def test_bedrock_is_refused_as_a_provider_too(given):
    with pytest.raises(InvalidConfigError, match="Amazon Bedrock isn't among the providers"):
        Models(Config(**given)).for_purpose("planning")


# -- keeping and logging -------------------------------------------------------------------------


def test_storage_class_memory_keeps_nothing_on_disk(project):
    portia = Portia(Config(storage_class=StorageClass.MEMORY), tools=[])
    portia.run_plan(PlanBuilderV2().function_step(function=lambda: 1).build())
    assert not (project / ".portia").exists()


def test_storage_class_disk_keeps_runs_in_storage_dir(project, monkeypatch):
    monkeypatch.setenv("PORTIA_STORAGE_CLASS", "disk")
    monkeypatch.setenv("PORTIA_STORAGE_DIR", "kept")
    portia = Portia(Config.from_default(), tools=[])
    run = portia.run_plan(PlanBuilderV2().function_step(function=lambda: 1).build())
    assert (project / "kept" / "journal.db").exists() or any((project / "kept").iterdir())
    again = Portia(Config(storage_class="DISK", storage_dir="kept"), tools=[])
    assert again.store.find_run(run.id).run_id == run.id


def test_storage_class_cloud_is_refused_with_what_to_use_instead():
    with pytest.raises(InvalidConfigError, match=r"CLOUD: the service .* closed; use DISK"):
        open_store(Config(storage_class="CLOUD"))


LEVELS = {
    "TRACE": 5, "DEBUG": 10, "INFO": 20, "WARN": 30, "WARNING": 30, "ERROR": 40, "CRITICAL": 50,
}  # fmt: skip


@pytest.mark.parametrize(("level", "number"), LEVELS.items(), ids=LEVELS)
def test_default_log_level_sets_the_level_of_the_log(level, number, monkeypatch, tmp_path):
    monkeypatch.setenv("PORTIA_LOG_LEVEL", level.lower())
    monkeypatch.setenv("PORTIA_LOG_SINK", str(tmp_path / "log.txt"))
    portia = Portia(Config.from_default(store="memory"), tools=[])
    assert portia.config.default_log_level in set(LogLevel)
    portia.run_plan(PlanBuilderV2().function_step(function=lambda: 1).build())
    assert logging.getLogger("portia_nb").level == number
    lines = (tmp_path / "log.txt").read_text().splitlines()
    assert any("IN_PROGRESS" in line for line in lines) is (number <= 20)
    assert any("executing step" in line for line in lines) is (number <= 10)


def test_json_log_serialize_writes_an_object_a_line(monkeypatch, tmp_path):
    monkeypatch.setenv("PORTIA_JSON_LOG_SERIALIZE", "true")
    config = Config.from_default(store="memory", default_log_sink=str(tmp_path / "log"))
    plan = PlanBuilderV2().function_step(function=lambda: 1).build()
    Portia(config, tools=[]).run_plan(plan)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert {"time", "level", "message"} <= lines[0].keys()


# -- the rest ------------------------------------------------------------------------------------


def test_agent_types_are_accepted(monkeypatch):
    config = Config(
        execution_agent_type=ExecutionAgentType.ONE_SHOT,
        planning_agent_type=PlanningAgentType.DEFAULT,
    )
    assert (config.execution_agent_type, config.planning_agent_type) == ("ONE_SHOT", "DEFAULT")
    monkeypatch.setenv("PORTIA_EXECUTION_AGENT_TYPE", "ONE_SHOT")
    assert Config.from_default().execution_agent_type is ExecutionAgentType.ONE_SHOT


def test_large_output_threshold_tokens_is_1000_and_can_be_set(monkeypatch):
    assert Config().large_output_threshold_tokens == 1_000
    monkeypatch.setenv("PORTIA_LARGE_OUTPUT_THRESHOLD_TOKENS", "50")
    assert Config.from_default().large_output_threshold_tokens == 50
    with pytest.raises(InvalidConfigError, match="large_output_threshold_tokens has a value 0"):
        Config(large_output_threshold_tokens=0)


def test_argument_clarifications_enabled_is_read(monkeypatch):
    monkeypatch.setenv("PORTIA_ARGUMENT_CLARIFICATIONS_ENABLED", "false")
    assert Config.from_default().argument_clarifications_enabled is False


def test_feature_flags_come_by_name_or_as_variables(monkeypatch):
    monkeypatch.setenv("PORTIA_FEATURE_FAST_LANE", "yes")
    monkeypatch.setenv("PORTIA_FEATURE_SLOW", "0")
    assert Config.from_default().feature_flags == {"fast_lane": True, "slow": False}
    assert Config(feature_flags={"a": True}).feature_flags == {"a": True}


def test_a_config_needs_no_key_until_a_model_is_called():
    config = Config(llm_provider="openai")
    portia = Portia(config.changed(store="memory"), tools=[])
    run = portia.run_plan(PlanBuilderV2().function_step(function=lambda: 1).build())
    assert run.state == "COMPLETE"
    assert config.key("openai_api_key") is None
    with pytest.raises(ConfigNotFoundError, match="OPENAI_API_KEY is not set"):
        config.need_key("openai_api_key", "the model")


def test_every_setting_but_code_and_tables_has_a_variable():
    without = {name for name in Config.model_fields if variable_of(name) is None}
    assert without == {"approve", "feature_flags", "prices"}


EACH = {
    "base_url": "http://127.0.0.1:1/v1", "store": "memory", "max_parallel_steps": "3",
    "budget": "1.5", "step_timeout_s": "9", "file_root": "files", "no_ask": "1",
    "assume_side_effects": "false", "live_view": "false", "max_model_calls": "2",
    "model_timeout_s": "5", "model_retries": "0",
}  # fmt: skip


@pytest.mark.parametrize(("setting", "text"), EACH.items(), ids=EACH)
def test_our_own_settings_are_read_from_the_environment(setting, text, monkeypatch):
    monkeypatch.setenv(variable_of(setting) or "", text)
    config = Config.from_default()
    assert getattr(config, setting) == getattr(Config(**{setting: text}), setting)
    assert getattr(config, setting) != Config.model_fields[setting].default


def test_a_wrong_value_of_the_environment_is_named_with_its_variable(monkeypatch):
    monkeypatch.setenv("PORTIA_BUDGET", "much")
    message = "setting budget has a value 'much' .* (PORTIA_BUDGET in the environment)"
    with pytest.raises(InvalidConfigError, match=re.escape(message).replace(r"\.\*", ".*")):
        Config.from_default()
    assert Config.from_default(budget=1).budget == 1


def test_the_nearest_env_file_stands_behind_the_environment(project, monkeypatch):
    (project / ".env").write_text("PORTIA_STORE=memory\nPORTIA_BUDGET=2\nOPENAI_API_KEY=sk-env\n")
    monkeypatch.setenv("PORTIA_BUDGET", "3")
    config = Config.from_default()
    assert (config.store, config.budget, config.key("openai_api_key")) == ("memory", "3", "sk-env")
    assert config.origin("store") == f"PORTIA_STORE in {project / '.env'}"


def test_default_config_and_changed_keep_where_values_come_from(monkeypatch):
    monkeypatch.setenv("PORTIA_STORE", "memory")
    config = default_config(budget=1.0).changed(max_parallel_steps=2)
    assert (config.store, config.budget, config.max_parallel_steps) == ("memory", 1.0, 2)
    assert config.origin("store") == "PORTIA_STORE in the environment"
    assert config.origin("max_parallel_steps") == "given"
    assert config == Config(store="memory", budget=1.0, max_parallel_steps=2)
    with pytest.raises(InvalidConfigError, match="did you mean 'budget'"):
        config.changed(bugdet=2)


def test_what_a_key_of_the_cloud_was_for_is_said_once(caplog):
    assert Config(portia_api_key="prt-1") == Config()
    assert "portia_api_key is ignored: the cloud service that it was for is closed" in caplog.text
