"""Choosing the arguments of one tool: one forced call, checked by the tool's own schema.

Where an input is too large to be shown, the model may look into it first, or pass it by reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from portia_nb.errors import InvalidAgentOutputError, ToolSoftError
from portia_nb.model.answer_shape import asked_schema
from portia_nb.model.clarification import (
    Clarification,
    InputClarification,
    MultipleChoiceClarification,
)
from portia_nb.model.language import (
    CallAnswer,
    LanguageModel,
    Message,
    ModelReply,
    ModelRequest,
    ToolCall,
    ToolSpec,
)
from portia_nb.tools.base import Tool

from .attempt import Asking
from .memory import Memory
from .models import Models
from .prompts import choose_arguments as prompt
from .prompts.react import problem_text, result_text
from .shaped import TRIES

MAX_LOOKS = 5
"""Replies that may look into large values before the call must be made."""

_MISSING = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"argument": {"type": "string"}, "question": {"type": "string"}},
        "required": ["argument", "question"],
        "additionalProperties": False,
    },
}


async def choose_arguments(
    models: Models,
    model: LanguageModel,
    tool: Tool[Any],
    task: str,
    inputs: Mapping[str, Any],
    *,
    settled: Mapping[str, Any],
    may_ask: bool,
    path: str,
    threshold_tokens: int,
    problem: str | None = None,
) -> dict[str, Any]:
    """Let a model choose the arguments of `tool` that aren't settled, and return all of them.

    Without a model call where nothing is left to choose.

    Args:
        models: who asks, and counts.
        model: who chooses.
        tool: the tool whose arguments they are.
        task: what the call is for.
        inputs: the step's inputs by name.
        settled: arguments known already.
        may_ask: whether a required argument that nothing settles becomes a question.
        path: the step.
        threshold_tokens: size from which an input goes by reference, as binary data and tables do.
        problem: why an earlier choice failed when the tool was called with it.

    Raises:
        Asking: a required argument would have to be made up.
        InvalidAgentOutputError: no choice fitted the tool's schema.
    """
    spec = tool.to_spec()
    open_schema = _open_arguments(spec.parameters, settled)
    if not open_schema["properties"]:
        return dict(settled)
    memory = Memory(threshold_tokens)
    shown, known = memory.show_all(inputs), memory.show_all(settled)
    open_shown = memory.with_references(open_schema)
    wire = _nullable(open_shown) if may_ask else open_shown
    offered = ToolSpec(spec.name, spec.description, wire)
    looked: tuple[Message, ...] = ()
    for _ in range(TRIES):
        read = memory.reading_tool((spec.name,)) if memory else None
        messages = prompt.choose_arguments_messages(
            task,
            shown,
            settled=known,
            may_ask=may_ask,
            problem=problem,
            read=None if read is None else read.name,
        )
        request = ModelRequest(
            (*messages, *looked),
            CallAnswer((offered,), forced=spec.name),
            record_key=("choose_arguments", prompt.VERSION, tool.id, task),
        )
        if read is not None and not looked:
            reply, looked = await _after_reading(models, model, request, memory, read, path)
        else:
            reply = await models.ask(model, request, path)
        calls = [call for call in reply.tool_calls if call.name == spec.name]
        if not calls:
            problem = f"there was no call of {spec.name}"
            continue
        chosen = dict(calls[0].arguments)
        missing = chosen.pop("missing", None) if may_ask else None
        chosen = {name: value for name, value in chosen.items() if value is not None}
        questions = _questions(open_schema, chosen, missing or (), tool.id)
        if may_ask and questions:
            raise Asking(*questions)
        try:
            arguments = {**memory.settle(chosen, spec.parameters), **settled}
            tool.parse_arguments(arguments)
        except ToolSoftError as error:
            problem = str(error)
            continue
        return arguments
    raise InvalidAgentOutputError(
        f"{model.name} chose no arguments that tool {tool.id!r} takes, in {TRIES} tries; "
        f"the last one: {problem}",
        model=model.name,
        tool_id=tool.id,
        step=path,
    )


async def _after_reading(
    models: Models,
    model: LanguageModel,
    request: ModelRequest,
    memory: Memory,
    read: ToolSpec,
    path: str,
) -> tuple[ModelReply, tuple[Message, ...]]:
    """Let the model look into large values, a few times at most, before it makes the forced call.

    Returns the reply with that call, and what was looked at, as messages.
    """
    answer = request.answer
    assert isinstance(answer, CallAnswer)
    first = len(request.messages)
    free = replace(request, answer=CallAnswer((*answer.tools, read)))
    for _ in range(MAX_LOOKS):
        reply = await models.ask(model, free, path)
        looks = [call for call in reply.tool_calls if call.name == read.name]
        if any(call.name == answer.forced for call in reply.tool_calls):
            return reply, free.messages[first:]
        if not looks:
            break
        told = [Message("assistant", reply.text, tool_calls=tuple(looks))]
        told += (Message("tool", _piece(memory, call), tool_call_id=call.id) for call in looks)
        free = replace(free, messages=(*free.messages, *told))
    forced = replace(free, answer=answer)
    return await models.ask(model, forced, path), free.messages[first:]


def _piece(memory: Memory, call: ToolCall) -> str:
    try:
        return result_text(memory.read(call.arguments))
    except ToolSoftError as error:
        return problem_text(str(error))


def _open_arguments(schema: Mapping[str, Any], settled: Mapping[str, Any]) -> dict[str, Any]:
    """Return `schema` without the arguments that are settled."""
    properties = {k: v for k, v in schema.get("properties", {}).items() if k not in settled}
    required = [name for name in schema.get("required", ()) if name in properties]
    return {**schema, "properties": properties, "required": required}


def _nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return `schema` with room for null in each required argument, and for questions."""
    required = schema["required"]
    properties = {
        name: {"anyOf": [shape, {"type": "null"}]} if name in required else shape
        for name, shape in schema["properties"].items()
    }
    return {**schema, "properties": {**properties, "missing": _MISSING}}


def _questions(
    schema: Mapping[str, Any],
    chosen: Mapping[str, Any],
    missing: Any,
    source: str,
) -> list[Clarification]:
    """Return a question for each required argument that was left open; it carries the others."""
    asked = {
        str(item.get("argument")): str(item.get("question"))
        for item in (missing if isinstance(missing, list | tuple) else ())
        if isinstance(item, dict)
    }
    questions: list[Clarification] = []
    for name in schema["required"]:
        if name in chosen:
            continue
        shape = schema["properties"][name]
        guidance = asked.get(name) or shape.get("description") or f"What should {name!r} be?"
        if isinstance(options := shape.get("enum"), list) and options:
            questions.append(
                MultipleChoiceClarification(
                    argument_name=name,
                    user_guidance=guidance,
                    options=tuple(options),
                    source=source,
                    chosen=dict(chosen),
                )
            )
        else:
            questions.append(
                InputClarification(
                    argument_name=name,
                    user_guidance=guidance,
                    source=source,
                    chosen=dict(chosen),
                    answer_schema=asked_schema(shape, schema),
                )
            )
    return questions
