"""Fill a record's file while runs go on, so that a crash loses next to nothing of it."""

from __future__ import annotations

import datetime as dt
import logging
import re
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from portia_nb.errors import InvalidConfigError, StoreUnwritable

from .blotting import Blotter
from .records import (
    Record,
    RecordedAnswer,
    RecordedOutput,
    RecordedReply,
    check_writable,
    unwritable,
    write_record,
)

_IDLE_SHARE = 20
"""Saving takes at most one part in so many of the time."""

logger = logging.getLogger("portia_nb")

Entry = RecordedReply | RecordedOutput | RecordedAnswer


class Recorder:
    """One record that is being made, and its file. From any thread."""

    def __init__(self, path: Path) -> None:
        """Touch nothing yet."""
        self.path = path
        self.blotter = Blotter()
        self._secrets: frozenset[str] = frozenset()
        self._lock = threading.RLock()
        self._is_open = False
        self._kept = Record()
        self._new: list[tuple[int, tuple[tuple[str, int], ...], int, Entry]] = []
        self._count = 0
        """Entries that there have been."""
        self._saved = 0
        """How many of `_new` are in the file."""
        self._seen: _Stamp | None = None
        """The file as it was last read or written here."""
        self._takes = 0
        self._is_saved = True
        self._saved_at = -1e9
        self._took_s = 0.0
        self._timer: threading.Timer | None = None
        self._complaint = ""
        """Why the last attempt to save failed; said once, not at each attempt."""

    def begin(self, secrets: Iterable[str], *, goes_on: bool = False) -> int:
        """Make ready for the calls of one more run or plan, and return its number.

        The first one begins the record anew, where the file holds one already; the file stays as it
        is until there is something to keep.

        Args:
            secrets: what must not get into the file.
            goes_on: True: add to what the file holds, as for a run that goes on.

        Raises:
            InvalidConfigError: the file is there and is no record.
            StoreUnwritable: nothing can be written there.
        """
        with self._lock:
            known = self._secrets | frozenset(secrets)
            if known != self._secrets:
                self._secrets, self.blotter = known, Blotter(known)
            if self._new and not self.path.exists():
                self._is_open, self._new, self._saved = False, [], 0  # somebody threw it away
            if not self._is_open:
                kept = self._look()
                check_writable(self.path)
                now = dt.datetime.now(dt.UTC).replace(microsecond=0)
                fresh = Record(about=kept.about, recorded_at=now)
                self._kept = kept if goes_on and kept.recorded_at else fresh
                self._is_open, self._seen = True, _stamp(self.path)
            elif self._is_changed():
                self._take_in()
            self._takes += 1
            return self._takes

    def add(self, take: int, entry: Entry) -> None:
        """Keep an entry of the run or plan that has the number `take`, and save it soon."""
        with self._lock:
            self._count += 1
            self._new.append((take, _natural(entry.step), self._count, entry))
            self._is_saved = False
            wait_s = self._saved_at + _IDLE_SHARE * self._took_s - time.monotonic()
            if wait_s <= 0:
                self.flush()
            elif self._timer is None:
                self._timer = threading.Timer(wait_s, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Save what isn't yet; that it can't be is logged, as the run itself is none the worse."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            if self._is_saved:
                return
            began = time.monotonic()
            try:
                if self._is_changed():
                    self._take_in()
                write_record(self.path, self._record().as_text())
                self._seen, self._saved = _stamp(self.path), len(self._new)
                self._is_saved, self._complaint = True, ""
            except (StoreUnwritable, InvalidConfigError, ValueError) as error:
                if str(error) != self._complaint:
                    self._complaint = str(error)
                    logger.warning("what was recorded is not saved: %s", error)
            self._saved_at = time.monotonic()
            self._took_s = self._saved_at - began

    def _is_changed(self) -> bool:
        """Tell whether somebody else has written the file: a person, or another process."""
        now = _stamp(self.path)
        return now is not None and now != self._seen

    def _take_in(self) -> None:
        """Go on from what the file holds now, so that what others wrote or took out stays so.

        Raises:
            InvalidConfigError: it is no record any more; it is left alone.
        """
        self._kept = self._look()
        self._seen = _stamp(self.path)
        self._new, self._saved = self._new[self._saved :], 0

    def _record(self) -> Record:
        """Return all entries; those of one run by step, so that steps side by side keep places."""
        found = [entry for *_, entry in sorted(self._new, key=lambda kept: kept[:3])]
        old = self._kept
        return Record.model_construct(
            about=old.about,
            recorded_at=old.recorded_at,
            replies=old.replies + [e for e in found if isinstance(e, RecordedReply)],
            outputs=old.outputs + [e for e in found if isinstance(e, RecordedOutput)],
            answers=old.answers + [e for e in found if isinstance(e, RecordedAnswer)],
        )

    def _look(self) -> Record:
        """Return the record that the file holds, an empty one where there is no file."""
        path = self.path
        try:
            if path.stat().st_size > 0 or not path.is_file():
                return Record.load(path)
        except FileNotFoundError:
            return Record()
        except OSError as error:
            raise unwritable(path, error.strerror) from error
        except InvalidConfigError as error:
            if not path.is_file():
                raise
            raise InvalidConfigError(
                f"{error}. A recording would replace it: choose another file, or delete this one",
                path=str(path),
            ) from error
        return Record()


_Stamp = tuple[int, int, int]


def _stamp(path: Path) -> _Stamp | None:
    """Return what tells a file from what it was before; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _natural(step: str) -> tuple[tuple[str, int], ...]:
    """Return what orders paths of steps as people would: ``each[2]`` before ``each[10]``."""
    return tuple((text, int(number or 0)) for text, number in re.findall(r"(\D*)(\d{0,18})", step))
