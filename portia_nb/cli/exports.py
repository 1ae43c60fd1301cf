"""The command `export`: write a run or a plan to a file to hand on."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from portia_nb.session.finding import find_run_id
from portia_nb.session.map_row import is_map

from .status import COMPLETE
from .terminal import Terminal
from .wiring import open_portia


def export(args: argparse.Namespace, terminal: Terminal) -> int:
    """Write the file, or with ``--preview`` tell what would be taken out of it."""
    portia = open_portia(args, terminal)
    is_plan = args.run.startswith("plan-")
    # A relative record is beside the reader, as `file` is; the setting says the same elsewhere.
    record = portia.config.record
    done = portia.export(
        args.run if is_plan or is_map(args.run) else find_run_id(portia.store, args.run),
        args.file,
        preview=args.preview,
        values=not args.without_values,
        emails=args.without_emails,
        redact=not args.with_secrets,
        record=None if record is None else Path(record),
        overwrite=args.force,
    )
    if terminal.as_json:
        facts = {
            "path": str(done.path),
            "also": [str(each) for each in done.also],
            "bytes": done.size,
            "written": done.is_written,
            "redacted": [{"place": each.place, "why": each.why} for each in done.redacted],
        }
        terminal.give_json(json.dumps(facts))
    else:
        terminal.give(repr(done))
    return COMPLETE
