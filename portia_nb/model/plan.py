"""Plans: a frozen tree of steps."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import Field, PrivateAttr, SerializerFunctionWrapHandler, model_serializer

from portia_nb.errors import StepNotFoundError
from portia_nb.model.callables import SchemaRef
from portia_nb.model.ids import PlanUUID
from portia_nb.model.reference import StepOutput
from portia_nb.model.steps import (
    LLM_TOOL_ID,
    AnyStep,
    Frozen,
    FunctionStep,
    InvokeToolStep,
    LLMStep,
    SingleToolAgentStep,
    Step,
    UserInputStep,
    UserVerifyStep,
    Variable,
    text_argument,
)

# Whoever deals with plans deals with their steps, and finds them here.
__all__ = [
    "LLM_TOOL_ID",
    "AnyStep",
    "FunctionStep",
    "InvokeToolStep",
    "LLMStep",
    "Plan",
    "PlanContext",
    "PlanInput",
    "PlanV2",
    "SingleToolAgentStep",
    "Step",
    "UserInputStep",
    "UserVerifyStep",
    "Variable",
    "text_argument",
]


class PlanInput(Frozen):
    """An input that the plan is given when it is run."""

    name: str
    description: str | None = None
    value: Any = None
    """The value to take where the caller gives none; None: it must be given."""

    @model_serializer(mode="wrap")
    def _print(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data = handler(self)
        if self.value is None:
            data.pop("value", None)
        return data


class PlanContext(Frozen):
    """What a plan was made from."""

    query: str
    tool_ids: tuple[str, ...] = ()


class Plan(Frozen):
    """Steps towards an answer. Running a plan never changes it, so one plan can run many times."""

    id: PlanUUID = Field(default_factory=PlanUUID.new)
    plan_context: PlanContext = Field(default_factory=lambda: PlanContext(query=""))
    steps: tuple[Step, ...] = ()
    plan_inputs: tuple[PlanInput, ...] = ()
    structured_output_schema: SchemaRef | None = None
    """The shape of the final output; None: the last executed step's own."""
    summarize: bool = False
    """True: a model writes `final_output.summary`."""
    scripted: bool = False
    """True: the planner's answer came from a shipped record, not from a live model."""
    _index: dict[str, int] | None = PrivateAttr(default=None)
    _hash: str | None = PrivateAttr(default=None)

    def model_copy(self, *, update: Any = None, deep: bool = False) -> Plan:
        """Return a copy with some fields changed; what was worked out from the old is forgotten."""
        copied = super().model_copy(update=update, deep=deep)
        copied._index = copied._hash = None
        return copied

    def index_of(self, step: str | int) -> int:
        """Return the place of a top-level step, given its name, its output's name, or an index.

        Raises:
            StepNotFoundError: there is none; the message lists the steps.
        """
        if isinstance(step, int):
            if -len(self.steps) <= step < len(self.steps):
                return step % len(self.steps)
            raise StepNotFoundError(
                f"no step {step} in this plan of {len(self.steps)} steps",
                plan_id=self.id,
                step=step,
            )
        if self._index is None:
            index = {s.output.removeprefix("$"): i for i, s in enumerate(self.steps)}
            index.update((s.name, i) for i, s in enumerate(self.steps))
            self._index = index
        found = self._index.get(step, self._index.get(step.removeprefix("$")))
        if found is None:
            raise StepNotFoundError(
                f"no step {step!r} in this plan; its steps: "
                + ", ".join(s.name for s in self.steps),
                plan_id=self.id,
                step=step,
            )
        return found

    def step(self, step: str | int) -> AnyStep:
        """Return a top-level step by its name, its output's name, or its index.

        Raises:
            StepNotFoundError: there is none.
        """
        return self.steps[self.index_of(step)]

    def input_named(self, name: str) -> PlanInput | None:
        """Return the plan input called `name`, with or without ``$``, or None."""
        plain = name.removeprefix("$")
        return next((i for i in self.plan_inputs if i.name.removeprefix("$") == plain), None)

    def needs(self, step: AnyStep) -> tuple[str, ...]:
        """Return the names of the steps that `step` refers to or comes after, in plan order.

        Raises:
            StepNotFoundError: it refers to a step that the plan hasn't got.
        """
        found = {self.index_of(name) for name in step.after}
        for reference in step.references():
            if isinstance(reference, StepOutput):
                name = reference.step
                if isinstance(name, str) and self._is_plan_input(name):
                    continue
                found.add(self.index_of(name))
        return tuple(self.steps[i].name for i in sorted(found))

    def _is_plan_input(self, name: str) -> bool:
        """Tell whether an input named `name` means a plan input: no step has that name."""
        if self.input_named(name) is None:
            return False
        try:
            self.index_of(name)
        except StepNotFoundError:
            return True
        return False

    def content_hash(self) -> str:
        """Return the sha256, in hex, of the plan's canonical JSON without its id.

        Two plans with equal hashes have the same steps, with functions of the same source.
        """
        if self._hash is None:
            data = self.model_dump(mode="json")
            data.pop("id")
            canonical = json.dumps(data, sort_keys=True, separators=(",", ":"))
            self._hash = hashlib.sha256(canonical.encode()).hexdigest()
        return self._hash

    def missing_functions(self) -> tuple[str, ...]:
        """Return the names of functions that this process has not got."""
        return tuple(
            step.function.name
            for step in self.steps
            if isinstance(step, FunctionStep) and step.function.call is None
        )

    def pretty_print(self) -> str:
        """Return the plan as text, a line a step.

        >>> print(Plan(steps=[{"task": "Say hello", "output": "$hello"}]).pretty_print())
        0  hello  llm_tool  Say hello
        """
        lines = [f"Task: {self.plan_context.query}"] if self.plan_context.query else []
        for index, step in enumerate(self.steps):
            tool = step.tool_id or step.kind
            needs = ", ".join(f"${name}" for name in self.needs(step))
            arrow = f"  ← {needs}" if needs else ""
            lines.append(f"{index}  {step.name}  {tool}  {step.task}{arrow}")
        return "\n".join(lines)

    @model_serializer(mode="wrap")
    def _print(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data = handler(self)
        for key, default in _PLAN_EXTRAS.items():
            if getattr(self, key) == default:
                data.pop(key, None)
        return data


_PLAN_EXTRAS: dict[str, Any] = {
    "plan_inputs": (),
    "structured_output_schema": None,
    "summarize": False,
    "scripted": False,
}

PlanV2 = Plan
