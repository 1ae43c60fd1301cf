"""Find model servers on this machine, to name them where no key is set.

They are never used unasked: on a shared host another user's server may listen on loopback.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from portia_nb.config import LLMProvider

from .presets import PRESETS

SEARCH_TIME_S = 0.3
MAX_ANSWER_BYTES = 200_000

# Ports 8080 and 8000 are everybody's; these servers say who they are in their list of models.
_OWNERS: Mapping[LLMProvider, str] = {LLMProvider.LLAMA_CPP: "llamacpp", LLMProvider.VLLM: "vllm"}


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A model server that answers on loopback."""

    provider: LLMProvider
    base_url: str
    models: tuple[str, ...]

    @property
    def model_name(self) -> str:
        """The first of its models as ``provider/name``, as settings take it."""
        return f"{self.provider}/{self.models[0] if self.models else ''}"


async def find_local_servers(
    ports: Mapping[LLMProvider, int] | None = None, *, timeout_s: float = SEARCH_TIME_S
) -> tuple[LocalServer, ...]:
    """Return the model servers that answer on loopback, looking at all ports at once.

    Args:
        ports: where each provider listens; None takes those of its preset.
        timeout_s: seconds for the whole search; who hasn't answered then isn't there.
    """
    if ports is None:
        ports = {
            preset.provider: urlsplit(preset.base_url or "").port or 80
            for preset in PRESETS.values()
            if preset.is_local
        }
    found = await asyncio.gather(
        *(_ask(provider, port, timeout_s) for provider, port in ports.items())
    )
    return tuple(server for server in found if server is not None)


async def _ask(provider: LLMProvider, port: int, timeout_s: float) -> LocalServer | None:
    """Ask the server on `port` for its models; None where it isn't one of `provider`'s."""
    try:
        async with asyncio.timeout(timeout_s):
            body = json.loads(await _get(port, "/v1/models"))
            listed = body["data"]
            models = tuple(str(each["id"]) for each in listed)
            owners = {str(each.get("owned_by")) for each in listed}
    except (OSError, EOFError, asyncio.LimitOverrunError):
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        # Somebody else's server: it answered, but not with a list of models.
        return None
    owner = _OWNERS.get(provider)
    if owner is not None and owner not in owners:
        return None
    return LocalServer(provider, f"http://127.0.0.1:{port}/v1", models)


async def _get(port: int, path: str) -> bytes:
    """Return the body of a plain GET: importing an HTTP client would cost more than the search.

    Raises:
        OSError: nobody listens, or the answer isn't 200.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        request = (
            f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n\r\n"
        )
        writer.write(request.encode("ascii"))
        head = await reader.readuntil(b"\r\n\r\n")
        if head.split(b" ", 2)[1:2] != [b"200"]:
            raise OSError(f"answered {head[:30]!r}")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head.lower())
        if length is not None:
            return await reader.readexactly(min(int(length[1]), MAX_ANSWER_BYTES))
        return await reader.read(MAX_ANSWER_BYTES)
    finally:
        writer.transport.abort()
