"""Models behind the real `openai` client, on servers that break on purpose."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from portia_nb.config import Config
from portia_nb.llm.client import OpenAIModel
from portia_nb.llm.connections import Connections, address_of
from portia_nb.llm.presets import read_model_name

RETRIES = 2


@asynccontextmanager
async def model_at(url: str, **settings: Any) -> AsyncIterator[OpenAIModel]:
    """Yield a model on the server at `url`, with waits that are short enough for many trials."""
    waits = {name: settings.pop(name) for name in ("idle_timeout_s",) if name in settings}
    given = {"model_retries": RETRIES, "model_timeout_s": 0.4, **settings}
    config = Config(
        base_url=url, openai_api_key="sk-fault", default_model="openai/gpt-4.1", **given
    )
    preset, name = read_model_name("openai/gpt-4.1", None)
    connections = Connections(config)
    try:
        yield OpenAIModel(
            address_of(preset, config), name, connections, config, backoff_s=0.01, **waits
        )
    finally:
        await connections.aclose()
