"""What helps at the command line against an error whose own message speaks of Python."""

from __future__ import annotations

from collections.abc import Mapping

HINTS: Mapping[str, str] = {
    "NoModelKey": "here: --model ollama/NAME, or --base-url URL for a server of your own",
    "ConfigNotFoundError": "here: set it in the environment or in .env, or by portia-nb config set",
    "StoreUnwritable": "here: --store FOLDER, or --store memory",
    "PlanRunNotFoundError": "here: `portia-nb runs` lists the runs",
    "StoreFull": "here: --store FOLDER on another disk, or --store memory",
}
"""By an error's class."""

_OWN_TOOLS = (
    "here: commands know the built-in tools only; where the plan needs a tool of your own, go on "
    "in the notebook or program that defines it"
)


def hint_for(error: Exception) -> str | None:
    """Return what helps here against `error`, None where its own message says it all."""
    name = type(error).__name__
    if name == "ConfigNotFoundError" and not hasattr(error, "setting"):
        return None  # a profile, or the file with profiles
    if name == "PlanCheckError" and ": no tool " in str(error):
        return _OWN_TOOLS
    return HINTS.get(name)
