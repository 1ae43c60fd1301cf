"""Writing plans and runs to readable files, one JSON object a line.

The first line says what the file is. A line ``{"plan": {…}}`` holds a plan as it prints, a line
``{"run": "prun-…"}`` announces a run, and each line ``{"seq": 1, "at": …, "event": {…}}`` after it
is one of its events, large values in place. Lines of names of plans and of approvals, which
`shelf_lines` writes, make it format 2. All is ASCII, so that any program can show it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from portia_nb.errors import StorageError, StoreFull
from portia_nb.model import codecs

from .contents import Contents, KeptPlan, KeptRun
from .faults import typed
from .reports import ExportReport
from .shelf_lines import approval_line, name_line

HEADER = "portia_nb_export"
FORMAT = 2
"""The newest; what has no names and no approvals is written as format 1, for older readers."""
SUFFIX = ".jsonl"


class Export:
    """One export; the counts are complete once its lines have been gone through."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self.runs = 0
        self.events = 0

    def lines(self) -> Iterator[str]:
        """Yield the lines of one file that holds everything, without line ends."""
        shelf = self._shelf_lines()
        yield self._header(self._contents.count, len(shelf))
        for plan in self._contents.plans:
            yield _plan_line(plan)
        yield from shelf
        for run in self._contents.runs:
            yield from self._run_lines(run)

    def _shelf_lines(self) -> list[str]:
        lines = [name_line(name) for name in self._contents.names]
        lines += [approval_line(approval) for approval in self._contents.approvals]
        return [codecs.dumps(line) for line in lines]

    def _header(self, runs: int | None, shelved: int = 0) -> str:
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        head: dict[str, Any] = {HEADER: FORMAT if shelved else 1, "made_at": made_at}
        if runs is not None:
            head["runs"] = runs
        if self._contents.is_salvaged:
            head["salvaged"] = True
        return codecs.dumps(head)

    def _run_lines(self, run: KeptRun) -> Iterator[str]:
        self.runs += 1
        yield codecs.dumps(
            {
                "run": run.run_id,
                "plan_id": run.plan_id,
                "plan_hash": run.plan_hash,
                "state": run.state,
                "created_at": run.created_at,
                "events": run.last_seq,
            }
        )
        for seq, at, data in run.events:
            self.events += 1
            yield codecs.dumps({"seq": seq, "at": at, "event": data})

    def to_file(self, target: Path, *, overwrite: bool) -> ExportReport:
        """Write everything to one file, whole or not at all.

        Raises:
            StorageError: there is such a file, or it can't be written.
        """
        write_file(target, self.lines(), overwrite=overwrite)
        return self._report((target,))

    def to_folder(self, folder: Path, *, overwrite: bool) -> ExportReport:
        """Write a file for each run, its plan in it, and one for the plans that no run has.

        Raises:
            StorageError: there is such a file, or it can't be written.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise typed(error, folder) from error
        plans = {plan[:2]: plan for plan in self._contents.plans}
        used: set[tuple[str, str]] = set()
        files: list[Path] = []

        def lines(run: KeptRun) -> Iterator[str]:
            yield self._header(1)
            key = (run.plan_id, run.plan_hash)
            if key in plans:
                used.add(key)
                yield _plan_line(plans[key])
            yield from self._run_lines(run)

        for run in self._contents.runs:
            files.append(folder / f"{_file_name(run.run_id)}{SUFFIX}")
            write_file(files[-1], lines(run), overwrite=overwrite)
        left = [_plan_line(plan) for key, plan in plans.items() if key not in used]
        shelf = self._shelf_lines()
        if left or shelf:
            files.append(folder / f"plans{SUFFIX}")
            head = self._header(0, len(shelf))
            write_file(files[-1], iter([head, *left, *shelf]), overwrite=overwrite)
        return self._report(tuple(files))

    def _report(self, files: tuple[Path, ...]) -> ExportReport:
        return ExportReport(files, self.runs, self.events, tuple(self._contents.lost))


def export(contents: Contents, target: Path, *, overwrite: bool = False) -> ExportReport:
    """Write `contents` to `target`: a file, or for a folder, or a name without a suffix, several.

    Raises:
        StorageError: there is such a file and `overwrite` is false, or it can't be written.
        StoreDamaged: something in the store isn't what was written; no half file is left.
    """
    made = Export(contents)
    if target.is_dir() or not target.suffix:
        return made.to_folder(target, overwrite=overwrite)
    return made.to_file(target, overwrite=overwrite)


def _plan_line(plan: KeptPlan) -> str:
    return codecs.dumps({"plan": plan.body, "hash": plan.plan_hash, "saved_at": plan.saved_at})


def _file_name(run_id: str) -> str:
    """Return the id where it is a plain name; else, since anyone may have made it, a hash."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", run_id):
        return run_id
    return f"run-{hashlib.sha256(run_id.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def write_file(path: Path, lines: Iterator[str], *, overwrite: bool) -> None:
    """Write `lines` to a new file, for this user alone: runs hold what tools and people said.

    Raises:
        StorageError: the file is there and `overwrite` is false, or it can't be written.
    """
    if path.exists() and not overwrite:
        raise StorageError(
            f"{path} is there already: name another file, or export with overwrite (--force)",
            path=path,
        )
    # A name that nobody can foretell: in a shared folder, others could have put a link there.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            for line in lines:
                file.write(line)
                file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise _unwritten(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def _unwritten(error: OSError, path: Path) -> StorageError:
    """Return the error for a file to hand on; what is said of the journal would mislead here."""
    if not path.parent.is_dir():
        return StorageError(
            f"{path} can't be written: there is no folder {path.parent}. Make it, or name a file "
            "elsewhere",
            path=path,
        )
    found = typed(error, path)
    if isinstance(found, StoreFull):
        return found
    reason = error.strerror or str(error)
    return StorageError(
        f"{path} can't be written ({reason}): name a file in a folder of yours", path=path
    )
