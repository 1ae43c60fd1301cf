"""``%portia``: finds the command that a line names, and has its function do it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .help_text import help_on, help_on_lines
from .parsing import Options, parse_line

if TYPE_CHECKING:
    from portia_nb.notebook.asking import Prompts
    from portia_nb.notebook.face import Face

    from .declaring import Command


@dataclass(frozen=True, slots=True)
class Call:
    """One call of ``%portia``, as the function of its command gets it."""

    face: Face
    options: Options
    prompts: Prompts
    """Questions for `input()`."""
    serves: bool
    """Whether this is the main thread, which asks them."""


async def run_line(
    face: Face, line: str, prompts: Prompts, *, serves: bool, target: str | None
) -> Any:
    """Do what a ``%portia`` line says, and return its value, such as a `PlanRun`.

    Args:
        face: the notebook face.
        line: subcommand and options.
        prompts: questions for `input()`.
        serves: whether this is the main thread, which asks them.
        target: the variable that the value is assigned to, ``""`` for something else that it is
            assigned to; None: what has been shown isn't returned, so that the notebook doesn't
            show it twice.

    Raises:
        BaseException: whatever kept it from being done, as a card.
    """
    options = parse_line(line)
    if options.wants_help:
        face.say(help_on(options.command) if options.command.name else help_on_lines())
        return None
    if target and any(option.field == "output" for option in options.command.options):
        # An assignment is lost where the cell ends in an error; bound like this, it isn't.
        options.values.setdefault("output", target)
    value = await function_of(options.command)(Call(face, options, prompts, serves))
    return None if target is None else value


def function_of(command: Command) -> Callable[[Call], Awaitable[Any]]:
    """Load the function that does `command`: a coroutine function of a `Call`.

    What it returns is the value of an assignment (``name = %portia …``); what it shows, it shows
    by `Call.face`.
    """
    module, _, name = command.does.partition(":")
    return getattr(import_module(f"portia_nb.notebook.{module}"), name)
