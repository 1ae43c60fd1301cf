"""Settings: one frozen `Config`, the only place that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from portia_nb.errors import ConfigNotFoundError, InvalidConfigError


class LogLevel(StrEnum):
    """How much of a run is logged."""

    TRACE = "TRACE"
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class StorageClass(StrEnum):
    """Where runs are kept."""

    MEMORY = "MEMORY"
    DISK = "DISK"
    CLOUD = "CLOUD"


class LLMProvider(StrEnum):
    """Who serves language models; the value is the part of a model's name before the slash."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    MISTRALAI = "mistralai"
    GOOGLE = "google"
    AZURE_OPENAI = "azure-openai"
    GROQ = "groq"
    XAI = "xai"
    GROK = "xai"
    OPENROUTER = "openrouter"
    OLLAMA = "ollama"
    LM_STUDIO = "lmstudio"
    LLAMA_CPP = "llamacpp"
    VLLM = "vllm"
    CUSTOM = "custom"


class ExecutionAgentType(StrEnum):
    """Accepted for code that names one; a single agent stands behind all of them."""

    ONE_SHOT = "ONE_SHOT"
    DEFAULT = "DEFAULT"


class PlanningAgentType(StrEnum):
    """Accepted for code that names one; a single planner stands behind all of them."""

    DEFAULT = "DEFAULT"


KEYS: Mapping[str, str] = {
    "openai_api_key": "OPENAI_API_KEY",
    "anthropic_api_key": "ANTHROPIC_API_KEY",
    "mistralai_api_key": "MISTRAL_API_KEY",
    "google_api_key": "GOOGLE_API_KEY",
    "azure_openai_api_key": "AZURE_OPENAI_API_KEY",
    "groq_api_key": "GROQ_API_KEY",
    "grok_api_key": "XAI_API_KEY",
    "openrouter_api_key": "OPENROUTER_API_KEY",
    "tavily_api_key": "TAVILY_API_KEY",
    "openweathermap_api_key": "OPENWEATHERMAP_API_KEY",
}
"""Each key's setting and the environment variable that stands in for it."""

PROVIDER_KEYS: Mapping[LLMProvider, str] = {
    LLMProvider.OPENAI: "openai_api_key",
    LLMProvider.ANTHROPIC: "anthropic_api_key",
    LLMProvider.MISTRALAI: "mistralai_api_key",
    LLMProvider.GOOGLE: "google_api_key",
    LLMProvider.AZURE_OPENAI: "azure_openai_api_key",
    LLMProvider.GROQ: "groq_api_key",
    LLMProvider.XAI: "grok_api_key",
    LLMProvider.OPENROUTER: "openrouter_api_key",
}
"""Providers that need a key, in the order in which one that has a key is chosen."""

_FROM_ENVIRONMENT: Mapping[str, str] = {
    "llm_provider": "PORTIA_LLM_PROVIDER",
    "default_model": "PORTIA_DEFAULT_MODEL",
    "planning_model": "PORTIA_PLANNING_MODEL",
    "execution_model": "PORTIA_EXECUTION_MODEL",
    "introspection_model": "PORTIA_INTROSPECTION_MODEL",
    "summarizer_model": "PORTIA_SUMMARIZER_MODEL",
    "base_url": "PORTIA_BASE_URL",
    "azure_openai_endpoint": "AZURE_OPENAI_ENDPOINT",
    "ollama_base_url": "OLLAMA_BASE_URL",
    "default_log_level": "PORTIA_LOG_LEVEL",
    "storage_class": "PORTIA_STORAGE_CLASS",
    "storage_dir": "PORTIA_STORAGE_DIR",
    "store": "PORTIA_STORE",
    "max_parallel_steps": "PORTIA_MAX_PARALLEL_STEPS",
    "step_timeout_s": "PORTIA_STEP_TIMEOUT_S",
    "file_root": "PORTIA_FILE_ROOT",
    "tavily_base_url": "TAVILY_API_BASE_URL",
    "no_ask": "PORTIA_NO_ASK",
}

_PROVIDERS_TOO = {"grok": "xai", "mistral": "mistralai", "azure": "azure-openai"}

Purpose = Literal["planning", "execution", "introspection", "summary"]


class Config(BaseModel):
    """Every setting of a `Portia`, frozen.

    A `Config` needs no key until a model is called. Use `Config.from_default` to read the
    environment and the nearest ``.env``; the constructor reads neither, except that a key that is
    not given is looked up in the environment at the moment when it is needed.

    >>> Config(max_parallel_steps=2).max_parallel_steps
    2
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    llm_provider: LLMProvider | None = None
    """Who serves the models; inferred from the keys that are set where None."""
    default_model: Any = None
    """``"provider/name"``, or any object that is a `LanguageModel`."""
    planning_model: Any = None
    execution_model: Any = None
    introspection_model: Any = None
    summarizer_model: Any = None
    base_url: str | None = None
    """Address of any server that speaks the OpenAI API; replaces the provider's own."""

    openai_api_key: SecretStr | None = None
    anthropic_api_key: SecretStr | None = None
    mistralai_api_key: SecretStr | None = None
    google_api_key: SecretStr | None = None
    azure_openai_api_key: SecretStr | None = None
    azure_openai_endpoint: str | None = None
    groq_api_key: SecretStr | None = None
    grok_api_key: SecretStr | None = None
    openrouter_api_key: SecretStr | None = None
    ollama_base_url: str | None = None
    tavily_api_key: SecretStr | None = None
    tavily_base_url: str | None = None
    """Address of Tavily's API; None is its own."""
    openweathermap_api_key: SecretStr | None = None
    openweathermap_base_url: str = "https://api.openweathermap.org"

    storage_class: StorageClass | None = None
    """MEMORY keeps nothing on disk, DISK keeps the journal in `storage_dir`; None: see `store`."""
    storage_dir: Path | None = None
    store: str | None = None
    """``"memory"``, a folder, or None for ``.portia/`` beside the project's root."""

    default_log_level: LogLevel = LogLevel.INFO
    default_log_sink: Any = "stderr"
    """``"stderr"``, ``"stdout"``, a file's path, or a text stream."""
    json_log_serialize: bool = False

    execution_agent_type: ExecutionAgentType = ExecutionAgentType.DEFAULT
    planning_agent_type: PlanningAgentType = PlanningAgentType.DEFAULT
    feature_flags: dict[str, bool] = Field(default_factory=dict)
    large_output_threshold_tokens: int = Field(default=1_000, gt=0)
    argument_clarifications_enabled: bool = True
    """An argument that would have to be made up becomes a question; off: the model decides."""

    max_parallel_steps: int = Field(default=64, ge=1)
    max_model_calls: int = Field(default=8, ge=1)
    """Model calls under way at once, for each provider."""
    step_timeout_s: float = Field(default=300.0, gt=0)
    """Seconds that a step may take unless it says otherwise; waiting for a person doesn't count."""
    model_timeout_s: float = Field(default=120.0, gt=0)
    """Seconds that one request to a model may take."""
    model_retries: int = Field(default=3, ge=0)
    """Further tries after a request to a model that is worth repeating."""
    budget: float | None = Field(default=None, ge=0)
    assume_side_effects: bool = True
    """An undeclared tool or function keeps its place; False: runs as soon as it can."""
    use_similar_plans: bool = False
    """The planner is shown kept plans of similar queries, where a call names no examples."""
    approve: Callable[..., Any] | None = None
    """Asked before a call with ``side_effect=True`` is made, as ``approve(tool_id, arguments)``:
    true lets it go."""
    file_root: Path | None = None
    """Folder that the file tools may not leave; None is the working folder."""
    no_ask: bool = False
    """Never ask a person: a question that no declared answer meets stops the run."""
    live_view: bool = True
    """Python calls made in a notebook show the live view once ``%load_ext portia_nb`` has run."""

    @field_validator("llm_provider", mode="before")
    @classmethod
    def _read_provider(cls, value: Any) -> Any:
        """Take the enum's names too, in any case: ``"OPENAI"``, ``"azure_openai"``."""
        if isinstance(value, str) and not isinstance(value, LLMProvider):
            plain = value.strip().lower().replace("_", "-")
            return _PROVIDERS_TOO.get(plain, plain)
        return value

    @field_validator("default_log_level", "storage_class", mode="before")
    @classmethod
    def _read_upper(cls, value: Any) -> Any:
        """Take ``"debug"`` for ``DEBUG``, and ``WARNING`` for ``WARN``."""
        if isinstance(value, str):
            upper = value.strip().upper()
            return {"WARNING": "WARN"}.get(upper, upper)
        return value

    def __init__(self, **settings: Any) -> None:
        """Check `settings`.

        Raises:
            InvalidConfigError: a name that isn't a setting (with the nearest that is), or a value
                of the wrong kind.
        """
        unknown = [name for name in settings if name not in type(self).model_fields]
        if unknown:
            hint = _did_you_mean(unknown[0], type(self).model_fields)
            raise InvalidConfigError(hint, setting=unknown[0])
        try:
            super().__init__(**settings)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            found = "" if where in KEYS else f" {settings.get(where)!r}"
            raise InvalidConfigError(
                f"setting {where} has a value{found} that can't be used: {first['msg']}",
                setting=where,
            ) from None

    @classmethod
    def from_default(cls, **overrides: Any) -> Self:
        """Read the settings from the environment and the nearest ``.env``, then apply `overrides`.

        Precedence: `overrides`, then the environment, then ``.env``, then the defaults.

        Raises:
            InvalidConfigError: as the constructor.
        """
        surroundings = _surroundings()
        found: dict[str, Any] = {
            name: surroundings[variable]
            for name, variable in (*KEYS.items(), *_FROM_ENVIRONMENT.items())
            if surroundings.get(variable)
        }
        return cls(**{**found, **overrides})

    def key(self, setting: str) -> str | None:
        """Return the key named `setting`: as given, else as the environment has it now.

        Args:
            setting: a key's name in `KEYS`, e.g. ``"tavily_api_key"``.
        """
        given = getattr(self, setting)
        if given is not None:
            return given.get_secret_value() or None
        return os.environ.get(KEYS[setting]) or None

    def need_key(self, setting: str, whose: str) -> str:
        """Return the key named `setting`.

        Args:
            setting: a key's name in `KEYS`.
            whose: who needs it, for the message, e.g. ``"search_tool"``.

        Raises:
            ConfigNotFoundError: it is set nowhere.
        """
        found = self.key(setting)
        if found is None:
            raise ConfigNotFoundError(
                f"{whose} needs a key and {KEYS[setting]} is not set: set it in the environment or "
                f"in .env, or pass Config.from_default({setting}=…)",
                setting=setting,
                variable=KEYS[setting],
            )
        return found

    def secrets(self) -> tuple[str, ...]:
        """Return every key that is set, so that it can be kept out of what is shown or kept.

        Each stands there as it is, and as an address would hold it where that differs.
        """
        keys = [found for setting in KEYS if (found := self.key(setting))]
        return tuple(dict.fromkeys([*keys, *(quote(key, safe="") for key in keys)]))

    def provider(self) -> LLMProvider | None:
        """Return the provider in force: as set, else the first whose key is set, else None."""
        if self.llm_provider is not None:
            return self.llm_provider
        return next((p for p, setting in PROVIDER_KEYS.items() if self.key(setting)), None)

    def model_for(self, purpose: Purpose) -> Any:
        """Return the model set for `purpose`, falling back to `default_model`, else None."""
        chosen = {
            "planning": self.planning_model,
            "execution": self.execution_model,
            "introspection": self.introspection_model,
            "summary": self.summarizer_model,
        }[purpose]
        return self.default_model if chosen is None else chosen


def default_config(**overrides: Any) -> Config:
    """Return `Config.from_default` of `overrides`, under the reference SDK's name for it."""
    return Config.from_default(**overrides)


def _surroundings() -> dict[str, str]:
    """Return the environment over the nearest ``.env``, neither changed."""
    from dotenv import dotenv_values, find_dotenv

    path = find_dotenv(usecwd=True)
    from_file = dotenv_values(path) if path else {}
    return {**{k: v for k, v in from_file.items() if v is not None}, **os.environ}


def _did_you_mean(name: str, known: Any) -> str:
    near = get_close_matches(name, list(known), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"settings: {', '.join(sorted(known))}"
    return f"no setting {name!r}: {hint}"
