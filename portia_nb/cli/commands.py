"""Which function does which command."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from . import exports, forks, goals, maps, profiles, records, stores
from .terminal import Terminal

COMMANDS: Mapping[str, Callable[[argparse.Namespace, Terminal], int]] = {
    "run": goals.run,
    "plan": goals.plan,
    "run-plan": goals.run_plan,
    "map": maps.map_rows,
    "resume": goals.resume,
    "retry": forks.retry,
    "fork": forks.fork,
    "diff": forks.diff,
    "runs": records.runs,
    "show": records.show,
    "export": exports.export,
    "store": stores.store,
    "config": profiles.config,
    "list-tools": records.list_tools,
    "lab": records.lab,
    "version": records.version,
}
