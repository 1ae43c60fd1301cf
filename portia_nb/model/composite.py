"""Steps that hold steps: branches, loops, and plans inside plans; and the type of any step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Discriminator,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    Tag,
    model_serializer,
    model_validator,
)

from portia_nb.model.callables import FunctionRef
from portia_nb.model.reference import (
    Argument,
    ArgumentField,
    DictOf,
    Input,
    ListOf,
    Parts,
    StepOutput,
    Value,
    show,
    to_argument,
    write_argument,
)
from portia_nb.model.steps import (
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
    plain_kind,
)

MAX_ITERATIONS = 1000
"""Rounds that a loop may take where it doesn't say otherwise."""


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


class Condition(Frozen):
    """What decides: a function of `args`, a sentence that a model judges of them, or a value."""

    function: FunctionRef | None = None
    """Plain or async; what it returns counts as true or false, as `bool` says."""
    sentence: ArgumentField | None = None
    value: ArgumentField | None = None
    """A reference, or a literal; what it brings counts as true or false, as `bool` says."""
    args: dict[str, ArgumentField] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _is_one(cls, data: Any) -> Any:
        _refuse_unless_one("a condition", data, ("function", "sentence", "value"))
        return data

    @classmethod
    def of(cls, given: Any, args: Mapping[str, Any] | None = None) -> Condition:
        """Return what a person wrote as a condition.

        Raises:
            TypeError: it is neither a function, text, a reference nor a boolean.
        """
        arguments = {name: to_argument(value) for name, value in (args or {}).items()}
        if isinstance(given, Condition):
            return given
        if isinstance(given, str):
            return cls(sentence=to_argument(given), args=arguments)
        if isinstance(given, StepOutput | Input | bool):
            return cls(value=to_argument(given), args=arguments)
        if callable(given):
            return cls(function=FunctionRef.of(given), args=arguments)
        raise TypeError(
            "a condition is a function, a sentence, a reference such as StepOutput('name'), or a "
            f"boolean, not {given!r:.80}"
        )

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that it is judged by."""
        if self.sentence is not None:
            yield self.sentence
        if self.value is not None:
            yield self.value
        yield from self.args.values()

    def changed(self, change: Callable[[Argument], Argument]) -> Condition:
        """Return it with ``change`` applied to each argument."""
        return self.model_copy(
            update={
                "sentence": None if self.sentence is None else change(self.sentence),
                "value": None if self.value is None else change(self.value),
                "args": {name: change(argument) for name, argument in self.args.items()},
            }
        )

    def text(self) -> str:
        """Return it as short text for people.

        >>> Condition.of(StepOutput("found", path="ok")).text()
        '$found.ok'
        """
        if self.function is not None:
            args = ", ".join(show(argument) for argument in self.args.values())
            return f"{self.function.name}({args})"
        decides: Any = self.sentence if self.value is None else self.value
        return show(decides)

    @model_serializer(mode="wrap")
    def _print(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value not in (None, {})}


class Branch(Frozen):
    """Steps that run where `condition` holds and no branch before them was taken."""

    condition: Condition | None = None
    """None: always, which only the last branch may say."""
    steps: tuple[Step, ...] = ()


class _Holder(BaseStep):
    """What every step has that holds steps."""

    holds_steps: ClassVar[bool] = True

    # Not "wrap": pydantic runs a wrapping serializer twice at each level of a recursive model.
    @model_serializer(mode="plain")
    def _print(self) -> dict[str, Any]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.printed({key: _plain(getattr(self, key)) for key in type(self).model_fields})


class ConditionalStep(_Holder):
    """Runs the steps of the first branch whose condition holds; later ones are not judged.

    Its output is that of the last step that ran, None where no branch was taken.
    """

    kind: Literal["if"] = "if"
    branches: tuple[Branch, ...] = Field(min_length=1)

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step itself passes on, not those of the steps in it."""
        yield from super().arguments()
        for branch in self.branches:
            if branch.condition is not None:
                yield from branch.condition.arguments()


class LoopStep(_Holder):
    """Runs its steps again and again: for each item of `over`, or while a condition holds.

    Inside, its own output is the item (in a while loop the round's number, from 0). Outside it is
    the output of the last round, and with ``full=True`` the list of all rounds' outputs.
    """

    kind: Literal["loop"] = "loop"
    over: ArgumentField | None = None
    """The items: a sequence, or a reference to one."""
    while_: Condition | None = None
    """Judged before each round."""
    do_while_: Condition | None = None
    """Judged after each round."""
    steps: tuple[Step, ...] = ()
    parallel: bool = False
    """True: the rounds of a for-each run beside each other."""
    max_iterations: int = Field(default=MAX_ITERATIONS, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _is_one(cls, data: Any) -> Any:
        _refuse_unless_one("a loop", data, ("over", "while_", "do_while_"))
        if isinstance(data, dict) and data.get("parallel") and data.get("over") is None:
            raise ValueError("only the rounds of a loop over items can run beside each other")
        return data

    @property
    def condition_of_rounds(self) -> Condition | None:
        """The condition that each round hangs on; None in a for-each."""
        return self.while_ or self.do_while_

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step itself passes on, not those of the steps in it."""
        yield from super().arguments()
        if self.over is not None:
            yield self.over
        if (condition := self.condition_of_rounds) is not None:
            yield from condition.arguments()


class SubPlanStep(_Holder):
    """Runs a whole plan, which sees its own inputs and steps and nothing else of this one."""

    kind: Literal["sub_plan"] = "sub_plan"
    steps: tuple[Step, ...] = ()
    plan_inputs: tuple[PlanInput, ...] = ()
    args: dict[str, ArgumentField] = Field(default_factory=dict)
    """Values of the inner plan's inputs, by name."""
    summarize: bool = False
    _namespace: Any = PrivateAttr(default=None)

    def arguments(self) -> Iterator[Argument]:
        """Yield every argument that the step itself passes on, not those of the steps in it."""
        yield from super().arguments()
        yield from self.args.values()


def _refuse_unless_one(what: str, data: Any, keys: Sequence[str]) -> None:
    if isinstance(data, dict):
        given = [key for key in keys if data.get(key) is not None]
        if len(given) != 1:
            found = ", ".join(given) or "none"
            raise ValueError(f"{what} has exactly one of {', '.join(keys)}; found {found}")


def _plain(value: Any) -> Any:
    """Return a field with the arguments in it as JSON; models in it print themselves."""
    if isinstance(value, Value | StepOutput | Input | Parts | ListOf | DictOf):
        return write_argument(value)
    if isinstance(value, dict):
        return {key: _plain(held) for key, held in value.items()}
    return value


def _kind_of(data: Any) -> str:
    """Tell a step's kind: as it says, else as the page's bare steps mean it."""
    if isinstance(data, dict):
        return str(data.get("kind") or plain_kind(data.get("tool_id")))
    return str(getattr(data, "kind", ""))


Step = Annotated[
    Annotated[LLMStep, Tag("llm")]
    | Annotated[InvokeToolStep, Tag("tool")]
    | Annotated[SingleToolAgentStep, Tag("agent")]
    | Annotated[ReActAgentStep, Tag("react")]
    | Annotated[FunctionStep, Tag("function")]
    | Annotated[UserVerifyStep, Tag("user_verify")]
    | Annotated[UserInputStep, Tag("user_input")]
    | Annotated[ExitStep, Tag("exit")]
    | Annotated[ConditionalStep, Tag("if")]
    | Annotated[LoopStep, Tag("loop")]
    | Annotated[SubPlanStep, Tag("sub_plan")],
    Discriminator(_kind_of),
]
"""Any step; its JSON is told apart by `kind`, or where that is absent, by `tool_id`."""

Composite = ConditionalStep | LoopStep | SubPlanStep
Leaf = (
    LLMStep
    | InvokeToolStep
    | SingleToolAgentStep
    | ReActAgentStep
    | FunctionStep
    | UserVerifyStep
    | UserInputStep
    | ExitStep
)
AnyStep = Leaf | Composite

for _class in (Branch, ConditionalStep, LoopStep, SubPlanStep):
    _class.model_rebuild()


def bodies(step: AnyStep) -> tuple[tuple[AnyStep, ...], ...]:
    """Return the lists of steps that `step` holds: a branch's each, a loop's, an inner plan's."""
    match step:
        case ConditionalStep():
            return tuple(branch.steps for branch in step.branches)
        case LoopStep() | SubPlanStep():
            return (step.steps,)
        case _:
            return ()


def each_step(steps: Sequence[AnyStep], *, into_plans: bool = True) -> Iterator[AnyStep]:
    """Yield every step of `steps` and of the bodies in them, in reading order.

    Args:
        steps: a plan's, or one body's.
        into_plans: whether to yield the steps of inner plans too.
    """
    for step in steps:
        yield step
        if isinstance(step, Composite) and (into_plans or not isinstance(step, SubPlanStep)):
            for body in bodies(step):
                yield from each_step(body, into_plans=into_plans)


def functions_of(step: AnyStep) -> Iterator[FunctionRef]:
    """Yield the functions that `step` itself calls, not those of the steps in it."""
    match step:
        case FunctionStep():
            yield step.function
        case ConditionalStep():
            conditions = [branch.condition for branch in step.branches]
            yield from (c.function for c in conditions if c is not None and c.function is not None)
        case LoopStep():
            condition = step.condition_of_rounds
            if condition is not None and condition.function is not None:
                yield condition.function
        case _:
            return


def composite_task(step: ConditionalStep | LoopStep) -> str:
    """Return what a person reads on a conditional or a loop."""
    if isinstance(step, ConditionalStep):
        condition = step.branches[0].condition
        return f"If {condition.text()}" if condition is not None else "Always"
    if step.over is not None:
        return f"For each of {show(step.over)}"
    if step.while_ is not None:
        return f"While {step.while_.text()}"
    return f"Again while {step.do_while_.text()}" if step.do_while_ is not None else ""
