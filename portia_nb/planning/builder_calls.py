"""Which call of the builder makes a step, as objects to try it with and as source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from portia_nb.model.composite import MAX_ITERATIONS, AnyStep, Condition
from portia_nb.model.plan import (
    ConditionalStep,
    ExitStep,
    FunctionStep,
    InvokeToolStep,
    LLMStep,
    LoopStep,
    ReActAgentStep,
    SingleToolAgentStep,
    SubPlanStep,
    UserInputStep,
    UserVerifyStep,
    Variable,
)
from portia_nb.model.reference import Argument, StepOutput
from portia_nb.model.written import to_variables

from .builder import PlanBuilderV2
from .carrying import Luggage
from .clauses import ElseIf, EndIf, EndLoop, Entry, If, Loop
from .literals import argument, as_given, literal
from .written_out import write_out

_CALL_LIMIT = ReActAgentStep.model_fields["tool_call_limit"].default


@dataclass
class Spelled:
    """One call of the builder."""

    method: str
    objects: dict[str, Any]
    """Values by keyword, to make the call with."""
    words: dict[str, str]
    """Expressions by keyword, to write it down."""
    first: tuple[str, ...] = ()
    """Expressions without a keyword, and their values."""
    first_objects: tuple[Any, ...] = ()

    @classmethod
    def of(cls, method: str, objects: Mapping[str, Any]) -> Spelled:
        """Return a call with literals."""
        return cls(method, dict(objects), {key: literal(each) for key, each in objects.items()})

    def put(self, word: str, value: Any, code: str | None = None) -> None:
        """Add a keyword, where there is something to say."""
        if value is not None:
            self.objects[word] = value
            self.words[word] = literal(value) if code is None else code

    def argument(self, word: str, given: Argument | None) -> None:
        """Add a keyword that is an argument with references, where it is given."""
        if given is not None:
            self.put(word, as_given(given), argument(given))

    def make(self, builder: PlanBuilderV2) -> Any:
        """Make the call."""
        return getattr(builder, self.method)(*self.first_objects, **self.objects)


def spell(entry: Entry, index: int, luggage: Luggage) -> Spelled:
    """Return the call that makes an entry of the builder.

    Args:
        entry: a step that holds none, but no plan inside a plan; or a clause.
        index: how many entries come before it.
        luggage: gets the functions and shapes that it needs.
    """
    match entry.what:
        case If(step, condition):
            spelled = Spelled("if_", {}, {})
            _condition(spelled, condition, luggage)
            common_words(spelled, step, index, entry.after, luggage, only_name=True)
        case ElseIf(judged):
            spelled = Spelled("else_" if judged is None else "else_if_", {}, {})
            if judged is not None:
                _condition(spelled, judged, luggage)
        case EndIf():
            return Spelled("endif", {}, {})
        case EndLoop(name):
            return Spelled.of("end_loop", {"step_name": name} if name else {})
        case Loop(step):
            spelled = _loop(step, luggage)
            common_words(spelled, step, index, entry.after, luggage, only_name=True)
        case step:
            spelled = _step(step, luggage)
            is_exit = isinstance(step, ExitStep)
            common_words(
                spelled, step, index, () if is_exit else entry.after, luggage, only_name=is_exit
            )
    return spelled


def common_words(
    spelled: Spelled,
    step: AnyStep,
    index: int,
    after: Sequence[Any],
    luggage: Luggage,
    *,
    only_name: bool = False,
) -> None:
    """Add what all calls share: the step's name, what it comes after, its limits."""
    if step.name != f"step_{index}":
        spelled.put("step_name", step.name)
    if after:
        spelled.put("after", list(after))
    if only_name:
        return
    if step.output_schema is not None:
        code = luggage.schema(step.output_schema)
        spelled.put("output_schema", step.output_schema, code)
    for word in ("retries", "timeout_s", "cache", "side_effect"):
        spelled.put(word, getattr(step, word))


def given_arguments(spelled: Spelled, word: str, args: Mapping[str, Argument]) -> None:
    """Add arguments by name as a dict."""
    if args:
        code = ", ".join(f"{name!r}: {argument(given)}" for name, given in args.items())
        spelled.put(word, {name: as_given(given) for name, given in args.items()}, f"{{{code}}}")


def _condition(spelled: Spelled, condition: Condition, luggage: Luggage) -> None:
    value, code = _judged(condition, luggage)
    spelled.first, spelled.first_objects = (code,), (value,)
    given_arguments(spelled, "args", condition.args)


def _judged(condition: Condition, luggage: Luggage) -> tuple[Any, str]:
    if condition.function is not None:
        function = condition.function
        return function.call or condition, luggage.function(function)
    decides: Any = condition.sentence if condition.value is None else condition.value
    return as_given(decides), argument(decides)


def _loop(step: LoopStep, luggage: Luggage) -> Spelled:
    spelled = Spelled("loop", {}, {})
    spelled.argument("over", step.over)
    for word, condition in (("while_", step.while_), ("do_while_", step.do_while_)):
        if condition is not None:
            spelled.put(word, *_judged(condition, luggage))
            given_arguments(spelled, "args", condition.args)
    if step.parallel:
        spelled.put("parallel", True)
    if step.max_iterations != MAX_ITERATIONS:
        spelled.put("max_iterations", step.max_iterations)
    return spelled


def _step(step: AnyStep, luggage: Luggage) -> Spelled:
    match step:
        case LLMStep():
            spelled = _with_task("llm_step", step, luggage)
            spelled.put("system_prompt", step.system_prompt)
        case SingleToolAgentStep():
            spelled = _with_task("single_tool_agent_step", step, luggage)
            spelled.put("tool", step.tool_id)
        case ReActAgentStep():
            spelled = _react(step, luggage)
        case InvokeToolStep():
            spelled = Spelled.of("invoke_tool_step", {"tool": step.tool_id})
            given_arguments(spelled, "args", step.args)
        case FunctionStep():
            name = luggage.function(step.function)
            spelled = Spelled("function_step", {}, {})
            spelled.put("function", step.function.call or _nothing, name)
            given_arguments(spelled, "args", step.args)
        case UserVerifyStep() | UserInputStep():
            spelled = _question(step)
        case ExitStep():
            spelled = Spelled("exit", {}, {})
            spelled.argument("message", step.message)
            if step.error:
                spelled.put("error", True)
        case ConditionalStep() | LoopStep() | SubPlanStep():
            raise AssertionError(step)
        case _:
            assert_never(step)
    return spelled


def _react(step: ReActAgentStep, luggage: Luggage) -> Spelled:
    spelled = _with_task("react_agent_step", step, luggage)
    if step.tool_ids is not None:
        spelled.put("tools", list(step.tool_ids))
    if step.allow_agent_clarifications:
        spelled.put("allow_agent_clarifications", True)
    if step.tool_call_limit != _CALL_LIMIT:
        spelled.put("tool_call_limit", step.tool_call_limit)
    spelled.put("token_limit", step.token_limit)
    return spelled


def _question(step: UserVerifyStep | UserInputStep) -> Spelled:
    is_input = isinstance(step, UserInputStep)
    spelled = Spelled("user_input" if is_input else "user_verify", {}, {})
    spelled.argument("message", step.message)
    if is_input:
        spelled.argument("options", step.options)
    spelled.put("default", step.default)
    spelled.put("expires_in_s", step.expires_in_s)
    return spelled


def _with_task(
    method: str, step: LLMStep | SingleToolAgentStep | ReActAgentStep, luggage: Luggage
) -> Spelled:
    spelled = Spelled(method, {}, {})
    if step.task_parts is None:
        spelled.put("task", step.task)
    else:
        spelled.argument("task", step.task_parts)
    if step.inputs:
        spelled.put("inputs", list(step.inputs), f"[{', '.join(_inputs(step.inputs, luggage))}]")
    spelled.put("model", step.model)
    return spelled


def _inputs(inputs: Sequence[Variable], luggage: Luggage) -> list[str]:
    """Return expressions for inputs: references as they are where the builder names them so."""
    meant: list[Argument] = [
        StepOutput(each.name.removeprefix("$")) if each.value is None else each.value
        for each in inputs
    ]
    made = to_variables([as_given(each) for each in meant])
    if len(made) == len(inputs) and all(
        one.name == each.name and not each.description
        for one, each in zip(made, inputs, strict=True)
    ):
        return [argument(each) for each in meant]
    return [write_out(each, luggage) for each in inputs]


def _nothing() -> None:
    """Stand for a function that this process hasn't got; its step is then written out."""
