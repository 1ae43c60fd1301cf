"""Run the tutorials without a key and keep what they show, so that the saved notebooks have it.

    python scripts/run_notebooks.py [06 10 …]

Each runs in a folder of its own, so that no run of this machine is listed in it. What would differ
from one run to the next and tells a reader nothing is left out: times of cells, versions, widgets.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import nbclient
import nbformat

from tests.environment import is_private

NOTEBOOKS = ROOT / "notebooks"
CELL_TIMEOUT_S = 55
LANGUAGE = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"}


def executed(path: Path, folder: Path, **variables: str) -> Any:
    """Return the notebook at `path`, run from top to bottom with `folder` as its project.

    Args:
        path: the notebook, which stays as it is.
        folder: the kernel's working folder.
        variables: of the kernel's environment, beside this process's own without its keys.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
        nbclient.exceptions.CellTimeoutError: a cell took longer than `CELL_TIMEOUT_S`.
    """
    (folder / "pyproject.toml").write_text('[project]\nname = "tutorial"\nversion = "0"\n')
    notebook = nbformat.read(path, as_version=4)
    environment = {k: v for k, v in os.environ.items() if not is_private(k)}
    environment = {**environment, "PYTHONPATH": str(ROOT), **variables}
    client = nbclient.NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute(env=environment)


def main(names: Sequence[str]) -> None:
    """Run the tutorials whose names begin with one of `names`, or all, and write them back."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if names and not path.name.startswith(tuple(names)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            notebook = executed(path, Path(folder))
        notebook.metadata["language_info"] = LANGUAGE
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
