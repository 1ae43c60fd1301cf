"""Lists of runs for people: which match, and what each has done; no value is read."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from portia_nb.errors import StoreDamaged
from portia_nb.model import codecs
from portia_nb.model.composite import each_step
from portia_nb.model.events import ModelReplied, Recorded, RunCreated, StepDone

from . import queries, schema
from .faults import how_to_go_on

if TYPE_CHECKING:
    from pathlib import Path

    from portia_nb.model.plan import Plan
    from portia_nb.model.run import PlanRunState

    from .store import RunRow

_ALL = 2**62
_AT_ONCE = 500
_ROUND = re.compile(r"\[\d+\]")
_STARTS = ("run_started",)
_ENDS = ("run_completed", "run_failed", "run_stopped", "run_waiting")
_ROW = re.compile(r"row\[\d+\]")
_ROW_ENDS = ("step_started", "step_done", "step_failed", "step_cancelled")
_ROWS = "rows"
"""Where the record of a map tells how many rows it has, in its second event."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted; what is None excludes none."""

    states: frozenset[PlanRunState] | None = None
    since: float | None = None
    """Made at this time or later, in seconds since the epoch."""
    goal: str | None = None
    """Text in the plan's query, whatever its case."""
    forked_from: str | None = None
    """Id of the run that they were forked from."""
    tool: str | None = None
    """Id of a tool that a step of the plan names."""
    map_id: str | None = None
    """Id of the map that they are rows of; empty: they are rows of none."""


class Asked(NamedTuple):
    """What a run has asked of one model."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(slots=True)
class RunWork:
    """What a run has done so far."""

    started_at: float | None = None
    """When it was first started, in seconds since the epoch; None: not yet."""
    seconds: float = 0.0
    """Time under way, without the time between a stop and a resume."""
    steps: int = 0
    """Steps in the plan, with those inside others."""
    over: set[str] = field(default_factory=set[str])
    """Places of the steps that are done or skipped; of a loop's steps in any round."""
    asked: dict[str, Asked] = field(default_factory=dict[str, Asked])
    """By model; planning included."""
    rows: int | None = None
    """Rows of a map; None: it is none."""
    row_ends: dict[str, str] = field(default_factory=dict[str, str])
    """By a map's row, the kind of the last event of it."""
    _since: float | None = None
    _last: float = 0.0

    def add(self, kind: str, at: float, path: str | None) -> None:
        """Count an event, the next of its run."""
        if kind in _STARTS:
            self._pause(self._last)
            self._since = at
            self.started_at = at if self.started_at is None else self.started_at
        elif kind in _ENDS:
            self._pause(at)
        elif kind in ("step_done", "step_skipped") and path and path[-1] != "]":
            self.over.add(_ROUND.sub("", path))
        elif self.rows is not None and kind in _ROW_ENDS and path and _ROW.fullmatch(path):
            self.row_ends[path] = kind
        self._last = at

    def add_reply(self, model: str, calls: int, sent: int, back: int) -> None:
        """Count a model's reply."""
        had = self.asked.get(model, Asked())
        self.asked[model] = Asked(
            had.calls + calls, had.input_tokens + sent, had.output_tokens + back
        )

    def close(self) -> RunWork:
        """Count the time of a run that has not ended up to its last event, and return this."""
        self._pause(self._last)
        return self

    def _pause(self, at: float) -> None:
        if self._since is not None:
            self.seconds += max(at - self._since, 0.0)
            self._since = None


def work_in(plan: Plan, events: Iterable[Recorded]) -> RunWork:
    """Return what a run of `plan` has done, from its events in order."""
    work = RunWork(steps=sum(1 for _ in each_step(plan.steps)))
    for recorded in events:
        event = recorded.event
        path = getattr(event, "path", None)
        if _tells_rows(recorded.seq, path) and isinstance(event, StepDone):
            work.rows = event.value
        work.add(event.kind, recorded.at, path)
        if isinstance(event, ModelReplied):
            used = event.usage
            work.add_reply(event.model, used.calls, used.input_tokens, used.output_tokens)
    return work.close()


def _tells_rows(seq: int, path: str | None) -> bool:
    """Tell whether the end of a step says how many rows a map has: no run's step ends so early."""
    return seq == 2 and path == _ROWS


def map_of(events: Sequence[Recorded]) -> str:
    """Return the id of the map that a run is a row of; empty: of none."""
    created = events[0].event if events else None
    return (created.map_id or "") if isinstance(created, RunCreated) else ""


def matches(row: RunRow, wanted: RunFilter) -> bool:
    """Tell whether a run's row has what `wanted` says of rows."""
    return (
        (wanted.states is None or row.state in wanted.states)
        and (wanted.since is None or row.created_at >= wanted.since)
        and (wanted.goal is None or wanted.goal.casefold() in row.query.casefold())
        and (wanted.forked_from is None or row.forked_from == wanted.forked_from)
    )


def names_tool(plan: Plan, tool: str) -> bool:
    """Tell whether a step of `plan`, at any depth, names the tool with the id `tool`."""
    return any(
        step.tool_id == tool or tool in (getattr(step, "tool_ids", None) or ())
        for step in each_step(plan.steps)
    )


class JournalHistory:
    """The part of a journal that lists runs for people."""

    path: Path
    _catch_up: Callable[[], None]

    def list_runs(self, wanted: RunFilter) -> list[RunRow]:
        """Return all runs that match, newest first, as `Store.list_runs` promises."""
        with self._reading() as connection:
            rows = queries.find_runs(connection, None, None, _ALL, self.path)
            found = [row for row in rows if matches(row, wanted)]
            if wanted.map_id is not None:
                # Rows of a map that isn't kept any more are runs like others: no map tells of them.
                here = {row.run_id for row in rows}
                of = {run: of for run, of in _maps_of_runs(connection).items() if of in here}
                found = [row for row in found if of.get(row.run_id, "") == wanted.map_id]
            if wanted.tool is None:
                return found
            using = set(_plans_with(connection, wanted.tool))
            return [row for row in found if (row.plan_id, row.plan_hash) in using]

    def work_of(self, run_ids: Sequence[str]) -> dict[str, RunWork]:
        """Return what runs have done, as `Store.work_of` promises."""
        found: dict[str, RunWork] = {}
        sizes: dict[tuple[str, str], int] = {}
        with self._reading() as connection:
            for start in range(0, len(run_ids), _AT_ONCE):
                some = [str(run_id) for run_id in run_ids[start : start + _AT_ONCE]]
                found.update(self._work(connection, some, sizes))
        return found

    def _work(
        self, connection: sqlite3.Connection, run_ids: list[str], sizes: dict[Any, int]
    ) -> dict[str, RunWork]:
        marks = ",".join("?" * len(run_ids))
        runs = connection.execute(
            f"SELECT number, id, plan_id, plan_hash FROM run WHERE id IN ({marks})", run_ids
        ).fetchall()
        work: dict[int, RunWork] = {}
        for number, _, plan_id, plan_hash in runs:
            if (key := (plan_id, plan_hash)) not in sizes:
                sizes[key] = _size(connection, *key)
            work[number] = RunWork(steps=sizes[key])
        numbers = list(work)
        # Values are never read: only replies of models have a body that counts, and ends of steps
        # whose values could not be kept, which have no path of their own (`EventRow.path`).
        events = connection.execute(
            "SELECT run, kind, at, path, CASE WHEN kind = 'model_replied'"
            " OR (kind = 'step_done' AND (path IS NULL OR (seq = 2 AND path = 'rows')))"
            " THEN body END FROM event"
            f" WHERE run IN ({','.join('?' * len(numbers))}) ORDER BY run, seq",
            numbers,
        )
        try:
            for number, kind, at, path, body in events:
                data = None if body is None else json.loads(body)
                if path == _ROWS and data is not None:
                    work[number].rows = int(data["value"])
                work[number].add(kind, at, path if data is None else data["path"])
                if kind == "model_replied" and data is not None:
                    _add_reply(work[number], data)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StoreDamaged(
                f"{self.path}: an event of its runs is damaged: {error}. "
                + how_to_go_on(self.path),
                path=self.path,
            ) from error
        return {run_id: work[number].close() for number, run_id, *_ in runs}

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        self._catch_up()
        return schema.reading(self.path)


def _add_reply(work: RunWork, data: dict[str, Any]) -> None:
    usage = data["usage"]
    work.add_reply(
        str(data["model"]),
        int(usage["calls"]),
        int(usage["input_tokens"]),
        int(usage["output_tokens"]),
    )


def _maps_of_runs(connection: sqlite3.Connection) -> dict[str, str]:
    """Return, by the id of each run that is a row of a map, the map's id."""
    # The text alone would find it among a run's inputs.
    rows = connection.execute(
        "SELECT run.id, body FROM event JOIN run ON run.number = event.run"
        ' WHERE seq = 1 AND instr(body, CAST(\'"map_id":"\' AS BLOB))'
    )
    found = {run_id: _body(body) for run_id, body in rows}
    return {
        run_id: body["map_id"]
        for run_id, body in found.items()
        if isinstance(body, dict) and body.get("map_id")
    }


def _size(connection: sqlite3.Connection, plan_id: str, plan_hash: str) -> int:
    row = connection.execute(
        "SELECT body FROM plan WHERE id = ? AND hash = ?", (plan_id, plan_hash)
    ).fetchone()
    return 0 if row is None else sum(1 for _ in _each(_body(row[0])))


def _plans_with(connection: sqlite3.Connection, tool: str) -> Iterator[tuple[str, str]]:
    # The text alone would find it in a task, or among the tools that a planner was offered.
    written = codecs.dumps(tool).encode()
    rows = connection.execute(
        "SELECT id, hash, body FROM plan WHERE instr(body, CAST(? AS BLOB))", (written,)
    )
    for plan_id, plan_hash, body in rows:
        steps = _each(_body(body))
        if any(s.get("tool_id") == tool or tool in (s.get("tool_ids") or ()) for s in steps):
            yield plan_id, plan_hash


def _body(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return {}  # what is damaged is told where the plan itself is read


def _each(holder: Any) -> Iterator[dict[str, Any]]:
    """Yield each step in the JSON of a plan, a branch, or a step."""
    for step in holder.get("steps") or () if isinstance(holder, dict) else ():
        if isinstance(step, dict):
            yield step
            yield from _each(step)
            for branch in step.get("branches") or ():
                yield from _each(branch)
