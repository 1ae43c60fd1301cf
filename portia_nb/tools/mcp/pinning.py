"""Pins: a digest of what a server says of its tools, and the refusal of a server that says else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from portia_nb.errors import InvalidConfigError, ToolHardError

Pinned = str | Mapping[str, str] | None
"""The digest of all tools, or one for each by its name; None: whatever the server says."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_NAMED = 10


def as_digest(fingerprint: str) -> str:
    """Return the fingerprint of a tool as people and notebooks keep it."""
    return f"sha256:{fingerprint}"


def digest_of(pins: Mapping[str, str]) -> str:
    """Return the digest of all tools together, whatever their order.

    Args:
        pins: the digest of each, by its name.

    >>> digest_of({"a": "sha256:1", "b": "…"}) == digest_of({"b": "…", "a": "sha256:1"})
    True
    """
    text = json.dumps(dict(pins), sort_keys=True)
    return as_digest(hashlib.sha256(text.encode()).hexdigest())


def check_form(pinned: Pinned) -> None:
    """Check that `pinned` can be a pin, before any server is started.

    Raises:
        InvalidConfigError: it, or the one of a tool, is no digest.
    """
    found: Iterable[Any] = (
        pinned.values() if isinstance(pinned, Mapping) else () if pinned is None else [pinned]
    )
    for each in found:
        if not isinstance(each, str) or not _DIGEST.fullmatch(each):
            raise InvalidConfigError(
                f"pinned={each!r:.100} is no digest: it looks like sha256: and 64 hexadecimal "
                "digits, and probe_mcp(config) tells the one of a server as it is now"
            )


def check_pinned(server: str, pinned: Pinned, pins: Mapping[str, str]) -> None:
    """Check that a server says of its tools what was pinned.

    Args:
        server: its name.
        pinned: what was pinned.
        pins: what it says now: the digest of each tool, by its name.

    Raises:
        ToolHardError: it doesn't; the message names what was added, removed or changed.
    """
    match pinned:
        case None:
            return
        case str():
            now = digest_of(pins)
            if now == pinned:
                return
            what = f"pinned {pinned}, now {now}; its tools now: {_named(sorted(pins))}"
            hint = "; pinned by each tool's digest (pinned=report.pins) it would say which changed"
        case _:
            changes = _changes(pinned, pins)
            if not changes:
                return
            what, hint = "; ".join(changes), ""
    raise ToolHardError(
        f"MCP server {server!r} offers other tools than were pinned, so none is used: {what}"
        f"{hint}. Look at them with probe_mcp(config), and pin them anew if they are fine",
        server_name=server,
    )


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    kinds = {
        "added": [f"{name!r} ({new[name]})" for name in sorted(new.keys() - old.keys())],
        "removed": [f"{name!r} ({old[name]})" for name in sorted(old.keys() - new.keys())],
        "changed": [
            f"{name!r} (from {old[name]} to {new[name]})"
            for name in sorted(old.keys() & new.keys())
            if old[name] != new[name]
        ],
    }
    return [f"{kind}: {_named(names)}" for kind, names in kinds.items() if names]


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _MAX_NAMED} more" if len(names) > _MAX_NAMED else ""
    return (", ".join(names[:_MAX_NAMED]) or "none") + more
