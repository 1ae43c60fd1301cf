"""A map while it lives in this process: its rows run beside each other, each a run of its own."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from portia_nb.errors import PlanRunNotFoundError, PortiaBaseError
from portia_nb.model.clarification import Clarification
from portia_nb.model.end_user import EndUser
from portia_nb.model.events import AnyEvent, ModelReplied, Recorded, StepFailed
from portia_nb.model.plan import Plan
from portia_nb.model.run import PlanRun, PlanRunState, Run
from portia_nb.running.background import background
from portia_nb.running.failures import record_error
from portia_nb.running.meter import Meter
from portia_nb.tools.aside import run_aside
from portia_nb.tools.registry import ToolRegistry

from . import launch
from .answering import DeclaredAnswers, misfit
from .launch import Company
from .live import LiveRun
from .map_record import SAME, MapRecord
from .map_row import MapRow, RowState, path_of
from .map_rows import Rows
from .parts import Parts
from .resuming import prepare_resume
from .unanswered import answer_by_default
from .unsaid import without_secrets

Listener = Callable[["LiveMap", MapRow | None], None]

logger = logging.getLogger("portia_nb")

# Module state: which maps live in this process, whichever Portia started them.
_live: WeakValueDictionary[str, LiveMap] = WeakValueDictionary()


def live_map(map_id: str) -> LiveMap | None:
    """Return the map with this id where it lives in this process, else None."""
    found = _live.get(map_id)
    if found is None or found.is_over or found.pid != os.getpid():
        return None  # after a fork it lives in the parent
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class MapJob:
    """What is to be done, once it is all checked."""

    parts: Parts
    plan: Plan
    rows: Rows
    keys: Sequence[str | None]
    registry: ToolRegistry
    record: MapRecord
    outcomes: list[MapRow]
    """How far each row has got; those that are done aren't run."""
    same_as: Mapping[int, int] = field(default_factory=dict[int, int])
    """Rows that take over the output of an equal one before them."""
    end_user: EndUser
    meter: Meter | None = None
    max_parallel: int = 8
    stops_on_error: bool = False
    answers: Mapping[str, Any] = field(default_factory=dict[str, Any])
    gate: bool = False
    """True: calls with side effects are put to a person; nobody is there, so such rows wait."""
    caller: asyncio.AbstractEventLoop | None = None
    resumed: bool = False
    """True: the record had been begun before."""
    take_over: bool = False
    """True: the runs of rows, too, are taken from a live process that has them."""
    first: Sequence[AnyEvent] = ()
    """What the record tells before it starts, such as who approved it."""


class LiveMap:
    """One map that lives in this process; `stop` and `add_listener` may be called from any thread.

    What it has got so far may be read from any thread too: `rows`, `counts` and `seconds`.
    """

    def __init__(self, job: MapJob, listeners: Sequence[Listener] = ()) -> None:
        """Prepare; `start` starts it."""
        self.job = job
        self.id = job.record.id
        self.plan = job.plan
        self.rows = job.outcomes
        self.counts: Counter[RowState] = Counter(row.state for row in self.rows)
        self.done: Future[None]
        self.pid = os.getpid()
        self.stop_reason = ""
        """Why it ended before all rows were done; empty: it didn't, or it lives."""
        self.began = job.record.now()
        self.already = self.counts[RowState.DONE]
        """Rows that were done before it started."""
        self._ended: float | None = None
        self._listeners = tuple(listeners)
        self._live: dict[int, LiveRun] = {}
        self._stopping = ""
        self._waits_for: dict[int, list[int]] = {}
        for number, first in job.same_as.items():
            self._waits_for.setdefault(first, []).append(number)

    def start(self) -> LiveMap:
        """Start it, once."""
        _live[self.id] = self
        self.began = self.job.record.now()  # not when it was made ready: a view may open first
        self.done = background.submit(self._run())
        return self

    def give_back(self) -> None:
        """Let go of a map that won't be started; a new one is deleted, since it has done nothing.

        Waits for the disk.
        """
        self.job.record.release()
        if not self.job.resumed:
            self.job.parts.store.delete_run(self.id, force=True)

    def add_listener(self, listener: Listener) -> None:
        """Call ``listener(map, row)`` on the background thread whenever a row has got further.

        At the end it is called once with None for the row, before `done` resolves. Be quick.
        """
        self._listeners = (*self._listeners, listener)

    def stop(self, reason: str = "stopped") -> None:
        """Stop: no row starts from now on, and the runs under way are stopped; outputs are kept."""
        background.post(self._stop, reason)

    @property
    def seconds(self) -> float:
        """Seconds since it was started, until it ended."""
        ended = self.job.record.now() if self._ended is None else self._ended
        return max(ended - self.began, 0.0)  # clocks may be set back

    @property
    def is_over(self) -> bool:
        """True: nothing changes any more."""
        return self._ended is not None

    # -- on the background loop ------------------------------------------------------------------

    def _wind_up(self, reason: str) -> None:
        """Let no further row start; those under way go on."""
        self._stopping = self._stopping or reason

    def _stop(self, reason: str) -> None:
        self._wind_up(reason)
        for live in tuple(self._live.values()):
            live.stop(reason)

    async def _run(self) -> None:
        job = self.job
        try:
            owner = job.parts.owner()
            budget = "" if job.meter is None else str(job.meter.budget)
            for event in job.first:
                job.record.add(event)
            job.record.started(f"{owner.host}:{owner.pid}", budget)
            todo = deque(
                row
                for row in self.rows
                if row.state is not RowState.DONE and row.number not in job.same_as
            )
            for row in [row for row in self.rows if row.state is RowState.DONE]:
                if not job.resumed:  # taken over just now, so this record doesn't know of it
                    job.record.done(row)
                self._share(row)
            workers = min(job.max_parallel, len(todo))
            await asyncio.gather(*(self._work(todo) for _ in range(workers)))
            self.stop_reason = self._why()
            job.record.ended(self.stop_reason, self.counts)
            await job.record.kept()
        finally:
            self._ended = job.record.now()
            job.record.release()
            self._tell(None)

    async def _work(self, todo: deque[MapRow]) -> None:
        while todo and not self._stopping:
            row = todo.popleft()
            try:
                await self._do(row)
            except asyncio.CancelledError:
                self._stop("cancelled")
                raise
            except PortiaBaseError as error:
                # The run could not be started or kept: the row's own trouble, if it has any.
                self._fail(row, error)
            if row.state is RowState.FAILED and self.job.stops_on_error:
                self._wind_up(f"row {row.label!r} failed, and on_error is 'stop'")
            # Rows of nothing but plain values must not keep answers and stops from being heard.
            await asyncio.sleep(0)

    def _fail(self, row: MapRow, error: PortiaBaseError) -> None:
        told = StepFailed(path_of(row.number), row.attempt, record_error(error))
        blotted = without_secrets(told, self.job.parts.secrets)
        assert isinstance(blotted, StepFailed)
        row.error = blotted.error
        self.job.record.failed(row)
        self._turn(row, RowState.FAILED)

    async def _do(self, row: MapRow) -> None:
        began = self.job.record.now()
        row.attempt += 1
        row.error, row.question = None, ""
        found = await self._prepare(row)
        row.run_id = str(found.id)
        self.job.record.begun(row, self.job.keys[row.number])
        self._turn(row, RowState.RUNNING)
        if isinstance(found, LiveRun):
            self._live[row.number] = found
            try:
                done = found.start().done
                if self._stopping:  # it was said while a thread looked for the row's run
                    found.stop(self._stopping)
                ended = await asyncio.wrap_future(done)
            finally:
                self._live.pop(row.number, None)
        else:
            ended = found
        row.seconds = max(self.job.record.now() - began, 0.0)
        self._take(row, ended)

    async def _prepare(self, row: MapRow) -> LiveRun | PlanRun:
        """Return the run of a row: the one that it had, where it isn't done, else a new one."""
        job, company = self.job, self._company(row)
        if row.run_id is not None:
            try:
                return await run_aside(
                    prepare_resume,
                    job.parts,
                    row.run_id,
                    job.plan,
                    take_over=job.take_over,
                    company=company,
                )
            except PlanRunNotFoundError:  # somebody has deleted it
                row.run_id = None
        inputs = job.rows.inputs(row.number)
        return launch.prepare_run(
            job.parts, job.plan, inputs, end_user=job.end_user, tools=job.registry, company=company
        )

    def _company(self, row: MapRow) -> Company:
        declared = DeclaredAnswers(self.job.answers)

        def ask(live: LiveRun, question: Clarification) -> None:
            found = declared.take(question)
            if found is not None:
                try:
                    live.answer(question.id, found[1], f"answers={found[0]}")
                    return
                except ValueError as error:  # this row's question doesn't allow it
                    logger.warning("row %r: %s", row.label, misfit(found[0], question, error))
            row.question = question.user_guidance
            answer_by_default(live, question)

        def listen(_: Run, recorded: Recorded) -> None:
            if isinstance(event := recorded.event, ModelReplied):
                row.spend(event.model, event.usage)
                self.job.record.spent(row, event)
                self._tell(row)

        return Company(
            asker=ask,
            listeners=(listen,),
            gate=self.job.gate,
            caller=self.job.caller,
            meter=self.job.meter,
            how_to_go_on=lambda _, meter: "",
            map_id=self.id,
            row=f"{self.id} {row.number} {row.attempt}",
        )

    def _take(self, row: MapRow, ended: PlanRun) -> None:
        """Keep how the run of a row ended."""
        record, key = self.job.record, self.job.keys[row.number]
        match ended.state:
            case PlanRunState.COMPLETE:
                final = ended.final_output
                row.value = None if final is None else final.value
                row.question = ""
                record.done(row, key)
                self._turn(row, RowState.DONE)
                self._share(row)
            case PlanRunState.FAILED:
                row.question = ""
                row.error = ended.error
                record.failed(row)
                self._turn(row, RowState.FAILED)
            case PlanRunState.NEED_CLARIFICATION:
                asked = ended.get_outstanding_clarifications()
                row.question = row.question or (asked[0].user_guidance if asked else "")
                record.left(row)
                self._turn(row, RowState.WAITING)
            case _:
                row.question = ""
                record.left(row)
                self._turn(row, RowState.STOPPED)
                if not self._stopping and ended.stop_reason:
                    # One budget for all: whoever asks next is refused, too.
                    self._wind_up(ended.stop_reason)

    def _share(self, row: MapRow) -> None:
        """Give the output of a row to the equal ones after it."""
        for number in self._waits_for.pop(row.number, ()):
            other = self.rows[number]
            if other.state is RowState.DONE:
                continue
            other.value, other.run_id, other.reused = row.value, row.run_id, SAME
            self.job.record.done(other, same_as=row.number)
            self._turn(other, RowState.DONE)

    def _turn(self, row: MapRow, state: RowState) -> None:
        self.counts[row.state] -= 1
        self.counts[state] += 1
        row.state = state
        self._tell(row)

    def _tell(self, row: MapRow | None) -> None:
        for listener in self._listeners:
            try:
                listener(self, row)
            except Exception:
                self._listeners = tuple(left for left in self._listeners if left is not listener)
                logger.exception("a listener failed and is called no more")

    def _why(self) -> str:
        """Return why it ended early; empty: every row was run, however each ended."""
        if self.counts[RowState.DONE] == len(self.rows):
            return ""
        left = self.counts[RowState.LEFT] + self.counts[RowState.STOPPED]
        return self._stopping or ("not all rows are done" if left else "")
