"""The journal's file: how it is made, opened, checked and brought up to date.

What a row means:

    plan   one content of one plan; a plan changed under the same id has two rows
    run    one run and who holds it; `number` stands for its id in the other tables; `last_seq` is
           its last event's, so that a lost end is noticed
    event  one event; `body` is its JSON in ASCII, `checksum` covers run, seq, at and body
    blob   which events refer to which file of `blobs/`
    cache  which event holds the output that steps with this key may take over
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

from portia_nb.errors import StoreDamaged, StoreFull, StoreTooNew, StoreUnwritable

from .faults import FAULTS, how_to_go_on, how_to_read, typed, unwritable
from .filesystem import is_on_network
from .migrations import SCHEMA_VERSION, migrate, version_of
from .place import is_there

BUSY_TIMEOUT_S = 5.0
_APPLICATION_ID = 0x506E6231  # "Pnb1": tells our files from other SQLite databases
_MAGIC = b"SQLite format 3\0"
_MAX_WAL_BYTES = 16 * 2**20
_SCRUB_WAIT_MS = 200
_NO_ROOM = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMOPEN,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_SHMMAP,
}


def prepare(path: Path) -> None:
    """Make the journal at `path` where there is none; check it and bring it up to date else.

    Raises:
        StoreDamaged: the file isn't a whole journal. It stays as it is.
        StoreTooNew: a later version of portia_nb wrote it. It stays as it is.
        StorageError: it can't be read or written.
    """
    try:
        if not path.exists():
            _create(path)
        _check_size(path)
        if not _is_writable(path):
            raise unwritable(path, PermissionError("it may only be read"))
        with contextlib.closing(_connect(path)) as connection:
            # First of all: the file may be another program's, and must stay as it is.
            _check_identity(connection, path)
            _set_durability(connection, path)
            migrate(connection)
    except FAULTS as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
            _refuse_header(path)
        raise typed(error, path) from error


def prepare_to_read(path: Path) -> None:
    """Do as `prepare`, or where nothing can be written, see that the journal can be read as it is.

    Raises:
        StorageError: as `prepare`; or it can't be read where it is.
    """
    try:
        prepare(path)
    except (StoreUnwritable, StoreFull):
        if not is_there(path):
            raise
        look_at(path)


def look_at(path: Path) -> None:
    """Check that a journal which can't be written to, or not now, can be read as it is.

    Raises:
        StoreDamaged: it isn't a journal.
        StoreTooNew: a later version of portia_nb wrote it.
        StorageError: it can't be read where it is.
    """
    inspect(path)
    with reading(path) as connection:
        version = version_of(connection)
    if version < SCHEMA_VERSION:
        raise StoreUnwritable(
            f"{path} has format {version} and must be brought up to format {SCHEMA_VERSION}, and "
            f"it can't be written to. {how_to_read(path)}",
            path=path,
        )


def inspect(path: Path) -> None:
    """Look whether the file at `path` is a journal that this version can read; change nothing.

    Raises:
        StoreDamaged: it isn't a journal.
        StoreTooNew: a later version of portia_nb wrote it.
        StorageError: it can't be read.
    """
    try:
        _check_size(path)
        with contextlib.closing(_connect_to_read(path)) as connection:
            _check_identity(connection, path)
    except FAULTS as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB:
            _refuse_header(path)
        raise typed(error, path) from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a journal that `prepare` has seen, for writing.

    Raises:
        sqlite3.Error: it can't be opened.
    """
    connection = _connect(path)
    try:
        _set_durability(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def reading(path: Path) -> Generator[sqlite3.Connection]:
    """Open a journal that `prepare` has seen, for reading, for the length of a `with` block.

    Raises:
        StorageError: what SQLite or the file system said, typed; inside the block too.
    """
    try:
        with contextlib.closing(_connect_to_read(path)) as connection:
            yield connection
    except FAULTS as error:
        raise typed(error, path) from error


def scrub(path: Path) -> None:
    """Bring what was overwritten in the log into the file, and empty the log, where that can be.

    After it nothing of a deleted run is left on disk. While others read, it is left to the next
    one, or to SQLite, which does it sooner or later.
    """
    with contextlib.suppress(*FAULTS), contextlib.closing(connect(path)) as connection:
        connection.execute(f"PRAGMA busy_timeout={_SCRUB_WAIT_MS}")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _is_writable(path: Path) -> bool:
    """Return whether this user may write both to the file and beside it, where its log goes."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a journal for reading: one moment of it, until the connection is closed.

    Where nothing can be written beside the file, the disk being full or the folder another's, it is
    read without a log, as far as it has none.
    """
    if _is_writable(path):
        try:
            return _begun(_connect(path))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode not in _NO_ROOM or _has_log(path):
                raise
    elif _has_log(path):
        try:
            return _begun(_connect(path, "ro"))
        except sqlite3.OperationalError as error:
            raise StoreUnwritable(
                f"{path} can't be read where it is ({error}): it has a log that must be worked in "
                f"first, and it may not be written to. {how_to_read(path)}",
                path=path,
            ) from error
    # Without a log nobody writes, and the file stands still.
    return _begun(_connect(path, "ro&immutable=1"))


def _begun(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("BEGIN")
        # The moment is that of the first reading.
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _has_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _connect(path: Path, mode: str = "rw") -> sqlite3.Connection:
    # Never "rwc": a file that has vanished must not come back empty.
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        # Someone may have sent this file: no function runs because its schema says so.
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA cell_size_check=ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _set_durability(connection: sqlite3.Connection, path: Path) -> None:
    """Choose the journal mode that the file system can carry.

    A write-ahead log needs shared memory, which network file systems don't have
    (https://sqlite.org/wal.html). EXTRA syncs the folder too, which FULL leaves out in that mode.
    """
    wanted = "delete" if is_on_network(path) else "wal"
    found = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if found != wanted:
        found = connection.execute(f"PRAGMA journal_mode={wanted}").fetchone()[0]
    connection.execute(f"PRAGMA synchronous={'FULL' if found == 'wal' else 'EXTRA'}")
    connection.execute(f"PRAGMA journal_size_limit={_MAX_WAL_BYTES}")


def _create(path: Path) -> None:
    """Make an empty journal under another name, then give it its own: never half of one."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        with contextlib.closing(sqlite3.connect(draft, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            connection.execute("PRAGMA synchronous=EXTRA")
            migrate(connection)
        _refuse_leftovers(path)
        try:
            os.link(draft, path)
        except FileExistsError:
            return  # Another process was faster, and its file is as good.
        except OSError:
            # This file system has no links. Two first openings at once could then undo one.
            draft.replace(path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def _refuse_leftovers(path: Path) -> None:
    """Refuse to make a journal beside the log of one that was moved away or deleted.

    SQLite would take that log for the new file's, and write old pages over new ones
    (https://sqlite.org/howtocorrupt.html). Nothing is deleted: it may hold what nothing else does.
    """
    left = [path.with_name(path.name + end) for end in ("-wal", "-journal")]
    # The file last: a log that was there while it was not is surely no log of another process's.
    left = [log for log in left if log.exists()]
    if left and not path.exists():
        raise StoreDamaged(
            f"{left[0]} is the log of a journal that is no longer beside it, and would spoil a new "
            "one. Nothing was made. Move it to where the journal went; if the journal is gone for "
            f"good, delete it (rm '{left[0]}')",
            path=left[0],
        )


def sync_folder(folder: Path) -> None:
    """Make a new file's name in `folder` survive a loss of power, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_size(path: Path) -> None:
    # Not by opening it: when a process closes any descriptor of a file, POSIX takes away all locks
    # that it holds there, also those of a connection that another store of ours has open. SQLite
    # in another process would then delete the log under it (https://sqlite.org/howtocorrupt.html).
    if path.stat().st_size == 0:
        raise StoreDamaged(f"{path} is empty (0 bytes). {how_to_go_on(path)}", path=path)


def _refuse_header(path: Path) -> None:
    """Say how a file begins that SQLite has just refused, so that no connection has it open."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        header = file.read(len(_MAGIC))
        if header != _MAGIC:
            raise StoreDamaged(
                f"{path} is no journal of portia_nb: it begins with {header!r}. "
                + how_to_go_on(path),
                path=path,
            )


def _check_identity(connection: sqlite3.Connection, path: Path) -> None:
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    if found != _APPLICATION_ID:
        raise StoreDamaged(
            f"{path} is a SQLite database of another program (application id {found:#x}). "
            + how_to_go_on(path),
            path=path,
        )
    version = version_of(connection)
    if version > SCHEMA_VERSION:
        raise StoreTooNew(
            f"{path} has format {version}, and this version of portia_nb knows formats up to "
            f"{SCHEMA_VERSION}: upgrade portia_nb, or set store= to another folder",
            path=path,
            version=version,
        )
    hostile = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view')"
    ).fetchone()
    if hostile is not None:
        raise StoreDamaged(
            f"{path} holds {hostile[0]!r:.80}, which portia_nb never makes. {how_to_go_on(path)}",
            path=path,
        )
