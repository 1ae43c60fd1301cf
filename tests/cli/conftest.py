"""The command line called in this process: no start-up to wait for, and the same code."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from portia_nb.cli.main import main

Call = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def call(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Return a function that does what `portia_nb` does, in this process."""

    def do(*words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        with monkeypatch.context() as patch:
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            try:
                status = main(words)
            except SystemExit as ended:
                status = int(str(ended.code))
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(words, status, out, err)

    return do
