"""What may have been meant by a name that nothing has."""

from __future__ import annotations

from collections.abc import Collection


def nearest(name: str, known: Collection[str]) -> str:
    """Say what may have been meant by `name`, or what there is.

    >>> nearest("rusn", ["runs", "show"])
    "did you mean 'runs'?"
    >>> nearest("--nosuch", ["--schema", "--yes"])
    'there are --schema, --yes'
    """
    from difflib import get_close_matches

    # Without the dashes, which all options share: with them anything is near to something.
    plain = {each.lstrip("-"): each for each in known}
    near = get_close_matches(name.lstrip("-"), list(plain), n=1)
    return (
        f"did you mean {plain[near[0]]!r}?" if near else f"there are {', '.join(known) or 'none'}"
    )
