"""Programs of users: started in a process of their own, against servers on loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.environment import public_environment
from tests.servers.openai_server import OpenAIServer
from tests.servers.tavily_server import TavilyServer

ROOT = Path(__file__).parents[2]
START_S = 30.0
"""Seconds that a program gets on a busy machine."""


def environment_of(openai: OpenAIServer, tavily: TavilyServer | None = None) -> dict[str, str]:
    """Return the variables that a user sets to go through these servers."""
    found = {"OPENAI_API_KEY": "sk-story", "PORTIA_BASE_URL": openai.url}
    if tavily is not None:
        found |= {"TAVILY_API_KEY": "tvly-story", "TAVILY_API_BASE_URL": tavily.url}
    return found


class Program:
    """A Python program in `folder`, in a process of its own; leaving the block ends it."""

    def __init__(
        self,
        folder: Path,
        source: str,
        *arguments: str,
        variables: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        """Write `source` to ``main.py``, where it isn't, and start it; `prefix` goes before."""
        script = folder / "main.py"
        if not script.exists() or script.read_text(encoding="utf-8") != source:
            script.write_text(source, encoding="utf-8")
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-W", "error", script.name, *arguments],
            cwd=folder,
            env={**public_environment(), "PYTHONPATH": path, **(variables or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    def wait_for_line(self) -> str:
        """Return the next line that it prints, without its end; "" once it has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def kill(self) -> int:
        """Kill it at once (SIGKILL) and return its exit code."""
        self._process.kill()
        return self._process.wait()

    def interrupt(self) -> None:
        """Do what Ctrl-C does (SIGINT)."""
        self._process.send_signal(signal.SIGINT)

    def end(self, typed: str | None = None) -> tuple[int, str, str]:
        """Type `typed`, wait until it ends; return its exit code, its stdout and its stderr."""
        out, err = self._process.communicate(typed, timeout=START_S)
        return self._process.returncode, out, err


def output_of(
    folder: Path,
    source: str,
    *arguments: str,
    variables: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    typed: str | None = None,
) -> str:
    """Run a program to its end, which must be a good one, and return what it printed.

    `typed` is what is typed on its standard input, all at once.
    """
    with Program(folder, source, *arguments, variables=variables, prefix=prefix) as program:
        code, out, err = program.end(typed)
    assert code == 0, f"exit code {code}\n{out}\n{err}"
    return out
