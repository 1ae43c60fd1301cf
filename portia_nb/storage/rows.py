"""Events as rows of the journal, and back, each checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portia_nb.errors import StorageError, StoreDamaged
from portia_nb.model import codecs
from portia_nb.model.events import Recorded, StepDone, event_from_json, event_to_json
from portia_nb.model.json_parts import JsonParts, holds_long_text

from .blobs import Blobs, blob_name

MAX_INLINE_BYTES = 2**20
"""A field of an event whose JSON is longer goes to a file of its own."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event, ready to be written."""

    seq: int
    at: float
    kind: str
    path: str | None
    """The step that it tells of; None for one that is done with a value that can't be kept, which
    may have to be done again: of a path with other values the journal takes one completion only."""
    body: bytes
    checksum: bytes
    blobs: tuple[tuple[str, JsonParts], ...] = ()
    """Name and JSON of each large value."""


def pack(recorded: Recorded) -> EventRow:
    """Turn an event into its row; what it holds is encoded now.

    Raises:
        StorageError: the event holds something that isn't JSON where only JSON may stand.
    """
    try:
        data = event_to_json(recorded.event)
        return row_of(recorded.run_id, recorded.seq, recorded.at, data)
    except ValueError as error:
        kind = recorded.event.kind
        raise StorageError(f"an event of kind {kind!r} can't be kept: {error}") from error


def row_of(run_id: str, seq: int, at: float, data: dict[str, Any]) -> EventRow:
    """Turn an event's JSON into its row.

    Raises:
        ValueError: it isn't JSON.
    """
    blobs: tuple[tuple[str, JsonParts], ...] = ()
    # What is large is never there as one text: the value itself is in memory, and that is enough.
    body = "" if holds_long_text(data) else codecs.dumps(data)
    if not body or len(body) > MAX_INLINE_BYTES:
        body = ""
        data, blobs = _move_out(data)
        body = codecs.dumps(data)
    packed, at = body.encode("ascii"), float(at)
    return EventRow(
        seq=seq,
        at=at,
        kind=data["kind"],
        path=path_of(data),
        body=packed,
        checksum=checksum(run_id, seq, at, packed),
        blobs=blobs,
    )


def path_of(data: dict[str, Any]) -> str | None:
    """Return what stands in an event's column `path`; see `EventRow.path`."""
    if data["kind"] == StepDone.kind and codecs.is_unkept(data["value"]):
        return None
    return data.get("path")


def _move_out(data: dict[str, Any]) -> tuple[dict[str, Any], tuple[tuple[str, JsonParts], ...]]:
    """Put each large field's JSON aside, and a tag in its place that no value can forge."""
    kept: dict[str, Any] = {}
    blobs: list[tuple[str, JsonParts]] = []
    for name, value in data.items():
        parts = JsonParts(value)
        if not parts.is_longer_than(MAX_INLINE_BYTES):
            kept[name] = value
            continue
        sha256 = blob_name(parts)
        kept[name] = {"$": "blob", "sha256": sha256}
        blobs.append((sha256, parts))
    return kept, tuple(blobs)


def unpack(
    run_id: str,
    row: tuple[Any, ...],
    blobs: Blobs,
    classes: Mapping[str, Any] | None,
) -> Recorded:
    """Turn a row ``(seq, at, kind, path, body, checksum)`` back into its event.

    Raises:
        StoreDamaged: it isn't what was written, or a later version wrote it.
    """
    seq, at = row[:2]
    data = read_row(run_id, row, blobs)
    try:
        return Recorded(seq, at, run_id, event_from_json(data, dict(classes or {})))
    except StoreDamaged as error:
        raise StoreDamaged(f"event {seq!r} of run {run_id} is damaged: {error}") from error
    except _NOT_WHAT_WAS_WRITTEN as error:
        raise StoreDamaged(f"event {seq!r} of run {run_id} can't be read: {error}") from error


def read_row(run_id: str, row: tuple[Any, ...], blobs: Blobs) -> dict[str, Any]:
    """Return the JSON of the event in a row ``(seq, at, kind, path, body, checksum)``, whole.

    Raises:
        StoreDamaged: it isn't what was written.
    """
    seq, at, kind, path, body, found = row
    try:
        if found != checksum(run_id, seq, at, body):
            raise StoreDamaged("its checksum doesn't fit")
        data = codecs.loads(body)
        if (data["kind"], path_of(data)) != (kind, path):
            raise StoreDamaged("its columns don't fit its body")
        for name, sha256 in blobs_in(data):
            data[name] = codecs.loads(blobs.read(sha256))
    except StoreDamaged as error:
        raise StoreDamaged(f"event {seq!r} of run {run_id} is damaged: {error}") from error
    except _NOT_WHAT_WAS_WRITTEN as error:
        raise StoreDamaged(f"event {seq!r} of run {run_id} can't be read: {error}") from error
    return data


_NOT_WHAT_WAS_WRITTEN = (ValueError, TypeError, KeyError, AttributeError)


def blobs_in(data: dict[str, Any]) -> list[tuple[str, str]]:
    """Return each field of an event's JSON that stands in a file of its own, and the file's name.

    >>> blobs_in({"kind": "step_done", "value": {"$": "blob", "sha256": "ab"}})
    [('value', 'ab')]
    """
    return [
        (name, value["sha256"])
        for name, value in data.items()
        if isinstance(value, dict) and value.get("$") == "blob"
    ]


def checksum(*parts: Any) -> bytes:
    """Return a hash of `parts`, which tells a changed row from one that was written."""
    made = hashlib.blake2b(digest_size=16)
    for part in parts:
        # The length goes in as well, so that no two lists of parts run together.
        data = part if isinstance(part, bytes) else repr(part).encode("utf-8", "surrogatepass")
        made.update(b"%d:" % len(data))
        made.update(data)
    return made.digest()
