"""Which model does what: the settings for it, one by one or as one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from portia_nb.errors import InvalidConfigError

Purpose = Literal["planning", "execution", "introspection", "summary"]


class GenerativeModelsConfig(BaseModel):
    """The settings of `Config` that say which model does what, as one object.

    ``Config(models=…)`` takes it, and ``config.models`` gives it back.

    >>> from portia_nb import Config
    >>> models = GenerativeModelsConfig(default_model="ollama/llama3.2")
    >>> Config(models=models).default_model
    'ollama/llama3.2'
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    default_model: Any = None
    """``"provider/name"``, or any object that is a `LanguageModel`; the same holds for the rest."""
    planning_model: Any = None
    """Plans; None, here and below: the default model."""
    execution_model: Any = None
    """Does steps, and chooses arguments of tools."""
    introspection_model: Any = None
    """Judges conditions."""
    summarizer_model: Any = None
    """Writes summaries."""


def without_models(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return `settings` with what `models` holds under its own names.

    Raises:
        InvalidConfigError: `models` is neither a `GenerativeModelsConfig` nor a dict like one, or
            contradicts another setting.
    """
    if "models" not in settings:
        return dict(settings)
    plain = {name: value for name, value in settings.items() if name != "models"}
    models = settings["models"]
    if isinstance(models, GenerativeModelsConfig):
        models = {name: getattr(models, name) for name in GenerativeModelsConfig.model_fields}
    if not isinstance(models, Mapping) or models.keys() - GenerativeModelsConfig.model_fields:
        raise InvalidConfigError(
            f"models is a GenerativeModelsConfig, not {models!r:.200}", setting="models"
        )
    for name, model in models.items():
        if model is None:
            continue
        if plain.get(name) not in (None, model):
            raise InvalidConfigError(
                f"{name} is {plain[name]!r} and, in models, {model!r}: give one of them",
                setting=name,
            )
        plain[name] = model
    return plain
