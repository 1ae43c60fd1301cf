"""Plans: a frozen tree of steps."""

from __future__ import annotations

import hashlib
import json
from importlib import import_module
from typing import Any

from pydantic import Field, PrivateAttr, SerializerFunctionWrapHandler, model_serializer

from portia_nb.errors import StepNotFoundError
from portia_nb.model.callables import SchemaRef
from portia_nb.model.composite import (
    AnyStep,
    Branch,
    Composite,
    Condition,
    ConditionalStep,
    LoopStep,
    PlanInput,
    Step,
    SubPlanStep,
    bodies,
    each_step,
    functions_of,
)
from portia_nb.model.editable import Editable
from portia_nb.model.ids import PlanUUID
from portia_nb.model.reference import StepOutput
from portia_nb.model.steps import (
    LLM_TOOL_ID,
    BaseStep,
    ExitStep,
    Frozen,
    FunctionStep,
    InvokeToolStep,
    LLMStep,
    ReActAgentStep,
    SingleToolAgentStep,
    UserInputStep,
    UserVerifyStep,
    Variable,
    text_argument,
    tools_text,
)
from portia_nb.model.tree import Namespace, Place, step_at

# Whoever deals with plans deals with their steps, and finds them here.
__all__ = [
    "LLM_TOOL_ID",
    "AnyStep",
    "Branch",
    "Composite",
    "Condition",
    "ConditionalStep",
    "ExitStep",
    "FunctionStep",
    "InvokeToolStep",
    "LLMStep",
    "LoopStep",
    "Plan",
    "PlanContext",
    "PlanInput",
    "PlanV2",
    "ReActAgentStep",
    "SingleToolAgentStep",
    "Step",
    "StepV2",
    "SubPlanStep",
    "UserInputStep",
    "UserVerifyStep",
    "Variable",
    "text_argument",
    "tools_text",
]


StepV2 = BaseStep
"""What every kind of step is, under the reference SDK's name for it."""


class PlanContext(Frozen):
    """What a plan was made from."""

    query: str
    tool_ids: tuple[str, ...] = ()


class Plan(Editable, Frozen):
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
    _names: Namespace | None = PrivateAttr(default=None)
    _hash: str | None = PrivateAttr(default=None)
    _known_order: dict[Any, Any] = PrivateAttr(default_factory=dict)

    def model_copy(self, *, update: Any = None, deep: bool = False) -> Plan:
        """Return a copy with some fields changed; what was worked out from the old is forgotten."""
        copied = super().model_copy(update=update, deep=deep)
        copied._names = copied._hash = None
        copied._known_order = {}
        return copied

    @property
    def names(self) -> Namespace:
        """Which step each name means."""
        if self._names is None:
            self._names = Namespace(self.steps)
        return self._names

    @property
    def known_order(self) -> dict[Any, Any]:
        """What executors have worked out of this plan's order, by what it depends on."""
        return self._known_order

    def index_of(self, step: str | int) -> int:
        """Return the index of the top-level step that `step` names, or that holds it.

        Args:
            step: a name, an output's name, a path such as ``each_city[2]/sky``, or an index.

        Raises:
            StepNotFoundError: there is none; the message lists the steps.
        """
        outermost = step if isinstance(step, int) else step.partition("/")[0].partition("[")[0]
        return self._place(outermost).top

    def step(self, step: str | int) -> AnyStep:
        """Return a step by its name, its output's name, its path, or its top-level index.

        Raises:
            StepNotFoundError: there is none.
        """
        if isinstance(step, str) and ("/" in step or "[" in step):
            found = step_at(step, self.names)
            if found is not None:
                return found
        return self._place(step).step

    def _place(self, step: str | int) -> Place:
        place = self.names.find(step)
        if place is not None:
            return place
        if isinstance(step, int):
            problem = f"no step {step} in this plan of {len(self.steps)} steps"
        else:
            known = ", ".join(place.step.name for place in self.names.places)
            problem = f"no step {step!r} in this plan; its steps: {known}"
        raise StepNotFoundError(problem, plan_id=self.id, step=step)

    def input_named(self, name: str) -> PlanInput | None:
        """Return the plan input called `name`, with or without ``$``, or None."""
        plain = name.removeprefix("$")
        return next((i for i in self.plan_inputs if i.name.removeprefix("$") == plain), None)

    def needs(self, step: AnyStep) -> tuple[str, ...]:
        """Return the names of the steps that `step` refers to or comes after, in plan order.

        Raises:
            StepNotFoundError: it refers to a step that the plan hasn't got.
        """
        found = {self._place(name).position for name in step.after}
        for reference in step.references():
            if isinstance(reference, StepOutput):
                name = reference.step
                is_input = isinstance(name, str) and self.input_named(name) is not None
                if is_input and self.names.find(name) is None:
                    continue
                found.add(self._place(name).position)
        return tuple(self.names.places[position].step.name for position in sorted(found))

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
            function.name
            for step in each_step(self.steps)
            for function in functions_of(step)
            if function.call is None
        )

    def __str__(self) -> str:
        return self.pretty_print()

    def pretty_print(self) -> str:
        """Return the plan as text, a line a step, with its number from 1 as every view has it.

        >>> print(Plan(steps=[{"task": "Say hello", "output": "$hello"}]).pretty_print())
        1  hello  llm_tool  Say hello
        """
        lines = [f"Task: {self.plan_context.query}"] if self.plan_context.query else []
        for number, step in enumerate(self.steps, 1):
            lines.append(f"{number}  {self._line(step)}")
            if isinstance(step, Composite):
                lines += _inner_lines(step, "   ")
        return "\n".join(lines)

    def to_dot(self) -> str:
        r"""Return Graphviz source that `dot` draws: a node for each step, an edge for each wait.

        Guarantees: valid source whatever the names say, with no HTML label, link or tooltip.
        Dashed edges are `after=`, dotted ones are places kept.

        >>> plan = Plan(steps=[{"task": "Say hello", "output": "$hello"}])
        >>> plan.to_dot().splitlines()[-2:]
        ['    n0 [label="hello\\nmodel", fillcolor="#f6f8fa", color="#656e7a"]', '}']
        """
        # Drawing stands above the nouns, so it is found by name, at the call.
        return import_module("portia_nb.drawing.dot").plan_to_dot(self)

    def to_script(self) -> str:
        r"""Return a Python script that builds this plan with `PlanBuilderV2`, as ``plan``.

        Functions of a notebook are carried as source, with what they use where that can be found;
        one whose source isn't to be had becomes a placeholder that raises, and says so. Tools go by
        their ids. What the script builds has the same `content_hash`.

        Guarantees: whatever stands in the plan is data in the script; every text is written by
        `repr`.

        >>> plan = Plan(steps=[{"task": "Say hello", "output": "$hello"}])
        >>> "task='Say hello'" in plan.to_script()
        True
        """
        # The builder stands above the nouns, so it is found by name, at the call.
        return import_module("portia_nb.planning.script").plan_to_script(self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Show the plan as a cell's value, with or without ``%load_ext portia_nb``."""
        # The face stands above the nouns; only IPython calls this.
        return import_module("portia_nb.notebook.static_record").plan_bundle(self)

    def _line(self, step: AnyStep) -> str:
        needs = ", ".join(f"${name}" for name in self.needs(step))
        return _line_of(step) + (f"  ← {needs}" if needs else "")

    @model_serializer(mode="wrap")
    def _print(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data = handler(self)
        for key, default in _PLAN_EXTRAS.items():
            if getattr(self, key) == default:
                data.pop(key, None)
        return data


def _line_of(step: AnyStep) -> str:
    return f"{step.name}  {tools_text(step) or step.kind}  {step.task}"


def _inner_lines(step: AnyStep, indent: str) -> list[str]:
    """Return a line for each step inside `step`, and for each branch after the first."""
    lines: list[str] = []
    for number, body in enumerate(bodies(step)):
        if number and isinstance(step, ConditionalStep):
            condition = step.branches[number].condition
            lines.append(indent + ("else" if condition is None else f"else if {condition.text()}"))
        for held in body:
            lines += [f"{indent}- {_line_of(held)}", *_inner_lines(held, indent + "   ")]
    return lines


_PLAN_EXTRAS: dict[str, Any] = {
    "plan_inputs": (),
    "structured_output_schema": None,
    "summarize": False,
    "scripted": False,
}

PlanV2 = Plan
