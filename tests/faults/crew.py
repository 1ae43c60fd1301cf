"""Workers that do a row's trials, several at once, and are killed where one hangs."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from tests.environment import public_environment

from .progress import FOLDER
from .row import ROOT, Row

PROGRAM = ("tests.faults.worker",)
START_S = 60.0
"""Seconds that a worker gets to start, beside its first trial."""


class _Worker:
    def __init__(self, row: Row) -> None:
        self.log = (FOLDER / f"{row.id}.log").open("a")
        # A group of its own: what its trials start ends with it, and Ctrl-C is heard here alone.
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", *PROGRAM, row.id],
            cwd=ROOT,
            env=public_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            start_new_session=True,
        )

    def ask(self, number: int, timeout_s: float) -> dict[str, Any] | None:
        """Return what came of a trial; None: it hung or the worker died, and the worker is gone."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        timer = threading.Timer(timeout_s, self.kill)
        timer.start()
        try:
            self.process.stdin.write(f"{number}\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except (OSError, ValueError):
            line = ""
        finally:
            timer.cancel()
        return json.loads(line) if line.endswith("\n") else None

    def kill(self) -> None:
        """Kill it with everything that it started; from any thread."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
                os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill it and let go of it; on the thread that asks it."""
        self.kill()
        with contextlib.suppress(OSError):  # a line that it can't take any more
            self.process.communicate()
        self.log.close()


class Crew:
    """Workers on one row: each takes the next trial, until none is left or it is called off."""

    def __init__(self, row: Row, numbers: Iterable[int]) -> None:
        """Prepare to do trials of `row`."""
        self.row = row
        self._todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in numbers:
            self._todo.put(number)
        self._said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._is_called_off = threading.Event()
        self._workers: list[_Worker] = []

    def outcomes(self) -> Iterator[dict[str, Any]]:
        """Do the trials, and yield what came of each as it ends; leaving ends the workers."""
        working = min(self.row.jobs, self._todo.qsize())
        threads = [threading.Thread(target=self._work, daemon=True) for _ in range(working)]
        for thread in threads:
            thread.start()
        try:
            while working:
                outcome = self._said.get()
                if outcome is None:
                    working -= 1
                else:
                    yield outcome
        finally:
            self._is_called_off.set()
            for worker in self._workers:
                worker.kill()
            for thread in threads:
                thread.join()

    def _work(self) -> None:
        worker: _Worker | None = None
        try:
            while not self._is_called_off.is_set():
                number = self._todo.get_nowait()
                allowed_s = self.row.trial_s
                if worker is None:
                    worker, allowed_s = _Worker(self.row), allowed_s + START_S
                    self._workers.append(worker)
                outcome = worker.ask(number, allowed_s)
                if outcome is None:
                    worker.end()
                    worker = None
                if not self._is_called_off.is_set():
                    self._said.put(outcome or _lost(self.row, number))
        except queue.Empty:
            pass
        finally:
            if worker is not None:
                worker.end()
            self._said.put(None)


def _lost(row: Row, number: int) -> dict[str, Any]:
    return {
        "trial": number,
        "cases": row.cases(number),
        "facts": {},
        "failure": f"no word within {row.trial_s:g} s, or the worker died",
        "seconds": row.trial_s,
    }
