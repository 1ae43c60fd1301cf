"""Steps that share their outputs with equal steps of any run: what equal means, and the asking.

Only who asks for it shares: a tool, or a step. What counts is content, by its sha256: the tool or
function with its source, its arguments and the values that it sees beside them (see `seen`), or the
model with the whole prompt. What it finds in the world doesn't count, nor an object that can't be
told by its content, such as a connection: hence it must be asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from portia_nb.model import codecs
from portia_nb.model.callables import FunctionRef, SchemaRef
from portia_nb.model.plan import (
    AnyStep,
    FunctionStep,
    InvokeToolStep,
    LLMStep,
    SingleToolAgentStep,
)
from portia_nb.model.rounds import is_at
from portia_nb.model.run import Run
from portia_nb.tools.base import Tool

from .attempt import Attempt, Cached, Result
from .leaves import Leaves
from .ports import Ports
from .prompts import choose_arguments
from .seen import CLOSELY, LOOSELY, Look, seen_by, seen_by_tool

CACHE = "cache"
"""Where an output comes from that an equal step had put out."""
_PLAIN = (str, int, float, bool, type(None))
_FORMAT = "1"
"""Changes with what a key is made of."""


class CachedSteps:
    """Does the steps of one run that share their outputs."""

    def __init__(self, run: Run, ports: Ports, leaves: Leaves) -> None:
        """Do with `leaves` what no equal step has done."""
        self._run = run
        self._ports = ports
        self._leaves = leaves

    async def perform(self, at: Attempt, cache: bool | float) -> Result:
        """Return what an equal step had put out, else do the step.

        Args:
            at: the attempt.
            cache: True, or for how many seconds an output counts.

        Raises:
            Asking: it needs an answer first.
            Exception: it failed.
        """
        recall = self._ports.recall
        if at.step.kind in ("tool", "agent") and self._ports.hooks.before_tool_call is not None:
            recall = None  # a hook may change each call's arguments, forbid it or ask about it
        if self._leaves.is_answered(at):
            recall = None  # what one person answered is no other's output
        key = None if recall is None else self._key(at)
        if recall is None or key is None:
            return await self._leaves.perform(at)
        is_anew = self._run.anew is not None and is_at(at.path, self._run.anew)
        found = None if is_anew else await recall(key, None if cache is True else float(cache))
        if found is not None:
            return Result(found.value, found.summary, cached=Cached(CACHE, key))
        result = await self._leaves.perform(at)
        return replace(result, cached=Cached("", key)) if self._comes_back(result) else result

    def _comes_back(self, result: Result) -> bool:
        return type(result.value) in _PLAIN or self._ports.comes_back(result.value)

    def _key(self, at: Attempt) -> str | None:
        """Return what tells equal steps; None: something in it can't be told by its content."""
        told = self._told(at.step, at)
        if told is None:
            return None
        try:
            exact = codecs.dumps([_FORMAT, at.step.kind, _schema(at.step.output_schema), told])
        except ValueError:
            return None
        return hashlib.sha256(exact.encode()).hexdigest()

    def _told(self, step: AnyStep, at: Attempt) -> Any:
        match step:
            case FunctionStep():
                given = _encoded({n: at.scope.resolve(a) for n, a in step.args.items()})
                function = step.function
                seen = None if function.call is None else seen_by(function.call, CLOSELY)
                told = [function.name, function.source_sha256, seen, step.task]
                return None if given is None else [*told, given]
            case InvokeToolStep():
                tool, settled = self._leaves.settled(step, at)
                given = _encoded(tool.parse_arguments(settled))
                return None if given is None else [self._tool(tool), step.task, given]
            case LLMStep():
                model, request = self._leaves.llm_request(step, at)
                return [model.name, [asdict(message) for message in request.messages]]
            case SingleToolAgentStep():
                tool, settled = self._leaves.settled(step, at)
                given, seen = _encoded(settled), _encoded(at.scope.inputs_of(step))
                if given is None or seen is None:
                    return None
                model = self._leaves.models.find("execution", step.bound_model)
                task = self._leaves.task_of(step, at)
                return [self._tool(tool), model.name, choose_arguments.VERSION, task, seen, given]
            case _:
                return None

    def _tool(self, tool: Tool[Any]) -> list[Any]:
        """Return what tells a tool, and for whom it works where it can see that."""
        user = self._ports.end_user
        # Of functions that @tool wraps, those without a parameter for the context don't see it.
        if user is None or getattr(type(tool), "context_name", "ctx") is None:
            return tool_identity(tool, CLOSELY)
        return [*tool_identity(tool, CLOSELY), user.model_dump(mode="json")]


def _encoded(values: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the JSON of each value by name, in the order of the names; None: one has none."""
    found = {name: codecs.encode_or_describe(values[name]) for name in sorted(values)}
    return None if any(map(codecs.is_unkept, found.values())) else found


def _schema(schema: SchemaRef | None) -> Any:
    return None if schema is None else [schema.name, schema.json_schema]


def tool_identity(tool: Tool[Any], look: Look = LOOSELY) -> list[Any]:
    """Return what tells a tool: its source and what that sees, its settings, what it says."""
    source = FunctionRef.of(getattr(type(tool), "function", type(tool))).source_sha256
    settings = {
        name: value
        for name in sorted(type(tool).model_fields)
        if isinstance(value := getattr(tool, name), str | int | float | None)
    }
    shape = tool.structured_output_schema
    wanted = None if shape is None else SchemaRef.of(shape).json_schema
    told = [source, settings, tool.json_schema(), wanted]
    return told if (seen := seen_by_tool(tool, look)) is None else [*told, seen]
