"""Who owns a run: a process, known by host, id and start; and whether it lives."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that may own runs."""

    host: str
    pid: int
    process_started: str
    """When the process started, in the system's own terms: ids of processes are used again."""
    label: str = ""
    """What it is, for people, e.g. ``"kernel of prices.ipynb"``."""

    def __str__(self) -> str:
        what = f"{self.label}, " if self.label else ""
        return f"{what}process {self.pid} on {self.host}"


def this_process(label: str = "") -> Owner:
    """Return this process as an owner."""
    pid = os.getpid()
    return Owner(socket.gethostname(), pid, process_start(pid) or "", label)


def is_alive(owner: Owner) -> bool:
    """Return whether `owner`'s process still runs.

    Another machine's processes can't be seen from here, so they count as alive.
    """
    if owner.host != socket.gethostname():
        return True
    return process_start(owner.pid) == owner.process_started


def process_start(pid: int) -> str | None:
    """Return when process `pid` started, as text that only serves to be compared; None: no such.

    The wall clock isn't asked where that can be avoided: it is set, and jumps.
    """
    if sys.platform == "linux":
        return _linux_start(pid)
    if sys.platform == "win32":
        return _windows_start(pid)
    return _ps_start(pid)


def _linux_start(pid: int) -> str | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # The program's name stands in brackets and may hold anything, brackets and spaces too.
    after_name = text.rpartition(")")[2].split()
    if after_name[0] in "ZX":
        return None
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
    except OSError:
        boot = ""
    return f"{boot}:{after_name[19]}"


def _ps_start(pid: int) -> str | None:
    command = ["ps", "-o", "lstart=", "-p", str(int(pid))]
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    found = subprocess.run(  # no shell: the id is a number
        command, capture_output=True, text=True, env=environment, timeout=10, check=False
    )
    return found.stdout.strip() or None


def _windows_start(pid: int) -> str | None:  # pragma: no cover - runs on Windows only
    import ctypes

    kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel32.OpenProcess.restype = ctypes.c_void_p
    query_limited_information, still_active = 0x1000, 259
    handle = kernel32.OpenProcess(query_limited_information, False, int(pid))
    if not handle:
        return None
    try:
        code = ctypes.c_ulong()
        kernel32.GetExitCodeProcess(ctypes.c_void_p(handle), ctypes.byref(code))
        if code.value != still_active:
            return None
        times = [ctypes.c_ulonglong() for _ in range(4)]
        kernel32.GetProcessTimes(ctypes.c_void_p(handle), *map(ctypes.byref, times))
        return str(times[0].value)
    finally:
        kernel32.CloseHandle(ctypes.c_void_p(handle))
