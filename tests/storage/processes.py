"""Starts `child` processes and talks to them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def environment(crash_at: str = "") -> dict[str, str]:
    """Return this process's, and where a journal's process is to die; see `storage.crash`."""
    return {**os.environ, "PORTIA_CRASH_AT": crash_at}


class Process:
    """One child, killed at the end of its ``with`` block if it lives that long."""

    def __init__(self, folder: Path, crash_at: str = "", before: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "tests.storage.child", str(folder)],
            cwd=ROOT,
            env=environment(crash_at),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Process:
        assert self.listen() == {"ready": True}
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.communicate()

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, name: str, *arguments: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self.process.stdin.flush()

    def listen(self) -> Any:
        """Return the next answer, None once the process is dead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line.endswith("\n") else None

    def ask(self, name: str, *arguments: Any) -> Any:
        self.tell(name, *arguments)
        return self.listen()

    def end(self) -> int:
        """Let it end by itself; return its exit code."""
        self.process.communicate(timeout=15)
        return self.process.returncode
