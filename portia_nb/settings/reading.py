"""Where a `Config` takes its values from, and where it says that each of them stood."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, PrivateAttr

from portia_nb.errors import InvalidConfigError

from .finding_keys import FindsKeys
from .keys import KEYS
from .models import without_models
from .names import known_only
from .project import read_around


class ReadsSettings(FindsKeys, BaseModel):
    """The ways to make a `Config` of what stands around, or of another one."""

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    """Where each setting was found, by its name."""

    @classmethod
    def from_default(cls, **overrides: Any) -> Self:
        """Read the settings from the environment and the nearest ``.env``, then apply `overrides`.

        Precedence: `overrides`, the environment, ``.env``, `settings.project`, the defaults. The
        variable of a setting is ``PORTIA_`` and its name, e.g. ``PORTIA_PLANNING_MODEL``; those of
        keys are the providers' own, e.g. ``OPENAI_API_KEY``; the level and the sink of the log are
        ``PORTIA_LOG_LEVEL`` and ``PORTIA_LOG_SINK``.

        Raises:
            InvalidConfigError: as the constructor; for a value of the environment the message says
                where it stands.
        """
        return cls._layered(*read_around(cls.model_fields), overrides)

    @classmethod
    def from_local_config(
        cls,
        profile: str | None = None,
        config_file: str | Path | None = None,
        **overrides: Any,
    ) -> Self:
        """Read the settings from a profile in a TOML file, then apply `overrides`.

        The file is ``~/.portia/config.toml``, or what ``PORTIA_CONFIG_FILE`` names; settings stand
        in it by their names, in a table for each profile:

            [profile.default]
            default_model = "ollama/llama3.2"

            [profile.work]
            llm_provider = "anthropic"

        Precedence: `overrides`, the profile, the environment, ``.env``, `settings.project`, the
        defaults. A project may set limits, and nothing that says where keys are sent.

        Args:
            profile: which one; None: the one in use, that is ``PORTIA_DEFAULT_PROFILE``, else what
                ``default_profile = "…"`` at the top of the file says, else ``default``.
            config_file: another file.
            overrides: settings that come before all else.

        Raises:
            ConfigNotFoundError: there is no such file, or no such profile in it.
            InvalidConfigError: the file isn't TOML, or holds a setting that doesn't exist or a
                value that can't be used; the message says on which line.
        """
        from .profiles import read_profiles

        file = read_profiles(None if config_file is None else Path(config_file).expanduser())
        name = profile or file.in_use()
        values, origins = read_around(cls.model_fields)
        for setting, value in file.settings_of(name).items():
            place = file.place_of(name, setting)
            known_only({setting: value}, cls.model_fields, place)
            values[setting], origins[setting] = value, place
        return cls._layered(values, origins, overrides)

    @classmethod
    def in_use(cls, profile: str | None = None, **overrides: Any) -> Self:
        """Read the settings as the command line and the magics do.

        That is `from_local_config` where a profile is named, here or in the environment, or where
        the file holds the one in use, else `from_default`.

        Raises:
            ConfigNotFoundError: the profile that is named isn't there.
            InvalidConfigError: as `from_local_config`.
        """
        from .environment import DEFAULT_PROFILE
        from .profiles import config_path, read_profiles

        if profile or os.environ.get(DEFAULT_PROFILE):
            return cls.from_local_config(profile, **overrides)
        if config_path().exists():
            file = read_profiles()
            if file.named or file.in_use() in file.profiles:
                return cls.from_local_config(**overrides)
        return cls.from_default(**overrides)

    @classmethod
    def _layered(
        cls, values: dict[str, Any], origins: dict[str, str], overrides: Mapping[str, Any]
    ) -> Self:
        given = without_models(overrides)
        try:
            made = cls(**{**values, **given})
        except InvalidConfigError as error:
            setting = str(error.facts.get("setting"))
            if setting in given or setting not in origins:
                raise
            text = f"{error} ({origins[setting]})"
            raise InvalidConfigError(text, setting=setting, origin=origins[setting]) from None
        made._origins = {
            **{setting: origin for setting, origin in origins.items() if setting not in given},
            **dict.fromkeys(given, "given"),
        }
        return made

    def changed(self, **changes: Any) -> Self:
        """Return one like this with some settings changed.

        Raises:
            InvalidConfigError: as the constructor.
        """
        given = without_models(changes)
        made = type(self)(**{**dict(self), **given})
        made._origins = {**self._origins, **dict.fromkeys(given, "given")}
        return made

    def origin(self, setting: str) -> str:
        """Return where a setting comes from, in words.

        >>> from portia_nb import Config
        >>> Config(no_ask=True).origin("no_ask"), Config().origin("budget")
        ('given', 'default')
        """
        known = self._origins.get(setting)
        if known is not None:
            return known
        if setting in self.model_fields_set:
            return "given"
        if setting in KEYS and self.key(setting) is not None:
            return f"{KEYS[setting]} in the environment"
        return "default"
