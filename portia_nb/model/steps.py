"""Steps that hold no others, each kind a frozen class of its own.

A plain step prints the keys of the reference page and no others; what it carries beyond them comes
after, and only where it isn't the default.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from portia_nb.model.callables import FunctionRef, SchemaRef
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


class Frozen(BaseModel):
    """A noun that never changes.

    Equal by its fields: what a process keeps beside them, such as a bound tool, doesn't count.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)


class Variable(Frozen):
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


class BaseStep(Frozen):
    """What every step has, beside a `kind` of its own."""

    holds_steps: ClassVar[bool] = False
    """True of a class whose steps hold steps; `isinstance` costs more where every step is asked."""

    task: str = ""
    inputs: tuple[Variable, ...] = ()
    tool_id: str | None = None
    output: str = ""
    """``$`` and the name under which `plan_run.outputs.step_outputs` holds the output."""
    name: str = ""
    """Unique in its plan; the output's name without ``$`` unless it says otherwise."""
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
    cache: bool | float | None = Field(default=None, ge=0)
    """True: an equal step's output is reused, of any run in the store; a number: for so many
    seconds. False: never. None: as the tool declares."""
    disabled: bool = False
    """True: switched off: the step is skipped, and what refers to its output gets None."""

    if not TYPE_CHECKING:  # type checkers see the fields

        def __init__(self, **fields: Any) -> None:
            """Make a step from its fields, or from the keywords of the SDK, with `step_name`."""
            bound: dict[str, Any] = {}
            if "step_name" in fields:
                from portia_nb.model.written import fields_of

                read = fields_of(fields, type(self).model_fields)
                bound = {name: read.pop(name) for name in list(read) if name[0] == "_"}
                fields = read
            super().__init__(**fields)
            for name, value in bound.items():
                setattr(self, name, value)

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
        return self.printed(data)

    def printed(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return what is printed of `data`, the step's fields: the page's keys first, and always.

        Of the others, those that say more than their default.
        """
        printed = {key: data.pop(key) for key in ("task", "inputs", "tool_id", "output")}
        kind, name = data.pop("kind"), data.pop("name")
        if kind != plain_kind(self.tool_id):
            printed["kind"] = kind
        if name != self.output.removeprefix("$"):
            printed["name"] = name
        fields = type(self).model_fields
        printed.update(
            (key, value)
            for key, value in data.items()
            if getattr(self, key) != fields[key].get_default(call_default_factory=True)
        )
        return printed


class LLMStep(BaseStep):
    """One model call over the task and the inputs, without a tool."""

    kind: Literal["llm"] = "llm"
    tool_id: str | None = LLM_TOOL_ID
    task_parts: ArgumentField | None = None
    """The task with its references, where it holds any."""
    system_prompt: str | None = None
    model: str | None = None
    _model: Any = PrivateAttr(default=None)

    @property
    def bound_model(self) -> Any:
        """The model that is asked: the object that the plan was built with, else `model`."""
        return self._model or self.model

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        if self.task_parts is not None:
            yield self.task_parts


class InvokeToolStep(BaseStep):
    """A tool with these arguments, without a model call."""

    kind: Literal["tool"] = "tool"
    args: dict[str, ArgumentField] = Field(default_factory=dict)
    _tool: Any = PrivateAttr(default=None)

    @property
    def bound_tool(self) -> Any:
        """The tool object that the plan was built with, in this process; None: `tool_id` says."""
        return self._tool

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        yield from self.args.values()


class SingleToolAgentStep(BaseStep):
    """One tool whose arguments a model chooses; those in `args` are settled already."""

    kind: Literal["agent"] = "agent"
    args: dict[str, ArgumentField] = Field(default_factory=dict)
    task_parts: ArgumentField | None = None
    model: str | None = None
    _tool: Any = PrivateAttr(default=None)
    _model: Any = PrivateAttr(default=None)

    @property
    def bound_tool(self) -> Any:
        """The tool object that the plan was built with, in this process; None: `tool_id` says."""
        return self._tool

    @property
    def bound_model(self) -> Any:
        """The model that is asked: the object that the plan was built with, else `model`."""
        return self._model or self.model

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        yield from self.args.values()
        if self.task_parts is not None:
            yield self.task_parts


class ReActAgentStep(BaseStep):
    """A model that calls tools, as many and as often as it needs, until it has the answer."""

    kind: Literal["react"] = "react"
    tool_ids: tuple[str, ...] | None = None
    """The tools that it may call; None: all that whoever runs the plan has."""
    task_parts: ArgumentField | None = None
    """The task with its references, where it holds any."""
    model: str | None = None
    allow_agent_clarifications: bool = False
    """True: the model may put questions to the person."""
    tool_call_limit: int = Field(default=25, ge=1)
    """Calls that it may ask for; then it must answer from what it has."""
    token_limit: int | None = Field(default=None, gt=0)
    """Tokens that its model calls may use; looked at before each; then it must answer."""
    _tools: tuple[Any, ...] = PrivateAttr(default=())
    _model: Any = PrivateAttr(default=None)

    @property
    def bound_tools(self) -> tuple[Any, ...]:
        """The tool objects among its tools that the plan was built with, in this process."""
        return self._tools

    @property
    def bound_model(self) -> Any:
        """The model that is asked: the object that the plan was built with, else `model`."""
        return self._model or self.model

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        if self.task_parts is not None:
            yield self.task_parts


class FunctionStep(BaseStep):
    """A function of the user's with these arguments."""

    kind: Literal["function"] = "function"
    function: FunctionRef
    args: dict[str, ArgumentField] = Field(default_factory=dict)

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        yield from self.args.values()


class UserVerifyStep(BaseStep):
    """Asks yes or no; no ends the run."""

    kind: Literal["user_verify"] = "user_verify"
    message: ArgumentField
    default: bool | None = None
    """The answer to take where nobody can be asked."""
    expires_in_s: float | None = Field(default=None, gt=0)
    """As in `Clarification`."""

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        yield self.message


class UserInputStep(BaseStep):
    """Asks for text, for a value of some type, or for an option; the answer is the output."""

    kind: Literal["user_input"] = "user_input"
    message: ArgumentField
    options: ArgumentField | None = None
    answer_schema: dict[str, Any] | None = None
    """JSON schema of the answer; None: any text."""
    default: Any = None
    """The answer to take where nobody can be asked; None: there is none."""
    expires_in_s: float | None = Field(default=None, gt=0)
    """As in `Clarification`."""

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        yield self.message
        if self.options is not None:
            yield self.options


class ExitStep(BaseStep):
    """Ends the run: as complete, or as failed where `error` is true."""

    kind: Literal["exit"] = "exit"
    message: ArgumentField
    """What the run says: its final output, or its error. Empty: the last output stands."""
    error: bool = False

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step passes on."""
        yield from super().arguments()
        yield self.message


def tools_text(step: BaseStep) -> str:
    """Return what stands for a step's tools in one line: its tool's id, an agent's tools, or "".

    >>> tools_text(ReActAgentStep(name="a", tool_ids=("search_tool", "calculator_tool")))
    'agent: search_tool, calculator_tool'
    """
    if not isinstance(step, ReActAgentStep):
        return step.tool_id or ""
    return f"agent: {'every tool' if step.tool_ids is None else ', '.join(step.tool_ids)}"


def plain_kind(tool_id: str | None) -> str:
    """Return the kind that one of the page's bare steps means."""
    return "llm" if tool_id in (None, LLM_TOOL_ID) else "agent"


def text_argument(parts: Argument) -> tuple[str, Argument | None]:
    """Return a text argument as its display text, and itself where it holds references.

    >>> from portia_nb.model.reference import to_argument
    >>> text_argument(to_argument("plain"))
    ('plain', None)
    """
    return show(parts), parts if isinstance(parts, Parts | Input | StepOutput) else None
