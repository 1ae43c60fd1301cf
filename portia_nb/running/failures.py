"""Errors as a run keeps them: class, message, and where in the user's code, without any values."""

from __future__ import annotations

import traceback
from pathlib import Path

from portia_nb.errors import PortiaBaseError
from portia_nb.model.events import ErrorRecord
from portia_nb.tools.aside import CallEnded

MAX_MESSAGE = 4_000
_OWN = str(Path(__file__).parent.parent)


def record_error(error: BaseException, path: str | None = None) -> ErrorRecord:
    """Return `error` as a record.

    Args:
        error: anything raised, a hostile ``__str__`` included.
        path: the step that it came from.
    """
    if isinstance(error, CallEnded) and error.__cause__ is not None:
        error = error.__cause__
    return ErrorRecord(type(error).__name__, _message(error), path, _where(error))


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except BaseException as broken:
        text = f"(its message can't be shown: {type(broken).__name__})"
    if not text:
        text = type(error).__name__
    if len(text) > MAX_MESSAGE:
        text = f"{text[:MAX_MESSAGE]}… ({len(text):,} characters in all)"
    return text


def _where(error: BaseException) -> str | None:
    """Return the frames of `error` that aren't ours, None for errors that we raise on purpose."""
    if isinstance(error, PortiaBaseError):
        return None
    try:
        frames = traceback.extract_tb(error.__traceback__)
    except Exception:  # a broken source file must not hide the error itself
        return None
    theirs = [frame for frame in frames if not frame.filename.startswith(_OWN)][-12:]
    lines = [
        f"{_file(f.filename)}, line {f.lineno}, in {f.name}\n    {f.line or ''}" for f in theirs
    ]
    return "\n".join(lines) or None


def _file(name: str) -> str:
    """Return how a frame's file is called: of a notebook's cell it is one that doesn't exist."""
    return "Cell" if "ipykernel_" in name else f'File "{name}"'
