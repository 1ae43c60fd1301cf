"""The keys that a `Config` finds: as given, else as the environment has them now."""

from __future__ import annotations

import os
from urllib.parse import quote

from portia_nb.errors import ConfigNotFoundError

from .keys import KEYS


class FindsKeys:
    """The calls of `Config` that return keys; nothing of the environment is kept."""

    def key(self, setting: str) -> str | None:
        """Return the key named `setting`: as given, else as the environment has it now.

        Args:
            setting: a key's name in `KEYS`, e.g. ``"tavily_api_key"``.
        """
        given = getattr(self, setting)
        if given is not None:
            return given.get_secret_value() or None
        return os.environ.get(KEYS[setting]) or None

    def need_key(self, setting: str, whose: str) -> str:
        """Return the key named `setting`.

        Args:
            setting: a key's name in `KEYS`.
            whose: who needs it, for the message, e.g. ``"search_tool"``.

        Raises:
            ConfigNotFoundError: it is set nowhere.
        """
        found = self.key(setting)
        if found is None:
            raise ConfigNotFoundError(
                f"{whose} needs a key and {KEYS[setting]} is not set: set it in the environment or "
                f"in .env, or pass Config.from_default({setting}=…)",
                setting=setting,
                variable=KEYS[setting],
            )
        return found

    def secrets(self) -> tuple[str, ...]:
        """Return every key that is set, so that it can be kept out of what is shown or kept.

        Each stands there as it is, and as an address would hold it where that differs.
        """
        keys = [found for setting in KEYS if (found := self.key(setting))]
        return tuple(dict.fromkeys([*keys, *(quote(key, safe="") for key in keys)]))
