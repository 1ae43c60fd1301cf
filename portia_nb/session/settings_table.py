"""Settings as people see them: value and origin, and of keys only whether they are set."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from portia_nb.settings.keys import KEYS

if TYPE_CHECKING:
    from portia_nb.config import Config

PRECEDENCE = (
    "given in code, or as an option of the call",
    "your profile: ~/.portia/config.toml",
    "the environment",
    "the nearest .env",
    "the project: [tool.portia-nb] in pyproject.toml, for settings that send nothing anywhere",
    "the default",
)
"""Where a setting's value comes from, the first that says something."""


class SettingRow(NamedTuple):
    """One setting."""

    name: str
    value: str
    """As text; of a key ``"set"`` or ``"not set"``."""
    origin: str
    """As `Config.origin` says."""


def rows_of(config: Config, *, every: bool = False) -> list[SettingRow]:
    """Return the settings that something says, or every one, in the order of the fields."""
    return [
        SettingRow(name, shown(config, name), origin)
        for name in type(config).model_fields
        if (origin := config.origin(name)) != "default" or every
    ]


def shown(config: Config, name: str) -> str:
    """Return one setting as text.

    >>> from portia_nb import Config
    >>> config = Config(openai_api_key="sk-1", base_url="http://ada:pw@localhost:1234/v1")
    >>> shown(config, "openai_api_key"), shown(config, "base_url"), shown(config, "cache")
    ('set', 'http://…@localhost:1234/v1', 'true')
    """
    if name in KEYS:
        return "set" if config.key(name) is not None else "not set"
    value: Any = getattr(config, name)
    match value:
        case None:
            return "not set"
        case SecretStr():
            return "set"
        case bool() | int() | float() | dict():
            return json.dumps(value)
        case _:
            return _without_password(str(value))


def _without_password(text: str) -> str:
    if "@" not in text or "://" not in text:
        return text
    parts = urlsplit(text)
    return urlunsplit(parts._replace(netloc=f"…@{parts.netloc.rpartition('@')[2]}"))


def table_text(rows: Iterable[SettingRow]) -> str:
    """Return rows as a table of plain text."""
    rows = list(rows)
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    return "\n".join(
        f"{row.name:{widths[0]}}  {row.value:{widths[1]}}  {row.origin}" for row in rows
    )
