"""The scripted model of the tutorials: shipped records, where no provider has a key.

It answers the queries that were recorded and no others; for any other the "no key" error stands, so
that nobody takes a canned answer for a live one. Its replies carry the model name ``scripted``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from portia_nb.config import KEYS, PROVIDER_KEYS, LLMProvider
from portia_nb.errors import NoModelKey
from portia_nb.model.language import SCRIPTED, ModelReply, ModelRequest

from .local_servers import LocalServer, find_local_servers
from .matching import Matches
from .presets import PRESETS
from .records import Record, records_in


def shipped_records() -> tuple[Record, ...]:
    """Return the records that come with the package."""
    folder = resources.files("portia_nb.llm") / "shipped"
    if not folder.is_dir():
        return ()
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".json")),
        key=lambda entry: entry.name,
    )
    return tuple(Record.model_validate_json(entry.read_bytes()) for entry in files)


class ScriptedModel:
    """Answers from shipped records; anything else is the "no key" error."""

    def __init__(
        self, provider: LLMProvider | None = None, records: Sequence[Record] | None = None
    ) -> None:
        """Read nothing yet.

        Args:
            provider: whose key is missing, or None where no provider was chosen.
            records: the records to play; None takes those that come with the package.
        """
        self._provider = provider
        self._records = records
        self._matches: list[Matches] | None = None

    @property
    def name(self) -> str:
        """Always ``scripted``."""
        return SCRIPTED

    async def reply(
        self, request: ModelRequest, *, on_text: Callable[[str], None] | None = None
    ) -> ModelReply:
        """Return the recorded answer to `request`.

        Raises:
            NoModelKey: no record holds it. The message says how to set a key, and names the model
                servers found on this machine.
        """
        if self._matches is None:
            records = shipped_records() if self._records is None else self._records
            self._matches = [Matches(record) for record in records]
        for matches in self._matches:
            if (found := matches.reply(request)) is not None:
                if on_text is not None and found.text:
                    on_text(found.text)
                return found.as_reply(SCRIPTED)
        raise no_key_error(self._provider, await find_local_servers(), records_in(Path.cwd()))


def no_key_error(
    provider: LLMProvider | None,
    servers: Sequence[LocalServer] = (),
    records: Sequence[str] = (),
) -> NoModelKey:
    """Return the error for a call to a model while no key is set.

    Args:
        provider: whose key is missing, or None where no provider was chosen.
        servers: model servers found on this machine.
        records: names of records that lie here.
    """
    if provider is None:
        variables = [KEYS[setting] for setting in PROVIDER_KEYS.values()]
        found = "no language model: no provider has a key"
        variable = variables[0]
        choice = f"{variable}, or another provider's key,"
    else:
        variable = KEYS[PROVIDER_KEYS[provider]]
        found = f"no key for {PRESETS[provider].title}: {variable} is not set"
        choice = variable
    message = f"{found}. Set {choice} in the environment or in .env, or use a server of your own"
    if servers:
        running = ", ".join(
            f"{PRESETS[server.provider].title} at {server.base_url}" for server in servers
        )
        take = f"Config.from_default(default_model={servers[0].model_name!r})"
        message += f": found {running}; to use it: {take}"
    else:
        message += ": Config.from_default(default_model='ollama/NAME')"
    if records:
        message += (
            f". A record lies here: without any key, --replay {records[0]} or "
            f"portia.replaying({records[0]!r}) answers from it"
        )
    return NoModelKey(
        message,
        model=str(provider) if provider is not None else None,
        variable=variable,
        servers=tuple(servers),
    )
