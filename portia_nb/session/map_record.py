"""What the store keeps of a map: its rows, which run does which, and how each ended.

It is a record of events like a run's, under an id that begins with ``map-`` and with the plan that
is mapped; so it has one owner at a time, is exported, checked and forgotten as runs are. A row is
the path ``row[3]``. That rows are found again by what they hold is the work of the outputs that
steps share: the end of a row is kept with its key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from portia_nb.errors import PlanRunNotFoundError, StorageError
from portia_nb.model import codecs
from portia_nb.model.events import (
    AnyEvent,
    ErrorRecord,
    ModelReplied,
    Recorded,
    RunCompleted,
    RunCreated,
    RunFailed,
    RunStarted,
    RunStopped,
    RunWaiting,
    StepCancelled,
    StepDone,
    StepFailed,
    StepStarted,
)
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRunState
from portia_nb.model.stretches import StepTimes, Stretch
from portia_nb.storage.history import RunWork
from portia_nb.storage.owner import Owner
from portia_nb.storage.store import Hold, Store

from .launch import free_id
from .map_keys import begun_key
from .map_row import PREFIX, MapRow, RowState, is_map, number_of, path_of
from .map_rows import Rows
from .tapes import clock_of, open_player

if TYPE_CHECKING:
    from .parts import Parts

_RUN = "run"
_VALUE = "value"
_ASKS = "asks"
_ENDS: dict[type[AnyEvent], str] = {
    StepDone: "done",
    StepFailed: "failed",
    StepCancelled: "stopped",
}
SAME = "same row"
EARLIER = "earlier"


class MapRecord:
    """The record of one map, held by its one owner, that writes to it on one thread at a time."""

    def __init__(self, parts: Parts, map_id: str, hold: Hold, seq: int = 0) -> None:
        """Go on writing after the event `seq`; `create` makes the record of a new map."""
        self.id = map_id
        self._store = parts.store
        self._hold = hold
        self._seq = seq
        self.now = clock_of(parts.config)

    @classmethod
    def create(
        cls,
        parts: Parts,
        plan: Plan,
        rows: Rows,
        keys: Sequence[str | None],
        *,
        key: str | None,
        plan_key: str,
        owner: Owner,
    ) -> MapRecord:
        """Begin the record of a new map.

        Args:
            parts: the parts of a `Portia`.
            plan: what is run for each row.
            rows: the rows.
            keys: what tells each row.
            key: what tells the whole.
            plan_key: what the outcome of every row depends on.
            owner: who runs it.
        """
        map_id, store = new_map_id(parts), parts.store
        given = {
            "columns": {name: list(column) for name, column in rows.values.items()},
            "constants": dict(rows.constants),
            "index": list(rows.index),
            "keys": list(keys),
            "total": rows.total,
        }
        first = [Recorded(1, clock_of(parts.config)(), map_id, RunCreated(plan.id, given))]
        made = cls(parts, map_id, store.create_run(map_id, plan, owner=owner, first=first), 1)
        made.add(StepDone("rows", 1, len(rows), cache_key=key))
        made.add(StepDone("plan", 1, len(rows), cache_key=plan_key))
        return made

    def add(self, event: AnyEvent) -> float:
        """Keep an event, and return when it happened. Doesn't wait."""
        self._seq += 1
        at = self.now()
        self._store.append(self._hold, Recorded(self._seq, at, self.id, event))
        return at

    def started(self, by: str, budget: str) -> None:
        """Tell that rows may run."""
        self.add(RunStarted(by, budget))

    def begun(self, row: MapRow, key: str | None) -> None:
        """Tell which run does a row, at the start of an attempt at it."""
        path = path_of(row.number)
        self.add(StepStarted(path, row.attempt))
        shared = None if key is None else begun_key(key)
        told = StepDone(f"{path}/run[{row.attempt}]", 1, row.run_id, cache_key=shared)
        self.add(told)

    def spent(self, row: MapRow, event: ModelReplied) -> None:
        """Tell what a row spent on a model."""
        path = path_of(row.number)
        self.add(ModelReplied(path, event.purpose, event.model, event.duration_s, event.usage))

    def done(self, row: MapRow, key: str | None = None, same_as: int | None = None) -> None:
        """Tell that a row is done; with a key, equal rows of later maps find it."""
        path = path_of(row.number)
        if same_as is not None:
            self.add(StepDone(path, 1, same_as=path_of(same_as)))
            return
        value = row.value
        if codecs.is_unkept(codecs.encode_or_describe(value)):
            # Its run says what it was; the row must be found all the same.
            self.add(StepDone(path, row.attempt or 1, {_RUN: row.run_id}, reused=row.reused))
            return
        told = {_RUN: row.run_id, _VALUE: value}
        self.add(StepDone(path, row.attempt or 1, told, None, None, row.reused, key))

    def failed(self, row: MapRow) -> None:
        """Tell that a row failed."""
        assert row.error is not None
        self.add(StepFailed(path_of(row.number), row.attempt, row.error))

    def left(self, row: MapRow) -> None:
        """Tell that a row waits for an answer or was stopped: it may go on."""
        path = path_of(row.number)
        self.add(StepCancelled(path, row.attempt))
        if row.question:
            self.add(StepDone(f"{path}/{_ASKS}[{row.attempt}]", 1, row.question))

    def ended(self, reason: str, counts: Counter[RowState]) -> None:
        """Tell how the map ended: for a `reason`, or since every row has been run."""
        failed, total = counts[RowState.FAILED], counts.total()
        if reason:
            self.add(RunStopped(reason))
        elif counts[RowState.WAITING]:
            self.add(RunWaiting())
        elif failed:
            self.add(RunFailed(ErrorRecord("RowsFailed", f"{failed} of {total} rows failed")))
        else:
            self.add(RunCompleted())

    async def kept(self) -> None:
        """Return once all is on disk."""
        await self._store.kept(self._hold)

    def release(self) -> None:
        """Give the map up."""
        self._store.release(self._hold)


def new_map_id(parts: Parts) -> str:
    """Return an id that no map of the store has; in a replay it comes from the record."""
    if parts.config.replay is None:
        return f"{PREFIX}{uuid4()}"
    return free_id(parts.store, open_player(parts.config), PREFIX.removesuffix("-"))


class KeptMap:
    """A map as the store has it: read, not held."""

    def __init__(self, store: Store, map_id: str, classes: dict[str, Any] | None = None) -> None:
        """Read it.

        Raises:
            PlanRunNotFoundError: the store holds no such map.
        """
        if not is_map(map_id):
            raise PlanRunNotFoundError(f"{map_id!r} is no id of a map", run_id=map_id)
        self.id = map_id
        self.row = store.find_run(map_id)
        self.events = store.load_events(map_id, classes=classes)
        created = self.events[0].event
        assert isinstance(created, RunCreated)
        self.given = created.inputs

    @property
    def is_complete(self) -> bool:
        """True: every row is done."""
        return isinstance(self.events[-1].event, RunCompleted)

    @property
    def stop_reason(self) -> str:
        """Why it ended before every row was run; empty: it didn't, or it is under way."""
        if self.row.has_died:
            return "its process died"
        last = self.events[-1].event
        return last.reason if isinstance(last, RunStopped) else ""

    @property
    def seconds(self) -> float:
        """Time under way, without the time between a stop and a resume."""
        work = RunWork()
        for recorded in self.events:
            work.add(recorded.event.kind, recorded.at, None)
        return work.close().seconds

    def times(self) -> list[StepTimes]:
        """Return when each row was under way; an unfinished one has no end yet."""
        found: dict[str, list[Stretch]] = {}
        began: dict[str, float] = {}
        for recorded in self.events:
            event, at = recorded.event, recorded.at
            path = getattr(event, "path", None)
            if not isinstance(path, str) or number_of(path) is None:
                continue
            stretches = found.setdefault(path, [])
            if isinstance(event, StepStarted):
                began[path] = at
                stretches.append(Stretch("ran", at, None, "running"))
            elif path in began and (state := _ENDS.get(type(event))):
                stretches[-1] = Stretch("ran", began.pop(path), at, state)
        return [StepTimes(p, s[-1].state, tuple(s)) for p, s in found.items() if s]

    @property
    def seq(self) -> int:
        """Number of the last event."""
        return self.events[-1].seq

    @property
    def budget(self) -> str:
        """What it might spend, as text, when it last ran."""
        said = [e.event.budget for e in self.events if isinstance(e.event, RunStarted)]
        return next((budget for budget in reversed(said) if budget), "")

    def rows(self) -> Rows:
        """Return the rows that it was given.

        Raises:
            StorageError: they hold values that no store can keep.
        """
        given = self.given
        for part in ("columns", "constants", "index"):
            if isinstance(given.get(part), codecs.Unkept):
                raise StorageError(
                    f"the rows of {self.id} hold values that can't be kept: pass the rows again",
                    run_id=self.id,
                )
        return Rows(given["index"], given["columns"], given["constants"], None, given["total"])

    def outcomes(self) -> list[MapRow]:
        """Return how far each row had got."""
        index = self.given["index"]
        count = next(e.event.value for e in self.events if isinstance(e.event, StepDone))
        labels = range(count) if isinstance(index, codecs.Unkept) else index
        found = [MapRow(number, label) for number, label in enumerate(labels)]
        begun: dict[int, float] = {}
        is_under_way = self.row.state is PlanRunState.IN_PROGRESS and not self.row.has_died
        for recorded in self.events:
            path = getattr(recorded.event, "path", None)
            if not isinstance(path, str):
                continue
            head, _, inside = path.partition("/")
            number = number_of(head)
            if number is not None:
                _apply(found, found[number], recorded, inside, begun)
        for row in found:
            if is_under_way and row.state is RowState.STOPPED:
                row.state = RowState.RUNNING
        return found


def _apply(
    rows: list[MapRow], row: MapRow, recorded: Recorded, inside: str, begun: dict[int, float]
) -> None:
    event, at = recorded.event, recorded.at
    match event:
        case StepStarted(_, attempt):
            row.state, row.attempt, row.error = RowState.STOPPED, attempt, None
            row.question = ""
            begun[row.number] = at
        case StepDone() if inside.startswith(_ASKS):
            row.state, row.question = RowState.WAITING, str(event.value)
        case StepDone() if inside:
            row.run_id = event.value
        case StepDone(_, _, value, same_as=same_as, reused=reused):
            row.state, row.reused, row.error = RowState.DONE, reused, None
            row.question = ""
            if same_as is not None:
                other = rows[number_of(same_as) or 0]
                row.run_id, row.value, row.reused = other.run_id, other.value, SAME
            else:
                row.run_id, row.value = read_done(value)
            row.seconds = at - begun[row.number] if row.number in begun else None
        case StepFailed(_, _, error):
            row.state, row.error = RowState.FAILED, error
            row.seconds = at - begun.get(row.number, at)
        case ModelReplied():
            row.spend(event.model, event.usage)
        case _:
            pass


def read_done(value: Any) -> tuple[str | None, Any]:
    """Return the run and the output that the end of a row tells of."""
    return (value.get(_RUN), value.get(_VALUE)) if isinstance(value, dict) else (None, None)


def holds_value(value: Any) -> bool:
    """Tell whether the end of a row tells its output, too."""
    return isinstance(value, dict) and _VALUE in value
