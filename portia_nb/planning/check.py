"""Refuse a plan that can't run, before anything is spent on it."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from portia_nb.errors import PlanCheckError, ToolNotFoundError
from portia_nb.model.callables import FunctionRef
from portia_nb.model.plan import (
    LLM_TOOL_ID,
    AnyStep,
    Condition,
    ConditionalStep,
    ExitStep,
    FunctionStep,
    InvokeToolStep,
    LLMStep,
    LoopStep,
    Plan,
    PlanInput,
    ReActAgentStep,
    SingleToolAgentStep,
    SubPlanStep,
    UserInputStep,
    UserVerifyStep,
)
from portia_nb.model.reference import Argument, Value
from portia_nb.model.tree import Namespace, namespace_of
from portia_nb.tools.base import Tool
from portia_nb.tools.registry import ToolRegistry

from .reach import MAX_NAMED, did_you_mean, order_problems, reference_problems

MAX_DEPTH = 20
"""Bodies inside bodies; a plan of a person has two or three."""
_RESERVED = "/[]"  # they separate steps and rounds in a path such as each_city[2]/sky


_CACHED = ("llm", "tool", "function", "agent")
"""Kinds of steps that can reuse what an equal one has put out."""


def check_plan(
    plan: Plan, tools: ToolRegistry | None = None, *, settled: Collection[str] = ()
) -> None:
    """Refuse `plan` if it can't run.

    Args:
        plan: any plan.
        tools: what its tool ids mean; None leaves open which tools there will be.
        settled: names of its own steps that won't run (again): what they call need not be here, nor
            be as it was.

    Raises:
        PlanCheckError: it can't run; the message and `problems` hold every reason.

    >>> check_plan(Plan(steps=[{"task": "Sum up.", "inputs": [{"name": "$news"}], "output": "$x"}]))
    Traceback (most recent call last):
        ...
    portia_nb.errors.PlanCheckError: this plan can't run: step 'x' refers to 'news', and there is no
    such step or plan input; there are: x
    """
    refuse(find_problems(plan, tools, settled=settled), plan)


def refuse(problems: Sequence[str], plan: Plan) -> None:
    """Do nothing where there are no `problems`.

    Raises:
        PlanCheckError: there are some.
    """
    if problems:
        shown = list(problems[:MAX_NAMED])
        if len(problems) > MAX_NAMED:
            shown.append(f"and {len(problems) - MAX_NAMED} more")
        raise PlanCheckError(
            "this plan can't run: " + "; ".join(shown), problems=tuple(problems), plan_id=plan.id
        )


def find_problems(
    plan: Plan, tools: ToolRegistry | None = None, *, settled: Collection[str] = ()
) -> list[str]:
    """Return why `plan` can't run, one sentence for each reason, each naming its step.

    Looks for: no steps, no task, unusable and twin names, references to nothing, to the step
    itself, to later steps and in circles (a loop's steps may mean the round before), unknown tools,
    arguments that a tool, a function or an inner plan doesn't take, lacks, or refuses.

    Args:
        plan: any plan.
        tools: as for `check_plan`.
        settled: as for `check_plan`.
    """
    if not plan.steps:
        return ["it has no steps"]
    problems = _space_problems(plan.names, plan.plan_inputs, tools, settled=settled)
    for name in _twins([given.name.removeprefix("$") for given in plan.plan_inputs]):
        problems.append(f"the plan has two inputs called {name!r}")
    return problems


def _space_problems(
    names: Namespace,
    inputs: Sequence[PlanInput],
    tools: ToolRegistry | None,
    depth: int = 0,
    *,
    settled: Collection[str] = (),
) -> list[str]:
    """Return what is wrong with steps that can name each other, and with the plans inside them."""
    if any(depth + len(place.around) > MAX_DEPTH for place in names.places):
        return [f"its steps are nested deeper than {MAX_DEPTH}"]
    known = [given.name.removeprefix("$") for given in inputs]
    problems = [
        *_names(names),
        *reference_problems(names, known),
        *order_problems(names.steps),
    ]
    for place in names.places:
        step = place.step
        if (place.around[0] if place.around else step).name in settled:
            continue
        problems += (f"step {step.name!r}: {problem}" for problem in _step_problems(step, tools))
        if isinstance(step, SubPlanStep) and step.steps:
            inside = depth + len(place.around) + 1
            inner = _space_problems(namespace_of(step), step.plan_inputs, tools, inside)
            problems += (f"in the plan of step {step.name!r}: {problem}" for problem in inner)
    return problems


def tool_of(
    step: InvokeToolStep | SingleToolAgentStep, tools: ToolRegistry | None
) -> Tool[Any] | None:
    """Return the step's tool: the one that it was built with, else what its id means in `tools`.

    Raises:
        ToolNotFoundError: `tools` has none of this id; the message names the nearest.
    """
    bound: Tool[Any] | None = step._tool  # pyright: ignore[reportPrivateUsage]
    if bound is not None:
        return bound
    return None if tools is None else tools.get_tool(step.tool_id or LLM_TOOL_ID)


def _names(names: Namespace) -> Iterator[str]:
    owners: dict[str, str] = {}
    for place in names.places:
        step = place.step
        held = f" in {place.around[-1].name!r}" if place.around else ""
        number = f"{place.top}{held}"
        owner = f"step {step.name!r} ({number})"
        if not step.name.strip() or any(c in step.name for c in _RESERVED) or step.name[0] == "$":
            yield (
                f"step {number} is called {step.name!r}: a name is text that doesn't begin with $ "
                f"and has none of {' '.join(_RESERVED)}"
            )
        # A step answers to both its names, so the two share one space.
        for name in dict.fromkeys((step.name, step.output.removeprefix("$"))):
            if name in owners:
                yield f"{owners[name]} and {owner} share the name {name!r}: give one another name"
            owners[name] = owner
        if not _is_writable(step):
            yield f"{owner} has text with half of a character (a lone surrogate) in it"
        if twins := _twins([variable.name for variable in step.inputs]):
            yield f"{owner} has two inputs called {', '.join(map(repr, twins))}"


def _is_writable(step: AnyStep) -> bool:
    """Tell whether the step's own texts can be written down; literals have codecs of their own."""
    texts = [step.name, step.output, step.task, step.condition or ""]
    texts += (text for variable in step.inputs for text in (variable.name, variable.description))
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True


def _twins(names: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    twins = [name for name in names if name in seen or seen.add(name)]
    return list(dict.fromkeys(twins))


def _step_problems(step: AnyStep, tools: ToolRegistry | None) -> Iterator[str]:
    if isinstance(step, LLMStep | SingleToolAgentStep | ReActAgentStep) and not step.task.strip():
        yield "it has no task"
    yield from _cache_problems(step, tools)
    match step:
        case InvokeToolStep() | SingleToolAgentStep():
            try:
                tool = tool_of(step, tools)
            except ToolNotFoundError as error:
                yield str(error)
                return
            if tool is not None:
                yield from _tool_problems(step, tool)
        case ReActAgentStep():
            yield from _agent_problems(step, tools)
        case FunctionStep():
            yield from _function_problems(step.function, step.args)
        case UserInputStep():
            yield from _default_problems(step)
        case ConditionalStep():
            yield from _branch_problems(step)
        case LoopStep():
            yield from _loop_problems(step)
        case SubPlanStep():
            yield from _sub_plan_problems(step)
        case LLMStep() | UserVerifyStep() | ExitStep():
            pass


def _cache_problems(step: AnyStep, tools: ToolRegistry | None) -> Iterator[str]:
    if not step.cache:
        return
    if step.kind not in _CACHED:
        yield f"it has cache, and a {step.kind} step has no output to reuse"
    elif step.side_effect is True:
        yield "it has cache, and what changes the world is never left out"
    elif isinstance(step, InvokeToolStep | SingleToolAgentStep):
        with contextlib.suppress(ToolNotFoundError):
            tool = tool_of(step, tools)
            if tool is not None and tool.side_effect is True:
                yield f"it has cache, and its tool {tool.id!r} changes the world"


def _agent_problems(step: ReActAgentStep, tools: ToolRegistry | None) -> Iterator[str]:
    if step.tool_ids is None:
        if tools is not None and not any(tool.id != LLM_TOOL_ID for tool in tools):
            yield "it may call every tool, and there is none: use an llm_step, or give tools"
        return
    if not step.tool_ids:
        yield "it has no tools: use an llm_step, or leave tools out to give it all"
    if twins := _twins(step.tool_ids):
        yield f"it has the tool {', '.join(map(repr, twins))} twice"
    bound = {tool.id for tool in step.bound_tools}
    for tool_id in step.tool_ids:
        if tools is not None and tool_id not in bound:
            try:
                tools.get_tool(tool_id)
            except ToolNotFoundError as error:
                yield str(error)


def _tool_problems(step: InvokeToolStep | SingleToolAgentStep, tool: Tool[Any]) -> Iterator[str]:
    known, unknown = split_known(step.args)
    if isinstance(step, SingleToolAgentStep):
        unknown += missing_arguments(tool, step.args)  # the model will choose them
    problems = tool.argument_problems(known, unknown=unknown)
    yield from (f"{problem} (tool {tool.id!r})" for problem in problems)


def split_known(args: Mapping[str, Argument]) -> tuple[dict[str, Any], list[str]]:
    """Split arguments into known values, and the names of those that are looked up in a run."""
    known = {name: given.value for name, given in args.items() if isinstance(given, Value)}
    return known, [name for name in args if name not in known]


def missing_arguments(tool: Tool[Any], args: Mapping[str, Any]) -> list[str]:
    """Return the names of the arguments that `tool` needs and `args` hasn't got."""
    return [name for name in tool.json_schema().get("required", ()) if name not in args]


def _function_problems(function: FunctionRef, args: Mapping[str, Argument]) -> Iterator[str]:
    if function.call is None:
        return  # whoever resumes brings it, and is told where it is missing
    try:
        signature = inspect.signature(function.call)
    except (TypeError, ValueError):
        return  # some built-in functions don't say what they take
    try:
        signature.bind(**args)
    except TypeError as error:
        name = function.name
        yield f"function {name!r} can't be called like this: {error}; it takes {signature}"


def _branch_problems(step: ConditionalStep) -> Iterator[str]:
    for number, branch in enumerate(step.branches[:-1], 1):
        if branch.condition is None:
            yield f"branch {number} has no condition, so those after it are never taken"
    for branch in step.branches:
        yield from _condition_problems(branch.condition)


def _loop_problems(step: LoopStep) -> Iterator[str]:
    if not step.steps:
        yield "there are no steps in it"
    if isinstance(step.over, Value) and (
        not isinstance(step.over.value, Iterable)
        or isinstance(step.over.value, str | bytes | dict | set)
    ):
        what = type(step.over.value).__name__
        yield f"it loops over a {what}, which is no sequence of items: give it a list"
    yield from _condition_problems(step.condition_of_rounds)


def _condition_problems(condition: Condition | None) -> Iterator[str]:
    if condition is not None and condition.function is not None:
        yield from _function_problems(condition.function, condition.args)


def _sub_plan_problems(step: SubPlanStep) -> Iterator[str]:
    if not step.steps:
        yield "its plan has no steps"
    known = {given.name.removeprefix("$"): given for given in step.plan_inputs}
    for name in step.args:
        if name not in known:
            yield f"its plan takes no input {name!r}; {did_you_mean(name, list(known), 'inputs')}"
    missing = [n for n, given in known.items() if n not in step.args and given.value is None]
    if missing:
        shown = ", ".join(f"{name!r}: …" for name in missing)
        yield f"its plan needs inputs: pass input_values={{{shown}}}"


def _default_problems(step: UserInputStep) -> Iterator[str]:
    if step.default is None or not isinstance(step.options, Value):
        return
    options = step.options.value
    if step.default not in options:
        shown = ", ".join(map(repr, options))
        yield f"its default {step.default!r} is none of its options: {shown}"
