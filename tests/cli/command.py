"""`portia-nb` as people run it: a process, with pipes or on a terminal of its own."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.environment import public_environment

PROGRAM = Path(sys.executable).parent / "portia-nb"
TIME_S = 15.0


def environment(**more: str) -> dict[str, str]:
    # No home with settings, and no colour but where a test is about it.
    return {**public_environment(), "TERM": "xterm", "NO_COLOR": "1", **more}


def portia_nb(
    *words: str, env: Mapping[str, str] | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command in the working folder, without a terminal, to its end."""
    return subprocess.run(
        [PROGRAM, *words],
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL if stdin is None else None,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=TIME_S,
        check=False,
    )


class OnTerminal:
    """A command whose standard input and error are a terminal; its standard output is a pipe.

    Leaving the block kills it if it still runs.
    """

    def __init__(self, *words: str, program: tuple[object, ...] = (PROGRAM,), **env: str) -> None:
        self._master, self.slave = pty.openpty()
        variables = environment(**env)
        if env.get("NO_COLOR") == "":
            del variables["NO_COLOR"]
        self._process = subprocess.Popen(
            [*map(str, program), *words],
            env=variables,
            stdin=self.slave,
            stdout=subprocess.PIPE,
            stderr=self.slave,
            text=True,
            start_new_session=True,
        )
        self.screen = ""
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()
        os.close(self._master)
        os.close(self.slave)

    def expect(self, text: str) -> str:
        """Wait until `text` is on the screen, after what was expected before; return it all."""
        deadline = time.monotonic() + TIME_S
        while (place := self.screen.find(text, self._seen)) < 0:
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"{text!r} didn't come; on the screen: {self.screen}")
        self._seen = place + len(text)
        return self.screen

    def type(self, line: str) -> None:
        os.write(self._master, f"{line}\n".encode())

    def hang_up(self) -> None:
        """Type the end of input, as Ctrl-D does."""
        os.write(self._master, b"\x04")

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Let it end by itself; return its exit status and standard output."""
        out, _ = self._process.communicate(timeout=TIME_S)
        while self._read(0.0):
            pass
        return self._process.returncode, out

    def _read(self, timeout_s: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(timeout_s, 0))
        if not ready:
            return False
        self.screen += os.read(self._master, 65_536).decode("utf-8", "replace")
        return True


def run_id_in(text: str) -> str:
    """Return the first id of a run in `text`."""
    found = re.search(r"prun-[0-9a-f-]{36}", text)
    assert found is not None, text
    return found.group()
