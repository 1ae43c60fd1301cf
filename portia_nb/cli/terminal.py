"""The terminal: results to standard output, all else to standard error, and what is typed."""

from __future__ import annotations

import json
import os
import shutil
import sys
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

    def ask(self, prompt: str) -> str:
        """Ask for a line and return it, without its end and without what no key of a text types.

        Raises:
            EOFError: nobody types here any more; from now on `can_ask` is false.
            KeyboardInterrupt: the person interrupted.
        """
        # On standard error, since standard output may be a file; without readline, which would want
        # to know the prompt, and whose terminal modes an interrupt could leave behind.
        self._write(self._err, clean(prompt, keep_lines=True))
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
