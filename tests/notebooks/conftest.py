"""A tutorial, run once for all tests of its module: nobody there, no key and no network."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

from scripts.run_notebooks import ROOT, executed

# Imported by every Python that has its folder on the path; an audit hook can't be taken off.
NO_NETWORK = """
import sys
from pathlib import Path

def refuse(event, arguments):
    if event == "socket.connect":
        host = arguments[1][0] if isinstance(arguments[1], tuple) else "127.0.0.1"
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if str(host) not in ("127.0.0.1", "::1", "localhost", "None"):
        with Path(__file__).with_name("asked-for").open("a") as file:
            file.write(f"{event} {host}\\n")
        raise OSError(f"no network here: {host}")

sys.addaudithook(refuse)
"""


@dataclass(frozen=True)
class Ran:
    """A notebook after it ran."""

    notebook: Any
    seconds: float
    asked_for: Path
    """Lists what the kernel wanted of the network; missing where that was nothing."""


@pytest.fixture(scope="module")
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Return the notebook that the module calls `NOTEBOOK`, executed in a project of its own."""
    guard, folder = tmp_path_factory.mktemp("guard"), tmp_path_factory.mktemp("project")
    (guard / "sitecustomize.py").write_text(NO_NETWORK)
    began = time.monotonic()
    notebook = executed(request.module.NOTEBOOK, folder, PYTHONPATH=f"{guard}:{ROOT}")
    return Ran(notebook, time.monotonic() - began, guard / "asked-for")


@pytest.fixture(scope="module")
def done(ran: Ran) -> Any:
    """Return the module's notebook after it ran, which asked nothing of the network."""
    assert not ran.asked_for.exists(), ran.asked_for.read_text()
    return ran.notebook


@pytest.fixture(scope="module")
def kept(request: pytest.FixtureRequest) -> Any:
    """Return the module's notebook as it is in the repository."""
    return nbformat.read(request.module.NOTEBOOK, as_version=4)
