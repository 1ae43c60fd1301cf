"""The walls between the rooms of ARCHITECTURE.md stand, and they notice who climbs over."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "portia_nb"
HEAVY = ["IPython", "anywidget", "graphviz", "ipywidgets", "mcp", "numpy", "openai", "pandas"]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )


def test_every_import_keeps_to_the_walls():
    checked = lint_imports(ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def trespass(folder: Path, place: str, statement: str) -> None:
    """Add a module with one forbidden import to the copy of the package in `folder`."""
    module = folder / "portia_nb" / place
    module.parent.mkdir(exist_ok=True)
    (module.parent / "__init__.py").touch()
    module.write_text(f"{statement}\n")


def test_each_wall_notices_a_trespass(tmp_path: Path):
    shutil.copytree(PACKAGE, tmp_path / "portia_nb")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    trespass(tmp_path, "model/trespass.py", "import portia_nb.running")
    trespass(tmp_path, "running/trespass.py", "from IPython import get_ipython")
    trespass(tmp_path, "running/second_trespass.py", "import portia_nb.storage")
    trespass(tmp_path, "planning/trespass.py", "import openai")
    trespass(tmp_path, "session/trespass.py", "import tavily")
    trespass(tmp_path, "notebook/trespass.py", "import sqlite3")
    trespass(tmp_path, "notebook/second_trespass.py", "import graphviz")

    checked = lint_imports(tmp_path)

    assert checked.returncode == 1
    assert "Contracts: 0 kept, 7 broken." in checked.stdout, checked.stdout


def test_a_new_room_must_be_given_its_place(tmp_path: Path):
    shutil.copytree(PACKAGE, tmp_path / "portia_nb")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "portia_nb" / "attic.py").write_text("")

    checked = lint_imports(tmp_path)

    assert checked.returncode == 1
    assert "attic" in checked.stdout


def test_importing_the_package_loads_nothing_heavy():
    program = f"import sys, portia_nb; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    "init", sorted(PACKAGE.glob("*/__init__.py")), ids=lambda init: init.parent.name
)
def test_a_room_says_what_it_holds_in_one_docstring_and_nothing_else(init: Path):
    [only] = ast.parse(init.read_text("utf-8")).body
    assert isinstance(only, ast.Expr)
    assert isinstance(only.value, ast.Constant)


def test_no_module_is_a_drawer():
    drawers = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
    named_so = [path for path in PACKAGE.rglob("*.py") if path.stem in drawers]
    assert named_so == []


def test_no_module_shares_its_name_with_a_public_name():
    # Importing a module binds its name in the package: it would hide a lazy public name.
    import portia_nb

    modules = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.parent.name for path in PACKAGE.glob("*/__init__.py")
    }
    assert modules & set(portia_nb.__all__) == set()
