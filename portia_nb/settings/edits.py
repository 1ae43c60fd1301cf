"""Changes to a file with profiles: one line at a time, everything else as it was."""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from portia_nb.errors import ConfigNotFoundError, InvalidConfigError

from .profiles import (
    IN_USE,
    ProfilesFile,
    check_profile_name,
    config_path,
    line_of,
    read_profiles,
    table_of,
)


def write_setting(profile: str, setting: str, value: Any, path: Path | None = None) -> Path:
    """Write one setting into a profile, and return the file; both are made where they are missing.

    Comments, order and other settings stay. The file can be read by this user alone.

    Args:
        profile: the profile's name.
        setting: the setting's name.
        value: text, a number, or a truth value.
        path: the file; None: `config_path`.

    Raises:
        InvalidConfigError: the file can't be read, or can't be changed without losing something.
    """
    check_profile_name(profile)
    line = f"{setting} = {_toml(value)}"

    def change(lines: list[str]) -> None:
        found, table = line_of("\n".join(lines), profile, setting), table_of(lines, profile)
        if found is not None:
            lines[found] = line
        elif table is None:
            lines += [*([""] if lines else []), f"[profile.{profile}]", line]
        else:
            start, end = table
            while end > start and not lines[end - 1].strip():
                end -= 1
            lines.insert(end, line)

    def expect(data: dict[str, Any]) -> None:
        data.setdefault("profile", {}).setdefault(profile, {})[setting] = value

    return _edit(path, change, expect)


def remove_setting(profile: str, setting: str, path: Path | None = None) -> Path:
    """Take one setting out of a profile, and return the file.

    Raises:
        ConfigNotFoundError: there is no such file, profile, or setting in it.
        InvalidConfigError: as `write_setting`.
    """
    file = read_profiles(path)
    if setting not in file.settings_of(profile):
        raise ConfigNotFoundError(
            f"profile {profile!r} in {file.path} doesn't set {setting}", setting=setting
        )

    def change(lines: list[str]) -> None:
        found = line_of("\n".join(lines), profile, setting)
        if found is not None:
            del lines[found]

    def expect(data: dict[str, Any]) -> None:
        del data["profile"][profile][setting]

    return _edit(path, change, expect)


def use_profile(profile: str, path: Path | None = None) -> Path:
    """Say in the file which profile is in use, and return the file.

    Raises:
        ConfigNotFoundError: there is no such file, or no such profile in it.
        InvalidConfigError: as `write_setting`.
    """
    read_profiles(path).settings_of(profile)
    line = f"{IN_USE} = {_toml(profile)}"

    def change(lines: list[str]) -> None:
        for index, old in enumerate(lines):
            if old.lstrip().startswith("["):
                break
            if old.partition("=")[0].strip() == IN_USE:
                lines[index] = line
                return
        lines[:0] = [line] if not lines or not lines[0].strip() else [line, ""]

    def expect(data: dict[str, Any]) -> None:
        data[IN_USE] = profile

    return _edit(path, change, expect)


def _edit(
    path: Path | None, change: Callable[[list[str]], None], expect: Callable[[dict[str, Any]], None]
) -> Path:
    """Change a file by its lines, where that gives exactly what is expected of its data."""
    file = _read_or_empty(path)
    # Through a link to the file it means, as people keep such files in a repository of their own.
    target = file.path.resolve()
    lines = file.text.splitlines()
    change(lines)
    text = "\n".join(lines) + "\n"
    wanted = tomllib.loads(file.text)
    expect(wanted)
    try:
        is_right = tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        is_right = False
    if not is_right:
        raise InvalidConfigError(
            f"{file.path} is written in a way that can't be changed from here without losing "
            "something: change it in an editor",
            path=str(file.path),
        )
    _replace(target, text)
    return file.path


def _read_or_empty(path: Path | None) -> ProfilesFile:
    try:
        return read_profiles(path)
    except ConfigNotFoundError:
        return ProfilesFile(config_path() if path is None else path, {}, None, "")


def _replace(path: Path, text: str) -> None:
    """Write `text` in the place of what `path` holds, whole or not at all."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made readable by its owner alone, since it may hold keys.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as made:
            made.write(text)
        Path(name).replace(path)
    except OSError as error:
        raise InvalidConfigError(
            f"{path} can't be written: {error.strerror or error}", path=str(path)
        ) from error


def _toml(value: Any) -> str:
    """Return a value as TOML; JSON's text is a basic string of TOML's, but for DEL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
