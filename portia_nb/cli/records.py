"""The commands about what is there: `runs`, `show`, `list-tools`, `version`, `lab`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from portia_nb.config import KEYS
from portia_nb.drawing.text import plan_to_text, run_to_text, short_text
from portia_nb.session.finding import find_run_id
from portia_nb.session.map_kept import map_named, open_map

from .maps import show_map
from .outcome import value_text
from .settings import config_of
from .status import COMPLETE, FAILED
from .terminal import Terminal
from .wiring import open_portia

if TYPE_CHECKING:
    from portia_nb.session.history import ListedRun
    from portia_nb.tools.base import Tool

_EFFECTS = {True: "changes something", False: "only reads", None: "may change something"}


def runs(args: argparse.Namespace, terminal: Terminal) -> int:
    """List the runs that are kept."""
    portia = open_portia(args, terminal)
    origin = args.forked_from
    found = portia.runs(
        state=args.state or None,
        since=args.since,
        goal=args.goal,
        forked_from=None if origin is None else find_run_id(portia.store, origin),
        tool=args.tool,
        of_map=args.of_map,
        limit=args.limit,
        page=args.page,
    )
    if terminal.as_json:
        terminal.give_json(json.dumps([_facts(run) for run in found]))
    elif not found.total:
        filters = (args.state, args.since, args.goal, origin, args.tool, args.of_map)
        terminal.say(
            "No such runs are kept here." if any(filters) else "No runs are kept here yet."
        )
    else:
        terminal.give(repr(found))
    return COMPLETE


def show(args: argparse.Namespace, terminal: Terminal) -> int:
    """Show a run or a map that is kept, or a plan."""
    from portia_nb.session.opening import open_run

    portia = open_portia(args, terminal)
    store = portia.store
    if (map_id := map_named(store, args.run)) is not None:
        return show_map(terminal, open_map(portia, map_id))
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


def _facts(run: ListedRun) -> dict[str, Any]:
    row = run.row
    return {
        "id": run.id,
        "plan_id": run.plan_id,
        "state": row.state.value,
        "says": run.state,
        "query": run.goal,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "started_at": None if run.started is None else run.started.timestamp(),
        "seconds": run.seconds,
        "steps_done": run.steps_done,
        "steps": run.steps,
        "rows": run.rows,
        "calls": run.calls,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "cost": run.cost,
        "held_by": run.held_by,
        "forked_from": run.fork_of,
    }
