"""Text from tools, models and users, with everything that a screen would obey made visible."""

from __future__ import annotations

import unicodedata

# Joiners shape Persian and Indic words and emoji; where exact text counts they are shown too.
_JOINERS = frozenset("\u200c\u200d")
_CONTROL_PICTURES = 0x2400


def visible(text: str, *, exact: bool = False) -> str:
    r"""Return `text` with control, format and bidi characters as visible signs.

    Line ends and tabs stay. `exact` also shows the joiners that scripts and emoji need, for text
    that a person approves.

    Guarantees: the result has no control character but line ends and tabs, no bidi override and
    no lone surrogate, so that every encoder takes it.

    >>> visible("a\x1b[31m\u202eb\r\nc")
    'a␛[31m⟨U+202E⟩b\nc'
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n")
    return "".join(_sign(char, exact) for char in text)


def _sign(char: str, exact: bool) -> str:
    if char in "\n\t":
        return char
    code = ord(char)
    if code < 0x20:
        return chr(_CONTROL_PICTURES + code)
    if code == 0x7F:
        return "␡"
    if char in _JOINERS:
        return f"⟨U+{code:04X}⟩" if exact else char
    # Unassigned code points stay: emoji newer than this Python are among them.
    if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") or code & 0xFFFE == 0xFFFE:
        return f"⟨U+{code:04X}⟩"
    return char


def one_line(text: str, max_chars: int = 300) -> str:
    r"""Return `text` visible and on one line, cut to `max_chars`.

    >>> one_line("two\n lines")
    'two lines'
    """
    line = " ".join(visible(text[: max_chars * 4]).split())
    return line if len(line) <= max_chars else line[: max_chars - 1] + "…"


def cut_to_bytes(text: str, max_bytes: int) -> tuple[str, int]:
    """Return the beginning of `text` that fits in `max_bytes`, visible, and how many are left out.

    Args:
        text: any text; only its first `max_bytes` characters are looked at.
        max_bytes: bytes that the result may fill as JSON text in UTF-8, without quotes.

    Returns:
        The beginning, and the number of characters of `text` after it.
    """
    kept: list[str] = []
    room = max_bytes
    taken = 0
    for char in text[:max_bytes]:
        shown = _sign(char, False)
        room -= 2 if shown in '"\\\n\t' else len(shown.encode())
        if room < 0:
            break
        kept.append(shown)
        taken += 1
    # A Windows line end is one sign, and not a visible carriage return.
    return "".join(kept).replace("␍\n", "\n"), len(text) - taken
