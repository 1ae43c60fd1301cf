"""The words that settings may be, one enum for each such setting."""

from __future__ import annotations

from enum import StrEnum


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


class LLMModel(StrEnum):
    """Models under the names that the reference SDK gave them; each is its ``"provider/name"``.

    Any other model goes by its ``"provider/name"`` itself: this list isn't kept up.

    >>> LLMModel.GPT_4_O.value, LLMModel.GPT_4_O.provider.value, LLMModel.GPT_4_O.api_name
    ('openai/gpt-4o', 'openai', 'gpt-4o')
    """

    GPT_4_O = "openai/gpt-4o"
    GPT_4_O_MINI = "openai/gpt-4o-mini"
    GPT_3_5_TURBO = "openai/gpt-3.5-turbo"
    GPT_4_1 = "openai/gpt-4.1"
    O_3_MINI = "openai/o3-mini"
    O_3 = "openai/o3"
    O_4_MINI = "openai/o4-mini"
    CLAUDE_3_5_SONNET = "anthropic/claude-3-5-sonnet-latest"
    CLAUDE_3_5_HAIKU = "anthropic/claude-3-5-haiku-latest"
    CLAUDE_3_7_SONNET = "anthropic/claude-3-7-sonnet-latest"
    CLAUDE_3_OPUS = "anthropic/claude-3-opus-latest"
    CLAUDE_OPUS_4 = "anthropic/claude-opus-4-0"
    CLAUDE_SONNET_4 = "anthropic/claude-sonnet-4-0"
    MISTRAL_LARGE = "mistralai/mistral-large-latest"
    GEMINI_2_5_PRO = "google/gemini-2.5-pro"
    GEMINI_2_5_FLASH = "google/gemini-2.5-flash"
    GEMINI_2_0_FLASH = "google/gemini-2.0-flash"
    GEMINI_2_0_FLASH_LITE = "google/gemini-2.0-flash-lite"
    AZURE_GPT_4_O = "azure-openai/gpt-4o"
    AZURE_GPT_4_O_MINI = "azure-openai/gpt-4o-mini"
    AZURE_GPT_4_1 = "azure-openai/gpt-4.1"
    AZURE_O_3_MINI = "azure-openai/o3-mini"

    @property
    def provider(self) -> LLMProvider:
        """Who serves it."""
        return LLMProvider(self.value.partition("/")[0])

    @property
    def api_name(self) -> str:
        """Its name at the provider."""
        return self.value.partition("/")[2]


class ExecutionAgentType(StrEnum):
    """Accepted for code that names one; a single agent stands behind all of them."""

    ONE_SHOT = "ONE_SHOT"
    DEFAULT = "DEFAULT"


class PlanningAgentType(StrEnum):
    """Accepted for code that names one; a single planner stands behind all of them."""

    DEFAULT = "DEFAULT"
