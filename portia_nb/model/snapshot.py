"""A run as it stood at one moment, for people to hold and print."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from importlib import import_module
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

from portia_nb.errors import InvalidPlanRunStateError, StepNotFoundError
from portia_nb.model import codecs
from portia_nb.model.clarification import AnyClarification, Clarification, ClarificationCategory
from portia_nb.model.cost import RunCost, Spent, cost_of
from portia_nb.model.events import ErrorRecord, Recorded
from portia_nb.model.ids import PlanRunUUID, PlanUUID
from portia_nb.model.prices import Price
from portia_nb.model.step_rows import COLUMNS, StepsKnown, step_rows
from portia_nb.model.values import LocalDataValue


class PlanRunState(StrEnum):
    """How far a run has got."""

    NOT_STARTED = "NOT_STARTED"
    IN_PROGRESS = "IN_PROGRESS"
    NEED_CLARIFICATION = "NEED_CLARIFICATION"
    READY_TO_RESUME = "READY_TO_RESUME"
    COMPLETE = "COMPLETE"
    FAILED = "FAILED"


class PlanRunOutputs(BaseModel):
    """What a run has put out so far."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clarifications: tuple[AnyClarification, ...] = ()
    step_outputs: dict[str, LocalDataValue] = Field(default_factory=dict)
    """By the step's `output` (``$name``), in plan order."""
    final_output: LocalDataValue | None = None
    _names: tuple[tuple[str, str], ...] = PrivateAttr(default=())
    """Each step's name and its output's, in plan order; empty in a run that was read from JSON."""
    _top: tuple[str, ...] = PrivateAttr(default=())
    """The outputs of the steps that no other step holds; empty likewise."""

    def __eq__(self, other: object) -> bool:
        # What was printed and loaded again has no names, and is the same all the same.
        return type(self) is type(other) and vars(self) == vars(other)

    @classmethod
    def of(
        cls,
        names: tuple[tuple[str, str], ...],
        top: tuple[str, ...],
        step_outputs: dict[str, LocalDataValue],
        clarifications: tuple[Clarification, ...],
        final_output: LocalDataValue | None,
    ) -> PlanRunOutputs:
        """Return outputs that are known to be sound.

        Args:
            names: each step's name and its output's, in plan order.
            top: the outputs of the plan's own steps, by which indexes go.
            step_outputs: as the field.
            clarifications: as the field.
            final_output: as the field.
        """
        made = cls.model_construct(
            clarifications=clarifications, step_outputs=step_outputs, final_output=final_output
        )
        made._names, made._top = names, top
        return made

    @property
    def step_names(self) -> dict[str, str]:
        """The steps' names by their outputs'; empty in a run that was read from JSON."""
        return {output: name for name, output in self._names}

    def __getitem__(self, step: str | int) -> LocalDataValue:
        """Return a step's output by the step's name, its output's name, or its index in the plan.

        The index is the builder's, where clauses count; else that among the plan's own steps.

        Raises:
            StepNotFoundError: no such step, or it has put out nothing.
        """
        if isinstance(step, int):
            outputs = self._top or tuple(self.step_outputs)
            key = f"$step_{step}_output"
            if key not in self.step_outputs and all(key != output for _, output in self._names):
                key = outputs[step] if -len(outputs) <= step < len(outputs) else ""
        else:
            key = dict(self._names).get(step, f"${step.removeprefix('$')}")
        if key not in self.step_outputs:
            names = self.step_names
            there = ", ".join(names.get(output, output) for output in self.step_outputs)
            raise StepNotFoundError(
                f"no output of a step {step!r} in this run; there are: {there or 'none yet'}",
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
    reused: tuple[str, ...] = ()
    """Outputs (``$name``) of steps that this run has not executed: taken over by a fork, given by
    hand, or from the cache."""
    _current: tuple[Clarification, ...] | None = PrivateAttr(default=None)
    """In a snapshot made for one attempt at a step: the questions that count for it."""
    _read: Callable[[], Sequence[Recorded]] | None = PrivateAttr(default=None)
    """Reads the run's events; None: nobody said where they are."""
    _known: StepsKnown | None = PrivateAttr(default=None)
    """How each step stands, when it worked and waited; None: it wasn't noted, or was loaded."""

    def __eq__(self, other: object) -> bool:
        # What was printed and loaded again knows no times, and is the same all the same.
        return type(self) is type(other) and vars(self) == vars(other)

    _spent: Spent = PrivateAttr(default_factory=dict)
    _prices: Mapping[str, Price] | None = PrivateAttr(default=None)
    _stop_reason: str = PrivateAttr(default="")

    @field_serializer("plan_run_inputs", when_used="json")
    def _print_inputs(self, value: dict[str, Any]) -> Any:
        return codecs.to_plain_json(value)

    @model_serializer(mode="wrap")
    def _print(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data = handler(self)
        for key in ("end_user_id", "plan_run_inputs", "error", "forked_from", "reused"):
            if not getattr(self, key):
                data.pop(key, None)
        return data

    @property
    def final_output(self) -> LocalDataValue | None:
        """The run's own output, None until it is complete or has failed."""
        return self.outputs.final_output

    def with_events(self, read: Callable[[], Sequence[Recorded]]) -> PlanRun:
        """Add where the run's events are read to this snapshot, which is returned."""
        self._read = read
        return self

    @property
    def events(self) -> tuple[Recorded, ...]:
        """What happened in the run, in order, read from its record: also what came after this.

        Each is a `Recorded`: place, time and run, and the event, one of the frozen classes of
        `portia_nb.model.events`.

        Raises:
            InvalidPlanRunStateError: this was loaded from JSON, which holds no events.
        """
        if self._read is None:
            raise InvalidPlanRunStateError(
                f"run {self.id} was loaded without its events; Portia.get_run(run.id).events reads "
                "those of a kept run",
                run_id=str(self.id),
            )
        return tuple(self._read())

    def to_frame(self) -> Any:
        """Return the steps as a pandas `DataFrame`, a row for each, by name, in the plan's order.

        Columns: ``state``, as views say it; ``output`` (as in `outputs.step_outputs`), ``value``
        and ``summary``, None for a step that has put out nothing; ``reused``; ``seconds``, of all
        attempts, None where they weren't noted; ``error``, of a step that failed. Of a step in a
        loop, the last round counts. A run that was loaded from JSON knows of the steps that have
        put something out, and of the one that it failed in.

        Raises:
            ImportError: pandas isn't installed.
        """
        # Tables stand above the nouns, so they are found by name, at the call.
        frame = import_module("portia_nb.session.frames").frame
        rows = step_rows(self, self._known or StepsKnown())
        return frame(rows, columns=COLUMNS, index="step")

    def with_steps(self, known: StepsKnown) -> PlanRun:
        """Add what is known of the steps to this snapshot, which is returned."""
        self._known = known
        return self

    def timeline(self, now: float | None = None) -> Any:
        """Return when each step worked, waited for a person, and waited before it tried again.

        What comes back shows itself in a notebook, prints as text, and has `svg()` and
        `to_frame()`; see `portia_nb.Timeline`.

        Args:
            now: where that ends which lasts, in seconds since the epoch; None: the last that is
                known of the run.

        Raises:
            InvalidPlanRunStateError: this was loaded from JSON, which holds no times.

        >>> from portia_nb import Config, PlanBuilderV2, Portia
        >>> plan = PlanBuilderV2().function_step(function=lambda: 42, step_name="answer").build()
        >>> run = Portia(Config(store="memory"), tools=[]).run_plan(plan)
        >>> [bar.path for bar in run.timeline().bars]
        ['answer']
        """
        if self._known is None:
            raise InvalidPlanRunStateError(
                f"run {self.id} was loaded without the times of its steps; "
                "Portia.timeline(run) reads them from the store",
                run_id=str(self.id),
            )
        # Drawing stands above the nouns, so it is found by name, at the call.
        return import_module("portia_nb.drawing.timeline").Timeline.of(self._known.times, now=now)

    @property
    def cost(self) -> RunCost:
        """What the run had spent on models: calls, tokens and money, for each step and in all.

        Money that can't be known, since a model's price isn't, is None and reads ``unknown``. A
        snapshot that was read from JSON knows of no cost: `Portia.get_run` returns one that does.
        """
        return cost_of(self._spent, self._prices)

    @property
    def stop_reason(self) -> str:
        """Why it was stopped, such as by its budget and how to go on; else empty."""
        return self._stop_reason

    def with_spent(
        self, spent: Spent, prices: Mapping[str, Price] | None, stop_reason: str
    ) -> PlanRun:
        """Give a new snapshot what its JSON doesn't hold, and return it."""
        self._spent, self._prices, self._stop_reason = spent, prices, stop_reason
        return self

    def seen_at(self, index: int, clarifications: tuple[Clarification, ...]) -> PlanRun:
        """Return this as an attempt at one step sees it.

        Args:
            index: the step's; it is the current step.
            clarifications: the questions that count for the attempt.
        """
        seen = self.model_copy(update={"current_step_index": index})
        seen._current = clarifications
        return seen

    def get_outstanding_clarifications(self) -> list[Clarification]:
        """Return the questions that wait for an answer, oldest first."""
        return [c for c in self.outputs.clarifications if not c.resolved]

    def get_clarifications_for_step(self, step: int | None = None) -> list[Clarification]:
        """Return every question of the step with index `step`; None means the current step.

        Hooks and tools see the step that they are called for as the current one, and of its
        questions those of this round of a loop, since the step last failed.
        """
        if step is None and self._current is not None:
            return list(self._current)
        wanted = self.current_step_index if step is None else step
        return [c for c in self.outputs.clarifications if c.step == wanted]

    def get_clarification_for_step(
        self, category: ClarificationCategory, step: int | None = None
    ) -> Clarification | None:
        """Return the latest question of `category` of a step, or None."""
        found = [c for c in self.get_clarifications_for_step(step) if c.category == category]
        return found[-1] if found else None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Show the run as a cell's value, with or without ``%load_ext portia_nb``."""
        # The face stands above the nouns; only IPython calls this.
        return import_module("portia_nb.notebook.static_record").run_bundle(self)
