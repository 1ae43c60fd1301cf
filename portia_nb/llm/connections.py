"""One HTTP client for each provider, opened at first use and shared by all that call it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from portia_nb.config import KEYS, Config, LLMProvider
from portia_nb.errors import ConfigNotFoundError

from .habits import Habits
from .presets import PRESETS, Preset, read_model_name

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Address:
    """Where a provider is reached, and with what key."""

    preset: Preset
    base_url: str
    key: str | None = field(repr=False)

    @property
    def key_variable(self) -> str | None:
        """The environment variable of its key, or None where it needs none."""
        setting = self.preset.key_setting
        return KEYS[setting] if setting is not None else None


@dataclass(frozen=True, slots=True)
class Connection:
    """An open client, and what is shared by those who use it."""

    client: AsyncOpenAI
    slots: asyncio.Semaphore
    """One for each call that may be under way."""


def provider_in_force(config: Config) -> LLMProvider | None:
    """Return the provider of models that are named without one: as set, else as keys tell."""
    if config.llm_provider is not None:
        return config.llm_provider
    found = config.provider()
    if found is None and config.base_url is not None:
        found = LLMProvider.CUSTOM
    if isinstance(config.default_model, str) and "/" in config.default_model:
        return read_model_name(config.default_model, found)[0].provider
    return found


def address_of(preset: Preset, config: Config) -> Address:
    """Return where `preset`'s provider is reached under `config`.

    `Config(base_url=…)` replaces the address of the provider in force, of no other.

    Raises:
        ConfigNotFoundError: it has no address of its own and none is set.
    """
    setting = preset.key_setting
    key = config.key(setting) if setting is not None else None
    base_url = preset.base_url
    if config.base_url is not None and preset.provider == provider_in_force(config):
        base_url = config.base_url
    elif preset.provider == LLMProvider.OLLAMA and config.ollama_base_url:
        base_url = _with_path(config.ollama_base_url, "/v1")
    elif preset.provider == LLMProvider.AZURE_OPENAI and config.azure_openai_endpoint:
        base_url = _with_path(config.azure_openai_endpoint, "/openai/v1")
    if base_url is None:
        needed = {LLMProvider.AZURE_OPENAI: "azure_openai_endpoint"}.get(
            preset.provider, "base_url"
        )
        raise ConfigNotFoundError(
            f"{preset.title} has no address of its own: set Config.from_default({needed}=…)",
            setting=needed,
        )
    if preset.provider == LLMProvider.CUSTOM and config.openai_api_key is not None:
        # A key from the environment was meant for OpenAI, so it isn't sent elsewhere unasked.
        key = config.openai_api_key.get_secret_value()
    return Address(preset, base_url, key)


def _with_path(url: str, path: str) -> str:
    url = url.rstrip("/")
    return url if url.endswith("/v1") else url + path


class Connections:
    """The clients of one session.

    A client belongs to the event loop that it was first used on (used on two it fails, or hangs),
    so each loop has its own; in practice there is one loop, our background one.
    """

    def __init__(self, config: Config) -> None:
        """Remember `config`; nothing is opened or imported yet."""
        self._config = config
        self._open: WeakKeyDictionary[
            asyncio.AbstractEventLoop, dict[tuple[str, str | None], asyncio.Task[Connection]]
        ] = WeakKeyDictionary()
        self._habits: dict[tuple[str, str], Habits] = {}

    async def to(self, address: Address) -> Connection:
        """Return the running loop's connection to `address`, opening it at first use."""
        loop = asyncio.get_running_loop()
        opened = self._open.setdefault(loop, {})
        place = (address.base_url, address.key)
        if place not in opened:
            opened[place] = loop.create_task(self._connect(address))
        # Shielded: whoever asked first may be cancelled while others wait for the same client.
        return await asyncio.shield(opened[place])

    async def _connect(self, address: Address) -> Connection:
        loop = asyncio.get_running_loop()
        if "openai" in sys.modules:
            client = _make_client(address)
        else:
            # The import takes about a second, in which the loop has other steps to serve.
            client = await loop.run_in_executor(None, _make_client, address)
        return Connection(client, asyncio.Semaphore(self._config.max_model_calls))

    def habits(self, address: Address, model: str, schema: str = "") -> Habits:
        """Return how `model` is asked: as learned for this schema, else for it, else at first."""
        place = f"{address.base_url} {model}"
        of_model = self._habits.get((place, ""), Habits.of(address.preset))
        return self._habits.get((place, schema), of_model)

    def learn(self, address: Address, model: str, habits: Habits, schema: str = "") -> None:
        """Remember how `model` has to be asked, for one schema or for all."""
        self._habits[f"{address.base_url} {model}", schema] = habits

    @property
    def knows_schemas(self) -> bool:
        """Something was learned of single schemas, so that it is worth telling them apart."""
        return any(schema for _, schema in self._habits)

    async def aclose(self) -> None:
        """Close the running loop's clients; those of other loops end with them."""
        for task in self._open.pop(asyncio.get_running_loop(), {}).values():
            if task.done() and not task.cancelled() and task.exception() is None:
                await task.result().client.close()
            else:
                task.cancel()


def _make_client(address: Address) -> AsyncOpenAI:
    import openai

    timeout = openai.Timeout(None, connect=CONNECT_TIMEOUT_S)
    settings: dict[str, Any] = {}
    if _is_plain_loopback(address.base_url):
        # No proxy leads to loopback, and making a TLS context costs 100 ms.
        settings["http_client"] = openai.DefaultAsyncHttpxClient(
            verify=False, trust_env=False, follow_redirects=False, timeout=timeout
        )
    client = openai.AsyncOpenAI(
        base_url=address.base_url,
        api_key=address.key or "no-key",
        # Retries are ours (see client.py): in one place, counted, and for broken streams too.
        max_retries=0,
        timeout=timeout,
        **settings,
    )
    if address.preset.provider != LLMProvider.OPENAI:
        # The client reads these from OpenAI's variables; they are nobody else's business.
        client.organization = None
        client.project = None
    return client


def _is_plain_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")


ADVICE_WHEN_DOWN: Mapping[LLMProvider, str] = MappingProxyType(
    {
        provider: f"start {preset.title}, or set where it listens with Config(base_url=…)"
        for provider, preset in PRESETS.items()
        if preset.is_local
    }
)
"""What to do when a server on this machine doesn't answer."""
