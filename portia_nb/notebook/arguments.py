"""Options of ``%%portia`` and ``%portia``: one declaration for parser, help and completion."""

from __future__ import annotations

import argparse
import keyword
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NoReturn

from portia_nb.errors import InvalidOption


@dataclass(frozen=True, slots=True)
class Option:
    """One option."""

    flags: tuple[str, ...]
    help: str
    value: str | None = None
    """What stands for its value in the help; None: it takes none."""
    many: bool = False
    """True: it may be given more than once."""

    @property
    def field(self) -> str:
        """Name under which `Options.values` holds it."""
        return self.flags[-1].lstrip("-").replace("-", "_")


@dataclass(frozen=True, slots=True)
class Command:
    """``%%portia`` itself, or a subcommand of ``%portia``."""

    name: str
    summary: str
    options: tuple[Option, ...] = ()
    word: str | None = None
    """What stands for its argument in the help; None: it takes none."""
    needs_word: bool = False
    second: str | None = None
    """What stands for a further argument, which may be left out."""

    @property
    def usage(self) -> str:
        """How it is called, on one line."""
        word = (
            "" if self.word is None else f" {self.word}" if self.needs_word else f" [{self.word}]"
        )
        word += f" [{self.second}]" if self.second else ""
        options = " [options]" if self.options else ""
        return f"{_call_of(self)}{word}{options}" + ("\ngoal" if self.name == "%%portia" else "")


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


_OUTPUT = Option(("-o", "--output"), "Bind the result to this variable.", "NAME")
_YES = Option(("--yes",), "Approve the plan and its calls beforehand; the run records that.")
_ANSWER = Option(
    ("--answer",),
    "Answer a question beforehand, by its argument's or its step's name.",
    "NAME=VALUE",
    many=True,
)
_ANSWERS = Option(("--answers",), "Answer questions from a JSON file of names and values.", "FILE")
_BACKGROUND = Option(("--background",), "Give the prompt back at once; the run goes on.")
_RECORD = Option(("--record",), "Keep what models, tools and people answer in this file.", "FILE")
_REPLAY = Option(("--replay",), "Answer from this record: no key, no network, no call.", "FILE")
_RUNNING = (_OUTPUT, _YES, _ANSWER, _ANSWERS, _BACKGROUND, _RECORD, _REPLAY)

_IN = Option(
    ("--in",),
    "Give the plan an input, the value of a Python expression.",
    "NAME=EXPR",
    many=True,
)
_SET = Option(
    ("--set",),
    "Change the step: task, args.NAME, tool, model, … or output, by a Python expression.",
    "FIELD=EXPR",
    many=True,
)
_PLAN = Option(("--plan",), "Run this plan instead, a variable or an id.", "PLAN")

CELL = Command(
    "%%portia",
    "Plan the goal below, show the plan, and run it.",
    (
        Option(("--plan",), "Only plan: show the plan and run nothing."),
        _OUTPUT,
        _IN,
        Option(("--tools",), "Plan with these tools only, separated by commas.", "IDS"),
        Option(("--model",), "Use this model for everything.", "PROVIDER/NAME"),
        Option(("--schema",), "Shape the final output as this pydantic model.", "NAME"),
        _YES,
        _ANSWER,
        _ANSWERS,
        _BACKGROUND,
        _RECORD,
        _REPLAY,
    ),
)

LINES: dict[str, Command] = {
    command.name: command
    for command in (
        Command("run", "Run a plan, given as a variable or an id.", (_IN, *_RUNNING), "PLAN", True),
        Command("runs", "List the runs that are kept, latest first."),
        Command("show", "Show a run or a plan.", (_OUTPUT,), "RUN"),
        Command("resume", "Go on with a run; finished steps don't run again.", _RUNNING, "RUN"),
        Command(
            "retry",
            "Try the failed step of a run again; changed by --set, in a fork of the run.",
            (_SET, *_RUNNING),
            "RUN",
            second="STEP",
        ),
        Command(
            "fork",
            "Run a step of a run again in a new run, and what depends on it; reuse the rest.",
            (_SET, _IN, _PLAN, *_RUNNING),
            "RUN",
            True,
            "STEP",
        ),
        Command(
            "diff",
            "Compare two runs: plan, outputs, cost, time; one alone with what it was forked from.",
            (_OUTPUT,),
            "RUN",
            second="OTHER",
        ),
        Command("wait", "Wait for a run that goes on in the background.", (_OUTPUT,), "RUN"),
        Command("stop", "Stop a run; what is done is kept.", (), "RUN"),
        Command("forget", "Delete a run for good, with all that it kept.", (), "RUN", True),
        Command("tools", "List the tools."),
        Command("use", "Use the Portia of this variable from here on.", (), "NAME", True),
        Command("doctor", "Tell what works here, what doesn't, and what to do about it."),
        Command("why", "Show the full traceback behind the latest error card."),
    )
}


def parse_cell(line: str) -> Options:
    """Read the options of ``%%portia``.

    Raises:
        InvalidOption: one is unknown (with the nearest that exists), lacks its value, or has a
            value that can't be used.
    """
    return _parse(CELL, split(line))


def parse_line(line: str) -> Options:
    """Read the subcommand and the options of ``%portia``; nothing at all asks for help.

    Raises:
        InvalidOption: as `parse_cell`, or the subcommand is unknown.
    """
    words = split(line)
    if not words or words[0] in ("--help", "-h", "help"):
        return Options(Command("", ""), wants_help=True)
    command = LINES.get(words[0])
    if command is None:
        raise InvalidOption(
            f"%portia has no {words[0]!r}: {nearest(words[0], LINES)}", option=words[0]
        )
    return _parse(command, words[1:])


def nearest(name: str, known: Any) -> str:
    """Say what may have been meant by `name`, or what there is.

    >>> nearest("rusn", ["runs", "show"])
    "did you mean 'runs'?"
    >>> nearest("--nosuch", ["--schema", "--yes"])
    'there are --schema, --yes'
    """
    # Without the dashes, which all options share: with them anything is near to something.
    plain = {each.lstrip("-"): each for each in known}
    near = get_close_matches(name.lstrip("-"), list(plain), n=1)
    return (
        f"did you mean {plain[near[0]]!r}?" if near else f"there are {', '.join(known) or 'none'}"
    )


def help_on(command: Command) -> str:
    """Return the help of one command, as ``--help`` and ``%%portia?`` show it."""
    lines = [command.summary, "", *(f"    {line}" for line in command.usage.splitlines())]
    if command.options:
        heads = [_head(option) for option in command.options]
        width = max(len(head) for head in heads) + 2
        lines += ["", "Options:"]
        lines += [
            f"    {head:{width}}{option.help}"
            for head, option in zip(heads, command.options, strict=True)
        ]
    if command is CELL:
        lines += [
            "",
            "{{ name }} in the goal hands the plan the variable of that name as an input.",
        ]
    return "\n".join(lines)


def help_on_lines() -> str:
    """Return the help of ``%portia``: its subcommands."""
    width = max(len(_call_of(command)) for command in LINES.values()) + 2
    lines = ["Work with plans and runs.", ""]
    lines += [f"    {_call_of(c):{width}}{c.summary}" for c in LINES.values()]
    return "\n".join([*lines, "", "%portia COMMAND --help tells a command's options."])


def split(line: str) -> list[str]:
    """Split options at spaces that are neither quoted nor in brackets; a word in quotes loses them.

    Unlike a shell's rules these leave Python expressions as they are.

    >>> split('''--in sales=df[df["a b"] > 3] -o "name"''')
    ['--in', 'sales=df[df["a b"] > 3]', '-o', 'name']
    """
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
    return [_unquoted(each) for each in ([*words, word] if word else words)]


def _unquoted(word: str) -> str:
    if len(word) >= 2 and word[0] in "\"'" and word[-1] == word[0] and word.count(word[0]) == 2:
        return word[1:-1]
    return word


def _call_of(command: Command) -> str:
    return command.name if command.name.startswith("%") else f"%portia {command.name}"


def _head(option: Option) -> str:
    return ", ".join(option.flags) + (f" {option.value}" if option.value else "")


def _parse(command: Command, words: list[str]) -> Options:
    if "--help" in words or "-h" in words:
        return Options(command, wants_help=True)
    parser = _Parser(prog=_call_of(command), add_help=False, allow_abbrev=False)
    for option in command.options:
        action = "store_true" if option.value is None else "append" if option.many else "store"
        parser.add_argument(*option.flags, dest=option.field, action=action)
    given, rest = parser.parse_known_args(words)
    known = [flag for option in command.options for flag in option.flags]
    for word in rest:
        if word.startswith("-"):
            raise InvalidOption(
                f"{parser.prog} has no option {word!r}: {nearest(word.partition('=')[0], known)}",
                option=word,
            )
    values = {name: value for name, value in vars(given).items() if value not in (None, False)}
    _check(command, values)
    second = rest.pop(1) if command.second and len(rest) > 1 else None
    return Options(command, _one_word(command, rest), values, second=second)


def _one_word(command: Command, rest: list[str]) -> str | None:
    call = _call_of(command)
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
            f"{_call_of(command)}: --record and --replay exclude each other: a call is either made "
            "and kept, or answered from a record",
            option="--replay",
        )
    output = values.get("output")
    if output is not None and not _is_name(output):
        raise InvalidOption(f"-o {output}: a variable's name is needed", option="-o")
    for name, strict in (("in", True), ("answer", False), ("set", None)):
        pairs: list[tuple[str, str]] = []
        for text in values.get(name, ()):
            key, equals, value = text.partition("=")
            if not equals or not key or (strict and not _is_name(key)):
                expected = next(o.value for o in command.options if o.field == name)
                raise InvalidOption(f"--{name} {text}: {expected} is needed", option=f"--{name}")
            pairs.append((key.strip(), _unquoted(value.strip()) if strict is False else value))
        if pairs:
            values[name] = pairs


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InvalidOption(f"{self.prog}: {message}")
