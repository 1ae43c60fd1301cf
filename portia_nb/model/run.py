"""A run's state: added up from its events, and handed out as a snapshot.

`Run` is mutable and belongs to one owner, which applies events in place: copying the state at each
event would cost the square of their number. `PlanRun` is the frozen snapshot that people hold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from portia_nb.model.clarification import Clarification
from portia_nb.model.events import (
    AgentLimited,
    AgentToolCalled,
    AgentToolReturned,
    AgentTurn,
    AnyEvent,
    BranchTaken,
    ClarificationRaised,
    ClarificationResolved,
    ErrorRecord,
    ModelReplied,
    OutputHeld,
    PlanApproved,
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
    StepSkipped,
    StepStarted,
    StepUncertain,
    TextStreamed,
    ToolCalled,
    ToolReturned,
)
from portia_nb.model.ids import PlanRunUUID
from portia_nb.model.language import Usage
from portia_nb.model.plan import Plan
from portia_nb.model.prices import Price
from portia_nb.model.rounds import records_in_rounds
from portia_nb.model.snapshot import PlanRun, PlanRunOutputs, PlanRunState
from portia_nb.model.step_record import (
    StepRecord,
    StepState,
    forget_call,
    held_for_good,
    note_call,
    note_turn,
)
from portia_nb.model.step_rows import StepsKnown
from portia_nb.model.stretches import begin_wait, begin_work, end_wait, keep_work, times_of
from portia_nb.model.tree import Place
from portia_nb.model.values import LocalDataValue

# Whoever deals with runs deals with their snapshots, and finds them here.
__all__ = [
    "PlanRun",
    "PlanRunOutputs",
    "PlanRunState",
    "Run",
    "StepRecord",
    "StepState",
    "replay",
]


class Run:
    """The state of one run, held by its one owner and changed by `apply` alone."""

    def __init__(self, run_id: str, plan: Plan) -> None:
        """Start from nothing.

        Args:
            run_id: the run's id.
            plan: what is run.
        """
        self.id = run_id
        self.plan = plan
        self.inputs: dict[str, Any] = {}
        self.end_user: str | None = None
        self.end_user_data: dict[str, Any] | None = None
        self.forked_from: str | None = None
        self.anew: str | None = None
        """Place of the step that a fork is from: it is executed, whatever a cache holds."""
        self.approval: PlanApproved | None = None
        """Who approved its plan, where somebody did; the latest."""
        self.taken_over: int | None = None
        """How many events a fork began with that tell what it takes over; None: not known."""
        self.state = PlanRunState.NOT_STARTED
        self.has_died = False
        """True: it was under way when its process ended, and nobody has gone on with it. Who opens
        a kept run says so; no event can."""
        self.steps: dict[str, StepRecord] = {}
        self.rounds: dict[str, int] = {}
        """How many rounds of a loop have begun, by the loop's path."""
        self.clarifications: dict[str, Clarification] = {}
        self._stale: set[str] = set()
        self.spent: dict[tuple[str, str], Usage] = {}
        """What models were asked for, by the step's path (``""``: no step's) and the model."""
        self.prices: Mapping[str, Price] | None = None
        """Prices that come before the list's; whoever has settings sets them."""
        self.budget = ""
        """The most that it may spend on models, as text; empty: no limit was ever named."""
        self.stop_reason = ""
        self.final: LocalDataValue | None = None
        self.error: ErrorRecord | None = None
        self.seq = 0
        self.created_at: float | None = None
        self.ended_at: float | None = None
        self._last_at = 0.0

    def record(self, path: str) -> StepRecord:
        """Return the record of `path`, made where there is none."""
        found = self.steps.get(path)
        if found is None:
            found = self.steps[path] = StepRecord(path)
        return found

    def outstanding(self) -> Iterator[Clarification]:
        """Yield the questions that wait for an answer, oldest first."""
        return (c for c in self.clarifications.values() if not c.resolved)

    def clarifications_of(self, path: str) -> list[Clarification]:
        """Return the questions that the step at `path` asked, oldest first."""
        return [c for c in self.clarifications.values() if c.path == path]

    def answers_for(self, path: str) -> list[Clarification]:
        """Return the questions of `path` that count for its next attempt: since it last failed."""
        return [c for c in self.clarifications_of(path) if c.id not in self._stale]

    def apply(self, recorded: Recorded) -> None:
        """Add one event; events come in order, each once."""
        if recorded.seq:
            self.seq = recorded.seq
        event = recorded.event
        if type(event) is ModelReplied:
            spent, key = self.spent, (event.path, event.model)
            spent[key] = spent[key] + event.usage if key in spent else event.usage
        if isinstance(event, _STEP_EVENTS) or (isinstance(event, ModelReplied) and event.path):
            self._apply_to_step(event, recorded.at)
        else:
            self._apply_to_run(event, recorded.at)
        self._last_at = recorded.at

    def _apply_to_step(self, event: AnyEvent, at: float) -> None:
        step = self.record(event.path)  # type: ignore[union-attr]
        match event:
            case StepStarted(_, attempt):
                step.state, step.attempt, step.started_at = StepState.RUNNING, attempt, at
                step.ended_at = step.error = None
                begin_work(step, at)
                forget_call(step)
                step.uncertain, step.text, step.reused = False, "", ""
                if step.path[-1:] == "]":
                    self._count_round(step.path)
            case StepDone(_, attempt, value, summary, same_as, reused):
                step.state, step.attempt, step.ended_at = StepState.DONE, attempt, at
                step.reused = reused
                step.tool_under_way = step.held = step.conversation = None
                other = None if same_as is None else self.steps.get(same_as)
                step.value, step.summary = (
                    (value, summary) if other is None else (other.value, other.summary)
                )
            case BranchTaken(_, branch):
                step.branch = branch
            case AgentTurn() | AgentToolCalled() | AgentToolReturned() | AgentLimited():
                note_turn(step, event)
            case ToolCalled() | ToolReturned() | OutputHeld() | TextStreamed() | ModelReplied():
                note_call(step, event)
            case StepFailed():
                self._fail(step, event, at)
            case StepCancelled():
                step.state, step.ended_at = StepState.STOPPED, at
                end_wait(step, at)
            case StepSkipped(_, reason):
                step.state, step.ended_at, step.reason = StepState.SKIPPED, at, reason
                end_wait(step, at)
            case StepUncertain():
                step.uncertain = True
            case _:
                raise AssertionError(event)

    def _fail(self, step: StepRecord, event: StepFailed, at: float) -> None:
        step.attempt, step.ended_at, step.error = event.attempt, at, event.error
        step.failures += 1
        step.errors = [*(step.errors or ())[-MAX_ERRORS:], event.error]
        step.held = held_for_good(step)
        # A call that has not come back stays under way: a timeout doesn't undo it.
        if event.retry_in_s is not None:
            step.state = StepState.WAITING
            begin_wait(step, "paused", at)
            return
        step.state = StepState.FAILED
        end_wait(step, at)
        # A run that is resumed after a "no" asks again.
        self._stale.update(c.id for c in self.clarifications_of(step.path))

    def _count_round(self, path: str) -> None:
        loop, _, number = path[:-1].rpartition("[")
        self.rounds[loop] = max(self.rounds.get(loop, 0), int(number) + 1)

    def _apply_to_run(self, event: AnyEvent, at: float) -> None:
        match event:
            case RunCreated():
                self.inputs, self.forked_from, self.created_at = event.inputs, event.forked_from, at
                self.end_user, self.end_user_data = event.end_user, event.end_user_data
                self.taken_over, self.anew = event.taken_over, event.anew
            case PlanApproved():
                self.approval = event
            case RunStarted(budget=budget):
                self._start()
                self.budget = budget or self.budget
            case ClarificationRaised(path, clarification):
                self._ask(path, clarification, at)
            case ClarificationResolved():
                self._answer(event, at)
            case RunWaiting():
                self.state = PlanRunState.NEED_CLARIFICATION
            case RunCompleted():
                self.final = self.final_output(event)
                self.state, self.ended_at = PlanRunState.COMPLETE, at
            case RunFailed(error):
                self.error, self.final = error, LocalDataValue(value=error.message)
                self.state, self.ended_at = PlanRunState.FAILED, at
            case RunStopped(reason):
                self.state, self.ended_at = PlanRunState.READY_TO_RESUME, at
                self.stop_reason = reason
            case ModelReplied():
                pass  # planning's own calls are only counted
            case _:
                raise AssertionError(event)

    def _ask(self, path: str, clarification: Clarification, at: float) -> None:
        self.clarifications[clarification.id] = clarification
        if path:
            asking = self.record(path)
            asking.state = StepState.ASKING
            begin_wait(asking, "asked", at)
            if not asking.uncertain:  # the call itself asks: it is to be made again
                asking.tool_under_way = None

    def _start(self) -> None:
        self.state, self.error, self.final = PlanRunState.IN_PROGRESS, None, None
        self.has_died = False
        self.stop_reason = ""
        self.ended_at = None
        for step in self.steps.values():
            if step.state in _LEFT:
                # One whose process was killed worked until the last that is known of the run.
                is_killed = step.state is StepState.RUNNING
                state = StepState.STOPPED if is_killed else step.state
                keep_work(step, step.ended_at or self._last_at, state.value)
                step.state = StepState.WAITING
            elif step.history is not None and step.state is StepState.WAITING:
                end_wait(step, self._last_at)
        for asked in self.outstanding():
            if asked.path:  # one that was stopped while it asked
                self.record(asked.path).state = StepState.ASKING

    def final_output(self, event: RunCompleted) -> LocalDataValue:
        """Return the final output that `event` tells of."""
        done = self.steps.get(event.path) if event.path else None
        if done is None:
            return LocalDataValue(value=event.value, summary=event.summary)
        summary = done.summary if event.summary is None else event.summary
        return LocalDataValue(value=done.value, summary=summary)

    def _answer(self, answer: ClarificationResolved, at: float) -> None:
        asked = self.clarifications[answer.clarification_id]
        self.clarifications[asked.id] = asked.model_copy(
            update={
                "response": answer.response,
                "resolved": True,
                "answered_by": answer.by or None,
                # An imported question knows when it was answered.
                "answered_at": asked.answered_at or at,
            }
        )
        step = self.steps.get(asked.path or "")
        asks_more = any(c.path == asked.path for c in self.outstanding())
        if step is not None and step.state is StepState.ASKING and not asks_more:
            step.state = StepState.WAITING
            end_wait(step, at)
        if self.state is PlanRunState.NEED_CLARIFICATION and not any(self.outstanding()):
            self.state = PlanRunState.READY_TO_RESUME

    def current_step_index(self) -> int:
        """Return the index of the first unfinished top-level step, the last index where all are."""
        for index, step in enumerate(self.plan.steps):
            record = self.steps.get(step.name)
            if record is None or record.state not in (StepState.DONE, StepState.SKIPPED):
                return index
        return max(len(self.plan.steps) - 1, 0)

    def _last_done(self, place: Place) -> StepRecord | None:
        """Return the record of the last time that a step was done, None where it never was."""
        if not place.around:
            record = self.steps.get(place.step.name)
            return record if record is not None and record.state is StepState.DONE else None
        records = records_in_rounds(self, self.plan.names, place, {}, newest_first=True)
        return next((record for record in records if record.state is StepState.DONE), None)

    def snapshot_at(self, path: str, index: int) -> PlanRun:
        """Return the state as the user's code sees it during an attempt at the step at `path`.

        Its current step is that one, with index `index`, and the current step's questions are those
        that count for this attempt: not those of other rounds of a loop, nor of a failed attempt.
        """
        return self.snapshot(timed=False).seen_at(index, tuple(self.answers_for(path)))

    def snapshot(self, *, timed: bool = True) -> PlanRun:
        """Return the state as it stands, for people to hold and print.

        Args:
            timed: False: without the times of the steps, of which a loop may have thousands.
        """
        places = self.plan.names.places
        done = [(p.step.output, r) for p in places if (r := self._last_done(p)) is not None]
        found = {
            output: LocalDataValue(value=record.value, summary=record.summary)
            for output, record in done
        }
        outputs = PlanRunOutputs.of(
            tuple((place.step.name, place.step.output) for place in places),
            tuple(step.output for step in self.plan.steps),
            found,
            tuple(self.clarifications.values()),
            self.final,
        )
        made = PlanRun.model_construct(
            id=PlanRunUUID(self.id),
            plan_id=self.plan.id,
            current_step_index=self.current_step_index(),
            state=self.state,
            outputs=outputs,
            end_user_id=self.end_user,
            plan_run_inputs=dict(self.inputs),
            error=self.error,
            forked_from=self.forked_from,
            reused=tuple([output for output, record in done if record.reused]),
        )
        made = made.with_spent(dict(self.spent), self.prices, self.stop_reason)
        if not timed:
            return made
        records = self.steps.values()
        failed = {r.path: r.error for r in records if r.state is StepState.FAILED and r.error}
        times = tuple([times_of(record) for record in records])
        return made.with_steps(StepsKnown(tuple([p.in_plan for p in places]), times, failed))


MAX_ERRORS = 20
"""Failed attempts at one step, the last ones, whose errors are kept in memory, and one."""
_LEFT = (StepState.RUNNING, StepState.STOPPED, StepState.FAILED)
"""States of steps that a start finds left over from an execution before it."""
_STEP_EVENTS = (
    StepStarted,
    StepDone,
    ToolCalled,
    ToolReturned,
    OutputHeld,
    AgentTurn,
    AgentLimited,
    TextStreamed,
    StepFailed,
    StepCancelled,
    StepSkipped,
    StepUncertain,
    BranchTaken,
)


def replay(run_id: str, plan: Plan, events: Iterator[Recorded] | list[Recorded]) -> Run:
    """Add up kept `events` to the run that they tell of."""
    run = Run(run_id, plan)
    for recorded in events:
        run.apply(recorded)
    return run
