"""Run the workloads and print the table: `python -m benchmarks [B5 B6 …]`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from .by_hand import wall_time
from .frames import ten_changes
from .loading import load_ext
from .makespan import chain, fan_out, layered, page_shape
from .row import Row
from .workloads import calls_and_characters

WORKLOADS: dict[str, Callable[[], Iterator[Row]]] = {
    "B1": load_ext,
    "B2": chain,
    "B4": layered,
    "B5": fan_out,
    "B6": page_shape,
    "B9 B10 W3 W4 W5 W6": calls_and_characters,
    "B11": wall_time,
    "B15": ten_changes,
}


def main(wanted: list[str]) -> int:
    """Print a row a figure; 1 where one that must hold does not."""
    failed = 0
    for names, workload in WORKLOADS.items():
        if wanted and not set(names.split()) & set(wanted):
            continue
        for row in workload():
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
            failed += row.must_hold and not row.holds
    sys.stdout.write(f"{failed} of the figures that must hold do not\n" if failed else "all hold\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
