"""Files with profiles: settings by name, in TOML, one ``[profile.NAME]`` table for each.

One file of the person who runs the program, ``~/.portia/config.toml`` unless
``PORTIA_CONFIG_FILE`` names another. A project's file isn't one: a folder that somebody else made
must not say where keys are sent (`settings.project` holds the little that it may say).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from portia_nb.errors import ConfigNotFoundError, InvalidConfigError

from .environment import CONFIG_FILE, DEFAULT_PROFILE

DEFAULT = "default"
IN_USE = "default_profile"
"""The key above all tables that names the profile in use."""
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def config_path() -> Path:
    """Return where the file with profiles is, or would be."""
    named = os.environ.get(CONFIG_FILE)
    return Path(named).expanduser() if named else Path.home() / ".portia" / "config.toml"


@dataclass(frozen=True, slots=True)
class ProfilesFile:
    """What a file with profiles says."""

    path: Path
    profiles: Mapping[str, Mapping[str, Any]]
    """Settings as they stand there, by the profile's name."""
    named: str | None
    """The profile in use, as the file itself says."""
    text: str

    def in_use(self) -> str:
        """Return the name of the profile in use: as the environment says, else as the file does."""
        return os.environ.get(DEFAULT_PROFILE) or self.named or DEFAULT

    def settings_of(self, profile: str) -> Mapping[str, Any]:
        """Return the settings of a profile.

        Raises:
            ConfigNotFoundError: there is none of this name; the message lists those that are there.
        """
        if profile not in self.profiles:
            near = get_close_matches(profile, list(self.profiles), n=1)
            known = ", ".join(self.profiles) or "none"
            hint = f"did you mean {near[0]!r}?" if near else f"its profiles: {known}"
            raise ConfigNotFoundError(
                f"no profile {profile!r} in {self.path}: {hint}",
                profile=profile,
                path=str(self.path),
            )
        return self.profiles[profile]

    def place_of(self, profile: str, setting: str) -> str:
        """Return where a setting stands, for a message: file, line, and profile."""
        line = line_of(self.text, profile, setting)
        at = f", line {line + 1}" if line is not None else ""
        return f"profile {profile!r} in {self.path}{at}"


def read_profiles(path: Path | None = None) -> ProfilesFile:
    """Read a file with profiles.

    Args:
        path: which one; None: `config_path`.

    Raises:
        ConfigNotFoundError: there is no such file.
        InvalidConfigError: it can't be read, isn't TOML, or isn't laid out as a file with profiles.
    """
    path = config_path() if path is None else path
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigNotFoundError(
            f"no file with profiles at {path}: `portia-nb config set SETTING VALUE` makes one",
            path=str(path),
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidConfigError(f"{path} can't be read: {error}", path=str(path)) from error
    profiles: Any = data.get("profile", {})
    if not isinstance(profiles, dict) or not all(isinstance(p, dict) for p in profiles.values()):
        raise InvalidConfigError(
            f"{path}: settings stand in tables called [profile.NAME], such as [profile.{DEFAULT}]",
            path=str(path),
        )
    named = data.get(IN_USE)
    if named is not None and not isinstance(named, str):
        raise InvalidConfigError(f"{path}: {IN_USE} is the name of a profile", path=str(path))
    stray = data.keys() - {"profile", IN_USE}
    if stray:
        raise InvalidConfigError(
            f"{path}: {min(stray)!r} stands outside of any profile: put it under "
            f"[profile.{DEFAULT}]",
            path=str(path),
        )
    return ProfilesFile(path, cast("dict[str, dict[str, Any]]", profiles), named, text)


def line_of(text: str, profile: str, setting: str) -> int | None:
    r"""Return the index of the line on which `setting` of `profile` stands, None if none is found.

    >>> line_of('[profile.work]\nbase_url = "http://a"', "work", "base_url")
    1
    """
    lines = text.splitlines()
    for index in range(*(table_of(lines, profile) or (0, 0))):
        if re.match(rf"""\s*["']?{re.escape(setting)}["']?\s*[.=]""", lines[index]):
            return index
    return None


def table_of(lines: list[str], profile: str) -> tuple[int, int] | None:
    """Return the range of the lines of a profile's own table, None where it has none."""
    header = re.compile(
        rf"""\s*\[\s*["']?profile["']?\s*\.\s*["']?{re.escape(profile)}["']?\s*\]"""
    )
    for index, line in enumerate(lines):
        if header.match(line):
            rest = range(index + 1, len(lines))
            return index + 1, next((i for i in rest if lines[i].lstrip()[:1] == "["), len(lines))
    return None


def check_profile_name(name: str) -> str:
    """Return `name` where a profile can be called so.

    Raises:
        InvalidConfigError: it can't.
    """
    if not _NAME.fullmatch(name):
        raise InvalidConfigError(
            f"{name!r} can't be a profile's name: it is made of letters, digits, - and _"
        )
    return name
