"""What is known of each provider: its address, its key, its models, what its API can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal

from portia_nb.config import PROVIDER_KEYS, LLMProvider
from portia_nb.errors import InvalidConfigError
from portia_nb.model.language import Purpose
from portia_nb.settings import gone

Mode = Literal["json_schema", "forced_tool", "text"]
"""How structured data is asked for: under a response format, as the arguments of a tool that must
be called, or in words."""

ALL_MODES: tuple[Mode, ...] = ("json_schema", "forced_tool", "text")


@dataclass(frozen=True, slots=True)
class Preset:
    """One provider."""

    provider: LLMProvider
    title: str
    """The name as people write it."""
    base_url: str | None
    """None: there is no address of its own, it must be set."""
    models: Mapping[Purpose, str] = field(default_factory=dict[Purpose, str])
    """The models taken where none is named; empty: the first that the server lists."""
    modes: tuple[Mode, ...] = ALL_MODES
    """Tried in this order; a mode that the server answers with 400 is left behind."""
    strict: bool = True
    """The provider holds to `strict` schemas, and wants them closed."""
    extras: Mapping[str, object] = field(default_factory=dict[str, object])
    """Sent along with a request that forces a tool."""
    limit_field: str = "max_tokens"
    """What the API calls the limit on a reply's tokens."""
    removed_keywords: frozenset[str] = frozenset()
    """Schema keywords that the API answers with 400; our own check stands in for them."""

    @property
    def key_setting(self) -> str | None:
        """The `Config` setting of its key, or None where it needs none."""
        return PROVIDER_KEYS.get(self.provider)

    @property
    def is_local(self) -> bool:
        """The server runs on this machine unless its address says otherwise."""
        return self.base_url is not None and self.base_url.startswith("http://127.0.0.1")


def _models(planning: str, execution: str, small: str) -> Mapping[Purpose, str]:
    chosen: dict[Purpose, str] = {
        "planning": planning,
        "execution": execution,
        "introspection": small,
        "summary": small,
    }
    return MappingProxyType(chosen)


_ONE_CALL: Mapping[str, object] = MappingProxyType({"parallel_tool_calls": False})

_PRESETS = (
    Preset(
        LLMProvider.OPENAI,
        "OpenAI",
        "https://api.openai.com/v1",
        _models("gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano"),
        extras=_ONE_CALL,
        limit_field="max_completion_tokens",
    ),
    # Azure's models are named by whoever deployed them, and its address by the resource.
    Preset(
        LLMProvider.AZURE_OPENAI,
        "Azure OpenAI",
        None,
        _models("gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano"),
        extras=_ONE_CALL,
        limit_field="max_completion_tokens",
    ),
    # Its OpenAI-compatible API ignores response_format and strict without a word.
    # https://platform.claude.com/docs/en/api/openai-sdk
    Preset(
        LLMProvider.ANTHROPIC,
        "Anthropic",
        "https://api.anthropic.com/v1/",
        _models("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"),
        modes=("forced_tool", "text"),
        strict=False,
    ),
    Preset(
        LLMProvider.GOOGLE,
        "Google",
        "https://generativelanguage.googleapis.com/v1beta/openai/",
        _models("gemini-3.8-flash", "gemini-3.8-flash", "gemini-3.5-flash-lite"),
        removed_keywords=frozenset({"const", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
    ),
    Preset(
        LLMProvider.MISTRALAI,
        "Mistral",
        "https://api.mistral.ai/v1",
        _models("mistral-large-latest", "mistral-medium-latest", "mistral-small-latest"),
    ),
    Preset(
        LLMProvider.GROQ,
        "Groq",
        "https://api.groq.com/openai/v1",
        _models("openai/gpt-oss-120b", "openai/gpt-oss-120b", "openai/gpt-oss-20b"),
        limit_field="max_completion_tokens",
    ),
    Preset(
        LLMProvider.XAI,
        "xAI",
        "https://api.x.ai/v1",
        _models("grok-4.6", "grok-4.6", "grok-4.6"),
    ),
    Preset(
        LLMProvider.OPENROUTER,
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        _models("openai/gpt-5.4", "openai/gpt-5.4-mini", "openai/gpt-5.4-nano"),
    ),
    Preset(LLMProvider.OLLAMA, "Ollama", "http://127.0.0.1:11434/v1"),
    Preset(LLMProvider.LM_STUDIO, "LM Studio", "http://127.0.0.1:1234/v1"),
    Preset(LLMProvider.LLAMA_CPP, "llama.cpp", "http://127.0.0.1:8080/v1"),
    Preset(LLMProvider.VLLM, "vLLM", "http://127.0.0.1:8000/v1"),
    Preset(LLMProvider.CUSTOM, "OpenAI-compatible", None),
)

PRESETS: Mapping[LLMProvider, Preset] = MappingProxyType({p.provider: p for p in _PRESETS})

_OTHER_NAMES = {
    "grok": "xai",
    "mistral": "mistralai",
    "azure": "azure-openai",
    "azure_openai": "azure-openai",
    "gemini": "google",
    "claude": "anthropic",
    "lm-studio": "lmstudio",
    "lm_studio": "lmstudio",
    "llama.cpp": "llamacpp",
    "llama-cpp": "llamacpp",
}


def read_model_name(name: str, fallback: LLMProvider | None) -> tuple[Preset, str | None]:
    """Split ``"provider/model"`` into the provider's preset and the model.

    Args:
        name: ``"openai/gpt-5.4"``, ``"ollama/"`` (any model that it lists), or a model's name
            alone, which belongs to `fallback`.
        fallback: the provider in force.

    Raises:
        InvalidConfigError: the provider is unknown, or none is named and none is in force.

    >>> preset, model = read_model_name("groq/openai/gpt-oss-20b", None)
    >>> preset.title, model
    ('Groq', 'openai/gpt-oss-20b')
    """
    prefix, slash, model = name.partition("/")
    lowered = prefix.strip().lower()
    lowered = _OTHER_NAMES.get(lowered, lowered)
    if slash and lowered in PRESETS:
        return PRESETS[LLMProvider(lowered)], model or None
    if slash and lowered in gone.BEDROCK_NAMES:
        raise InvalidConfigError(f"model name {name!r}: {gone.BEDROCK}", setting="default_model")
    if fallback is not None:
        return PRESETS[fallback], name
    known = [str(provider) for provider in PRESETS]
    near = get_close_matches(lowered, [*known, *_OTHER_NAMES], n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"providers: {', '.join(known)}"
    raise InvalidConfigError(
        f"no provider in model name {name!r} (names are 'provider/model'): {hint}",
        setting="default_model",
    )
