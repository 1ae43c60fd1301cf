"""`portia-nb`: the command line's entry, which turns what happened into an exit status."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .hints import hint_for
from .status import FAILED, INTERRUPTED, PIPE_CLOSED, WAITING

if TYPE_CHECKING:
    from .terminal import Terminal


def main(argv: Sequence[str] | None = None) -> int:
    """Do what a command line says and return the exit status; a usage error raises `SystemExit`.

    Args:
        argv: the words after the program's name; None: this process's.
    """
    try:
        # Inside the try, since imports take a moment in which Ctrl-C may come.
        status = _do(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:
        status = INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has left. Nothing may be flushed there at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = PIPE_CLOSED
    if status == INTERRUPTED:
        # From here on a further Ctrl-C ends the process at once and quietly: what is kept is kept.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return status


def _do(argv: list[str]) -> int:
    from portia_nb.errors import InvalidOption, PortiaBaseError, WaitingForAnswer

    from .commands import COMMANDS
    from .parser import parse
    from .terminal import Terminal

    args, parser = parse(argv)
    terminal = Terminal(as_json=getattr(args, "json", False))
    try:
        return COMMANDS[args.command](args, terminal)
    except InvalidOption as error:
        parser.error(str(error))
    except WaitingForAnswer as error:
        terminal.say(("? waiting", "yellow"), f": {error}")
        return WAITING
    except (KeyboardInterrupt, BrokenPipeError):
        raise
    except PortiaBaseError as error:
        return _failed(terminal, error, shows=args.debug)
    except Exception as error:
        terminal.say("This is an error in portia-nb or in a tool:")
        return _failed(terminal, error, shows=args.debug)


def _failed(terminal: Terminal, error: Exception, *, shows: bool) -> int:
    if shows:
        terminal.say("".join(traceback.format_exception(error)).rstrip())
    name = type(error).__name__
    terminal.say((name, "red"), f": {error}")
    if (hint := hint_for(error)) is not None:
        terminal.say(hint)
    if not shows:
        terminal.say(("--debug shows the traceback.", "dim"))
    return FAILED
