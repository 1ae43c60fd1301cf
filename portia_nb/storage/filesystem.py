"""Which kind of file system a folder is on: a write-ahead log works on local ones only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# Shared between machines, or with a machine's host, or served by a program: none has shared memory.
_NETWORK = frozenset(
    {
        "9p", "acfs", "afpfs", "afs", "beegfs", "ceph", "cephfs", "cifs", "coda", "davfs", "drvfs",
        "fakeowner", "fhgfs", "fuse", "gfs2", "glusterfs", "gpfs", "grpcfuse", "lustre", "macfuse",
        "ncpfs", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs", "osxfs", "osxfuse", "panfs", "prl_fs",
        "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "webdav", "wekafs",
    }
)  # fmt: skip


def is_on_network(path: Path) -> bool:
    """Return whether `path` lies on a network file system, or one that behaves like one."""
    if sys.platform == "win32":
        return _is_windows_share(path)
    if sys.platform == "linux":
        return is_network_type(linux_type(path, Path("/proc/self/mountinfo")))
    return is_network_type(_mounted_type(path))


def is_network_type(name: str) -> bool:
    """Return whether a file system type's name is that of a network file system."""
    return name in _NETWORK or name.startswith("fuse.")


def linux_type(path: Path, table: Path) -> str:
    """Return the type of the file system that holds `path`, ``""`` where `table` doesn't tell.

    Args:
        path: a file or folder.
        table: the kernel's list of mounts, see proc_pid_mountinfo(5).
    """
    try:
        lines = table.read_text("utf-8", "surrogateescape").splitlines()
        device = path.stat().st_dev
        resolved = path.resolve()
    except OSError:
        return ""
    numbers = f"{os.major(device)}:{os.minor(device)}"
    best, found = -1, ""
    for line in lines:
        fields, _, rest = line.partition(" - ")
        parts = fields.split()
        point = _unescape(parts[4])
        if not resolved.is_relative_to(point):
            continue
        # Of two mounts on one point the later is seen; one whose device fits is surely it.
        score = len(point) * 2 + (parts[2] == numbers)
        if score >= best:
            best, found = score, rest.split()[0]
    return found


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def _mounted_type(path: Path) -> str:  # pragma: no cover - runs on macOS and BSD only
    """Read ``mount``'s own list: ``//host/share on /Volumes/x (smbfs, nodev, …)``."""
    try:
        listed = subprocess.run(
            ["/sbin/mount"], capture_output=True, text=True, timeout=10, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    best, found = -1, ""
    for line in listed.splitlines():
        _, _, rest = line.partition(" on ")
        point, _, options = rest.rpartition(" (")
        if path.resolve().is_relative_to(point or "/nowhere") and len(point) > best:
            best, found = len(point), options.split(",")[0].rstrip(")")
    return found


def _is_windows_share(path: Path) -> bool:  # pragma: no cover - runs on Windows only
    import ctypes

    resolved = path.resolve()
    remote_drive = 4
    drive_type = ctypes.windll.kernel32.GetDriveTypeW  # type: ignore[attr-defined]
    return str(resolved).startswith("\\\\") or drive_type(resolved.anchor) == remote_drive
