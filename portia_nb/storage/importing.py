"""Reading what an export wrote, each line checked: such a file may come from anyone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from portia_nb.errors import StorageError, StoreTooNew
from portia_nb.model import codecs
from portia_nb.model.approval import Approval
from portia_nb.model.events import AnyEvent, Recorded, StepDone, event_from_json
from portia_nb.model.plan import Plan

from .contents import KeptEvent
from .export import FORMAT, HEADER, SUFFIX
from .faults import typed
from .reports import Finding, ImportReport
from .rows import blobs_in, path_of
from .run_files import lines_of, read_document
from .seal import is_sealed, sealed
from .shelf_lines import KeptName, read_approval, read_name
from .states import StateSoFar
from .strangers import contradiction, misfit

_MAX_ID_CHARS = 200
_FAR = 1e12


@dataclass
class ReadRun:
    """One run as it was read: all of it, or of a salvaged one, its beginning."""

    run_id: str
    plan: Plan
    created_at: float
    events: list[KeptEvent] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)
    """The same as objects; classes come back as the plain data in them."""
    state_so_far: StateSoFar = field(default_factory=StateSoFar)


class _Refused(Exception):
    """A run, or a plan, that isn't taken."""


@dataclass
class _Announced:
    """What a run's own line says."""

    run_id: str
    plan_key: tuple[str, str]
    created_at: float
    count: int


@dataclass
class Import:
    """One import: goes through files, and hands over each plan and each run that is whole."""

    add_plan: Callable[[Plan], None]
    add_run: Callable[[ReadRun], bool]
    """Returns False where the run is there already, the same; raises `StorageError` to refuse."""
    add_name: Callable[[KeptName], bool]
    """Likewise."""
    add_approval: Callable[[Approval], bool]
    """Likewise."""
    takes_approvals: bool = False
    """False: approvals are left out. Whoever sends a file could have approved anything in it."""
    added: list[str] = field(default_factory=list)
    already_here: list[str] = field(default_factory=list)
    refused: list[Finding] = field(default_factory=list)
    shortened: list[Finding] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    approvals: int = 0
    approvals_left_out: int = 0
    shelf: list[KeptName | Approval] = field(default_factory=list)
    """They are added last: the plans that they are about may stand in later files."""

    def take(self, source: Path) -> ImportReport:
        """Import a file, or every export in a folder.

        Raises:
            StorageError: it can't be read, or isn't an export.
            StoreTooNew: a later version of portia_nb exported it.
        """
        files = sorted(source.glob(f"*{SUFFIX}")) if source.is_dir() else [source]
        if not files:
            raise StorageError(f"{source} holds no export (*{SUFFIX})", path=source)
        try:
            for file in files:
                _File(self, file).read()
        except StorageError as error:
            if not self.added:
                raise
            said = f"{error}. Of what stands before it, {len(self.added)} runs were added"
            raise type(error)(said, **error.facts) from error
        finally:
            for each in self.shelf:
                self._take_shelved(each)
        return ImportReport(
            tuple(self.added),
            tuple(self.already_here),
            tuple(self.refused),
            tuple(self.shortened),
            tuple(self.names),
            self.approvals,
            self.approvals_left_out,
        )

    def _take_shelved(self, each: KeptName | Approval) -> None:
        try:
            if isinstance(each, KeptName):
                if self.add_name(each):
                    self.names.append(each.name)
            elif self.takes_approvals:
                # Those for one run keep their ids, by which its events name them.
                is_ours = is_sealed(each) or not each.stands
                self.approvals += self.add_approval(each if is_ours else sealed(each))
            else:
                self.approvals_left_out += 1
        except StorageError as error:
            self.refused.append(Finding(str(error)))


class _File:
    """One file of an import."""

    def __init__(self, target: Import, path: Path) -> None:
        self._target = target
        self._path = path
        self._plans: dict[tuple[str, str], Plan] = {}
        self._is_salvaged = False
        self._runs, self._runs_to_come = 0, 0
        self._announced: _Announced | None = None
        self._events: list[KeptEvent] = []

    def read(self) -> None:
        for number, data in enumerate(self._objects(), start=1):
            if number == 1:
                self._check_header(data)
            elif "plan" in data:
                self._end_run()
                self._read_plan(data)
            elif "run" in data:
                self._end_run()
                self._begin_run(data, number)
            elif "name" in data or "approval" in data:
                self._end_run()
                self._read_shelved(data, number)
            elif "event" in data and self._announced is not None:
                self._events.append(self._event(data, number))
            else:
                raise self._broken(number, "it is neither a plan nor a run nor an event of one")
        self._end_run()
        if self._runs < self._runs_to_come:
            self._refuse(
                f"{self._path} ends early: of the {self._runs_to_come} runs that it announces, "
                f"{self._runs} are in it"
            )

    def _objects(self) -> Iterator[dict[str, Any]]:
        """Yield the lines, as objects; a document of one run as the lines that say the same."""
        document = read_document(self._path)
        if document is not None:
            yield from lines_of(document, self._path)
            return
        number = 0
        try:
            with self._path.open("rb") as file:
                for number, line in enumerate(file, start=1):
                    data = codecs.loads(line)
                    if not isinstance(data, dict):
                        raise self._broken(number, "it is no JSON object")
                    yield data
        except OSError as error:
            raise typed(error, self._path) from error
        except ValueError as error:
            raise self._broken(max(number, 1), f"it is not JSON ({error})") from error
        if not number:
            raise self._broken(1, "the file is empty")

    def _broken(self, number: int, why: str) -> StorageError:
        return StorageError(
            f"{self._path}, line {number}: {why}; a file is needed that "
            "`portia-nb store export` or `portia-nb export` wrote",
            path=self._path,
            line=number,
        )

    def _check_header(self, data: dict[str, Any]) -> None:
        found = data.get(HEADER)
        if type(found) is not int:
            raise self._broken(1, f"the file doesn't begin with {HEADER!r}")
        if found > FORMAT:
            raise StoreTooNew(
                f"{self._path} is an export of format {found}, and this version of portia_nb knows "
                f"formats up to {FORMAT}: upgrade portia_nb",
                path=self._path,
                version=found,
            )
        self._is_salvaged = data.get("salvaged") is True
        announced = data.get("runs")  # older exports don't say
        self._runs_to_come = announced if type(announced) is int else 0

    def _read_shelved(self, data: dict[str, Any], number: int) -> None:
        try:
            self._target.shelf.append(read_name(data) if "name" in data else read_approval(data))
        except ValueError as error:
            raise self._broken(number, str(error)) from error

    def _read_plan(self, data: dict[str, Any]) -> None:
        plan_id = data["plan"].get("id") if isinstance(data["plan"], dict) else None
        try:
            plan = Plan.model_validate(data["plan"])
        except ValueError as error:
            self._refuse(f"plan {plan_id!r} can't be read: {error}")
            return
        if plan.content_hash() != data.get("hash"):
            # Runs are approved and resumed by this hash: it must be the content's.
            self._refuse(f"plan {plan.id} isn't the one that its hash names")
            return
        self._plans[str(plan.id), plan.content_hash()] = plan
        self._target.add_plan(plan)

    def _begin_run(self, data: dict[str, Any], number: int) -> None:
        created_at, count = data.get("created_at"), data.get("events")
        run_id, plan_id, plan_hash = (data.get(key) for key in ("run", "plan_id", "plan_hash"))
        if not all(_is_id(each) for each in (run_id, plan_id, plan_hash)):
            raise self._broken(number, "run, plan_id and plan_hash are texts")
        if not _is_time(created_at) or type(count) is not int or count < 0:
            raise self._broken(number, "created_at and events are numbers")
        key = (str(plan_id), str(plan_hash))
        self._runs += 1
        self._announced, self._events = _Announced(str(run_id), key, created_at, count), []

    def _event(self, data: dict[str, Any], number: int) -> KeptEvent:
        seq, at, event = data.get("seq"), data.get("at"), data["event"]
        if type(seq) is not int or not _is_time(at) or not isinstance(event, dict):
            raise self._broken(number, "seq and at are numbers, event is an object")
        return KeptEvent(seq, float(at), event)

    def _end_run(self) -> None:
        announced, self._announced = self._announced, None
        if announced is None:
            return
        try:
            run = self._checked(announced)
            is_new = self._target.add_run(run)
        except (_Refused, StorageError) as error:
            self._refuse(f"run {announced.run_id} is not added: {error}", announced.run_id)
            return
        (self._target.added if is_new else self._target.already_here).append(run.run_id)
        if len(run.events) < announced.count:
            self._target.shortened.append(
                Finding(
                    f"run {run.run_id} ends with event {len(run.events)} of {announced.count}: the "
                    "next one was lost, and what came after it may be done again if it is resumed",
                    run.run_id,
                )
            )

    def _checked(self, announced: _Announced) -> ReadRun:
        plan = self._plans.get(announced.plan_key)
        if plan is None:
            raise _Refused(f"its plan {announced.plan_key[0]} isn't in the file")
        run = ReadRun(announced.run_id, plan, announced.created_at)
        done: set[str] = set()
        for kept in self._events:
            if kept.seq != len(run.events) + 1:
                break
            event = _event_of(kept, run.run_id)
            path = path_of(kept.data)
            if type(event) is StepDone and path is not None:
                if path in done:
                    raise _Refused(f"step {path!r} is recorded as done twice")
                done.add(path)
            run.events.append(kept)
            run.recorded.append(Recorded(kept.seq, kept.at, run.run_id, event))
            run.state_so_far.add(event)
        if len(run.events) != announced.count and not self._is_salvaged:
            raise _Refused(
                f"of its {announced.count} events {len(run.events)} are in the file, in order"
            )
        if (wrong := contradiction(run.run_id, plan, run.recorded)) is not None:
            raise _Refused(wrong)
        return run

    def _refuse(self, what: str, run_id: str | None = None) -> None:
        self._target.refused.append(Finding(what, run_id))


def _event_of(kept: KeptEvent, run_id: str) -> AnyEvent:
    """Return the event, or refuse it.

    A field that names a file would let a stranger's export read files of this store's runs.
    """
    try:
        if blobs_in(kept.data):
            raise _Refused(f"event {kept.seq} refers to a file beside the journal")
        event = event_from_json(kept.data)
    except (StorageError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise _Refused(f"event {kept.seq} can't be read: {error}") from error
    if (wrong := misfit(event)) is not None:
        raise _Refused(f"event {kept.seq} can't be read: {wrong}")
    if event.passing:
        raise _Refused(f"event {kept.seq} is of a kind that is never kept")
    return event


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID_CHARS and value.isprintable()


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and -_FAR < value < _FAR  # false for not-a-number
