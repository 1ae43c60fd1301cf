"""Python source for values: literals by `repr`, never text that is put together from data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from portia_nb.model import codecs
from portia_nb.model.reference import (
    Argument,
    DictOf,
    Input,
    ListOf,
    Parts,
    StepOutput,
    Value,
)

WIDTH = 96
_MAX_BITS = 14_000  # Python refuses to print, and to read, longer whole numbers


def literal(value: Any) -> str:
    """Return an expression whose value is `value`, or what its codec makes of it.

    >>> print(literal({"a": [1, None, "it's"], "b": (2.5,)}))
    {'a': [1, None, "it's"], 'b': (2.5,)}
    """
    kind = type(value)
    if value is None or kind in (bool, str, bytes):
        return repr(value)
    if kind is int:
        return repr(value) if value.bit_length() < _MAX_BITS else hex(value)
    if kind is float and math.isfinite(value):
        return repr(value)
    if kind is list:
        return f"[{', '.join(map(literal, value))}]"
    if kind is tuple:
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if kind is dict:
        return f"{{{', '.join(f'{literal(k)}: {literal(v)}' for k, v in value.items())}}}"
    # What comes back is what the store would give: exact where there is a codec.
    return f"decode({literal(codecs.encode_or_describe(value))})"


def argument(given: Argument) -> str:
    """Return an expression for an argument as a person gives it to the builder."""
    match given:
        case Value(value):
            return literal(value)
        case StepOutput() | Input():
            return reference(given)
        case Parts(parts):
            shown = [
                repr(part) if isinstance(part, str) else f"str({reference(part)})" for part in parts
            ]
            return " + ".join(shown)
        case ListOf(items):
            return f"[{', '.join(map(argument, items))}]"
        case DictOf(entries):
            return f"{{{', '.join(f'{k!r}: {argument(v)}' for k, v in entries.items())}}}"


def noun(given: Argument) -> str:
    """Return an expression for an argument as the plan holds it."""
    match given:
        case Value(value):
            return f"Value({literal(value)})"
        case StepOutput() | Input():
            return reference(given)
        case Parts(parts):
            shown = [repr(p) if isinstance(p, str) else reference(p) for p in parts]
            return f"Parts(({', '.join(shown)}{',' if len(shown) == 1 else ''}))"
        case ListOf(items):
            shown = [noun(item) for item in items]
            return f"ListOf(({', '.join(shown)}{',' if len(shown) == 1 else ''}))"
        case DictOf(entries):
            return f"DictOf({{{', '.join(f'{k!r}: {noun(v)}' for k, v in entries.items())}}})"


def as_given(given: Argument) -> Any:
    """Return what a person would give the builder for an argument: what `argument` evaluates to."""
    match given:
        case Value(value):
            return value
        case StepOutput() | Input():
            return given
        case Parts(parts):
            return "".join(map(str, parts))
        case ListOf(items):
            return [as_given(item) for item in items]
        case DictOf(entries):
            return {key: as_given(entry) for key, entry in entries.items()}


def reference(given: StepOutput | Input) -> str:
    """Return the call that makes a reference; each part by `repr`, whatever class it is of."""
    if isinstance(given, Input):
        more = f", path={literal(given.path)}" if given.path is not None else ""
        return f"Input({literal(given.name)}{more})"
    more = f", path={literal(given.path)}" if given.path is not None else ""
    more += ", full=True" if given.full else ""
    return f"StepOutput({literal(given.step)}{more})"


def call(
    name: str, words: Mapping[str, str], *, first: Iterable[str] = (), indent: str = ""
) -> str:
    """Return a call in as few lines as fit.

    Args:
        name: what is called.
        words: expressions by keyword.
        first: expressions that go without one.
        indent: what the first line will stand after.
    """
    parts = [*first, *(f"{word}={code}" for word, code in words.items())]
    line = f"{name}({', '.join(parts)})"
    if len(indent) + len(line) <= WIDTH and "\n" not in line:
        return line
    deeper = indent + "    "
    inner = "".join(f"{deeper}{_shifted(part)},\n" for part in parts)
    return f"{name}(\n{inner}{indent})"


def _shifted(part: str) -> str:
    # Only calls that were broken into lines have line ends: repr writes those of texts as \n.
    return part.replace("\n", "\n    ")
