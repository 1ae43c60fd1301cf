"""The old ``portia.storage``: stores that old code makes by itself."""

from __future__ import annotations

import threading
from pathlib import Path

from portia_nb.session.exchange import import_folder
from portia_nb.session.stored import Storage
from portia_nb.storage.journal import JournalStore
from portia_nb.storage.memory import MemoryStore
from portia_nb.storage.owner import this_process
from portia_nb.storage.place import find_place
from portia_nb.storage.store import Store


class InMemoryStorage(Storage):
    """Keeps plans and runs as long as the process lives."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(MemoryStore())


class DiskFileStorage(Storage):
    """The plans and runs of a folder: its journal's, and those of the reference's JSON files."""

    def __init__(self, storage_dir: str | Path | None = None) -> None:
        """Refer to `storage_dir`; its JSON files are taken into the journal at the first use.

        Args:
            storage_dir: the folder, as in ``Config(storage_dir=…)``; None: where runs are kept when
                no setting says otherwise.
        """
        given = find_place(Path.cwd()) if storage_dir is None else Path(storage_dir)
        self._folder = given.expanduser().absolute()
        super().__init__(JournalStore(self._folder))
        self._opening = threading.Lock()
        self._has_files = True

    @property
    def _store(self) -> Store:
        with self._opening:
            if self._has_files and self._folder.is_dir():
                import_folder(self._kept, self._folder, owner=this_process())
            self._has_files = False
        return self._kept
