"""Keys: their settings, the variables that stand in for them, and which provider needs which."""

from __future__ import annotations

from collections.abc import Mapping

from .choices import LLMProvider

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
