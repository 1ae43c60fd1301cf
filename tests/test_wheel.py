"""What users install: a wheel that holds the package and the built JupyterLab extension."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXTENSION = "data/data/share/jupyter/labextensions/portia-nb"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from this checkout, where the extension is built already."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = folder.glob("*.whl")
    return built


@pytest.mark.timeout(120)
def test_the_wheel_holds_the_package_and_the_extension_and_nothing_else(wheel: Path):
    names = [re.sub(r"^portia_nb-[\d.]+\.", "", n) for n in zipfile.ZipFile(wheel).namelist()]

    view = {f"portia_nb/notebook/static/run_view.{suffix}" for suffix in ("js", "css")}
    assert {"portia_nb/__init__.py"} | view <= set(names)
    assert {f"{EXTENSION}/package.json", f"{EXTENSION}/install.json"} <= set(names)
    assert any(n.startswith(f"{EXTENSION}/static/remoteEntry.") for n in names)
    assert {n.split("/")[0] for n in names} == {"portia_nb", "data", "dist-info"}
    assert not [n for n in names if n.endswith((".ts", ".map", ".pyc")) or "node_modules" in n]


@pytest.mark.timeout(120)
def test_jupyterlab_lists_the_installed_extension_as_enabled_and_ok(wheel: Path, tmp_path: Path):
    # Without --ignore-installed pip takes this environment's own installation away.
    options = ["--quiet", "--no-deps", "--no-index", "--ignore-installed", "--prefix", tmp_path]
    install = [sys.executable, "-m", "pip", "install", *options, wheel]
    subprocess.run(install, check=True, capture_output=True)
    environment = os.environ | {"JUPYTER_PATH": str(tmp_path / "share" / "jupyter")}
    listed = subprocess.run(
        [sys.executable, "-m", "jupyterlab.labextensions", "list"],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    text = re.sub(r"\x1b\[\d+m", "", listed.stdout + listed.stderr)
    [section] = re.findall(rf"{re.escape(str(tmp_path))}\S*\n((?:[ \t]+\S.*\n)+)", text)
    assert re.search(r"portia-nb v\S+ enabled OK \(python, portia-nb\)", section), text
