"""A folder that file tools may not leave.

Names come from models and from what they read, so nothing about them is trusted. A name is looked
at as text, resolved, and then walked folder by folder with ``O_NOFOLLOW`` relative to an open
folder, so that a link which is swapped in between leads nowhere.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn

from portia_nb.errors import ToolHardError

MAX_NAME_CHARS = 1_000
_CAN_WALK = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class GuardedFolder:
    """The folder `root`; every file in it that a tool may touch, and none outside.

    Refused are names that lead out of it (``..``, other folders, links), hidden files and folders
    (a name that starts with a dot), devices, pipes and sockets, and files that have a second name
    (hard links), since that one may be outside.
    """

    root: Path
    tool_id: str
    """Who asks, for messages."""

    @classmethod
    def of(cls, file_root: Path | None, tool_id: str) -> GuardedFolder:
        """Guard `file_root`, or the working folder where it is None.

        Raises:
            ToolHardError: it is no folder, or this system can't walk one safely.
        """
        chosen = Path.cwd() if file_root is None else file_root.expanduser()
        try:
            root = chosen.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise ToolHardError(
                f"{tool_id}: the folder for files, {str(chosen)!r}, can't be used ({error}): "
                "create it or set Config(file_root=…)",
                tool_id=tool_id,
            ) from error
        if not root.is_dir():
            raise ToolHardError(
                f"{tool_id}: {str(chosen)!r} is no folder: set Config(file_root=…) to one",
                tool_id=tool_id,
            )
        return cls(root, tool_id)

    def read(self, name: str, max_bytes: int) -> bytes:
        """Return what the file `name` holds.

        Args:
            name: path relative to the folder, or an absolute one within it; ``/`` between parts.
            max_bytes: a larger file is refused unread.

        Raises:
            ToolHardError: the name is refused, there is no such file, or it is too large.
        """
        *folders, last = self._parts(name)
        with self._walk(folders, name) as folder:
            try:
                file = self._open(
                    last, os.O_RDONLY | _NO_WAIT | _NO_FOLLOW | _BINARY, folder, folders
                )
            except OSError as error:
                self._refuse(name, _reason(error))
            try:
                size = self._check_file(os.fstat(file), name)
                if size > max_bytes:
                    self._refuse(name, f"it has {size:,} bytes, {max_bytes:,} are allowed")
                with os.fdopen(file, "rb", closefd=False) as stream:
                    data = stream.read(max_bytes + 1)
            finally:
                os.close(file)
        if len(data) > max_bytes:
            self._refuse(name, f"it has more than the {max_bytes:,} bytes that are allowed")
        return data

    def path_of(self, name: str) -> Path:
        """Return where the file `name` is, for libraries that open files by themselves.

        They follow a link that is swapped in after this look: use `read` wherever it will do.

        Raises:
            ToolHardError: the name is refused, or there is no such file.
        """
        *folders, last = self._parts(name)
        with self._walk(folders, name) as folder, self._explained(name):
            file = self._open(last, os.O_RDONLY | _NO_WAIT | _NO_FOLLOW | _BINARY, folder, folders)
            try:
                self._check_file(os.fstat(file), name)
            finally:
                os.close(file)
        return self.root.joinpath(*folders, last)

    def write(self, name: str, data: bytes) -> None:
        """Make `data` what the file `name` holds, at once or not at all, in folders made as needed.

        Args:
            name: as for `read`.
            data: what the file shall hold.

        Raises:
            ToolHardError: the name is refused, or the file can't be written.
        """
        *folders, last = self._parts(name)
        with self._walk(folders, name, create=True) as folder:
            mode = self._check_target(last, folder, folders, name)
            draft = f".{last[:100]}.{secrets.token_hex(6)}.part"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY
            try:
                file = self._open(draft, flags, folder, folders)
                try:
                    with os.fdopen(file, "wb") as stream:
                        stream.write(data)
                        stream.flush()
                        if mode is not None and hasattr(os, "fchmod"):
                            os.fchmod(stream.fileno(), mode)
                        os.fsync(stream.fileno())
                    self._rename(draft, last, folder, folders)
                except BaseException:
                    with suppress(OSError):
                        self._unlink(draft, folder, folders)
                    raise
            except OSError as error:
                self._refuse(name, _reason(error))

    def _parts(self, name: str) -> tuple[str, ...]:
        """Return the parts of the resolved name below the root.

        Raises:
            ToolHardError: it leads out of the root, or to something hidden.
        """
        self._check_text(name)
        given = PurePosixPath(name)
        if given.is_absolute():
            try:
                given = given.relative_to(self.root.as_posix())
            except ValueError:
                self._refuse(name, "it is outside the folder for files: use a name relative to it")
        self._check_parts(given.parts, name)
        try:
            # Links that stay inside are followed here, by name; the walk later follows none.
            real = (self.root / Path(*given.parts)).resolve()
            inside = real.relative_to(self.root).parts
        except ValueError:
            self._refuse(name, "it is a link that leads out of the folder for files")
        except (OSError, RuntimeError) as error:
            self._refuse(name, _reason(error))
        self._check_parts(inside, name)
        return inside

    def _check_text(self, name: str) -> None:
        if not name.strip() or len(name) > MAX_NAME_CHARS:
            self._refuse(name, f"a name has 1 to {MAX_NAME_CHARS} characters")
        # Backslashes and colons mean other folders, machines and streams on Windows.
        if not name.isprintable() or "\\" in name or ":" in name:
            self._refuse(
                name, "a name has no backslash, colon or control character; use / between folders"
            )
        if name.startswith(("~", "//")):
            self._refuse(name, "it is outside the folder for files: use a name relative to it")

    def _check_parts(self, parts: tuple[str, ...], name: str) -> None:
        if not parts:
            self._refuse(name, "it is a folder")
        for part in parts:
            if part == "..":
                self._refuse(name, "'..' may not stand in a name: write where the file is")
            if part.startswith("."):
                self._refuse(name, "files and folders whose name starts with a dot are left alone")
            if os.name == "nt" and (part.endswith((" ", ".")) or _WINDOWS_DEVICE.fullmatch(part)):
                self._refuse(name, f"{part!r} means a device on Windows")

    @contextmanager
    def _walk(
        self, folders: list[str], name: str, *, create: bool = False
    ) -> Generator[int | None]:
        """Open the folder that `folders` lead to, following no link; None where that can't be."""
        if not _CAN_WALK:
            place = self.root.joinpath(*folders)
            with self._explained(name):
                if create:
                    place.mkdir(parents=True, exist_ok=True)
            if place.resolve() != place:
                self._refuse(name, "it is a link that leads out of the folder for files")
            yield None
            return
        with self._explained(name):
            folder = os.open(self.root, _FOLDER)
        try:
            for part in folders:
                with self._explained(name):
                    if create:
                        with suppress(FileExistsError):
                            os.mkdir(part, dir_fd=folder)
                    inner = os.open(part, _FOLDER, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder
        finally:
            os.close(folder)

    @contextmanager
    def _explained(self, name: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            self._refuse(name, _reason(error))

    def _check_target(
        self, last: str, folder: int | None, folders: list[str], name: str
    ) -> int | None:
        """Return the permissions of the file that is to be replaced; None: there is none."""
        try:
            if folder is None:
                found = os.lstat(self.root.joinpath(*folders, last))
            else:
                found = os.stat(last, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._refuse(name, _reason(error))
        self._check_file(found, name)
        return stat.S_IMODE(found.st_mode)

    def _check_file(self, found: os.stat_result, name: str) -> int:
        if stat.S_ISDIR(found.st_mode):
            self._refuse(name, "it is a folder")
        if not stat.S_ISREG(found.st_mode):
            self._refuse(name, "it is no ordinary file")
        if found.st_nlink > 1:
            self._refuse(
                name, "the file has a second name (a hard link), which may be elsewhere: copy it"
            )
        return found.st_size

    def _open(self, last: str, flags: int, folder: int | None, folders: list[str]) -> int:
        if folder is None:
            return os.open(self.root.joinpath(*folders, last), flags, 0o666)
        return os.open(last, flags, 0o666, dir_fd=folder)

    def _rename(self, draft: str, last: str, folder: int | None, folders: list[str]) -> None:
        if folder is None:
            place = self.root.joinpath(*folders)
            (place / draft).replace(place / last)
        else:
            os.replace(draft, last, src_dir_fd=folder, dst_dir_fd=folder)

    def _unlink(self, draft: str, folder: int | None, folders: list[str]) -> None:
        if folder is None:
            self.root.joinpath(*folders, draft).unlink()
        else:
            os.unlink(draft, dir_fd=folder)

    def _refuse(self, name: str, why: str) -> NoReturn:
        raise ToolHardError(
            f"{self.tool_id}: the file {name[:120]!r} can't be used: {why}", tool_id=self.tool_id
        )


def _reason(error: BaseException) -> str:
    """Say what went wrong without the full path, which is nobody's business."""
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case IsADirectoryError():
            return "it is a folder"
        case NotADirectoryError():
            return "a part of its name is no folder, or is a link"
        case PermissionError():
            return "the system doesn't allow it (permissions)"
        case OSError() if error.strerror:
            return error.strerror.lower()
        case _:
            return "its name can't be resolved"
