"""What was given to a command: reads a line into options, or says what is wrong with it."""

from __future__ import annotations

import argparse
import keyword
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from portia_nb.errors import InvalidOption

from .declared import CELL, LINES, command_named
from .declaring import Command
from .nearness import nearest


@dataclass(frozen=True, slots=True)
class Options:
    """What was given to one call."""

    command: Command
    word: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    wants_help: bool = False
    second: str | None = None

    def one(self, name: str) -> str | None:
        """Return the value of option `name`, None where it wasn't given."""
        return self.values.get(name)

    def is_on(self, name: str) -> bool:
        """Tell whether option `name`, which takes no value, was given."""
        return bool(self.values.get(name))

    def pairs(self, name: str) -> dict[str, str]:
        """Return the ``NAME=VALUE`` pairs of option `name`."""
        return dict(self.values.get(name) or ())


def parse_cell(line: str) -> Options:
    """Read the options of ``%%portia``.

    Raises:
        InvalidOption: one is unknown (with the nearest that exists), lacks its value, or has a
            value that can't be used.
    """
    name, words = _assigned(_as_typed(line))
    return parse(CELL, words, name)


def parse_line(line: str) -> Options:
    """Read the subcommand and the options of ``%portia``; nothing at all asks for help.

    Raises:
        InvalidOption: as `parse_cell`, or the subcommand is unknown.
    """
    name, words = _assigned(_as_typed(line))
    if not words or words[0] in ("--help", "-h", "help"):
        return Options(Command("", ""), wants_help=True)
    command = command_named(words[0])
    if command is None:
        raise InvalidOption(
            f"%portia has no {words[0]!r}: {nearest(words[0], LINES)}", option=words[0]
        )
    return parse(command, words[1:], name)


def _assigned(words: list[str]) -> tuple[str | None, list[str]]:
    """Return the name in front of ``<<``, which the result goes to, and the other words."""
    if len(words) > 1 and words[1] == "<<":
        return words[0], words[2:]
    return None, words


def split(line: str) -> list[str]:
    """Split options at spaces that are neither quoted nor in brackets; a word in quotes loses them.

    Unlike a shell's rules these leave Python expressions as they are.

    >>> split('''--in sales=df[df["a b"] > 3] -o "name"''')
    ['--in', 'sales=df[df["a b"] > 3]', '-o', 'name']
    """
    return [unquoted(each) for each in _as_typed(line)]


def _as_typed(line: str) -> list[str]:
    words: list[str] = []
    word, quote, depth = "", "", 0
    for char in line:
        if char.isspace() and not quote and depth <= 0:
            if word:
                words.append(word)
            word, depth = "", 0
            continue
        word += char
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and (depth > 0 or word[:-1] == "" or not word[-2:-1].isalnum()):
            # Not after a letter: the apostrophe in "it's" opens nothing.
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
    if quote:
        raise InvalidOption(f"the quote {quote} is never closed in {line!r}", option=word)
    return [*words, word] if word else words


def unquoted(word: str) -> str:
    """Return `word` without the quotes around all of it, where there are some."""
    if len(word) >= 2 and word[0] in "\"'" and word[-1] == word[0] and word.count(word[0]) == 2:
        return word[1:-1]
    return word


def parse(command: Command, words: list[str], output: str | None = None) -> Options:
    """Read the words that follow the name of `command`.

    Args:
        command: which.
        words: what follows its name, as it was typed: quotes around a whole word are taken off,
            except in a text of several words.
        output: what stands in front of ``<<``: the same as ``-o``.

    Raises:
        InvalidOption: as `parse_cell`.
    """
    if "--help" in words or "-h" in words:
        return Options(command, wants_help=True)
    parser = _Parser(prog=command.call, add_help=False, allow_abbrev=False)
    parser.values = {"/".join(option.flags): option.value for option in command.options}
    for option in command.options:
        action = "store_true" if option.value is None else "append" if option.many else "store"
        parser.add_argument(*option.flags, dest=option.field, action=action)
    given, rest = parser.parse_known_args(words)
    known = [flag for option in command.options for flag in option.flags]
    known_fields = {option.field for option in command.options}
    for word in rest:
        if word.startswith("-"):
            raise InvalidOption(
                f"{parser.prog} has no option {word!r}: {nearest(word.partition('=')[0], known)}",
                option=word,
            )
    if len(rest) == 1 or not command.takes_all:
        rest = [unquoted(word) for word in rest]
    values = {name: _read(v) for name, v in vars(given).items() if v not in (None, False)}
    if output is not None:
        if "output" not in known_fields or "output" in values:
            why = "-o names another" if "output" in values else "it has no result to keep"
            raise InvalidOption(f"{command.call}: what is {output} <<? {why}", option=output)
        values["output"] = output
    _check(command, values)
    if command.takes_all and rest:
        rest = [" ".join(rest)]
    second = rest.pop(1) if command.second and len(rest) > 1 else None
    return Options(command, _one_word(command, rest), values, second=second)


def _read(value: Any) -> Any:
    """Return what `argparse` has of an option, each text without its quotes."""
    if isinstance(value, list):
        return [unquoted(each) for each in value]
    return unquoted(value) if isinstance(value, str) else value


def _one_word(command: Command, rest: list[str]) -> str | None:
    call = command.call
    if command.word is None and rest:
        where = "the goal goes on the lines below" if command is CELL else "it takes no argument"
        raise InvalidOption(f"{call}: what is {' '.join(rest)!r}? {where}", option=rest[0])
    if len(rest) > 1:
        raise InvalidOption(
            f"{call} takes one {command.word}, not {len(rest)}: {rest}", option=rest[1]
        )
    if command.needs_word and not rest:
        raise InvalidOption(f"{call} needs a {command.word}: {command.usage}", option=command.word)
    return rest[0] if rest else None


def _check(command: Command, values: dict[str, Any]) -> None:
    """Check names, and read ``NAME=VALUE`` pairs in place."""
    if "record" in values and "replay" in values:
        raise InvalidOption(
            f"{command.call}: --record and --replay exclude each other: a call is either made "
            "and kept, or answered from a record",
            option="--replay",
        )
    for option in command.options:
        value = values.get(option.field)
        if option.choices and value is not None and value not in option.choices:
            raise InvalidOption(
                f"{option.flags[-1]} {value}: {nearest(value, option.choices)}",
                option=option.flags[-1],
            )
    output = values.get("output")
    if output is not None and not _is_name(output):
        raise InvalidOption(f"-o {output}: a variable's name is needed", option="-o")
    for name, strict in (("in", True), ("answer", False), ("set", None), ("column", False)):
        pairs: list[tuple[str, str]] = []
        for text in values.get(name, ()):
            key, equals, value = text.partition("=")
            if not equals or not key or (strict and not _is_name(key)):
                expected = next(o.value for o in command.options if o.field == name)
                raise InvalidOption(f"--{name} {text}: {expected} is needed", option=f"--{name}")
            pairs.append((key.strip(), unquoted(value.strip()) if strict is False else value))
        if pairs:
            values[name] = pairs


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


class _Parser(argparse.ArgumentParser):
    values: Mapping[str, str | None] = {}
    """What each option takes, by its flags as `argparse` writes them."""

    def error(self, message: str) -> NoReturn:
        flags = message.removeprefix("argument ").partition(": expected ")[0]
        if value := self.values.get(flags):
            option = flags.replace("/", ", ")
            raise InvalidOption(f"{self.prog}: {option} needs {value} after it", option=flags)
        raise InvalidOption(f"{self.prog}: {message}")
