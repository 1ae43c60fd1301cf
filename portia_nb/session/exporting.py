"""Writing runs and plans to files that people hand on: which kind a file is, and what is left out.

The suffix says the kind: of a run ``.html``, ``.json``, ``.jsonl`` or ``.py``, of a plan ``.py``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from portia_nb.drawing.clean import clean, prose
from portia_nb.drawing.text import counted
from portia_nb.errors import InvalidOption, StorageError
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun
from portia_nb.storage.export import write_file

from .parts import Parts
from .redacting import Redacted, Redactor
from .run_document import RunDocument, document_of

RUN_KINDS = {
    ".html": "a page for people",
    ".json": "a document that `portia-nb store import` reads",
    ".jsonl": "a trace, a line for each event",
    ".py": "a test for pytest, with its record beside it",
}
PLAN_KINDS = {".py": "a script that builds the plan"}
_LISTED = 40


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """What an export wrote, or in a preview would write."""

    path: Path
    size: int
    """Bytes."""
    redacted: tuple[Redacted, ...]
    """Each place from which something is taken out, and why."""
    is_written: bool
    """False: a preview; nothing was written."""
    also: tuple[Path, ...] = ()
    """Files beside it that belong to it."""

    def __repr__(self) -> str:
        listed = [f"  {clean(each.place)}: {clean(each.why)}" for each in self._listed()]
        return "\n".join([self._headline(), *listed, *self._rest()])

    def _repr_html_(self) -> str:
        """Return it as HTML for a notebook: no script, everything escaped, on one line."""
        items = "".join(
            f"<li>{prose(each.place)}: <b>{prose(each.why)}</b></li>" for each in self._listed()
        )
        rest = "".join(f"<li>{prose(each.strip())}</li>" for each in self._rest())
        return (
            f'<div class="portia-record"><p>{prose(self._headline())}</p>'
            f"<ul>{items}{rest}</ul></div>"
        )

    def to_frame(self) -> Any:
        """Return the places as a pandas `DataFrame` with the columns ``place`` and ``why``.

        Raises:
            ImportError: pandas isn't installed.
        """
        from .frames import frame

        rows = [{"place": each.place, "why": each.why} for each in self.redacted]
        return frame(rows, columns=("place", "why"))

    def _headline(self) -> str:
        places = counted(len(self.redacted), "place")
        beside = "".join(f" and {clean(str(each))}" for each in self.also)
        if self.is_written:
            return (
                f"Written to {clean(str(self.path))}{beside} ({self.size:,} bytes); {places} "
                + ("redacted.")
            )
        return (
            f"{clean(str(self.path))}{beside} would have {self.size:,} bytes; {places} would be "
            "redacted. Nothing is written yet."
        )

    def _listed(self) -> Sequence[Redacted]:
        return self.redacted[:_LISTED]

    def _rest(self) -> list[str]:
        more = len(self.redacted) - _LISTED
        return [f"  and {counted(more, 'place')} more"] if more > 0 else []


@dataclass(frozen=True, slots=True)
class Wanted:
    """How an export is wanted."""

    values: bool = True
    redact: bool = True
    emails: bool = False
    overwrite: bool = False
    preview: bool = False
    record: Any = None


def export(
    parts: Parts, what: PlanRun | Plan | str, target: str | Path | None, wanted: Wanted
) -> ExportedFile:
    """Write a run or a plan to a file, as `Portia.export` promises."""
    if not isinstance(what, PlanRun) and (isinstance(what, Plan) or str(what).startswith("plan-")):
        plan = parts.find_plan(what)
        path = target_of(target, "plan.py", PLAN_KINDS, "a plan")
        return _export_plan(parts, plan, path, wanted)
    run_id = str(what.id if isinstance(what, PlanRun) else what)
    path = target_of(target, f"{run_id}.html", RUN_KINDS, "a run")
    redactor = redactor_of(parts, wanted)
    document = document_of(parts.store, run_id, redactor, values=wanted.values)
    if path.suffix == ".py":
        from .replay_test import write_test

        return write_test(parts, document, path, wanted)
    return put(path, _text(document, path), document.redacted, wanted)


def redactor_of(parts: Parts, wanted: Wanted) -> Redactor:
    """Return what takes out secrets: those of the settings, the environment, and their forms."""
    return Redactor(parts.secrets(), emails=wanted.emails, is_on=wanted.redact)


def put(
    path: Path,
    text: str,
    redacted: Sequence[Redacted],
    wanted: Wanted,
    also: Sequence[tuple[Path, str]] = (),
) -> ExportedFile:
    """Write a text, and files that belong to it, whole or not at all; or only say what it would be.

    Raises:
        StorageError: a file is there with something else in it, or can't be written.
    """
    files = [*also, (path, text)]
    size = sum(len(each.encode("utf-8", "replace")) for _, each in files)
    if not wanted.preview:
        changed = [(name, each) for name, each in files if not _holds(name, each)]
        for name, _ in changed:
            if name.exists() and not wanted.overwrite:
                raise StorageError(
                    f"{name} is there already, with something else in it: name another file, or "
                    "export with overwrite=True (--force)",
                    path=name,
                )
        for name, each in changed:
            write_file(name, iter([each.removesuffix("\n")]), overwrite=wanted.overwrite)
    names = tuple(name for name, _ in also)
    return ExportedFile(path, size, tuple(redacted), not wanted.preview, names)


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def target_of(given: str | Path | None, default: str, kinds: dict[str, str], what: str) -> Path:
    """Return the file that is meant.

    Raises:
        InvalidOption: its suffix is none of `kinds`.
    """
    path = Path(given if given is not None else default).expanduser()
    if path.suffix not in kinds:
        known = "; ".join(f"{suffix}: {kind}" for suffix, kind in kinds.items())
        raise InvalidOption(
            f"{str(given)!r}: the file's name says what {what} becomes. {known}", option="target"
        )
    return path


def _text(document: RunDocument, path: Path) -> str:
    match path.suffix:
        case ".html":
            from .run_page import run_page

            return run_page(document)
        case ".json":
            return document.as_json()
        case _:
            return "\n".join(document.as_lines()) + "\n"


def _export_plan(parts: Parts, plan: Plan, path: Path, wanted: Wanted) -> ExportedFile:
    redactor = redactor_of(parts, wanted)
    data = plan.model_dump(mode="json")
    redactor.learn(data)
    mended = redactor.plan(data)
    if redactor.found:
        plan = _without_secrets(plan, mended)
    return put(path, plan.to_script(), redactor.found, wanted)


def _without_secrets(plan: Plan, mended: dict[str, Any]) -> Plan:
    """Return the plan that `mended` says, with the functions of `plan` where they are the same."""
    from portia_nb.planning.binding import with_functions_of

    return with_functions_of(Plan.model_validate(json.loads(json.dumps(mended))), plan)
