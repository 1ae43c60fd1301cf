"""What a call of a tool came to, as JSON for a record and back: output, questions, or an error."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable
from typing import Any

import portia_nb.errors
from portia_nb.errors import PortiaBaseError, RecordDrift
from portia_nb.llm.matching import REMEDY
from portia_nb.llm.records import RecordedError, RecordedOutput
from portia_nb.model import codecs
from portia_nb.model.clarification import Clarification, read_clarification
from portia_nb.model.values import LocalDataValue, Output
from portia_nb.running.failures import record_error
from portia_nb.tools.base import Tool

from .opening import classes_of_tool, declared_classes

MAX_DEPTH = 150
"""Readers of JSON give up at 200 levels, and the record around a value has a few of its own."""
_OF_THIS_RUN = {"id", "plan_run_id", "path", "step", "response", "resolved"}


def written_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments as JSON, each by itself, so that one that can't be kept spoils no other."""
    return {name: written(value) for name, value in arguments.items()}


def written(value: Any) -> Any:
    """Return a value as JSON of `codecs`, or its description where a record can't keep it."""
    encoded = codecs.encode_or_describe(value)
    level = [encoded]
    for _ in range(MAX_DEPTH):
        level = [item for each in level if isinstance(each, dict | list) for item in _items(each)]
        if not level:
            return encoded
    text = f"it is nested deeper than {MAX_DEPTH}"
    return {codecs.TAG: "unkept", "type": type(value).__name__, "text": text}


def _items(container: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container


def outcome_as_json(value: Any) -> dict[str, Any]:
    """Return the fields of a `RecordedOutput` for what a tool put out."""
    match value:
        case Clarification():
            return {"questions": [_question(value)]}
        case list() if value and all(isinstance(item, Clarification) for item in value):
            return {"questions": [_question(item) for item in value]}
        case Output():
            return {"output": written(value.value), "summary": value.summary}
        case _:
            return {"output": written(value)}


def holds_unkept(encoded: Any) -> bool:
    """Tell whether what `written` made, or a part of it, only describes a value.

    >>> holds_unkept([1, {"a": written(object())}]), holds_unkept([1, {"a": 2}])
    (True, False)
    """
    if codecs.is_unkept(encoded):
        return True
    return isinstance(encoded, dict | list) and any(map(holds_unkept, _items(encoded)))


def error_as_json(error: Exception) -> dict[str, Any]:
    """Return the fields of a `RecordedOutput` for what a tool raised."""
    found = record_error(error)
    return {"error": {"type": found.type[:200], "message": found.message}}


def read_outcome(found: RecordedOutput, classes: dict[str, Any], label: str) -> Any:
    """Return what a recorded call put out, or raise what it raised.

    Args:
        found: the call.
        classes: by name, the classes that values in it may come back as.
        label: the record's name, for messages.

    Raises:
        RecordDrift: its output could not be kept, or can't be read.
    """
    if found.error is not None:
        raise recorded_error(found.error)
    where = f"{label}: the recorded call of {found.tool_id!r} in step {found.step!r}"
    try:
        if found.questions:
            asked: list[Clarification] = [read_clarification(each) for each in found.questions]
            return asked if len(asked) > 1 else asked[0]
        value = codecs.decode(found.output, classes)
        unkept = holds_unkept(found.output)
    except Exception as error:  # a record comes from anywhere
        raise RecordDrift(
            f"{where} can't be read: {str(error)[:500]}\n{REMEDY}", tool_id=found.tool_id
        ) from error
    if unkept:
        what = codecs.to_text(value)[:300]
        raise RecordDrift(
            f"{where} put out what a record can't keep: {what}. Let the tool return plain data, or "
            "declare side_effect=False where it only reads: then a replay calls it",
            tool_id=found.tool_id,
        )
    return value if found.summary is None else LocalDataValue(value=value, summary=found.summary)


def recorded_error(kept: RecordedError) -> Exception:
    """Return an error of the recorded class, with the recorded message.

    Our own errors, and Python's that stand for a kind, come back as such; any other as an error
    that has only its name.

    >>> error = recorded_error(RecordedError(type="KeyError", message="'oslo'"))
    >>> isinstance(error, KeyError), type(error).__name__, str(error)
    (True, 'KeyError', "'oslo'")
    """
    ours = getattr(portia_nb.errors, kept.type, None)
    if isinstance(ours, type) and issubclass(ours, PortiaBaseError):
        return ours(kept.message)
    base = getattr(builtins, kept.type, None) if kept.type in _PLAIN_ERRORS else Exception
    assert isinstance(base, type)
    name = kept.type if kept.type.isidentifier() else "Exception"
    made: Any = type(name, (base,), {"__str__": lambda _: kept.message})
    return made(kept.message)


_PLAIN_ERRORS = frozenset(
    {
        *("ArithmeticError", "AssertionError", "AttributeError", "BrokenPipeError", "BufferError"),
        *("ConnectionError", "ConnectionRefusedError", "ConnectionResetError", "EOFError"),
        *("FileExistsError", "FileNotFoundError", "FloatingPointError", "ImportError"),
        *("IndexError", "IsADirectoryError", "KeyError", "LookupError", "MemoryError"),
        *("ModuleNotFoundError", "NameError", "NotADirectoryError", "NotImplementedError"),
        *("OSError", "OverflowError", "PermissionError", "RecursionError", "RuntimeError"),
        *("SyntaxError", "TimeoutError", "TypeError", "ValueError", "ZeroDivisionError"),
    }
)
"""Python's errors that one text is enough to make."""


def classes_for(called: Tool[Any] | Callable[..., Any]) -> dict[str, Any]:
    """Return, by name, the classes that a tool or a function declares to return."""
    return classes_of_tool(called) if isinstance(called, Tool) else declared_classes(called)


def _question(asked: Clarification) -> dict[str, Any]:
    return asked.model_dump(mode="json", exclude=_OF_THIS_RUN)
