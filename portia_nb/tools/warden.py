"""Runs one program in a process group of its own, and ends the group when our process is gone.

Run by its path, with nothing but the standard library: ``warden.py FD PROGRAM ARGUMENT…``. FD is
the reading end of a pipe whose other end our process holds and never writes to: when that process
dies, however it dies, or closes its end, the pipe ends. Whatever the program left running in its
group ends with it. The exit status is the program's own.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

GRACE_S = 1.0
"""Seconds between asking the program to end and making it."""
LOOK_S = 1.0
"""How often to look whether the parent lives: its end of the pipe may have been inherited."""


def main(pipe: int, program: str, arguments: list[str]) -> None:
    """Run the program to its end, or until it must end."""
    parent = os.getppid()
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Ctrl-C goes to the whole terminal's group; what becomes of the program is the parent's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        _become(program, arguments)
    status = _wait(child, pipe, wake, parent)
    _signal(child, signal.SIGKILL)
    _end_as(status)


def _become(program: str, arguments: list[str]) -> None:
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(program, [program, *arguments])
    except OSError as error:
        os.write(2, f"{program}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _wait(child: int, pipe: int, wake: int, parent: int) -> int:
    """Return the wait status of `child`, ended where the parent is gone or wants it to end."""
    make_it = float("inf")
    watched = [pipe, wake]
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return status
        now = time.monotonic()
        if now >= make_it:
            _signal(child, signal.SIGKILL)
            make_it = float("inf")
        ready, _, _ = select.select(watched, [], [], min(LOOK_S, max(make_it - now, 0)))
        if wake in ready:
            os.read(wake, 64)
        if pipe in watched and (pipe in ready or os.getppid() != parent):
            watched.remove(pipe)
            _signal(child, signal.SIGTERM)
            make_it = time.monotonic() + GRACE_S


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def _end_as(status: int) -> None:
    """End as the program did, so that who waits for this process sees no difference."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # one core file is enough
        signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
