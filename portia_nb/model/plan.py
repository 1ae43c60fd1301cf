"""Plans: a frozen tree of steps.

A plan of plain steps prints the keys of the reference page and no others; what a step carries beyond
them comes after, and only where it isn't the default.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from portia_nb.errors import StepNotFoundError
from portia_nb.model.callables import FunctionRef, SchemaRef
from portia_nb.model.ids import PlanUUID
from portia_nb.model.reference import (
    Argument,
    ArgumentField,
    Input,
    Parts,
    Reference,
    StepOutput,
    references,
    show,
)

LLM_TOOL_ID = "llm_tool"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Variable(_Frozen):
    """An input of a step: its name as the planner or a person knows it, and what it refers to."""

    name: str
    """``$`` and the name of a step or plan input, or any word where `value` is set."""
    description: str = ""
    value: ArgumentField | None = None
    """What is passed; None: the output or plan input that `name` names."""

    @model_serializer(mode="wrap")
    def _print(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data = handler(self)
        if self.value is None:
            data.pop("value", None)
        return data


class PlanInput(_Frozen):
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


class PlanContext(_Frozen):
    """What a plan was made from."""

    query: str
    tool_ids: tuple[str, ...] = ()


class _Step(_Frozen):
    """What every step has. `kind` is in each subclass."""

    task: str = ""
    inputs: tuple[Variable, ...] = ()
    tool_id: str | None = None
    output: str = ""
    """``$`` and the name under which `plan_run.outputs.step_outputs` holds the output."""
    kind: str = ""
    name: str = ""
    """The step's own name, unique in its plan; the output's without ``$`` unless it says otherwise."""
    condition: str | None = None
    """A sentence; the step is skipped where a model judges it false."""
    output_schema: SchemaRef | None = None
    after: tuple[str, ...] = ()
    """Names of steps that must be done first, beside those that are referred to."""
    side_effect: bool | None = None
    """True: changes the world. False: only reads. None: as the tool or function declares."""
    retries: int | None = Field(default=None, ge=0)
    """Further tries after a failure; None: as the tool declares."""
    timeout_s: float | None = Field(default=None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _fill_names(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        name, output = data.get("name"), data.get("output")
        if not name and isinstance(output, str):
            return {**data, "name": output.removeprefix("$")}
        if name and not output:
            return {**data, "output": f"${name}"}
        return data

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        for variable in self.inputs:
            if variable.value is not None:
                yield variable.value

    def references(self) -> Iterator[Reference]:
        """Yield every reference that the step makes, those of its inputs by name included."""
        for variable in self.inputs:
            if variable.value is None:
                yield StepOutput(variable.name.removeprefix("$"))
        for argument in self.arguments():
            yield from references(argument)

    @model_serializer(mode="wrap")
    def _print(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data = handler(self)
        printed = {key: data.pop(key) for key in ("task", "inputs", "tool_id", "output")}
        if data["name"] == self.output.removeprefix("$"):
            del data["name"]
        if data["kind"] == _plain_kind(self.tool_id):
            del data["kind"]
        fields = type(self).model_fields
        for key, value in data.items():
            if getattr(self, key) != fields[key].get_default(call_default_factory=True) or key in (
                "kind",
                "name",
            ):
                printed[key] = value
        return printed


class LLMStep(_Step):
    """One model call over the task and the inputs, without a tool."""

    kind: Literal["llm"] = "llm"
    tool_id: str | None = LLM_TOOL_ID
    task_parts: ArgumentField | None = None
    """The task with its references, where it holds any."""
    system_prompt: str | None = None
    model: str | None = None
    _model: Any = PrivateAttr(default=None)

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        if self.task_parts is not None:
            yield self.task_parts


class InvokeToolStep(_Step):
    """A tool with these arguments, without a model call."""

    kind: Literal["tool"] = "tool"
    args: dict[str, ArgumentField] = Field(default_factory=dict)
    _tool: Any = PrivateAttr(default=None)

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        yield from self.args.values()


class SingleToolAgentStep(_Step):
    """One tool whose arguments a model chooses; those in `args` are settled already."""

    kind: Literal["agent"] = "agent"
    args: dict[str, ArgumentField] = Field(default_factory=dict)
    task_parts: ArgumentField | None = None
    model: str | None = None
    _tool: Any = PrivateAttr(default=None)
    _model: Any = PrivateAttr(default=None)

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        yield from self.args.values()
        if self.task_parts is not None:
            yield self.task_parts


class FunctionStep(_Step):
    """A function of the user's with these arguments."""

    kind: Literal["function"] = "function"
    function: FunctionRef
    args: dict[str, ArgumentField] = Field(default_factory=dict)

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        yield from self.args.values()


class UserVerifyStep(_Step):
    """Asks yes or no; no ends the run."""

    kind: Literal["user_verify"] = "user_verify"
    message: ArgumentField
    default: bool | None = None
    """The answer to take where nobody can be asked."""

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        yield self.message


class UserInputStep(_Step):
    """Asks for text, or for one of the options; the answer is the output."""

    kind: Literal["user_input"] = "user_input"
    message: ArgumentField
    options: ArgumentField | None = None
    default: Any = None
    """The answer to take where nobody can be asked; None: there is none."""

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        yield self.message
        if self.options is not None:
            yield self.options


def _plain_kind(tool_id: str | None) -> str:
    return "llm" if tool_id in (None, LLM_TOOL_ID) else "agent"


def _kind_of(data: Any) -> str:
    """Tell a step's kind: as it says, else as the page's bare steps mean it."""
    if isinstance(data, dict):
        return str(data.get("kind") or _plain_kind(data.get("tool_id")))
    return str(getattr(data, "kind", ""))


Step = Annotated[
    Annotated[LLMStep, Tag("llm")]
    | Annotated[InvokeToolStep, Tag("tool")]
    | Annotated[SingleToolAgentStep, Tag("agent")]
    | Annotated[FunctionStep, Tag("function")]
    | Annotated[UserVerifyStep, Tag("user_verify")]
    | Annotated[UserInputStep, Tag("user_input")],
    Discriminator(_kind_of),
]
"""Any step; its JSON is told apart by `kind`, or where that is absent, by `tool_id`."""

AnyStep = (
    LLMStep | InvokeToolStep | SingleToolAgentStep | FunctionStep | UserVerifyStep | UserInputStep
)


class Plan(_Frozen):
    """Steps towards an answer, frozen: running one never changes it, so one plan can run many times."""

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
        """Return a copy with some fields changed; what was worked out from the old ones is forgotten."""
        copied = super().model_copy(update=update, deep=deep)
        copied._index = copied._hash = None
        return copied

    def index_of(self, step: str | int) -> int:
        """Return the place of a top-level step, given its name, its output's name, or an index.

        Raises:
            StepNotFoundError: there is none; the message lists the steps.
        """
        if isinstance(step, int) and not isinstance(step, bool):
            if -len(self.steps) <= step < len(self.steps):
                return step % len(self.steps)
            raise StepNotFoundError(
                f"no step {step} in this plan of {len(self.steps)} steps", plan_id=self.id, step=step
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
            s.function.name for s in self.steps if isinstance(s, FunctionStep) and s.function.call is None
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
            lines.append(f"{index}  {step.name}  {tool}  {step.task}" + (f"  ← {needs}" if needs else ""))
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


def text_argument(parts: Argument) -> tuple[str, Argument | None]:
    """Return a text argument as its display text, and itself where it holds references.

    >>> from portia_nb.model.reference import to_argument
    >>> text_argument(to_argument("plain"))
    ('plain', None)
    """
    return show(parts), parts if isinstance(parts, Parts | Input | StepOutput) else None
