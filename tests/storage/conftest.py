"""Both stores, behind one name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portia_nb.storage.journal import JournalStore
from portia_nb.storage.memory import MemoryStore
from portia_nb.storage.store import Store


@pytest.fixture
def open_journal(tmp_path: Path) -> Iterator[Callable[[], JournalStore]]:
    """Open one journal as often as is asked for, as several processes would."""
    opened: list[JournalStore] = []

    def open_it() -> JournalStore:
        opened.append(JournalStore(tmp_path / "store"))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def journal(open_journal: Callable[[], JournalStore]) -> JournalStore:
    return open_journal()


@pytest.fixture(params=["memory", "wal", "delete"])
def store(
    request: pytest.FixtureRequest,
    open_journal: Callable[[], JournalStore],
    monkeypatch: pytest.MonkeyPatch,
) -> Store:
    """Each store in turn; ``delete`` is the journal as it is on a network file system."""
    if request.param == "memory":
        return MemoryStore()
    monkeypatch.setattr(
        "portia_nb.storage.schema.is_on_network", lambda path: request.param == "delete"
    )
    return open_journal()


@pytest.fixture(params=["memory", "journal"])
def other(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each kind of store in turn, to take over what another one holds."""
    store = MemoryStore() if request.param == "memory" else JournalStore(tmp_path / "other")
    yield store
    store.close()
