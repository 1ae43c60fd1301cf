"""The command `config`: which settings are in force and why, and changes to profiles."""

from __future__ import annotations

import argparse
import json
import sys
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from portia_nb.config import KEYS, Config
from portia_nb.errors import ConfigNotFoundError, InvalidConfigError, InvalidOption
from portia_nb.session.settings_table import rows_of, table_text
from portia_nb.settings.edits import remove_setting, use_profile, write_setting
from portia_nb.settings.environment import variable_of
from portia_nb.settings.names import did_you_mean
from portia_nb.settings.profiles import DEFAULT, ProfilesFile, config_path, read_profiles

from .settings import config_of
from .status import COMPLETE, FAILED
from .terminal import Terminal

USAGE = {
    "list": "",
    "get": "SETTING",
    "set": "SETTING VALUE",
    "unset": "SETTING",
    "use": "PROFILE",
    "profiles": "",
    "path": "",
}
"""What each action takes."""
HIDDEN = "set"
"""What is said of a key, in the place of its value."""


def config(args: argparse.Namespace, terminal: Terminal) -> int:
    """Show settings and where each comes from, or change a profile."""
    wanted = USAGE[args.action].split()
    # A key's value isn't typed where others can see it.
    least = 1 if args.action == "set" and args.words[:1] and args.words[0] in KEYS else len(wanted)
    if not least <= len(args.words) <= len(wanted):
        needed = f"takes {USAGE[args.action]}" if wanted else "takes nothing more"
        raise InvalidOption(f"config {args.action} {needed}", option="config")
    return _ACTIONS[args.action](args, terminal)


def _list(args: argparse.Namespace, terminal: Terminal) -> int:
    chosen = config_of(args)
    rows = rows_of(chosen, every=args.all)
    if terminal.as_json:
        settings = {
            name: {"value": _plain(chosen, name), "origin": origin} for name, _, origin in rows
        }
        terminal.give_json(json.dumps({"file": str(config_path()), "settings": settings}))
        return COMPLETE
    if rows:
        terminal.give(table_text(rows))
    if not args.all:
        rest = len(Config.model_fields) - len(rows)
        terminal.say((f"{rest} further settings have their defaults: config list --all", "dim"))
    return COMPLETE


def _get(args: argparse.Namespace, terminal: Terminal) -> int:
    name = _setting(args.words[0])
    chosen = config_of(args)
    value = _plain(chosen, name)
    if terminal.as_json:
        terminal.give_json(json.dumps({"value": value, "origin": chosen.origin(name)}))
        return COMPLETE
    if value is None:
        terminal.say(f"{name} is not set")
        return FAILED
    terminal.give(_text(value))
    terminal.say((f"from: {chosen.origin(name)}", "dim"))
    return COMPLETE


def _set(args: argparse.Namespace, terminal: Terminal) -> int:
    name = _setting(args.words[0])
    if name in ("approve", "feature_flags"):
        where = f"a table [profile.NAME.{name}] of {config_path()}" if "_" in name else "code only"
        raise InvalidOption(f"{name} isn't set from here, but in {where}", option=name)
    value = _secret(name, args, terminal) if name in KEYS else _checked(name, args.words[1])
    profile = args.profile or _file().in_use()
    path = write_setting(profile, name, value)
    said = "is set" if name in KEYS else f"= {_text(value)}"
    terminal.say(f"{name} {said} in profile {profile!r} of {path}")
    return COMPLETE


def _unset(args: argparse.Namespace, terminal: Terminal) -> int:
    name = args.words[0]
    profile = args.profile or _file().in_use()
    path = remove_setting(profile, name)
    terminal.say(f"{name} is gone from profile {profile!r} of {path}")
    return COMPLETE


def _use(args: argparse.Namespace, terminal: Terminal) -> int:
    path = use_profile(args.words[0])
    terminal.say(f"profile {args.words[0]!r} of {path} is in use from here on")
    return COMPLETE


def _profiles(args: argparse.Namespace, terminal: Terminal) -> int:
    file = _file()
    if terminal.as_json:
        found = {"in_use": file.in_use(), "profiles": list(file.profiles)}
        terminal.give_json(json.dumps({"file": str(file.path), **found}))
    elif not file.profiles:
        terminal.say(f"No profiles yet: `config set SETTING VALUE` makes {DEFAULT!r}.")
    for name in file.profiles if not terminal.as_json else ():
        terminal.give(f"{'*' if name == file.in_use() else ' '} {name}")
    return COMPLETE


def _path(args: argparse.Namespace, terminal: Terminal) -> int:
    terminal.give(str(config_path()))
    return COMPLETE


_ACTIONS = {
    "list": _list,
    "get": _get,
    "set": _set,
    "unset": _unset,
    "use": _use,
    "profiles": _profiles,
    "path": _path,
}


def _file() -> ProfilesFile:
    try:
        return read_profiles()
    except ConfigNotFoundError:
        return ProfilesFile(config_path(), {}, None, "")


def _setting(name: str) -> str:
    plain = name.lstrip("-").replace("-", "_")
    if plain not in Config.model_fields:
        raise InvalidOption(did_you_mean(plain, Config.model_fields), option=name)
    return plain


def _checked(name: str, text: str) -> Any:
    """Return the value that `text` means for a setting, as a file holds it.

    Raises:
        InvalidOption: it can't be the setting's.
    """
    try:
        value = getattr(Config(**{name: text}), name)
        if name.endswith("_model") and "/" in text:
            from portia_nb.llm.presets import read_model_name

            read_model_name(text, None)
    except InvalidConfigError as error:
        raise InvalidOption(str(error), option=name) from error
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def _secret(name: str, args: argparse.Namespace, terminal: Terminal) -> str:
    """Return a key, typed where nobody sees it, or read from a pipe.

    Raises:
        InvalidOption: it stands in the command itself, or nothing comes.
    """
    if len(args.words) > 1:
        raise InvalidOption(
            f"config set {name}: a key isn't given in the command, since others can see it; leave "
            "it out and type it when asked, or pipe it in",
            option=name,
        )
    if terminal.can_ask:
        from getpass import getpass

        typed = getpass(f"{variable_of(name)} (not shown): ")
    else:
        typed = sys.stdin.readline() if sys.stdin is not None else ""
    if not typed.strip():
        raise InvalidOption(f"config set {name}: no key came", option=name)
    return typed.strip()


def _plain(config: Config, name: str) -> Any:
    """Return a setting as JSON; a key never as it is."""
    if name in KEYS:
        return HIDDEN if config.key(name) is not None else None
    value = getattr(config, name)
    if isinstance(value, SecretStr):
        return HIDDEN
    return value if value is None or isinstance(value, bool | int | float | dict) else str(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
