"""Fixtures for all tests."""

from pathlib import Path

import pytest

import labextension


def pytest_sessionstart() -> None:
    """Build the view, if its sources changed: tests see what is written now."""
    try:
        labextension.build_view()
    except labextension.BuildError as error:
        pytest.exit(f"labextension: {error}", returncode=1)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty project folder, made the working folder; runs are kept in its `.portia`."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "trial"\nversion = "0"\n')
    monkeypatch.chdir(folder)
    return folder
