"""A folder with a JSON file for each plan and run: how the reference SDK keeps them on disk."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from portia_nb.errors import StorageError

from .faults import unwritable

MAX_BYTES = 64 * 2**20
"""Of one file; a larger one is no plan or run of anybody's."""
_NAME = re.compile(r"(plan|prun)-[0-9a-fA-F-]{36}\.json")


@dataclass(frozen=True, slots=True)
class Document:
    """One file of the folder."""

    kind: Literal["plan", "prun"]
    path: Path
    modified_at: float
    """Seconds since the epoch."""

    def read(self) -> dict[str, Any]:
        """Return the JSON object in it.

        Raises:
            StorageError: the file can't be read, is too large, or holds no JSON object.
        """
        try:
            size = self.path.stat().st_size
            if size > MAX_BYTES:
                raise StorageError(
                    f"{self.path} has {size:,} bytes: at most {MAX_BYTES:,} are read"
                )
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise StorageError(f"{self.path} can't be read as JSON: {error}") from error
        if not isinstance(found, dict):
            raise StorageError(f"{self.path} holds a JSON {type(found).__name__}, not an object")
        return found


def find_documents(folder: Path) -> Iterator[Document]:
    """Yield the files of plans, then those of runs, the oldest first; other files are passed over.

    Raises:
        StorageError: `folder` can't be listed.
    """
    try:
        found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)]
        dated = [(path.name[:4], path.stat().st_mtime, path) for path in found if path.is_file()]
    except OSError as error:
        raise StorageError(f"the folder {folder} can't be listed: {error}") from error
    for kind, modified_at, path in sorted(dated):
        yield Document("plan" if kind == "plan" else "prun", path, modified_at)


def write_document(folder: Path, document_id: str, text: str) -> Path:
    """Write `text` as ``<document_id>.json`` in `folder`, whole or not at all; return its path.

    Raises:
        StoreUnwritable: the folder can't be made or written to.
    """
    path = folder / f"{document_id}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, made = tempfile.mkstemp(dir=folder, prefix=".writing-", suffix=".json")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(made).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(made).unlink()
            raise
    except OSError as error:
        raise unwritable(folder, error) from error
    return path
