"""What helps at the command line against an error whose own message speaks of Python."""

from __future__ import annotations

from collections.abc import Mapping

HINTS: Mapping[str, str] = {
    "NoModelKey": "here: set a key, or name a model: --model ollama/NAME, with --base-url URL",
    "ConfigNotFoundError": "here: set it in the environment or in .env, or by portia-nb config set",
    "StoreUnwritable": "here: --store FOLDER, or --store memory",
    "StoreFull": "here: --store FOLDER on another disk, or --store memory",
}
"""By an error's class."""


def hint_for(error: Exception) -> str | None:
    """Return what helps here against `error`, None where its own message says it all."""
    name = type(error).__name__
    if name == "ConfigNotFoundError" and not hasattr(error, "setting"):
        return None  # a profile, or the file with profiles
    return HINTS.get(name)
