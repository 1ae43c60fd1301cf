"""Settings of the reference SDK that stand for nothing here, and what to say of each."""

from __future__ import annotations

BEDROCK = (
    "Amazon Bedrock isn't among the providers: use another one, such as anthropic/… or "
    "openrouter/…, or a gateway that speaks the OpenAI API with Config(base_url=…)"
)
BEDROCK_NAMES = frozenset({"amazon", "aws", "bedrock"})
"""What model names and `llm_provider` call it."""

_CLOUD = frozenset({"portia_api_key", "portia_api_endpoint", "portia_dashboard_url"})


def refused(setting: str) -> str | None:
    """Return why a setting can't be honoured, None where that isn't so.

    >>> refused("aws_default_region")[:30]
    'aws_default_region: Amazon Bed'
    """
    return f"{setting}: {BEDROCK}" if setting.startswith("aws_") else None


def ignored(setting: str) -> str | None:
    """Return why a setting changes nothing and may stay where it is, None where that isn't so.

    >>> ignored("portia_api_key")
    'portia_api_key is ignored: the cloud service that it was for is closed'
    """
    if setting in _CLOUD:
        return f"{setting} is ignored: the cloud service that it was for is closed"
    if setting == "llm_redis_cache_url":
        return f"{setting} is ignored: replies of models are kept in records, not in Redis"
    return None
