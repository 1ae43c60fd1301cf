"""The environment that tests, and the programs they start, run in."""

import os

PREFIXES = ("PORTIA_", "OPENAI_", "AZURE_OPENAI_", "ANTHROPIC_", "OLLAMA_", "JUPYTER", "IPYTHON")
SUFFIXES = ("_API_KEY", "_API_TOKEN", "_ACCESS_TOKEN", "_SECRET_KEY")


def is_private(name: str) -> bool:
    """Tell whether the variable `name` holds a key or a setting of the person who tests."""
    return name.startswith(PREFIXES) or name.endswith(SUFFIXES)


def public_environment() -> dict[str, str]:
    """Return this process's environment without keys and settings, for a program to start."""
    public = {name: value for name, value in os.environ.items() if not is_private(name)}
    return {**public, "PORTIA_CONFIG_FILE": os.devnull}
