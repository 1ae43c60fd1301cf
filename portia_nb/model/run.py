"""A run's state: added up from its events, and handed out as a snapshot.

`Run` is mutable and belongs to one owner, which applies events in place: copying the state at each
event would cost the square of their number. `PlanRun` is the frozen snapshot that people hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    field_serializer,
    model_serializer,
)

from portia_nb.errors import StepNotFoundError
from portia_nb.model import codecs
from portia_nb.model.clarification import (
    AnyClarification,
    Clarification,
    ClarificationCategory,
)
from portia_nb.model.events import (
    AnyEvent,
    ClarificationRaised,
    ClarificationResolved,
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
    StepSkipped,
    StepStarted,
    StepUncertain,
    TextStreamed,
    ToolCalled,
    ToolReturned,
)
from portia_nb.model.ids import PlanRunUUID, PlanUUID
from portia_nb.model.language import Usage
from portia_nb.model.plan import Plan
from portia_nb.model.values import LocalDataValue


class PlanRunState(StrEnum):
    """How far a run has got."""

    NOT_STARTED = "NOT_STARTED"
    IN_PROGRESS = "IN_PROGRESS"
    NEED_CLARIFICATION = "NEED_CLARIFICATION"
    READY_TO_RESUME = "READY_TO_RESUME"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"


class StepState(StrEnum):
    """How far a step has got; each is shown by a shape, a word and a colour."""

    WAITING = "waiting"
    RUNNING = "running"
    ASKING = "asking"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    STOPPED = "stopped"


class PlanRunOutputs(BaseModel):
    """What a run has put out so far."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clarifications: tuple[AnyClarification, ...] = ()
    step_outputs: dict[str, LocalDataValue] = Field(default_factory=dict)
    """By the step's `output` (``$name``), in plan order."""
    final_output: LocalDataValue | None = None
    _names: tuple[tuple[str, str], ...] = PrivateAttr(default=())
    """Each step's name and its output's, in plan order; empty in a run that was read from JSON."""

    def __eq__(self, other: object) -> bool:
        # What was printed and loaded again has no names, and is the same all the same.
        return type(self) is type(other) and vars(self) == vars(other)

    @classmethod
    def of(
        cls,
        names: tuple[tuple[str, str], ...],
        step_outputs: dict[str, LocalDataValue],
        clarifications: tuple[Clarification, ...],
        final_output: LocalDataValue | None,
    ) -> PlanRunOutputs:
        """Return outputs that are known to be sound, whose steps go by the names in `names` too."""
        made = cls.model_construct(
            clarifications=clarifications, step_outputs=step_outputs, final_output=final_output
        )
        made._names = names
        return made

    def __getitem__(self, step: str | int) -> LocalDataValue:
        """Return a step's output by the step's name, its output's name, or its index in the plan.

        Raises:
            StepNotFoundError: no such step, or it has put out nothing.
        """
        if isinstance(step, int):
            outputs = [output for _, output in self._names] or list(self.step_outputs)
            key = outputs[step] if -len(outputs) <= step < len(outputs) else ""
        else:
            key = dict(self._names).get(step, f"${step.removeprefix('$')}")
        if key not in self.step_outputs:
            raise StepNotFoundError(
                f"no output of a step {step!r} in this run; there are: "
                + (", ".join(self.step_outputs) or "none yet"),
                step=step,
            )
        return self.step_outputs[key]


class PlanRun(BaseModel):
    """One run of a plan, as it stood when it was handed out.

    A snapshot: `resume` and `resolve_clarification` go by its id.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: PlanRunUUID = Field(default_factory=PlanRunUUID.new)
    plan_id: PlanUUID
    current_step_index: int = 0
    """Index of the first unfinished top-level step, the last index once the run is complete."""
    state: PlanRunState = PlanRunState.NOT_STARTED
    outputs: PlanRunOutputs = Field(default_factory=PlanRunOutputs)
    end_user_id: str | None = None
    plan_run_inputs: dict[str, Any] = Field(default_factory=dict)
    error: ErrorRecord | None = None
    """What made the run fail."""
    forked_from: str | None = None

    @field_serializer("plan_run_inputs", when_used="json")
    def _print_inputs(self, value: dict[str, Any]) -> Any:
        return codecs.to_plain_json(value)

    @model_serializer(mode="wrap")
    def _print(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data = handler(self)
        for key in ("end_user_id", "plan_run_inputs", "error", "forked_from"):
            if not getattr(self, key):
                data.pop(key, None)
        return data

    @property
    def final_output(self) -> LocalDataValue | None:
        """The run's own output, None until it is complete or has failed."""
        return self.outputs.final_output

    def get_outstanding_clarifications(self) -> list[Clarification]:
        """Return the questions that wait for an answer, oldest first."""
        return [c for c in self.outputs.clarifications if not c.resolved]

    def get_clarifications_for_step(self, step: int | None = None) -> list[Clarification]:
        """Return every question of the step with index `step`; None means the current step."""
        wanted = self.current_step_index if step is None else step
        return [c for c in self.outputs.clarifications if c.step == wanted]

    def get_clarification_for_step(
        self, category: ClarificationCategory, step: int | None = None
    ) -> Clarification | None:
        """Return the latest question of `category` of a step, or None."""
        found = [c for c in self.get_clarifications_for_step(step) if c.category == category]
        return found[-1] if found else None


@dataclass(slots=True)
class StepRecord:
    """One path of a run: what became of it so far."""

    path: str
    state: StepState = StepState.WAITING
    attempt: int = 0
    failures: int = 0
    """Attempts that failed so far."""
    started_at: float | None = None
    ended_at: float | None = None
    value: Any = None
    summary: str | None = None
    error: ErrorRecord | None = None
    reason: str = ""
    tool_under_way: ToolCalled | None = None
    """A call that was announced and has not come back; one with ``side_effect=True`` that has come
    back stays until the step is done."""
    uncertain: bool = False
    text: str = ""
    """What a model has streamed so far in this attempt."""
    model: str = ""
    usage: Usage = field(default_factory=lambda: Usage(calls=0))


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
        self.forked_from: str | None = None
        self.state = PlanRunState.NOT_STARTED
        self.steps: dict[str, StepRecord] = {}
        self.clarifications: dict[str, Clarification] = {}
        self._stale: set[str] = set()
        self.final: LocalDataValue | None = None
        self.error: ErrorRecord | None = None
        self.seq = 0
        self.created_at: float | None = None
        self.ended_at: float | None = None

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
        if isinstance(event, _STEP_EVENTS) or (isinstance(event, ModelReplied) and event.path):
            self._apply_to_step(event, recorded.at)
        else:
            self._apply_to_run(event, recorded.at)

    def _apply_to_step(self, event: AnyEvent, at: float) -> None:
        step = self.record(event.path)  # type: ignore[union-attr]
        match event:
            case StepStarted(_, attempt):
                step.state, step.attempt, step.started_at = StepState.RUNNING, attempt, at
                step.ended_at = step.error = None
                _forget_call(step)
                step.uncertain, step.text = False, ""
            case StepDone(_, attempt, value, summary):
                step.state, step.attempt, step.ended_at = StepState.DONE, attempt, at
                step.value, step.summary, step.tool_under_way = value, summary, None
            case ToolCalled():
                step.tool_under_way = event
            case ToolReturned():
                _forget_call(step, has_failed=event.error is not None)
            case TextStreamed(_, text):
                step.text += text
            case ModelReplied():
                step.usage, step.model = step.usage + event.usage, event.model
            case StepFailed(_, attempt, error, retry_in_s):
                step.attempt, step.ended_at, step.error = attempt, at, error
                step.failures += 1
                step.state = StepState.FAILED if retry_in_s is None else StepState.WAITING
                # A call that has not come back stays under way: a timeout doesn't undo it.
                if retry_in_s is None and self.clarifications:
                    # A run that is resumed after a "no" asks again.
                    self._stale.update(c.id for c in self.clarifications_of(step.path))
            case StepCancelled():
                step.state, step.ended_at = StepState.STOPPED, at
            case StepSkipped(_, reason):
                step.state, step.ended_at, step.reason = StepState.SKIPPED, at, reason
            case StepUncertain():
                step.uncertain = True
            case _:
                raise AssertionError(event)

    def _apply_to_run(self, event: AnyEvent, at: float) -> None:
        match event:
            case RunCreated(_, inputs, end_user, forked_from):
                self.inputs, self.end_user, self.forked_from = inputs, end_user, forked_from
                self.created_at = at
            case RunStarted():
                self._start()
            case ClarificationRaised(path, clarification):
                self.clarifications[clarification.id] = clarification
                if path:
                    asking = self.record(path)
                    asking.state = StepState.ASKING
                    if not asking.uncertain:  # the call itself asks: it is to be made again
                        asking.tool_under_way = None
            case ClarificationResolved(clarification_id, response):
                self._answer(clarification_id, response)
            case RunWaiting():
                self.state = PlanRunState.NEED_CLARIFICATION
            case RunCompleted():
                self.final = self.final_output(event)
                self.state, self.ended_at = PlanRunState.COMPLETE, at
            case RunFailed(error):
                self.error, self.final = error, LocalDataValue(value=error.message)
                self.state, self.ended_at = PlanRunState.FAILED, at
            case RunStopped():
                self.state, self.ended_at = PlanRunState.READY_TO_RESUME, at
            case ModelReplied():
                pass  # planning's own calls: counted by who reads the events
            case _:
                raise AssertionError(event)

    def _start(self) -> None:
        self.state, self.error, self.final = PlanRunState.IN_PROGRESS, None, None
        self.ended_at = None
        for step in self.steps.values():
            if step.state in _LEFT:
                step.state = StepState.WAITING
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

    def _answer(self, clarification_id: str, response: Any) -> None:
        asked = self.clarifications[clarification_id]
        self.clarifications[clarification_id] = asked.model_copy(
            update={"response": response, "resolved": True}
        )
        step = self.steps.get(asked.path or "")
        asks_more = any(c.path == asked.path for c in self.outstanding())
        if step is not None and step.state is StepState.ASKING and not asks_more:
            step.state = StepState.WAITING
        if self.state is PlanRunState.NEED_CLARIFICATION and not any(self.outstanding()):
            self.state = PlanRunState.READY_TO_RESUME

    def current_step_index(self) -> int:
        """Return the index of the first unfinished top-level step, the last index where all are."""
        for index, step in enumerate(self.plan.steps):
            record = self.steps.get(step.name)
            if record is None or record.state not in (StepState.DONE, StepState.SKIPPED):
                return index
        return max(len(self.plan.steps) - 1, 0)

    def snapshot(self) -> PlanRun:
        """Return the state as it stands, for people to hold and print."""
        outputs = PlanRunOutputs.of(
            tuple((step.name, step.output) for step in self.plan.steps),
            {
                step.output: LocalDataValue(value=record.value, summary=record.summary)
                for step in self.plan.steps
                if (record := self.steps.get(step.name)) and record.state is StepState.DONE
            },
            tuple(self.clarifications.values()),
            self.final,
        )
        return PlanRun.model_construct(
            id=PlanRunUUID(self.id),
            plan_id=self.plan.id,
            current_step_index=self.current_step_index(),
            state=self.state,
            outputs=outputs,
            end_user_id=self.end_user,
            plan_run_inputs=dict(self.inputs),
            error=self.error,
            forked_from=self.forked_from,
        )


def _forget_call(step: StepRecord, *, has_failed: bool = False) -> None:
    """Forget the call under way, but not one that a resume of the unfinished step would repeat."""
    call = step.tool_under_way
    if has_failed or call is None or call.side_effect is not True:
        step.tool_under_way = None


_LEFT = (StepState.RUNNING, StepState.STOPPED, StepState.FAILED)
"""States of steps that a start finds left over from an execution before it."""
_STEP_EVENTS = (
    StepStarted,
    StepDone,
    ToolCalled,
    ToolReturned,
    TextStreamed,
    StepFailed,
    StepCancelled,
    StepSkipped,
    StepUncertain,
)


def replay(run_id: str, plan: Plan, events: Iterator[Recorded] | list[Recorded]) -> Run:
    """Add up kept `events` to the run that they tell of."""
    run = Run(run_id, plan)
    for recorded in events:
        run.apply(recorded)
    return run
