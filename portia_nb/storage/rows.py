"""Events as rows of the journal, and back, each checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portia_nb.errors import StorageError, StoreDamaged
from portia_nb.model import codecs
from portia_nb.model.events import Recorded, StepDone, event_from_json, event_to_json

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
    blobs: tuple[tuple[str, str], ...] = ()
    """Name and JSON of each large value."""


def pack(recorded: Recorded) -> EventRow:
    """Turn an event into its row; what it holds is encoded now.

    Raises:
        StorageError: the event holds something that isn't JSON where only JSON may stand.
    """
    event = recorded.event
    blobs: tuple[tuple[str, str], ...] = ()
    try:
        data = event_to_json(event)
        body = codecs.dumps(data)
        if len(body) > MAX_INLINE_BYTES:
            body = ""  # It may be large: not in memory twice.
            data, blobs = _move_out(data)
            body = codecs.dumps(data)
    except ValueError as error:
        raise StorageError(f"an event of kind {event.kind!r} can't be kept: {error}") from error
    packed, at = body.encode("ascii"), float(recorded.at)
    return EventRow(
        seq=recorded.seq,
        at=at,
        kind=event.kind,
        path=_path_of(data),
        body=packed,
        checksum=checksum(recorded.run_id, recorded.seq, at, packed),
        blobs=blobs,
    )


def _path_of(data: dict[str, Any]) -> str | None:
    if data["kind"] == StepDone.kind and codecs.is_unkept(data["value"]):
        return None
    return data.get("path")


def _move_out(data: dict[str, Any]) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    """Put each large field's JSON aside, and a tag in its place that no value can forge."""
    kept: dict[str, Any] = {}
    blobs: list[tuple[str, str]] = []
    for name, value in data.items():
        text = codecs.dumps(value)
        if len(text) <= MAX_INLINE_BYTES:
            kept[name] = value
            continue
        sha256 = blob_name(text)
        kept[name] = {"$": "blob", "sha256": sha256}
        blobs.append((sha256, text))
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
    seq, at, kind, path, body, found = row
    try:
        if found != checksum(run_id, seq, at, body):
            raise StoreDamaged("its checksum doesn't fit")
        data = codecs.loads(body)
        if (data["kind"], _path_of(data)) != (kind, path):
            raise StoreDamaged("its columns don't fit its body")
        for name, value in data.items():
            if isinstance(value, dict) and value.get("$") == "blob":
                data[name] = codecs.loads(blobs.read(value["sha256"]))
        event = event_from_json(data, dict(classes or {}))
    except StoreDamaged as error:
        raise StoreDamaged(f"event {seq!r} of run {run_id} is damaged: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StoreDamaged(f"event {seq!r} of run {run_id} can't be read: {error}") from error
    return Recorded(seq, at, run_id, event)


def checksum(*parts: Any) -> bytes:
    """Return a hash of `parts`, which tells a changed row from one that was written."""
    made = hashlib.blake2b(digest_size=16)
    for part in parts:
        # The length goes in as well, so that no two lists of parts run together.
        data = part if isinstance(part, bytes) else repr(part).encode("utf-8", "surrogatepass")
        made.update(b"%d:" % len(data))
        made.update(data)
    return made.digest()
