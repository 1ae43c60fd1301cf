"""From a command's options to a `Portia`, its tools, answers and inputs; from words to ids."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from portia_nb.errors import InvalidOption, ToolNotFoundError
from portia_nb.session.answering import DeclaredAnswers, read_answers_file, standing_answers

from .settings import config_of
from .terminal import Terminal

if TYPE_CHECKING:
    from portia_nb.config import Config
    from portia_nb.session.portia import Portia
    from portia_nb.tools.registry import ToolRegistry


def open_portia(args: argparse.Namespace, terminal: Terminal, *, all_tools: bool = False) -> Portia:
    """Return the Portia that a command's options ask for; warnings go to the terminal.

    Args:
        args: the options.
        terminal: where warnings go, unless the options or the environment set up a log.
        all_tools: offer each built-in tool; else those whose key is set. ``--tools`` beats both.

    Raises:
        InvalidOption: a setting's value can't be used, or no tool has an id of ``--tools``.
    """
    from portia_nb.session.portia import Portia

    config = config_of(args)
    if config.no_ask:
        terminal.can_ask = False
    _set_up_warnings(config, terminal)
    return Portia(config, tools=_tools(args, all_tools))


def is_kept(config: Config) -> bool:
    """Tell whether runs outlive this process."""
    from portia_nb.storage.memory import MemoryStore
    from portia_nb.storage.place import open_store

    return not isinstance(open_store(config), MemoryStore)


def answers_of(args: argparse.Namespace, config: Config) -> DeclaredAnswers:
    """Return the answers that were given beforehand: by options, else by the settings.

    Raises:
        InvalidOption: one is no ``NAME=VALUE``, or the file can't be read.
    """
    from_file = read_answers_file(args.answers) if args.answers else {}
    given = {**from_file, **pairs("--answer", args.answer)}
    return DeclaredAnswers({**standing_answers(config), **given})


def pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    """Return ``NAME=VALUE`` words as a dict.

    Raises:
        InvalidOption: one has no ``=``, or no name before it.
    """
    found: dict[str, str] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise InvalidOption(f"{option} {word!r}: NAME=VALUE is needed", option=option)
        found[name.strip().removeprefix("$")] = value
    return found


def _tools(args: argparse.Namespace, all_tools: bool) -> ToolRegistry | None:
    wanted = [each.strip() for each in (getattr(args, "tools", None) or "").split(",")]
    wanted = [each for each in wanted if each]
    if not wanted and not all_tools:
        return None
    from portia_nb.tools.examples import open_source_tool_registry
    from portia_nb.tools.registry import ToolRegistry

    if not wanted:
        return open_source_tool_registry
    try:
        return ToolRegistry([open_source_tool_registry.get_tool(each) for each in wanted])
    except ToolNotFoundError as error:
        raise InvalidOption(f"--tools: {error}", option="--tools") from error


class _Warnings(logging.Handler):
    """Shows warnings as lines of the terminal."""

    def __init__(self, terminal: Terminal) -> None:
        super().__init__(logging.WARNING)
        self._terminal = terminal

    def emit(self, record: logging.LogRecord) -> None:
        # What the log says of a run's own events is on the terminal already.
        if record.module != "log" or record.name != "portia_nb":
            self._terminal.say((record.levelname.lower(), "yellow"), f": {record.getMessage()}")


def _set_up_warnings(config: Config, terminal: Terminal) -> None:
    """Let warnings go to `terminal`, unless a log was asked for."""
    asked: set[Any] = {"default_log_level", "default_log_sink"} & config.model_fields_set
    root = logging.getLogger()
    if not asked and not root.handlers:
        root.addHandler(_Warnings(terminal))
