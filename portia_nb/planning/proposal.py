"""Read a planner's reply as steps, and say what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from portia_nb.model.order import find_step, named_by, step_index
from portia_nb.model.plain import to_plain_json
from portia_nb.model.plan import (
    LLM_TOOL_ID,
    AnyStep,
    InvokeToolStep,
    LLMStep,
    SingleToolAgentStep,
    Variable,
)
from portia_nb.model.reference import (
    Argument,
    Input,
    Parts,
    StepOutput,
    Value,
    references,
    write_argument,
)
from portia_nb.tools.base import Tool

from .check import did_you_mean, missing_arguments

MAX_JSON_CHARS = 100_000


class Unreadable(Exception):
    """Something in a reply can't be read; the message is a sentence for the model that wrote it."""


def read_steps(
    replied: Sequence[Mapping[str, Any]],
    tools: Mapping[str, Tool[Any]],
    untyped: Collection[str] = (),
) -> tuple[list[AnyStep], list[str]]:
    """Return the steps that a planner replied, in an order in which they can run, and the problems.

    A step whose arguments are all bound becomes an `InvokeToolStep`, which costs no model call when
    it runs; one with arguments left open a `SingleToolAgentStep`; one of `llm_tool` an `LLMStep`.

    Args:
        replied: the reply's steps, of the shape that its schema asks for.
        tools: the tools that were offered, by id.
        untyped: ids of tools whose arguments come as JSON text.
    """
    steps: list[AnyStep] = []
    problems: list[str] = []
    for index, data in enumerate(replied):
        try:
            steps.append(_read_step(data, tools, untyped))
        except Unreadable as error:
            name = str(data.get("output") or index).removeprefix("$")
            problems.append(f"step {name!r}: {error}")
    return in_order(steps), problems


def _read_step(
    data: Mapping[str, Any], tools: Mapping[str, Tool[Any]], untyped: Collection[str]
) -> AnyStep:
    name = str(data["output"]).strip().removeprefix("$")
    tool_id = data.get("tool_id") or LLM_TOOL_ID
    args = _read_args(data.get("args") or {}, is_text=tool_id in untyped)
    common: dict[str, Any] = {
        "task": data["task"],
        "inputs": _inputs(data.get("inputs") or (), args.values()),
        "tool_id": tool_id,
        "output": f"${name}",
        "name": name,
        "condition": (data.get("condition") or "").strip() or None,
    }
    if tool_id == LLM_TOOL_ID:
        if args:
            raise Unreadable(f"{LLM_TOOL_ID} takes no args: put what it needs into task and inputs")
        return LLMStep(**common)
    tool = tools.get(tool_id)
    if tool is None:
        hint = did_you_mean(tool_id, [*tools, LLM_TOOL_ID], "tools")
        raise Unreadable(f"there is no tool {tool_id!r}; {hint}")
    kind = SingleToolAgentStep if _leaves_a_choice(tool, args, common["inputs"]) else InvokeToolStep
    return kind(**common, args=args)


def _leaves_a_choice(
    tool: Tool[Any], args: Mapping[str, Argument], inputs: Sequence[Variable]
) -> bool:
    """Tell whether a model must choose arguments when the step runs.

    One that may be left out keeps its default, unless the step is given inputs that no argument
    takes up: then those are there to choose by.
    """
    if missing_arguments(tool, args):
        return True
    taken = {_input_name(r) for argument in args.values() for r in references(argument)}
    is_open = tool.json_schema().get("properties", {}).keys() - args.keys()
    return bool(is_open) and any(variable.name not in taken for variable in inputs)


def _read_args(given: Any, *, is_text: bool) -> dict[str, Argument]:
    if is_text and isinstance(given, Mapping) and "args_json" in given:
        given = _from_json(given["args_json"])
    if not isinstance(given, Mapping):
        raise Unreadable(f"args is an object of arguments by name, not {given!r:.80}")
    return {
        str(name): read_bound(str(name), value)
        for name, value in given.items()
        if value is not None  # left open
    }


def _from_json(text: Any) -> Any:
    if not isinstance(text, str) or len(text) > MAX_JSON_CHARS:
        raise Unreadable(f"args_json is JSON text of at most {MAX_JSON_CHARS} characters")
    try:
        return json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"args_json is not JSON: {error}") from None


def read_bound(name: str, given: Any) -> Argument:
    """Read what a planner bound to the argument `name`.

    An object is a reference, text with references, or a literal object wrapped as ``{"value": …}``;
    anything else is a literal as it stands, whatever is inside it.

    Raises:
        Unreadable: an object is none of these.
    """
    if not isinstance(given, Mapping):
        return Value(given)
    match given:
        case {"value": value} if len(given) == 1:
            return Value(value)
        case {"parts": list(parts)} if len(given) == 1:
            read = [part if isinstance(part, str) else _reference(name, part) for part in parts]
            if all(isinstance(part, str) for part in read):
                return Value("".join(str(part) for part in read))
            return Parts(tuple(read))
        case _:
            return _reference(name, given)


def write_bound(argument: Argument) -> Any:
    """Return `argument` as `read_bound` reads it; None, which leaves it open, where it can't be."""
    match argument:
        case Value(value):
            plain = to_plain_json(value)
            return {"value": plain} if isinstance(plain, dict) else plain
        case StepOutput() | Input() | Parts():
            return write_argument(argument)
        case _:
            return None


def _reference(name: str, given: Any) -> StepOutput | Input:
    path = given.get("path") if isinstance(given, Mapping) else None
    if path is None or isinstance(path, str):
        match given:
            case {"step": str(step)} if given.keys() <= {"step", "path"}:
                return StepOutput(step.strip().removeprefix("$"), path or None)
            case {"input": str(known)} if given.keys() <= {"input", "path"}:
                return Input(known.strip().removeprefix("$"), path or None)
            case _:
                pass
    raise Unreadable(
        f"argument {name!r} is {given!r:.80}: it must be a plain value, "
        '{"value": object}, {"step": name, "path": …}, {"input": name, "path": …} or {"parts": […]}'
    )


def _inputs(
    declared: Sequence[Mapping[str, Any]], args: Collection[Argument]
) -> tuple[Variable, ...]:
    """Return the declared inputs, each once, and those that the arguments refer to besides."""
    found: dict[str, Variable] = {}
    for given in declared:
        name = "$" + str(given["name"]).strip().removeprefix("$")
        found.setdefault(name, Variable(name=name, description=given.get("description") or ""))
    for argument in args:
        for name in map(_input_name, references(argument)):
            found.setdefault(name, Variable(name=name))
    return tuple(found.values())


def _input_name(reference: StepOutput | Input) -> str:
    return f"${reference.name if isinstance(reference, Input) else reference.step}"


def in_order(steps: list[AnyStep]) -> list[AnyStep]:
    """Put steps behind those that they refer to; else, and where there is a circle, as they are."""
    index = step_index(steps)
    waits = {
        place: [
            found
            for name in named_by(step)
            if (found := find_step(name, index, len(steps))) is not None
        ]
        for place, step in enumerate(steps)
    }
    if all(earlier < place for place, needed in waits.items() for earlier in needed):
        return steps
    sorter = TopologicalSorter(waits)
    try:
        sorter.prepare()
    except CycleError:
        return steps  # the check says so
    ordered: list[AnyStep] = []
    ready: list[int] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()])
        place = ready.pop(0)
        ordered.append(steps[place])
        sorter.done(place)
    return ordered
