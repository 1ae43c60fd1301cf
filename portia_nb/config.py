"""Settings: one frozen `Config`, and where its values are taken from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
)

from portia_nb.errors import InvalidConfigError
from portia_nb.settings import gone
from portia_nb.settings.answers import Answers
from portia_nb.settings.budget import check_budget
from portia_nb.settings.choices import (
    ExecutionAgentType,
    LLMModel,
    LLMProvider,
    LogLevel,
    PlanningAgentType,
    StorageClass,
)
from portia_nb.settings.handing_out import HandsOutModels
from portia_nb.settings.keys import KEYS, PROVIDER_KEYS
from portia_nb.settings.models import GenerativeModelsConfig, Purpose, without_models
from portia_nb.settings.names import known_only
from portia_nb.settings.reading import ReadsSettings

# Whoever deals with settings finds the words for them, and the keys, here.
__all__ = [
    "KEYS",
    "PROVIDER_KEYS",
    "Config",
    "ExecutionAgentType",
    "GenerativeModelsConfig",
    "LLMModel",
    "LLMProvider",
    "LogLevel",
    "PlanningAgentType",
    "Purpose",
    "StorageClass",
    "default_config",
]

_PROVIDERS_TOO = {
    "grok": "xai",
    "mistral": "mistralai",
    "azure": "azure-openai",
    "google-generative-ai": "google",
}


class Config(HandsOutModels, ReadsSettings):
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
    cache: bool = True
    """Tools and steps with ``cache`` reuse outputs of equal ones; False: everything is executed."""
    budget: Annotated[Any, AfterValidator(check_budget)] = None
    """The most that a run may spend on models, such as ``"$0.50, 20k tokens, 30 calls"``."""
    prices: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """US dollars for a million tokens sent and received, by ``provider/name``."""
    assume_side_effects: bool = True
    """An undeclared tool or function keeps its place; False: runs as soon as it can."""
    use_similar_plans: bool = False
    """The planner is shown kept plans of similar queries, where a call names no examples."""
    approve: Callable[..., Any] | None = None
    """``approve(tool_id, arguments)``: whether a call with ``side_effect=True`` may be made."""
    file_root: Path | None = None
    """Folder that the file tools may not leave; None is the working folder."""
    no_ask: bool = False
    """Never ask a person: a question that no declared answer meets stops the run."""
    answers: Answers | None = None
    """Answers given beforehand, by argument or step; or JSON, or a file of JSON, of such."""
    live_view: bool = True
    """Python calls made in a notebook show the live view once ``%load_ext portia_nb`` has run."""
    record: Path | None = None
    """A file in which to keep what models and tools answer, and people; see `Portia.recording`."""
    replay: Path | None = None
    """A file of `record` to answer from instead; see `Portia.replaying`."""

    @field_validator("llm_provider", mode="before")
    @classmethod
    def _read_provider(cls, value: Any) -> Any:
        """Take the enum's names too, in any case: ``"OPENAI"``, ``"azure_openai"``."""
        if isinstance(value, str) and not isinstance(value, LLMProvider):
            plain = value.strip().lower().replace("_", "-")
            if plain in gone.BEDROCK_NAMES:
                raise ValueError(gone.BEDROCK)
            return _PROVIDERS_TOO.get(plain, plain)
        return value

    @field_validator("store", mode="before")
    @classmethod
    def _read_folder(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

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

        Beside the settings, `models` may be a `GenerativeModelsConfig` or a dict of the same names.

        Raises:
            InvalidConfigError: a name that isn't a setting (with the nearest that is), or a value
                of the wrong kind.
        """
        settings = known_only(without_models(settings), type(self).model_fields)
        try:
            super().__init__(**settings)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            found = "" if where in KEYS else f" {settings.get(where)!r}"
            raise InvalidConfigError(
                f"setting {where} has a value{found} that can't be used: "
                f"{first['msg'].removeprefix('Value error, ')}",
                setting=where,
            ) from None
        if self.record is not None and self.replay is not None:
            raise InvalidConfigError(
                f"record {str(self.record)!r} and replay {str(self.replay)!r} are both set: a call "
                "is either made and kept, or answered from a record; set one of them to None",
                setting="record",
            )

    def __eq__(self, other: object) -> bool:
        """Compare settings; where they come from doesn't count."""
        return type(self) is type(other) and vars(self) == vars(other)

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

    @property
    def models(self) -> GenerativeModelsConfig:
        """Which model does what, as one object."""
        return GenerativeModelsConfig(
            **{name: getattr(self, name) for name in GenerativeModelsConfig.model_fields}
        )


def default_config(**overrides: Any) -> Config:
    """Return `Config.from_default` of `overrides`, under the reference SDK's name for it."""
    return Config.from_default(**overrides)
