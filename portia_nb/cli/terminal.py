"""The terminal: results to standard output, all else to standard error, and what is typed."""

from __future__ import annotations

import json
import os
import select
import shutil
import sys
import threading
from collections.abc import Sequence
from typing import TextIO

from portia_nb.drawing.clean import clean

Part = str | tuple[str, str]
"""Text, or text and the name of its colour."""
Line = Sequence[Part]

WIDTH = 100
"""Columns where standard error is no terminal."""
_COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "purple": "35", "dim": "2"}


class Terminal:
    """Where one command writes, and asks on the main thread.

    Guarantees: no control, format or terminal sequence of the texts passes; colours are this
    class's own.
    """

    def __init__(self, *, as_json: bool = False, never_asks: bool = False) -> None:
        """Take the standard streams as they are now.

        Args:
            as_json: standard output is kept for one JSON document.
            never_asks: nobody is asked, even where somebody is there.
        """
        self.as_json = as_json
        self._out, self._err = sys.stdout, sys.stderr
        self._in = sys.stdin
        self.can_ask = not never_asks and _is_tty(self._in)
        self._is_coloured = (
            _is_tty(self._err) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        )

    @property
    def width(self) -> int:
        """Columns to fill."""
        return shutil.get_terminal_size((WIDTH, 24)).columns if _is_tty(self._err) else WIDTH

    def say(self, *parts: Part) -> None:
        """Write one line, or several, about what goes on."""
        self._write(self._err, "".join(self._coloured(part) for part in parts) + "\n")

    def give(self, text: str) -> None:
        """Write a result."""
        self._write(self._out, clean(text, keep_lines=True) + "\n")

    def give_json(self, text: str) -> None:
        r"""Write a JSON document; what a screen would obey is there as ``\u`` escapes."""
        from portia_nb.session.answering import visible_json

        is_unicode = (self._out.encoding or "").lower().replace("-", "").startswith("utf")
        data = json.loads(text)
        shown = json.dumps(data, indent=2, ensure_ascii=not is_unicode)
        self._write(self._out, visible_json(shown) + "\n")

    def ask(self, prompt: str, *, within_s: float | None = None) -> str:
        """Ask for a line and return it, without its end and without what no key of a text types.

        Args:
            prompt: what to ask.
            within_s: seconds to wait for the line; None: as long as it takes.

        Raises:
            TimeoutError: no line was typed in that time.
            EOFError: nobody types here any more; from now on `can_ask` is false.
            KeyboardInterrupt: the person interrupted.
        """
        # On standard error, since standard output may be a file; without readline, which would want
        # to know the prompt, and whose terminal modes an interrupt could leave behind.
        self._write(self._err, clean(prompt, keep_lines=True))
        if not self._has_line(within_s):
            self._write(self._err, "\n")
            self.say(("the time for this answer is up", "yellow"))
            raise TimeoutError("no line was typed in time")
        try:
            while True:
                try:
                    return clean(input())
                except UnicodeDecodeError:
                    self._write(self._err, "that is no text in this terminal's encoding; again> ")
        except (EOFError, OSError) as error:
            self.can_ask = False
            self._write(self._err, "\n")
            raise EOFError from error
        except KeyboardInterrupt:
            self._write(self._err, "\n")
            raise

    def _has_line(self, within_s: float | None) -> bool:
        """Wait until a line can be read; False: none came in time."""
        on_main = threading.current_thread() is threading.main_thread()
        if (within_s is None and on_main) or sys.platform == "win32":
            return True  # the reading itself waits
        # A thread that a process leaves behind must not sit in the reading: Python takes the lock
        # of standard input when it ends, and would die of it.
        try:
            return bool(select.select([self._in], [], [], within_s)[0])
        except (OSError, ValueError):
            return True

    def _coloured(self, part: Part) -> str:
        if isinstance(part, str):
            return clean(part, keep_lines=True)
        text = clean(part[0], keep_lines=True)
        return f"\x1b[{_COLOURS[part[1]]}m{text}\x1b[0m" if self._is_coloured else text

    def _write(self, stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


def _is_tty(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False  # closed
