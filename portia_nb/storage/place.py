"""Where runs are kept: which store a `Config` asks for, and in which folder."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from portia_nb.config import Config, StorageClass
from portia_nb.errors import InvalidConfigError

from .faults import typed, unwritable

if TYPE_CHECKING:
    from .store import Store

FOLDER = ".portia"


def open_store(config: Config) -> Store:
    """Return the store that `config` asks for. Nothing is opened or made before its first use.

    `store` says most: ``"memory"`` or a folder. Else `storage_class` MEMORY is memory, and anything
    else the journal in `storage_dir`, or where that isn't set, in `find_place`.

    Raises:
        InvalidConfigError: it asks for the cloud, or for a database server.
    """
    from .journal import JournalStore
    from .memory import MemoryStore

    if config.storage_class is StorageClass.CLOUD and config.store is None:
        raise InvalidConfigError(
            "storage_class CLOUD: the service behind it is closed; use DISK, which keeps runs in "
            f"{FOLDER}/, or MEMORY",
            setting="storage_class",
        )
    if config.store is not None:
        if "://" in config.store:
            raise InvalidConfigError(
                f"store {config.store!r} is an address: store= takes a folder, or 'memory'",
                setting="store",
            )
        if config.store.strip().lower() == "memory":
            return MemoryStore()
        return JournalStore(_absolute(Path(config.store)))
    if config.storage_class is StorageClass.MEMORY:
        return MemoryStore()
    if config.storage_dir is not None:
        return JournalStore(_absolute(config.storage_dir))
    return JournalStore(find_place(Path.cwd()))


def find_place(start: Path) -> Path:
    """Return ``.portia`` beside the nearest ``pyproject.toml`` or ``.git``, else in `start`.

    Looked for in `start` and upwards.
    """
    for folder in (start, *start.parents):
        if (folder / "pyproject.toml").exists() or (folder / ".git").exists():
            return folder / FOLDER
    return start / FOLDER


def make_folder(folder: Path) -> None:
    """Make `folder`, for this user alone and out of version control, unless it is there.

    Raises:
        StoreUnwritable: it can't be made.
    """
    try:
        if folder.is_file():
            raise unwritable(folder, NotADirectoryError("a file, and runs are kept in a folder"))
        is_new = not folder.exists()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        # Not in a folder that was there and has another name: it may hold files of the user's.
        if (is_new or folder.name == FOLDER) and not ignore.exists():
            # Where nothing may be written, what is there may still be read.
            with contextlib.nullcontext() if is_new else contextlib.suppress(OSError):
                ignore.write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise unwritable(folder, error) from error


def is_there(path: Path) -> bool:
    """Return whether a file is there.

    Raises:
        StorageError: this user may not look.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise typed(error, path) from error
    return True


def _absolute(folder: Path) -> Path:
    return folder.expanduser().absolute()
