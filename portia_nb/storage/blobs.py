"""Large values: files in ``blobs/`` beside the journal, each named by the sha256 of its content."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from portia_nb.errors import StoreDamaged
from portia_nb.model.json_parts import JsonParts

from .schema import sync_folder


def blob_name(parts: JsonParts) -> str:
    """Return the name under which JSON is kept."""
    made = hashlib.sha256()
    for piece in parts.pieces():
        made.update(piece.encode("ascii"))
    return made.hexdigest()


class Blobs:
    """The files of one store. Equal values share one file."""

    def __init__(self, folder: Path) -> None:
        """Refer to `folder`, which is made at the first write."""
        self.folder = folder

    def write(self, sha256: str, parts: JsonParts, *, looked_at: bool = False) -> None:
        """Keep JSON; on return it is on disk, whole or not at all.

        A file of this name that isn't what was written is written anew, for whoever else refers to
        it, too.

        Args:
            sha256: its `blob_name`.
            parts: the JSON.
            looked_at: True: a file that is there was found whole a moment ago.

        Raises:
            OSError: it can't be written.
        """
        path = self.folder / sha256
        if path.exists() and (looked_at or self._is_whole(path)):
            return
        self.folder.mkdir(mode=0o700, exist_ok=True)
        draft = self.folder / f".{sha256}.{secrets.token_hex(8)}"
        try:
            descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                for piece in parts.pieces():
                    file.write(piece.encode("ascii"))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync_folder(self.folder)

    def _is_whole(self, path: Path) -> bool:
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == path.name
        except OSError:
            return False

    def read(self, sha256: str) -> bytes:
        """Return the content that was kept under `sha256`.

        Raises:
            StoreDamaged: the file is missing, or isn't what was written.
        """
        # The name comes from the database, which someone may have sent: it must stay in the folder.
        if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            raise StoreDamaged(f"{sha256!r:.80} is no name of a large value", path=self.folder)
        path = self.folder / sha256
        try:
            content = path.read_bytes()
        except OSError as error:
            raise StoreDamaged(
                f"the large value {path} can't be read: {error}", path=path
            ) from error
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StoreDamaged(f"the large value {path} isn't what was written", path=path)
        return content

    def delete(self, sha256: str) -> None:
        """Delete one file, if it is there.

        Raises:
            OSError: it can't be deleted.
        """
        (self.folder / sha256).unlink(missing_ok=True)
