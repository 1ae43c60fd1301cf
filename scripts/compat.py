"""Ask questions in real front ends on several versions of ipykernel: `make compat`.

    python scripts/compat.py            all kernels in all front ends; writes docs/compatibility.md
    python scripts/compat.py prepare    only the environments of the other kernels, for `make test`

Each kernel has an environment of its own below `.compat/`; the front ends are those of `.venv`. For
each pair a browser opens a notebook, runs all of it, answers what is asked, and looks at whether
the rung of the ladder that `%portia doctor` names is the one by which the answer came.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

FOLDER = ROOT / ".compat"
DATA = FOLDER / "share"
"""Where the servers find the kernels: a folder for JUPYTER_PATH."""
KERNELS = {
    "ipykernel-6": "ipykernel>=6.29,<7",
    "ipykernel-7.0": "ipykernel>=7.0,<7.1",
    "ipykernel-7.4": "ipykernel>=7.4,<7.5",
}
SMOKE = ("ipykernel-6", "ipykernel-7.0")
"""Those that `make test` looks at; it runs on the third anyway."""
APPS = ("lab", "notebook")
PAGE = ROOT / "docs" / "compatibility.md"
BEGIN, END = "<!-- compat: written by scripts/compat.py -->", "<!-- compat: end -->"


def prepare(names: Iterable[str]) -> None:
    """Make the environments of these kernels, and name them to Jupyter; quick the second time.

    Raises:
        subprocess.CalledProcessError: a package can't be installed.
    """
    for name in names:
        place = FOLDER / name
        python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        project = (ROOT / "pyproject.toml").read_bytes()
        wanted = hashlib.sha256(project + KERNELS[name].encode() + str(place).encode()).hexdigest()
        stamp = place / ".compat"
        if not stamp.exists() or stamp.read_text("utf-8") != wanted:
            print(f"compat: making {place.relative_to(ROOT)}", flush=True)
            _install(place, python, KERNELS[name])
            stamp.write_text(wanted, "utf-8")
        spec = DATA / "kernels" / name / "kernel.json"
        spec.parent.mkdir(parents=True, exist_ok=True)
        argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        told = {"argv": argv, "display_name": name, "language": "python"}
        spec.write_text(json.dumps(told), "utf-8")


def _install(place: Path, python: Path, requirement: str) -> None:
    uv = [sys.executable, "-m", "uv", "--quiet"]
    # Without the hook that builds the labextension: the page's part is that of `.venv`.
    wanted = ["--editable", str(ROOT), requirement]
    made = subprocess.run([*uv, "venv", "--clear", "--python", sys.executable, str(place)])
    if made.returncode == 0:
        done = subprocess.run([*uv, "pip", "install", "--python", str(python), *wanted])
        if done.returncode == 0:
            return
    # uv doesn't read pip's settings: where it can't, pip does it.
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
    subprocess.run([str(python), "-m", "pip", "--quiet", "install", *wanted], check=True)


async def play_all() -> list[dict[str, Any]]:
    """Play the story on every kernel in every front end, and return what each showed."""
    from importlib.metadata import version

    from tests.browser.lab import chromium, open_page, serve, write_notebook
    from tests.browser.questions_story import CELLS, play

    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        async with chromium() as browser:
            for app in APPS:
                with serve(app, Path(folder) / app, kernels=DATA) as server:
                    for kernel in KERNELS:
                        place = server.root / kernel / "notebook.ipynb"
                        write_notebook(place, CELLS, kernel)
                        async with open_page(browser, server, place) as nb:
                            row = {"app": app, "kernel": kernel, **await play(nb)}
                        row["app_version"] = version({"lab": "jupyterlab"}.get(app, app))
                        rows.append(row)
                        print(line_of(row), flush=True)
    return rows


def problems_of(row: dict[str, Any]) -> list[str]:
    """Return what is not as it should be in one front end on one kernel.

    >>> problems_of({"awaited": {"doctor": "the form", "answered": "input()"}})
    ["awaited: doctor says 'the form', the answer came by 'input()'"]
    """
    found = [
        f"{kind}: doctor says {row[kind]['doctor']!r}, the answer came by {row[kind]['answered']!r}"
        for kind in ("awaited", "blocked")
        if kind in row and row[kind]["doctor"] != row[kind]["answered"]
    ]
    found += [f"{what}: no" for what in ("next", "stops", "reload") if row.get(what) is False]
    return found


def line_of(row: dict[str, Any]) -> str:
    """Return one row of the table."""
    said = ["no" if row[what] is False else "yes" for what in ("next", "stops", "reload")]
    cells = [
        {"lab": "JupyterLab", "notebook": "Notebook"}[row["app"]] + f" {row['app_version']}",
        f"ipykernel {row['kernel_version']}",
        row["awaited"]["answered"],
        row["blocked"]["answered"],
        "; ".join(problems_of(row)) or "the same",
        *said,
    ]
    return "| " + " | ".join(cells) + " |"


HEAD = (
    "| front end | kernel | a cell that awaits: answered by | a blocked cell: answered by "
    "| what doctor names | the next cell sees the answer | ■ stops the run "
    "| answered after the page was loaded anew |\n|---|---|---|---|---|---|---|---|"
)


def write_page(rows: list[dict[str, Any]]) -> None:
    """Write the table into the page, between its marks."""
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    table = "\n".join([HEAD, *map(line_of, rows)])
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", "utf-8")


def main(words: list[str]) -> int:
    """Do what the command line asks for, and return the exit status."""
    if words == ["prepare"]:
        prepare(SMOKE)
        return 0
    prepare(KERNELS)
    print(HEAD, flush=True)
    rows = asyncio.run(play_all())
    write_page(rows)
    return 1 if any(map(problems_of, rows)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
