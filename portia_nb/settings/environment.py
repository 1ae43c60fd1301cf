"""Settings in the environment and in the nearest ``.env``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from .keys import KEYS

_OTHER_VARIABLES: Mapping[str, str] = {
    "azure_openai_endpoint": "AZURE_OPENAI_ENDPOINT",
    "ollama_base_url": "OLLAMA_BASE_URL",
    "tavily_base_url": "TAVILY_API_BASE_URL",
    "default_log_level": "PORTIA_LOG_LEVEL",
    "default_log_sink": "PORTIA_LOG_SINK",
}
_NO_TEXT = frozenset({"approve", "feature_flags", "prices"})
FEATURE_PREFIX = "PORTIA_FEATURE_"
DEFAULT_PROFILE = "PORTIA_DEFAULT_PROFILE"
CONFIG_FILE = "PORTIA_CONFIG_FILE"


def variable_of(setting: str) -> str | None:
    """Return the environment variable of a setting, None for one that no text can hold.

    >>> variable_of("planning_model"), variable_of("mistralai_api_key")
    ('PORTIA_PLANNING_MODEL', 'MISTRAL_API_KEY')
    """
    if setting in _NO_TEXT:
        return None
    known = KEYS.get(setting) or _OTHER_VARIABLES.get(setting)
    return known or f"PORTIA_{setting.upper()}"


def secrets_around() -> tuple[str, ...]:
    """Return what looks like a key or a password in the environment and the nearest ``.env``.

    A variable counts by its name, such as ``GITHUB_TOKEN`` or ``DB_PASSWORD``, and where its value
    can't be a plain word or a path; `Config.secrets` holds the keys that portia_nb itself uses.
    """
    from dotenv import dotenv_values, find_dotenv

    path = find_dotenv(usecwd=True)
    found = [*(dotenv_values(path) if path else {}).items(), *os.environ.items()]
    return tuple(
        value
        for name, value in found
        if value is not None
        and _SECRET_NAME.search(name)
        and len(value) >= _SECRET_CHARS
        and (len(value) >= 2 * _SECRET_CHARS or not value.isalpha())
        and not value.startswith(("/", "~"))  # where a key is kept
    )


_SECRET_NAME = re.compile(
    r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|AUTH)$", re.IGNORECASE
)
_SECRET_CHARS = 8


def read_environment(settings: Iterable[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of `settings` that are set, and where each comes from.

    What the environment says comes before the nearest ``.env``; empty values count as not set. Each
    ``PORTIA_FEATURE_<NAME>`` is the feature flag ``<name>``. Neither place is changed.
    """
    from dotenv import dotenv_values, find_dotenv

    path = find_dotenv(usecwd=True)
    found: dict[str, tuple[str, str]] = {}
    for name, value in (dotenv_values(path) if path else {}).items():
        if value:
            found[name] = (value, f"{name} in {path}")
    for name, value in os.environ.items():
        if value:
            found[name] = (value, f"{name} in the environment")
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for setting in settings:
        variable = variable_of(setting)
        if variable in found:
            values[setting], origins[setting] = found[variable]
    flags = {
        name.removeprefix(FEATURE_PREFIX).lower(): value.strip().lower() in _TRUE
        for name, (value, _) in found.items()
        if name.startswith(FEATURE_PREFIX)
    }
    if flags:
        values["feature_flags"], origins["feature_flags"] = flags, f"{FEATURE_PREFIX}… variables"
    return values, origins


_TRUE = frozenset({"1", "true", "yes", "on"})
