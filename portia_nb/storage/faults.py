"""What SQLite and the file system say, as the errors of this room."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from portia_nb.errors import (
    StorageError,
    StoreDamaged,
    StoreFull,
    StoreLocked,
    StoreUnwritable,
)

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ELOOP}
_WRITE_FAILED = {
    # SQLite calls the disk full on ENOSPC alone; a quota or a limit on file sizes comes as these.
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
}


FAULTS = (sqlite3.Error, OSError, UnicodeError)
"""What reading and writing a journal may raise; the text of an error may itself be damaged."""


def how_to_go_on(path: Path) -> str:
    """Return what a person can do about a damaged file."""
    # Never the file alone: its log would be taken for the log of the file that is made next.
    aside = f"{path.parent}.damaged"
    return (
        "Nothing was changed. What can still be read is saved by: portia-nb store export FILE "
        "--salvage. To go on with an empty store, move the file and its log away "
        f"(mkdir '{aside}' && mv '{path}'* '{aside}'), or set store= to another folder or to "
        "'memory'"
    )


def reason(error: StoreDamaged, path: Path) -> str:
    """Return what is wrong, without the file's name and the way on, which a report says once."""
    return str(error).removeprefix(f"{path}: ").partition(". Nothing was changed")[0]


def how_to_spare(run_id: str) -> str:
    """Return what a person can do about one damaged run in a store that is whole else."""
    return (
        "Nothing was changed, and other runs go on as before. `portia-nb store export FILE "
        f"{run_id} --salvage` saves what can still be read of this one, `portia-nb store forget "
        f"{run_id}` deletes it here, and `portia-nb store import FILE` brings back what was saved, "
        "up to the damage; `portia-nb store check` looks for more"
    )


def typed(error: Exception, path: Path) -> StorageError:
    """Return `error`, met on the journal at `path`, as an error of this room."""
    if isinstance(error, OSError):
        return _from_system(error, path)
    if isinstance(error, UnicodeEncodeError):
        return no_text(error)
    if isinstance(error, UnicodeError):
        return _damaged(path, error)
    code = getattr(error, "sqlite_errorcode", 0)
    if code & 0xFF == sqlite3.SQLITE_CANTOPEN and not path.exists():
        return _gone(path)
    match code & 0xFF:
        case sqlite3.SQLITE_FULL:
            return _full(path, error)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
            return StoreLocked(
                f"{path} is kept locked by another process ({error}): close the program that has "
                "it open and resume, or set store= to another folder",
                path=path,
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_ERROR:
            return _damaged(path, error)
        case (
            sqlite3.SQLITE_READONLY
            | sqlite3.SQLITE_CANTOPEN
            | sqlite3.SQLITE_PERM
            | sqlite3.SQLITE_AUTH
        ):
            return unwritable(path, error)
        case sqlite3.SQLITE_IOERR if code in _WRITE_FAILED:
            return _full(path, error)
        case _:
            return StorageError(f"{path} can't be read or written: {error}", path=path)


def no_text(error: UnicodeEncodeError) -> StorageError:
    """Return the error for an id or a name that SQLite can't even be asked for."""
    return StorageError(
        f"{error.object!r:.200} is no id and no name of anything that is kept: it holds half a "
        "character (a lone surrogate), which a name typed in another encoding becomes"
    )


def how_to_read(path: Path) -> str:
    """Return how to look at a journal that this version can't read where it lies."""
    folder = path.parent
    return (
        "To look at what is in it, copy its folder to a place of yours and look there (cp -R "
        f"'{folder}' '{folder.name}.copy', --store {folder.name}.copy)"
    )


def unwritable(path: Path, error: Exception) -> StoreUnwritable:
    """Return the error for a place that can't be written to."""
    return StoreUnwritable(
        f"{path} can't be written to ({error}): set store= to a folder of yours, or to 'memory' to "
        'keep runs only as long as this process lives, e.g. Config(store="memory") or '
        "PORTIA_STORE=memory",
        path=path,
    )


def _full(path: Path, error: Exception) -> StoreFull:
    return StoreFull(
        f"{path} can't grow ({error}): the disk is full, or a quota or a limit on file sizes is "
        "reached. What was kept before is whole: free some space, then resume",
        path=path,
    )


def _damaged(path: Path, error: Exception) -> StoreDamaged:
    return StoreDamaged(f"{path} is damaged ({error}). {how_to_go_on(path)}", path=path)


def _gone(path: Path) -> StoreDamaged:
    return StoreDamaged(
        f"{path} was deleted while it was open: what was kept in it is gone. Make a new Portia to "
        "start an empty store in its place",
        path=path,
    )


def _from_system(error: OSError, path: Path) -> StorageError:
    if error.errno in _FULL:
        return _full(path, error)
    if error.errno == errno.ENOENT and not path.exists():
        return _gone(path)
    if error.errno in _REFUSED:
        return unwritable(path, error)
    return StorageError(f"{path} can't be read or written: {error}", path=path)
