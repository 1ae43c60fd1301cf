"""Keeps what the rows printed in `docs/reliability.md`: one table, of one machine."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterable
from pathlib import Path

from .progress import Progress
from .row import ROOT

PATH = ROOT / "docs" / "reliability.md"
BEGIN = "<!-- table: written by `make faults` -->"
END = "<!-- end of table -->"
HEAD = (
    "| row | fault | done | verdict | figure | seconds | day | commit |",
    "| --- | --- | ---: | --- | --- | ---: | --- | --- |",
)


def machine() -> str:
    """Say what kind of machine this is, without naming it."""
    found = platform.system()
    if hasattr(platform, "freedesktop_os_release"):
        with contextlib.suppress(OSError):
            found = platform.freedesktop_os_release()["PRETTY_NAME"]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"{cores} cores ({platform.machine()}), {found}, "
        f"{platform.python_implementation()} {platform.python_version()}"
    )


def write(progresses: Iterable[Progress], path: Path = PATH) -> None:
    """Put the rows of `progresses` into the table, and leave the others that are in it.

    Rows that were measured on another machine go: a table is of one machine.
    """
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    here = f"Measured by `make faults` on {machine()}."
    lines: dict[int, str] = {}
    if here in table:
        for line in table.splitlines():
            if line.startswith("| R"):
                lines[_place(line[2:].split()[0])] = line
    for progress in progresses:
        lines[_place(progress.row.id)] = _line(progress)
    body = "\n".join([here, "", *HEAD, *(line for _, line in sorted(lines.items()))])
    path.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")


def _place(row_id: str) -> int:
    return int(row_id[1:])


def _line(progress: Progress) -> str:
    row = progress.row
    done = "" if row.later else f"{progress.done:,}/{row.full:,}"
    figure = "; ".join([progress.figure, *progress.failures[:3]])
    cells = [
        row.id,
        row.fault,
        done,
        progress.verdict,
        figure,
        "" if row.later else f"{progress.seconds:.0f}",
        progress.date,
        progress.commits,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
