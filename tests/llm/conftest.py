"""Fixtures for tests of the model client: servers on loopback and clients of theirs."""

from collections.abc import AsyncIterator, Callable

import pytest

from portia_nb.config import KEYS, Config
from portia_nb.llm.client import OpenAIModel
from portia_nb.llm.connections import Connections, address_of
from portia_nb.llm.presets import read_model_name
from tests.servers.openai_server import OpenAIServer


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    """No key of the machine's owner reaches a test."""
    for variable in KEYS.values():
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
async def model_of() -> AsyncIterator[Callable[..., OpenAIModel]]:
    """Make a model that asks a server on loopback, with waits short enough for a test."""
    opened: list[Connections] = []

    def make(server: OpenAIServer | str, model: str = "openai/gpt-4.1", **settings) -> OpenAIModel:
        url = server if isinstance(server, str) else server.url
        waits = {
            name: settings.pop(name) for name in ("backoff_s", "idle_timeout_s") if name in settings
        }
        given = {"openai_api_key": "sk-test-key", "default_model": model, **settings}
        config = Config(base_url=url, **given)
        preset, name = read_model_name(model, None)
        connections = Connections(config)
        opened.append(connections)
        address = address_of(preset, config)
        return OpenAIModel(address, name, connections, config, **{"backoff_s": 0.01, **waits})

    yield make
    for connections in opened:
        await connections.aclose()
