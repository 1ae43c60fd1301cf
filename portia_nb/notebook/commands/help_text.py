"""Help on commands, from their declaration."""

from __future__ import annotations

from .declared import CELL, LINES
from .declaring import Command, Option


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
    width = max(len(command.call) for command in LINES.values()) + 2
    lines = ["Work with plans and runs.", ""]
    lines += [f"    {c.call:{width}}{c.summary}" for c in LINES.values()]
    return "\n".join([*lines, "", "%portia COMMAND --help tells a command's options."])


def _head(option: Option) -> str:
    return ", ".join(option.flags) + (f" {option.value}" if option.value else "")
