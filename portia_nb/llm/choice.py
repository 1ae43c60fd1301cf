"""Which model answers: as settings name it, else the provider's choice, else the scripted one."""

from __future__ import annotations

from typing import Any

from portia_nb.config import Config, LLMProvider
from portia_nb.errors import InvalidConfigError, PortiaBaseError
from portia_nb.model.language import LanguageModel, Purpose

from .client import OpenAIModel
from .connections import Connections, address_of, provider_in_force
from .presets import PRESETS, Preset, read_model_name
from .scripted import ScriptedModel


class Models:
    """The language models of one session; they share one HTTP client for each provider.

    Nothing is imported or opened before the first call to a model.

    >>> Models(Config(default_model="ollama/llama3.2")).for_purpose("planning").name
    'ollama/llama3.2'
    """

    def __init__(self, config: Config) -> None:
        """Remember `config`."""
        self._config = config
        self._connections = Connections(config)
        self._made: dict[tuple[LLMProvider, str | None], LanguageModel] = {}

    def for_purpose(self, purpose: Purpose) -> LanguageModel:
        """Return the model that the settings give for `purpose`.

        Raises:
            InvalidConfigError: the setting names no provider that is known, or isn't a model.
            ConfigNotFoundError: the provider needs an address and has none.
        """
        return self.named(self._config.model_for(purpose), purpose)

    def named(self, model: Any, purpose: Purpose = "execution") -> LanguageModel:
        """Return `model`: a `LanguageModel` as it is, ``"provider/name"``, or None for the default.

        Without a key the scripted model stands in, which knows the tutorials' queries only.

        Raises:
            InvalidConfigError: as `for_purpose`.
            ConfigNotFoundError: as `for_purpose`.
        """
        if isinstance(model, LanguageModel):
            return model
        in_force = provider_in_force(self._config)
        if model is None:
            if in_force is None:
                return ScriptedModel()
            preset = PRESETS[in_force]
            return self._of(preset, preset.models.get(purpose))
        if not isinstance(model, str):
            raise InvalidConfigError(
                f"{model!r} is neither 'provider/name' nor a LanguageModel (an object with a name "
                "and an async reply method)",
                setting="default_model",
            )
        preset, name = read_model_name(model, in_force)
        return self._of(preset, name or preset.models.get(purpose))

    def _of(self, preset: Preset, name: str | None) -> LanguageModel:
        address = address_of(preset, self._config)
        is_own_server = address.base_url == preset.base_url or preset.base_url is None
        if address.key is None and preset.key_setting is not None and is_own_server:
            return ScriptedModel(preset.provider)
        place = (preset.provider, name)
        if place not in self._made:
            self._made[place] = OpenAIModel(address, name, self._connections, self._config)
        return self._made[place]

    async def warm(self, purpose: Purpose = "execution") -> None:
        """Import the `openai` client and open the connection for `purpose`, without any request.

        It takes about half a second, which the first call then doesn't; nothing is raised.
        """
        try:
            model = self.for_purpose(purpose)
            if isinstance(model, OpenAIModel):
                await self._connections.to(model.address)
        except PortiaBaseError:
            # Whoever calls the model is told.
            return

    async def aclose(self) -> None:
        """Close the clients that were opened on the running loop."""
        await self._connections.aclose()
