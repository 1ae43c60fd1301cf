"""Which model is asked: by settings, by name, on this machine (N31)."""

import asyncio
import subprocess
import sys
import time

import pytest

from portia_nb.config import PROVIDER_KEYS, Config, LLMProvider
from portia_nb.errors import ConfigNotFoundError, InvalidConfigError, ModelKeyRefused, NoModelKey
from portia_nb.llm.choice import Models
from portia_nb.llm.connections import address_of, provider_in_force
from portia_nb.llm.local_servers import find_local_servers
from portia_nb.llm.presets import PRESETS, read_model_name
from portia_nb.llm.scripted import no_key_error
from tests.llm.asking import ask
from tests.servers.openai_server import OpenAIServer


def test_every_provider_has_a_preset_and_a_mode_of_last_resort():
    assert set(PRESETS) == set(LLMProvider)
    assert all(preset.modes[-1] == "text" for preset in PRESETS.values())
    assert {p for p in PRESETS if PRESETS[p].key_setting} == set(PROVIDER_KEYS)


NAMES = {
    "openai/gpt-5.4": ("OpenAI", "gpt-5.4"),
    "GROK/grok-4.6": ("xAI", "grok-4.6"),
    "openrouter/openai/gpt-5.4": ("OpenRouter", "openai/gpt-5.4"),
    "mistral/mistral-large-latest": ("Mistral", "mistral-large-latest"),
    "ollama/": ("Ollama", None),
    "gpt-5.4": ("Groq", "gpt-5.4"),
    "meta/llama": ("Groq", "meta/llama"),
}


@pytest.mark.parametrize(("name", "read"), NAMES.items(), ids=NAMES)
def test_a_models_name_gives_its_provider(name, read):
    preset, model = read_model_name(name, LLMProvider.GROQ)
    assert (preset.title, model) == read


def test_a_misspelt_provider_gets_a_hint():
    with pytest.raises(InvalidConfigError, match="did you mean 'openai'"):
        Models(Config(default_model="opnai/gpt-5.4")).for_purpose("planning")
    with pytest.raises(InvalidConfigError, match="neither 'provider/name' nor a LanguageModel"):
        Models(Config(default_model=7)).for_purpose("planning")


def test_each_purpose_has_its_own_model():
    models = Models(Config(openai_api_key="sk-1", planning_model="anthropic/claude-x"))
    assert models.for_purpose("execution").name == "openai/gpt-5.4-mini"
    assert models.for_purpose("summary").name == "openai/gpt-5.4-nano"
    assert models.for_purpose("planning").name == "scripted"
    assert models.for_purpose("execution") is models.for_purpose("execution")
    own = models.for_purpose("summary")
    assert models.named(own) is own


def test_the_provider_in_force_is_as_set_or_as_the_keys_tell(monkeypatch):
    assert provider_in_force(Config()) is None
    assert provider_in_force(Config(base_url="http://127.0.0.1:1/v1")) == LLMProvider.CUSTOM
    assert provider_in_force(Config(default_model="groq/x")) == LLMProvider.GROQ
    monkeypatch.setenv("MISTRAL_API_KEY", "key")
    assert provider_in_force(Config()) == LLMProvider.MISTRALAI
    assert provider_in_force(Config(llm_provider="OLLAMA")) == LLMProvider.OLLAMA


ADDRESSES = [
    ("azure-openai", {"azure_openai_endpoint": "https://me.openai.azure.com/"},
     "https://me.openai.azure.com/openai/v1"),
    ("ollama", {"ollama_base_url": "http://10.0.0.2:11434"}, "http://10.0.0.2:11434/v1"),
    ("openai", {"llm_provider": "openai", "base_url": "https://proxy/v1"}, "https://proxy/v1"),
    ("groq", {"llm_provider": "openai", "base_url": "https://proxy/v1"},
     "https://api.groq.com/openai/v1"),
    ("custom", {"base_url": "https://proxy/v1"}, "https://proxy/v1"),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "settings", "url"), ADDRESSES)
def test_an_address_is_the_presets_unless_it_is_set(provider, settings, url):
    assert address_of(PRESETS[LLMProvider(provider)], Config(**settings)).base_url == url


@pytest.mark.parametrize("provider", ["azure-openai", "custom"])
def test_a_provider_without_an_address_asks_for_one(provider):
    with pytest.raises(ConfigNotFoundError, match="has no address of its own"):
        address_of(PRESETS[LLMProvider(provider)], Config())


def test_a_key_of_the_environment_goes_to_its_own_provider_only(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-env")
    custom = PRESETS[LLMProvider.CUSTOM]
    config = Config(llm_provider="custom", base_url="https://elsewhere.example/v1")
    assert address_of(custom, config).key is None
    assert "sk-env" not in repr(address_of(PRESETS[LLMProvider.OPENAI], Config()))


async def test_openais_own_headers_go_to_openai_only(monkeypatch):
    monkeypatch.setenv("OPENAI_ORG_ID", "org-1")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-1")
    with OpenAIServer(lambda _: "ok") as server:
        for model in ("openai/x", "groq/x"):
            keys = {"openai_api_key": "a", "groq_api_key": "b"}
            models = Models(Config(default_model=model, base_url=server.url, **keys))
            await models.for_purpose("execution").reply(ask())
            await models.aclose()
    first, second = (request.http.headers for request in server.requests)
    assert first["openai-organization"] == "org-1"
    assert "openai-organization" not in second
    assert "openai-project" not in second


async def test_a_server_of_ones_own_needs_no_key_and_may_want_one():
    with OpenAIServer(lambda _: "ok") as server:
        models = Models(Config(base_url=server.url, default_model="openai/any"))
        assert (await models.for_purpose("execution").reply(ask())).text == "ok"
        await models.aclose()
    with OpenAIServer(api_key="right") as server:
        models = Models(Config(base_url=server.url, default_model="openai/any"))
        with pytest.raises(ModelKeyRefused, match="OPENAI_API_KEY"):
            await models.for_purpose("execution").reply(ask())
        await models.aclose()


async def test_warming_up_opens_the_connection_and_sends_nothing():
    with OpenAIServer(lambda _: "ok") as server:
        models = Models(Config(base_url=server.url, openai_api_key="sk-1"))
        await models.warm()
        assert not server.requests
        assert (await models.for_purpose("execution").reply(ask())).text == "ok"
        await models.aclose()
    await Models(Config(default_model="opnai/x")).warm()
    await Models(Config()).warm()


def test_choosing_a_model_imports_no_vendor():
    code = (
        "import sys; from portia_nb.config import Config; from portia_nb.llm.choice import Models;"
        "Models(Config(openai_api_key='k')).for_purpose('planning');"
        "sys.exit('openai' in sys.modules or 'httpx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- no key ----------------------------------------------------------------------------------------


async def test_without_a_key_the_error_says_how_to_set_one():
    with pytest.raises(NoModelKey, match=r"no provider has a key.*OPENAI_API_KEY.*ollama/NAME"):
        await Models(Config()).for_purpose("planning").reply(ask())
    with pytest.raises(NoModelKey, match="no key for Groq: GROQ_API_KEY is not set"):
        await Models(Config(llm_provider="groq")).for_purpose("planning").reply(ask())


async def test_local_servers_are_found_and_named_but_not_asked_anything():
    with OpenAIServer(models=["llama3.2:3b"]) as ollama, OpenAIServer(models=["x"]) as other:
        ports = {
            LLMProvider.OLLAMA: ollama.port,
            LLMProvider.VLLM: other.port,
            LLMProvider.LM_STUDIO: 9,
        }
        servers = await find_local_servers(ports, timeout_s=2)
        assert [(server.provider, server.models) for server in servers] == [
            (LLMProvider.OLLAMA, ("llama3.2:3b",))
        ]
        assert not ollama.requests
    error = no_key_error(None, servers)
    assert f"found Ollama at {servers[0].base_url}" in str(error)
    assert "default_model='ollama/llama3.2:3b'" in str(error)
    assert error.servers == servers


@pytest.mark.alone
async def test_the_search_for_local_servers_ends_in_time():
    async def say_nothing(reader, writer):
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with silent:
        port = silent.sockets[0].getsockname()[1]
        began = time.monotonic()
        assert await find_local_servers({LLMProvider.OLLAMA: port}, timeout_s=0.3) == ()
        assert time.monotonic() - began < 0.6
