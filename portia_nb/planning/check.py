"""Refuse a plan that can't run, before anything is spent on it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter
from typing import Any

from portia_nb.errors import PlanCheckError, ToolNotFoundError
from portia_nb.model.order import find_step, named_by, step_index
from portia_nb.model.plan import (
    LLM_TOOL_ID,
    AnyStep,
    FunctionStep,
    InvokeToolStep,
    LLMStep,
    Plan,
    SingleToolAgentStep,
    UserInputStep,
    UserVerifyStep,
)
from portia_nb.model.reference import Argument, Input, Value
from portia_nb.tools.base import Tool
from portia_nb.tools.registry import ToolRegistry

_RESERVED = "/[]"  # they separate steps and rounds in a path such as each_city[2]/sky
_MAX_NAMED = 20


def check_plan(plan: Plan, tools: ToolRegistry | None = None) -> None:
    """Refuse `plan` if it can't run.

    Args:
        plan: any plan.
        tools: what its tool ids mean; None leaves open which tools there will be.

    Raises:
        PlanCheckError: it can't run; the message and `problems` hold every reason.

    >>> check_plan(Plan(steps=[{"task": "Sum up.", "inputs": [{"name": "$news"}], "output": "$x"}]))
    Traceback (most recent call last):
        ...
    portia_nb.errors.PlanCheckError: this plan can't run: step 'x' refers to 'news', and there is no
    such step or plan input; there are: x
    """
    refuse(find_problems(plan, tools), plan)


def refuse(problems: Sequence[str], plan: Plan) -> None:
    """Do nothing where there are no `problems`.

    Raises:
        PlanCheckError: there are some.
    """
    if problems:
        shown = list(problems[:_MAX_NAMED])
        if len(problems) > _MAX_NAMED:
            shown.append(f"and {len(problems) - _MAX_NAMED} more")
        raise PlanCheckError(
            "this plan can't run: " + "; ".join(shown), problems=tuple(problems), plan_id=plan.id
        )


def find_problems(plan: Plan, tools: ToolRegistry | None = None) -> list[str]:
    """Return why `plan` can't run, one sentence for each reason, each naming its step.

    Looks for: no steps, no task, unusable and twin names, references to nothing, to the step
    itself, to later steps and in circles, unknown tools, arguments that a tool or a function
    doesn't take, lacks, or refuses.

    Args:
        plan: any plan.
        tools: as for `check_plan`.
    """
    if not plan.steps:
        return ["it has no steps"]
    problems = [*_names(plan), *_references(plan), *_order(plan)]
    for step in plan.steps:
        problems += (f"step {step.name!r}: {problem}" for problem in _step_problems(step, tools))
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


def did_you_mean(name: str, known: Sequence[str], nouns: str) -> str:
    """Return the end of a message about an unknown name: the nearest, or what there is."""
    near = get_close_matches(name, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    more = f" and {len(known) - _MAX_NAMED} more" if len(known) > _MAX_NAMED else ""
    return f"{nouns}: {', '.join(known[:_MAX_NAMED]) or 'none'}{more}"


def _names(plan: Plan) -> Iterator[str]:
    owners: dict[str, str] = {}
    for index, step in enumerate(plan.steps):
        owner = f"step {step.name!r} ({index})"
        if not step.name.strip() or any(c in step.name for c in _RESERVED) or step.name[0] == "$":
            yield (
                f"step {index} is called {step.name!r}: a name is text that doesn't begin with $ "
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
    for name in _twins([given.name.removeprefix("$") for given in plan.plan_inputs]):
        yield f"the plan has two inputs called {name!r}"


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


def _references(plan: Plan) -> Iterator[str]:
    index = step_index(plan.steps)
    inputs = [given.name.removeprefix("$") for given in plan.plan_inputs]
    for step in plan.steps:
        by_name = {v.name.removeprefix("$") for v in step.inputs if v.value is None}
        for name in dict.fromkeys(named_by(step)):
            if find_step(name, index, len(plan.steps)) is not None:
                continue
            shown = name if isinstance(name, int) else name.removeprefix("$")
            if shown in by_name and shown not in step.after:
                if shown not in inputs:
                    known = [*(s.name for s in plan.steps), *inputs]
                    hint = did_you_mean(str(shown), known, "there are")
                    yield (
                        f"step {step.name!r} refers to {shown!r}, and there is no such step or "
                        f"plan input; {hint}"
                    )
                continue
            verb = "comes after" if name in step.after else "refers to"
            hint = did_you_mean(str(shown), [s.name for s in plan.steps], "steps")
            yield f"step {step.name!r} {verb} {shown!r}, and there is no such step; {hint}"
        for reference in dict.fromkeys(r for r in step.references() if isinstance(r, Input)):
            if reference.name.removeprefix("$") not in inputs:
                hint = did_you_mean(reference.name, inputs, "plan inputs")
                yield (
                    f"step {step.name!r} uses the plan input {reference.name!r}, and the plan has "
                    f"none of that name; {hint}"
                )


def _order(plan: Plan) -> Iterator[str]:
    """Find circles and steps that wait for later ones.

    Places can't add a circle to steps that only wait for earlier ones: a place is only ever kept
    against earlier steps too.
    """
    names = [step.name for step in plan.steps]
    index = step_index(plan.steps)
    waits = [_known_places(step, index, len(names)) for step in plan.steps]
    circle: list[int] = []
    try:
        TopologicalSorter(dict(enumerate(waits))).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        if len(circle) > 2:  # a step that waits for itself is told below
            shown = " → ".join(repr(names[i]) for i in circle)
            yield f"steps wait for each other in a circle: {shown}"
    for this, waited in enumerate(waits):
        for other in waited:
            if other == this:
                yield f"step {names[this]!r} refers to itself"
            elif other > this and not {this, other} <= set(circle):
                yield (
                    f"step {names[this]!r} refers to {names[other]!r}, which comes later in the "
                    f"plan: put {names[other]!r} first"
                )


def _known_places(step: AnyStep, index: Mapping[str, int], count: int) -> list[int]:
    places = (find_step(name, index, count) for name in named_by(step))
    return list(dict.fromkeys(place for place in places if place is not None))


def _step_problems(step: AnyStep, tools: ToolRegistry | None) -> Iterator[str]:
    if isinstance(step, LLMStep | SingleToolAgentStep) and not step.task.strip():
        yield "it has no task"
    match step:
        case InvokeToolStep() | SingleToolAgentStep():
            try:
                tool = tool_of(step, tools)
            except ToolNotFoundError as error:
                yield str(error)
                return
            if tool is not None:
                yield from _tool_problems(step, tool)
        case FunctionStep():
            yield from _function_problems(step)
        case UserInputStep():
            yield from _default_problems(step)
        case LLMStep() | UserVerifyStep():
            pass


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


def _function_problems(step: FunctionStep) -> Iterator[str]:
    if step.function.call is None:
        return  # whoever resumes brings it, and is told where it is missing
    try:
        signature = inspect.signature(step.function.call)
    except (TypeError, ValueError):
        return  # some built-in functions don't say what they take
    try:
        signature.bind(**step.args)
    except TypeError as error:
        name = step.function.name
        yield f"function {name!r} can't be called like this: {error}; it takes {signature}"


def _default_problems(step: UserInputStep) -> Iterator[str]:
    if step.default is None or not isinstance(step.options, Value):
        return
    options = step.options.value
    if step.default not in options:
        shown = ", ".join(map(repr, options))
        yield f"its default {step.default!r} is none of its options: {shown}"
