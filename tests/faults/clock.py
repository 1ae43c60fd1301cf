"""A wall clock that jumps, put in the place of `time.time` for this process."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HOUR = 3_600.0
DAY = 24 * HOUR


def shift_clock(seconds: Callable[[], float]) -> Callable[[], float]:
    """Let `time.time` be off by ``seconds()`` from now on, and return what it was."""
    true = time.time
    time.time = lambda: true() + seconds()
    return true


@contextmanager
def jumping(jump: str, rng: random.Random) -> Iterator[None]:
    """Let the clock do `jump` again and again, at random moments inside the ``with``."""
    offset = 0.0
    over = threading.Event()
    zone = os.environ.get("TZ")

    def go() -> None:
        nonlocal offset
        while not over.wait(rng.uniform(0.01, 0.15)):
            match jump:
                case "1 h":
                    offset += rng.choice((-HOUR, HOUR))
                case "1 day":
                    offset += rng.choice((-DAY, DAY))
                case "NTP step":
                    offset += rng.uniform(-0.5, 0.5)
                case "DST":
                    # Local time only: this zone is an hour apart from the other.
                    os.environ["TZ"] = rng.choice(("UTC0", "XST-1XDT-2"))
                    time.tzset()
                case "suspend":
                    _suspend(rng.uniform(0.02, 0.1))
                    offset += rng.choice((0.0, HOUR))  # as the wall clock has it afterwards

    true = shift_clock(lambda: offset)
    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        time.time = true
        os.environ.pop("TZ", None) if zone is None else os.environ.update(TZ=zone)
        time.tzset()


def _suspend(seconds: float) -> None:
    """Stop this whole process for a while, as closing the lid does."""
    script = f"sleep {seconds:.3f}; kill -CONT {os.getpid()}"
    with subprocess.Popen(["/bin/sh", "-c", script]):
        os.kill(os.getpid(), signal.SIGSTOP)


JUMPS = ("1 h", "1 day", "NTP step", "DST", "suspend")

if __name__ == "__main__":  # python -m tests.faults.clock OFFSET FOLDER: a racer whose clock is off
    _offset = float(sys.argv[1])
    shift_clock(lambda: _offset)
    from .racer import main

    main(sys.argv[2])
