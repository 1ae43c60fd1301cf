"""What can be a name that a plan is kept under."""

from __future__ import annotations

from portia_nb.errors import InvalidOption

MAX_NAME_CHARS = 100
_RESERVED = ("plan-", "prun-", "clar-")


def checked_name(name: str) -> str:
    """Return `name`, if a plan can be kept under it.

    Raises:
        InvalidOption: it is empty, too long, looks like an id, or has control characters in it.

    >>> checked_name("trip")
    'trip'
    """
    plain = name.strip()
    if not plain or len(plain) > MAX_NAME_CHARS or not plain.isprintable():
        raise InvalidOption(
            f"{name!r:.120} can't be a plan's name: it is text of at most {MAX_NAME_CHARS} "
            "characters on one line",
            option=name,
        )
    if plain.startswith(_RESERVED):
        raise InvalidOption(
            f"{name!r} can't be a plan's name: ids begin with {plain[:5]}", option=name
        )
    return plain
