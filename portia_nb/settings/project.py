"""Settings of a project: ``[tool.portia-nb]`` in the nearest ``pyproject.toml``.

Only those of `ALLOWED`, which bound how much is done and say how it is shown. A folder that
somebody else made must not say where anything is sent, kept or read, nor what needs no approval.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from portia_nb.errors import InvalidConfigError

from .environment import read_environment
from .names import did_you_mean

ALLOWED = frozenset(
    {
        "max_parallel_steps",
        "max_model_calls",
        "step_timeout_s",
        "model_timeout_s",
        "model_retries",
        "budget",
        "cache",
        "use_similar_plans",
        "large_output_threshold_tokens",
        "argument_clarifications_enabled",
        "live_view",
        "default_log_level",
        "json_log_serialize",
    }
)
TABLE = "[tool.portia-nb]"


def read_around(settings: Iterable[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what the environment, the nearest ``.env`` and the project say, and where each stands.

    The environment comes before ``.env``, and both before the project.

    Raises:
        InvalidConfigError: the project sets something that isn't a project's to set, or that isn't
            a setting.
    """
    names = list(settings)
    values, origins = read_project(names, Path.cwd())
    nearer, where = read_environment(names)
    return {**values, **nearer}, {**origins, **where}


def read_project(settings: Iterable[str], start: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the settings of the ``pyproject.toml`` in `start` or above it, and where they stand.

    A file that can't be read, or isn't TOML, says nothing: it is others' to complain about.

    Raises:
        InvalidConfigError: as `read_around`.
    """
    path = _nearest(start)
    table = {} if path is None else _table_of(path)
    for name in table:
        if name in ALLOWED:
            continue
        where = f"{TABLE} in {path}"
        if name not in settings:
            raise InvalidConfigError(
                f"{where}: {did_you_mean(name, sorted(ALLOWED))}", setting=name
            )
        raise InvalidConfigError(
            f"{where} sets {name}, which a project must not: whoever made the folder would say "
            "where things are sent or kept. Take it out, and set it for yourself: portia-nb config "
            f"set {name} VALUE",
            setting=name,
        )
    return table, dict.fromkeys(table, f"{TABLE} in {path}")


def _nearest(start: Path) -> Path | None:
    paths = (folder / "pyproject.toml" for folder in (start, *start.parents))
    return next((path for path in paths if path.is_file()), None)


def _table_of(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        # The quick look saves the reading of files that say nothing.
        found = tomllib.loads(text)["tool"]["portia-nb"] if "portia-nb" in text else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}
