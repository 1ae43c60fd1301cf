"""What a notebook shows, found by how the sources of its cells begin."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from portia_nb.notebook.static_record import RUN_MIME
from scripts.run_notebooks import ROOT


def cell_with(notebook: Any, source: str) -> Any:
    """Return the one code cell in which a line begins with `source`."""
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    (cell,) = [c for c in cells if f"\n{source}" in c.source or c.source.startswith(source)]
    return cell


def texts(notebook: Any, source: str) -> list[str]:
    """Return the text of each output of the one cell with `source`."""
    outputs = cell_with(notebook, source).outputs
    return [o.get("text") or o.get("data", {}).get("text/plain", "") for o in outputs]


def said(notebook: Any, source: str) -> str:
    """Return all the text that the one cell with `source` shows."""
    return "\n".join(texts(notebook, source))


def runs_of(notebook: Any, source: str) -> list[dict[str, Any]]:
    """Return the records of runs that the one cell with `source` shows."""
    return _runs(cell_with(notebook, source).outputs)


def all_runs(notebook: Any) -> list[dict[str, Any]]:
    """Return the records of runs that the notebook shows, from top to bottom."""
    return _runs([o for c in notebook.cells for o in c.get("outputs", [])])


def _runs(outputs: list[Any]) -> list[dict[str, Any]]:
    return [o.data[RUN_MIME] for o in outputs if RUN_MIME in o.get("data", {})]


def states(run: dict[str, Any]) -> dict[str, str | None]:
    """Return the state of each step of a record, by its path."""
    return {step["path"]: step.get("state") for step in run["steps"]}


def shape(cell: Any) -> list[tuple[str, list[str]]]:
    """Return the kinds of a cell's outputs, which are the same each time it runs."""
    return [(o.output_type, sorted(o.get("data", ()))) for o in cell.get("outputs", [])]


def paths_of_this_machine(text: str) -> list[str]:
    """Return the folders of this machine that a saved notebook must not name, but does."""
    folders = (ROOT, Path.home(), Path(sys.prefix), Path(tempfile.gettempdir()))
    return [str(folder) for folder in folders if f"{folder}/" in text]
