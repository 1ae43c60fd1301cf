"""Old names for one test: the import hook is put in and taken out again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from portia_nb import as_portia
from portia_nb.alias.finder import OldModule, OldPaths


def forget() -> None:
    """Take the import hook out, and every old module."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, OldPaths)]
    for name in [name for name, found in sys.modules.items() if isinstance(found, OldModule)]:
        del sys.modules[name]


@pytest.fixture
def portia() -> Iterator[ModuleType]:
    """Return the module ``portia``, which is ours for this test."""
    forget()
    yield as_portia()
    forget()
