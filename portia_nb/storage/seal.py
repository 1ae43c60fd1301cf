"""A person's own seal on what they approve, which nobody who sends them a store can make.

A store is a folder, and folders are cloned, unpacked and shared with what somebody else put in
them. So an approval counts where it bears the seal of the person who runs the program: a keyed hash
in its id, whose key lies beside their own settings and in no store.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import replace
from functools import cache
from pathlib import Path

from portia_nb.model import codecs
from portia_nb.model.approval import Approval
from portia_nb.settings.profiles import config_path

KEY_FILE = "approvals.key"
"""Its name, in the folder of the file with profiles."""
_KEY_BYTES = 32
_NONCE_CHARS = 16


def sealed(approval: Approval) -> Approval:
    """Return `approval` under an id that bears this person's seal; twice is the same id.

    Where their key can't be kept on disk, the seal is this process's, and gone with it.
    """
    nonce = hashlib.sha256(approval.id.encode("utf-8", "replace")).hexdigest()[:_NONCE_CHARS]
    return replace(approval, id=nonce + _seal(nonce, approval, _key(make=True)))


def is_sealed(approval: Approval) -> bool:
    """Tell whether this very approval was sealed by the person who runs this program."""
    nonce, seal = approval.id[:_NONCE_CHARS], approval.id[_NONCE_CHARS:]
    expected = _seal(nonce, approval, _key(make=False))
    return hmac.compare_digest(seal.encode("utf-8", "replace"), expected.encode("ascii"))


def _seal(nonce: str, approval: Approval, key: bytes) -> str:
    calls = [[place, approval.calls[place]] for place in sorted(approval.calls)]
    said = [nonce, approval.plan_hash, bool(approval.stands), float(approval.at), calls]
    return hmac.new(key, b"approval " + codecs.dumps(said).encode("ascii"), "sha256").hexdigest()


def _key(*, make: bool) -> bytes:
    settings = config_path()
    if settings.exists() and not settings.is_file():
        return _process_key()  # /dev/null, say: somebody wants nothing of theirs to be used
    path = settings.with_name(KEY_FILE)
    try:
        if make and not path.exists():
            _make(path)
        found = path.read_bytes()
    except OSError:
        return _process_key()
    return found if len(found) == _KEY_BYTES else _process_key()


def _make(path: Path) -> None:
    """Make the key, for this person alone: whole, and once, whoever else does so meanwhile."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)


@cache
def _process_key() -> bytes:
    # Kept for the process, since a home that can't be written to has no better place.
    return secrets.token_bytes(_KEY_BYTES)
