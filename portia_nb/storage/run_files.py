"""Reading the document of one run that somebody shared, as the lines of an export."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from portia_nb.errors import StorageError, StoreTooNew
from portia_nb.model import codecs

from .contents import DOCUMENT, DOCUMENT_VERSION
from .export import FORMAT, HEADER
from .faults import typed

_BEGINNING = 200
MAX_BYTES = 512_000_000
"""A larger document is refused: it is read as a whole."""


def read_document(path: Path) -> dict[str, Any] | None:
    """Return the document of one run in a file, None where the file holds something else.

    Raises:
        StorageError: it can't be read, or is cut.
    """
    try:
        with path.open("rb") as file:
            if f'"{DOCUMENT}"'.encode() not in file.read(_BEGINNING):
                return None
            file.seek(0)
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise typed(error, path) from error
    if len(text) > MAX_BYTES:
        raise StorageError(f"{path} is larger than {MAX_BYTES:,} bytes", path=path)
    try:
        found = codecs.loads(text)
    except ValueError as error:
        raise StorageError(f"{path} is not whole: {error}", path=path) from error
    return found if isinstance(found, dict) and found.get("format") == DOCUMENT else None


def lines_of(document: dict[str, Any], path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of an export that say what `document` does.

    Raises:
        StorageError: it lacks a part.
        StoreTooNew: a later version of portia_nb made it.
    """
    version = document.get("version")
    if type(version) is not int or not isinstance(head := document.get("run"), dict):
        raise StorageError(f"{path} has no version, or no run", path=path)
    if version > DOCUMENT_VERSION:
        raise StoreTooNew(
            f"{path} has format {version}, and this version of portia_nb knows formats up to "
            f"{DOCUMENT_VERSION}: upgrade portia_nb",
            path=path,
            version=version,
        )
    events = document.get("events")
    if not isinstance(events, list) or not all(isinstance(each, dict) for each in events):
        raise StorageError(f"{path} has no list of events", path=path)
    yield {HEADER: FORMAT}
    yield {"plan": document.get("plan"), "hash": head.get("plan_hash")}
    yield {**head, "run": head.get("id")}
    for each in events:
        yield {**each, "event": each.get("event")}
