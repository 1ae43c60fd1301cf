"""The actions of `portia-nb store` and their options."""

from __future__ import annotations

import argparse
from typing import Protocol

LAYOUTS = ("lines", "portia")


class _Add(Protocol):
    def __call__(
        self, name: str, summary: str, words: str = "", *, json: bool = True
    ) -> argparse.ArgumentParser: ...


def add_store_actions(add: _Add) -> None:
    """Declare each action through ``add(name, summary, words)``."""
    add("store path", "Tell where runs are kept", json=False)
    add("store check", "Read everything and tell what isn't as it was written")

    export = add("store export", "Write runs to files", "FILE|FOLDER [RUN …]", json=False)
    export.add_argument(
        "target",
        nargs="?",
        metavar="FILE|FOLDER",
        help="a file of JSON lines ('-': standard output), or a folder for a file a run",
    )
    export.add_argument("runs", nargs="*", metavar="RUN", help="these runs only")
    export.add_argument(
        "--layout",
        choices=LAYOUTS,
        default="lines",
        help="lines: all of each run, to import it again (the default); portia: a JSON document "
        "for each plan and run, as the reference SDK keeps them",
    )
    export.add_argument(
        "--salvage", action="store_true", help="from a damaged store, what can still be read"
    )
    export.add_argument("--force", action="store_true", help="replace files that are there")

    taking = add("store import", "Add the runs of an export", "FILE|FOLDER", json=False)
    taking.add_argument("source", nargs="?", metavar="FILE|FOLDER", help="what to read")
    taking.add_argument(
        "--layout", choices=LAYOUTS, help="as in export; without it, the files' names tell"
    )
    taking.add_argument(
        "--approvals",
        action="store_true",
        help="take over who approved which plan, too: only from an export of your own",
    )

    prune = add("store prune", "Delete runs in which nothing has happened for a while")
    prune.add_argument(
        "--older-than", required=True, metavar="AGE", help="the while, e.g. 30d, 12h or 2w"
    )
    prune.add_argument(
        "--state",
        action="append",
        default=[],
        metavar="STATE",
        help="only runs in this state, as `runs` shows it, e.g. failed (repeatable)",
    )
    prune.add_argument("--dry-run", action="store_true", help="tell which, and delete nothing")
    prune.add_argument(
        "--force", action="store_true", help="also runs that wait for an answer or are held"
    )

    vacuum = add("store vacuum", "Give free space back to the disk", json=False)
    vacuum.add_argument(
        "--force",
        action="store_true",
        help="even where a run seems to be held: by a machine or container that is gone",
    )

    forget = add("store forget", "Delete a run for good", "RUN", json=False)
    forget.add_argument("run", nargs="?", metavar="RUN", help="its id, or the beginning of it")
    forget.add_argument(
        "--force", action="store_true", help="even where another live process has it"
    )
