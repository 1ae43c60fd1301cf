"""Rewrite ``%%portia`` and ``%portia`` so that the cell awaits them.

IPython calls magics from synchronous code, and a kernel that is blocked delivers no click to a
widget. A cell that awaits stays open for clicks, so the magic becomes an ``await`` before IPython
sees it. The magics stay registered: for help, completion, and wherever a cell can't await.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import FrameType
from typing import Any

REGISTERED_AS = "PortiaMagics"
"""Under this name IPython's magics manager holds the object whose methods the cell awaits."""

_FACE = f"get_ipython().magics_manager.registry[{REGISTERED_AS!r}]"


def await_magics(lines: list[str]) -> list[str]:
    r"""Return `lines` of a cell with its portia magics awaited; the rest comes back unchanged.

    A cell magic counts on the first line, a line magic where it starts a line of the cell's top
    level or is the right side of an assignment there. Inside blocks, and where help is asked for
    (``%%portia?``), the lines are left to IPython.

    >>> await_magics(["run = %portia resume prun-1\n"])[0].partition("registry")[0]
    'run = await get_ipython().magics_manager.'
    >>> await_magics(["x = '%portia'\n"])
    ["x = '%portia'\n"]
    """
    if not any("%portia" in line for line in lines):
        return lines
    if _is_magic(lines[0], "%%portia"):
        return [_cell_call(lines[0], lines[1:])]
    return _await_lines(lines)


def is_shown_by_cell(frame: FrameType | None, names: dict[str, Any]) -> bool:
    """Tell whether what a magic returns is the value of its line, which the cell shows by itself.

    Args:
        frame: that of the call, or of any function that it calls.
        names: the global names of cells.
    """
    while frame is not None and frame.f_globals is not names:
        frame = frame.f_back
    if frame is None:
        return False
    from dis import get_instructions

    following = (each for each in get_instructions(frame.f_code) if each.offset > frame.f_lasti)
    after = next((each for each in following if each.opname != "CACHE"), None)
    # Before Python 3.12, and since.
    return after is not None and (
        after.opname == "PRINT_EXPR" or after.argrepr == "INTRINSIC_PRINT"
    )


def _is_magic(line: str, magic: str) -> bool:
    """Tell whether `line` calls `magic`, and doesn't ask for help on it."""
    rest = line.removeprefix(magic)
    if rest == line or line.rstrip().endswith("?"):
        return False
    return not rest or rest[0].isspace()


def _cell_call(head: str, body: Sequence[str]) -> str:
    options = head.removeprefix("%%portia").strip()
    return f"await {_FACE}.await_cell({options!r}, {''.join(body)!r})\n"


def _await_lines(lines: list[str]) -> list[str]:
    from IPython.core.inputtransformer2 import make_tokens_by_line

    changed = list(lines)
    for tokens in make_tokens_by_line(lines):
        found = _find_magic(tokens)
        if found is None:
            continue
        row, column, target = found
        last = row
        while last + 1 < len(lines) and lines[last].rstrip("\n").endswith("\\"):
            last += 1
        text = " ".join(line.rstrip("\n").rstrip("\\") for line in changed[row : last + 1])
        before, call = text[:column], text[column:]
        if not _is_magic(call, "%portia"):
            continue
        options = call.removeprefix("%portia").strip()
        changed[row] = f"{before}await {_FACE}.await_line({options!r}, target={target!r})\n"
        # Emptied and not removed: line numbers in tracebacks stay those of the cell.
        changed[row + 1 : last + 1] = ["\n"] * (last - row)
    return changed


def _find_magic(tokens: Sequence[Any]) -> tuple[int, int, str | None] | None:
    """Return row, column and target of a ``%portia`` in one logical line.

    The target is the variable that it is assigned to, ``""`` where it is assigned to something
    else, and None where it isn't assigned.
    """
    words = [token for token in tokens if token.string.strip()]
    if not words or words[0].start[1] != 0:
        return None
    if _names_portia(words, 0):
        return words[0].start[0] - 1, words[0].start[1], None
    depth = 0
    for place, word in enumerate(words):
        if word.string in ("(", "[", "{"):
            depth += 1
        elif word.string in (")", "]", "}"):
            depth -= 1
        elif word.string == "=" and depth == 0:
            if _names_portia(words, place + 1):
                start = words[place + 1].start
                target = words[0].string if place == 1 and words[0].string.isidentifier() else ""
                return start[0] - 1, start[1], target
            return None
    return None


def _names_portia(words: Sequence[Any], place: int) -> bool:
    if place + 1 >= len(words):
        return False
    sign, name = words[place], words[place + 1]
    return sign.string == "%" and name.string == "portia" and sign.end == name.start
