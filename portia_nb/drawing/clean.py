"""Text that others wrote, made fit to be shown: no control characters, one way to escape."""

from __future__ import annotations

import re
import unicodedata
from html import escape

# A whole terminal sequence goes, not only its ESC: colours (CSI), links and titles (OSC), others.
_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# Joiners shape Persian and Indic words and emoji; no other format character is worth its risk
# (bidi overrides, invisible tags).
_JOINERS = frozenset("\u200c\u200d")
MAX_MARKS = 4
"""Accents kept on one letter: stacks of hundreds paint over the lines around them."""


def clean(text: str, *, keep_lines: bool = False) -> str:
    r"""Return `text` without anything that a screen would obey instead of show.

    Removes terminal sequences, control and format characters (bidi overrides among them), lone
    surrogates, unassigned code points (XML forbids some), and accents beyond four on a
    letter. Line ends and tabs become a space, or stay as `\n` if `keep_lines`.

    >>> clean("a\x1b[31mred\x1b[0m\u202eb\r\nc")
    'aredb c'
    """
    if text.isascii() and text.isprintable():
        return text
    kept: list[str] = []
    marks = 0
    for char in _TERMINAL.sub("", text.replace("\r\n", "\n")):
        if char in "\n\r\x0b\x0c\x85\u2028\u2029":
            kept.append("\n" if keep_lines else " ")
            continue
        category = unicodedata.category(char)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > MAX_MARKS:
            continue
        if char == "\t" or category == "Zs":
            kept.append(" ")
        elif category not in ("Cc", "Cf", "Cs", "Cn") or char in _JOINERS:
            kept.append(char)
    return "".join(kept)


def esc(text: str) -> str:
    r"""Return `text` cleaned and escaped, safe between tags and inside a quoted attribute.

    >>> esc('<b title="x">&\x00')
    '&lt;b title=&quot;x&quot;&gt;&amp;'
    """
    return escape(clean(text), quote=True)


def untypeset(escaped: str) -> str:
    r"""Return escaped text such that notebooks don't typeset what stands between dollars in it.

    >>> untypeset("$2, then $3")
    '<span>$</span>2, then <span>$</span>3'
    """
    if "\\" not in escaped and escaped.count("$") < 2:
        return escaped
    # A tag of its own around each sign: typesetting looks for a pair within one piece of text.
    return escaped.replace("\\", "<span>\\</span>").replace("$", "<span>$</span>")


def prose(text: str) -> str:
    """Return `text` as `esc` does, for a place where notebooks would typeset it.

    >>> prose("<b> for $2 or $3")
    '&lt;b&gt; for <span>$</span>2 or <span>$</span>3'
    """
    return untypeset(esc(text))


_NARROW = frozenset("iljtfrI.,:;'|!()[] -")
_BROAD = frozenset("mwMW@%&")


def width_of(text: str, font_px: float) -> float:
    """Estimate how wide `text` is drawn in pixels; rather too wide.

    Measured on DejaVu Sans Bold, the widest face that Linux falls back to.
    """
    total = 0.0
    for char in text:
        if unicodedata.combining(char):
            continue
        if char in _NARROW:
            total += 0.42
        elif char in _BROAD or unicodedata.east_asian_width(char) in "WF" or ord(char) > 0x1F000:
            total += 1.05
        else:
            total += 0.76 if char.isupper() else 0.68
    return total * font_px


def cut_to_width(text: str, width_px: float, font_px: float) -> str:
    """Return `text` if it fits in `width_px`, else its beginning with an ellipsis.

    >>> cut_to_width("a rather long label", 60, 13)
    'a rath…'
    """
    # No font is so narrow that more characters fit; keeps the cost of a huge label small.
    start = text[: int(width_px)]
    if len(start) == len(text) and width_of(text, font_px) <= width_px:
        return text
    room = width_px - font_px
    low, high = 0, len(start)
    while low < high:
        middle = (low + high + 1) // 2
        if width_of(start[:middle], font_px) <= room:
            low = middle
        else:
            high = middle - 1
    return start[:low].rstrip() + "…"
