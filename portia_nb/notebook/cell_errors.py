"""Errors of ours that plain cells raise: a card, then the user's own lines that led there.

IPython's traceback of a wrong argument runs through 80 lines of ours. Nothing of it is lost:
``%tb`` and ``%portia why`` show it, ``%debug`` enters it, ``%xmode Verbose`` brings it back.
"""

from __future__ import annotations

import linecache
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from portia_nb.errors import PortiaBaseError

if TYPE_CHECKING:
    from .face import Face

MAX_FRAMES = 6
MAX_LINES = 8
"""Lines that are shown of one statement."""
MAX_CAUSES = 4
MAX_CAUSE_CHARS = 300

_OURS = str(Path(__file__).parents[1])
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_IPYTHONS_OWN_MODE = "Context"
"""IPython's default ``%xmode``; whoever chose another wants tracebacks in that form."""


class CellErrors:
    """How one shell shows the errors of ours that its cells raise."""

    def __init__(self, face: Face) -> None:
        """Belong to the shell of `face`; nothing is changed yet."""
        self.face = face
        self._before: tuple[Any, Any] = ((), None)
        self._installed: Any = None

    def install(self) -> None:
        """Show them as cards from here on, beside the handler that the shell may have already.

        Where that one takes errors like ours itself, it keeps them.
        """
        shell = self.face.shell
        theirs = shell.custom_exceptions
        if self._installed is not None or any(issubclass(PortiaBaseError, e) for e in theirs):
            return
        self._before = (theirs, shell.CustomTB)
        shell.set_custom_exc((*theirs, PortiaBaseError), self._show)
        self._installed = shell.CustomTB

    def restore(self) -> None:
        """Put back what `install` found; a handler that was set since then stays."""
        shell = self.face.shell
        if self._installed is not None and shell.CustomTB is self._installed:
            shell.custom_exceptions, shell.CustomTB = self._before
        self._installed = None

    def _show(
        self, shell: Any, etype: Any, value: Any, tb: Any, tb_offset: int | None = None
    ) -> Any:
        theirs, handler = self._before
        if isinstance(value, theirs):
            return handler(etype, value, tb, tb_offset=tb_offset)
        lines = None
        mode = getattr(shell.InteractiveTB, "mode", _IPYTHONS_OWN_MODE)
        if mode == _IPYTHONS_OWN_MODE and not hasattr(value, "_render_traceback_"):
            self.face.note_error(value)
            # Whatever goes wrong here, the error itself is shown as IPython shows any.
            with suppress(Exception):
                lines = shown_lines(value, tb, shell)
        if lines is not None:
            value._render_traceback_ = lambda: lines
        # IPython prints an error that came from a group as Python does, and tells no front end.
        context = value.__context__
        if hasattr(value, "_render_traceback_"):
            value.__context__ = None
        try:
            # Its own way to the page, to %debug and to %tb, or that of an extension which replaced
            # it: `rich` does.
            shell.showtraceback((etype, value, tb), tb_offset=tb_offset)
        finally:
            value.__context__ = context
            if lines is not None:
                # For this once: %tb shows the whole traceback.
                del value._render_traceback_
        return None


def shown_lines(error: BaseException, tb: TracebackType | None, shell: Any) -> list[str]:
    """Return an error as a cell shows it: its card, what it came from, the user's own lines.

    Args:
        error: any error.
        tb: its traceback.
        shell: where it was raised, which knows the names of cells.
    """
    from .cards import card_lines, fact_line, next_in_code

    command = next_in_code(error)
    facts = [
        *_causes(error, shell),
        *(("note", str(note)) for note in getattr(error, "__notes__", ())),
        *([("next", command)] if command else []),
        ("more", "%portia why or %tb shows the whole traceback"),
    ]
    lines = card_lines(error)
    lines += [fact_line(label, text) for label, text in facts]
    frames = own_frames(tb)
    left_out = len(frames) - MAX_FRAMES
    if left_out > 0:
        frames = [*frames[: MAX_FRAMES // 2], *frames[-MAX_FRAMES // 2 :]]
    for number, frame in enumerate(frames):
        if left_out > 0 and number == MAX_FRAMES // 2:
            lines += ["", f"({left_out} more between these)"]
        lines += ["", *_frame_lines(frame, shell)]
    return lines


def own_frames(tb: TracebackType | None) -> list[TracebackType]:
    """Return the entries of a traceback that are the user's: in cells, and in files of their own.

    What IPython, ours and other installed packages did in between is left out.
    """
    return [each for each in _entries(tb) if _is_users(each.tb_frame.f_code.co_filename)]


def _entries(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _is_users(file: str) -> bool:
    if file.startswith("<frozen ") or _INSTALLED & set(Path(file).parts):
        return False
    folders = (_OURS, *map(sysconfig.get_path, ("stdlib", "platstdlib")))
    return not any(Path(file).is_relative_to(folder) for folder in folders)


def _causes(error: BaseException, shell: Any) -> Iterator[tuple[str, str]]:
    """Yield what an error came from, a line for each, as labels and texts.

    What we handled ourselves on the way, and raised the error for, says nothing to anybody.
    """
    from .visible_text import one_line

    seen = {id(error)}
    for _ in range(MAX_CAUSES):
        cause, label = error.__cause__, "from"
        if cause is None and not error.__suppress_context__:
            cause, label = error.__context__, "while handling"
        if cause is None or id(cause) in seen:
            return
        own = own_frames(cause.__traceback__)
        if label == "from" or own:
            said = one_line(str(cause), MAX_CAUSE_CHARS)
            name = type(cause).__name__
            where = f" ({_place(own[-1], shell)})" if own else ""
            yield label, (f"{name}: {said}" if said else name) + where
        seen.add(id(cause))
        error = cause


def _place(entry: TracebackType, shell: Any) -> str:
    code = entry.tb_frame.f_code
    named = getattr(shell.compile, "format_code_name", lambda _: None)(code.co_filename)
    place = f'File "{code.co_filename}"' if named is None else " ".join(named)
    inside = "" if code.co_name == "<module>" else f", in {code.co_name}"
    return f"{place}, line {entry.tb_lineno}{inside}"


def _frame_lines(entry: TracebackType, shell: Any) -> list[str]:
    """Return where an entry is, and its statement with an arrow at the line it is on."""
    from .visible_text import visible

    code = entry.tb_frame.f_code
    source = linecache.getlines(code.co_filename, entry.tb_frame.f_globals)
    first, last = _extent(entry)
    if last - first >= MAX_LINES:
        first = max(first, min(entry.tb_lineno, last - MAX_LINES + 1))
        last = first + MAX_LINES - 1
    width = len(str(last))
    lines = [visible(_place(entry, shell))]
    for number in range(first, min(last, len(source)) + 1):
        text = visible(source[number - 1].rstrip("\n"))
        arrow = "\x1b[1m---->\x1b[0m" if number == entry.tb_lineno else "     "
        lines.append(f"{arrow} {number:{width}} {text}")
    return lines


def _extent(entry: TracebackType) -> tuple[int, int]:
    """Return the first and last line of what an entry is on: a call may take several."""
    positions = list(entry.tb_frame.f_code.co_positions())
    at = entry.tb_lasti // 2
    first, last, *_ = positions[at] if 0 <= at < len(positions) else (None, None)
    line = entry.tb_lineno
    return min(first or line, line), max(last or line, line)
