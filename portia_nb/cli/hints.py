"""What helps at the command line against an error whose own message speaks of Python."""

from __future__ import annotations

from collections.abc import Mapping

HINTS: Mapping[str, str] = {
    "NoModelKey": "here: set a key, or name a model: --model ollama/NAME, with --base-url URL",
    "ConfigNotFoundError": "here: set the variable in the environment or in .env",
    "StoreUnwritable": "here: --store FOLDER, or --store memory",
    "StoreFull": "here: --store FOLDER on another disk, or --store memory",
}
"""By an error's class."""
