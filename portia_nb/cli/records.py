"""The commands about what is there: `runs`, `show`, `list-tools`, `version`, `lab`."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from portia_nb.config import KEYS
from portia_nb.drawing.text import plan_to_text, run_to_text, short_text
from portia_nb.errors import InvalidOption

from .outcome import value_text
from .settings import config_of
from .status import COMPLETE, FAILED
from .terminal import Terminal
from .wiring import find_run_id, open_portia

if TYPE_CHECKING:
    from portia_nb.storage.store import RunRow
    from portia_nb.tools.base import Tool

MAX_GOAL_CHARS = 60
_EFFECTS = {True: "changes something", False: "only reads", None: "may change something"}


def runs(args: argparse.Namespace, terminal: Terminal) -> int:
    """List the runs that are kept."""
    if args.limit < 1:
        raise InvalidOption(f"--limit {args.limit}: at least 1 is needed", option="--limit")
    rows = open_portia(args, terminal).store.find_runs(limit=args.limit)
    if terminal.as_json:
        terminal.give_json(json.dumps([_row(row) for row in rows]))
    elif not rows:
        terminal.say("No runs are kept here yet.")
    else:
        terminal.give(
            "\n".join([f"{'run':42} {'state':19} {'started':17} goal", *map(_line, rows)])
        )
    return COMPLETE


def show(args: argparse.Namespace, terminal: Terminal) -> int:
    """Show a run that is kept, or a plan."""
    from portia_nb.session.opening import open_run

    store = open_portia(args, terminal).store
    if args.run.startswith("plan-"):
        plan = store.load_plan(args.run)
        if terminal.as_json:
            terminal.give_json(plan.model_dump_json())
        else:
            terminal.give(plan_to_text(plan, width=terminal.width))
        return COMPLETE
    run = open_run(store, find_run_id(store, args.run))
    if terminal.as_json:
        terminal.give_json(run.snapshot().model_dump_json())
        return COMPLETE
    lines = run_to_text(run, width=terminal.width)
    if run.final is not None:
        # The whole of it instead of the one line that ends the text.
        head, text = "Final output", value_text(run.final.value)
        if run.error is not None:
            head, text = "Error", f"{run.error.type}: {run.error.message}"
        lines = f"{lines.rpartition(chr(10))[0]}\n{head}:\n{text}"
    terminal.give(lines)
    return COMPLETE


def list_tools(args: argparse.Namespace, terminal: Terminal) -> int:
    """List the tools that plans can use."""
    from portia_nb.tools.examples import open_source_tools

    config = config_of(args)

    def missing(tool: Tool[Any]) -> str | None:
        setting = getattr(tool, "key_setting", None)
        return None if setting is None or config.key(setting) else KEYS[setting]

    tools = open_source_tools()
    if terminal.as_json:
        facts = [
            {
                "id": tool.id,
                "name": tool.name,
                "description": tool.description,
                "side_effect": tool.side_effect,
                "needs": missing(tool),
                "arguments": tool.args_schema.model_json_schema(),
            }
            for tool in tools
        ]
        terminal.give_json(json.dumps(facts))
        return COMPLETE
    width = max(len(tool.id) for tool in tools)
    for tool in tools:
        needs = f" (needs {variable})" if (variable := missing(tool)) else ""
        about = short_text(tool.description, 90)
        terminal.give(f"{tool.id:{width}}  {_EFFECTS[tool.side_effect]:20}  {about}{needs}")
    return COMPLETE


def version(args: argparse.Namespace, terminal: Terminal) -> int:
    """Print the version."""
    # Not from portia_nb itself, whose lazy names lead into the notebook's room.
    terminal.give(metadata.version("portia-nb"))
    return COMPLETE


def lab(args: argparse.Namespace, terminal: Terminal) -> int:
    """Open JupyterLab in this environment, or say how to install it."""
    if find_spec("jupyterlab") is None:
        terminal.say(
            "JupyterLab isn't installed here; this installs it: "
            f'{sys.executable} -m pip install "portia-nb[lab]"'
        )
        return FAILED
    words = [sys.executable, "-m", "jupyterlab", *args.more]
    if sys.platform == "win32":
        # Its exec returns to the shell at once, while the program goes on.
        return subprocess.call(words)
    return os.execv(sys.executable, words)


def _row(row: RunRow) -> dict[str, Any]:
    return {
        "id": row.run_id,
        "plan_id": row.plan_id,
        "state": row.state.value,
        "query": row.query,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "held_by": _holder(row),
        "forked_from": row.forked_from,
    }


def _line(row: RunRow) -> str:
    started = datetime.datetime.fromtimestamp(row.created_at).strftime("%Y-%m-%d %H:%M")
    held = f" (held by {holder})" if (holder := _holder(row)) else ""
    held += f" (fork of {row.forked_from[:13]})" if row.forked_from else ""
    goal = short_text(row.query, MAX_GOAL_CHARS)
    return f"{row.run_id:42} {row.state.value:19} {started:17} {goal}{held}"


def _holder(row: RunRow) -> str | None:
    """Return which live process has the run, None where none has."""
    from portia_nb.storage.owner import is_alive

    return str(row.owner) if row.owner is not None and is_alive(row.owner) else None
