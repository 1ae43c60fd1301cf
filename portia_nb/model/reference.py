"""Arguments: literals, and references to what other steps and the caller provide.

An argument is one of six frozen nouns, and its JSON says which by its one key:

    {"value": …}                        Value        a literal; data sits nowhere else
    {"step": name, "path": "a.0"}       StepOutput   another step's output
    {"input": name, "path": …}          Input        an input of the plan
    {"parts": ["text ", {"step": …}]}   Parts        text with references in it (f-strings)
    {"list": [argument, …]}             ListOf       a list that holds references
    {"dict": {key: argument}}           DictOf       a dict that holds references

References are looked up once, by `portia_nb.running.scope`, as data: what they bring is never read
again for further references.
"""

from __future__ import annotations

import ast
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

from portia_nb.model import codecs
from portia_nb.model.plain import describe

# A reference inside an f-string becomes text that only this process can have made: data that merely
# looks like one has another nonce, or none, and stays text.
_NONCE = secrets.token_hex(6)
_TOKEN = re.compile(r"\{\{ (StepOutput|Input)(\([^{}]*\))#" + _NONCE + r" \}\}")


class _InText:
    """What lets a reference stand inside an f-string."""

    __slots__ = ()

    def __str__(self) -> str:
        # Braces inside the arguments are escaped so that the token's own braces end it.
        shown = repr(self).replace("{", "\\x7b").replace("}", "\\x7d")
        return f"{{{{ {shown}#{_NONCE} }}}}"

    def __format__(self, spec: str) -> str:
        return str(self)


@dataclass(frozen=True, slots=True)
class StepOutput(_InText):
    """The output of another step.

    >>> StepOutput("profile", path="name")
    StepOutput('profile', path='name')
    """

    step: str | int
    """The step's name, or its index; negative indexes count from the end of the plan."""
    path: str | None = None
    """Where inside the output: fields, keys and indexes joined by dots, e.g. ``"items.0"``."""
    full: bool = False
    """True: the list of all values that the step produced in a loop."""

    def __repr__(self) -> str:
        more = (f", path={self.path!r}" if self.path is not None else "") + (
            ", full=True" if self.full else ""
        )
        return f"StepOutput({self.step!r}{more})"


@dataclass(frozen=True, slots=True)
class Input(_InText):
    """An input of the plan, given when it is run.

    >>> Input("currency")
    Input('currency')
    """

    name: str
    path: str | None = None
    """Where inside the input, as in `StepOutput`."""

    def __repr__(self) -> str:
        more = f", path={self.path!r}" if self.path is not None else ""
        return f"Input({self.name!r}{more})"


@dataclass(frozen=True, slots=True)
class Value:
    """A literal: JSON, or any other Python value, which is kept by its codec."""

    value: Any


@dataclass(frozen=True, slots=True)
class Parts:
    """Text with references in it; each is shown as text where it stands."""

    parts: tuple[str | StepOutput | Input, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list, some of whose items are references."""

    items: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class DictOf:
    """A dict, some of whose values are references."""

    entries: Mapping[str, Argument]


Reference = StepOutput | Input
Argument = Value | StepOutput | Input | Parts | ListOf | DictOf
_KINDS = (Value, StepOutput, Input, Parts, ListOf, DictOf)


def to_argument(given: Any) -> Argument:
    """Turn what a person wrote into an argument, finding references in text, lists and dicts.

    >>> to_argument(["a", Input("b")])
    ListOf(items=(Value(value='a'), Input('b')))
    >>> to_argument(f"in {Input('currency')}")
    Parts(parts=('in ', Input('currency')))

    Raises:
        ValueError: a reference stands where it would never be looked up: in a set, in a dict's key,
            or in a dict whose keys are not all text.
    """
    if isinstance(given, _KINDS):
        return given
    if isinstance(given, str):
        parts = split_text(given)
        return Value(given) if all(isinstance(p, str) for p in parts) else Parts(parts)
    if type(given) in (list, tuple):
        items = tuple(to_argument(item) for item in given)
        # A literal that holds no reference stays the very object that was given.
        return Value(given) if all(map(_is_literal, given, items)) else ListOf(items)
    if type(given) is dict:
        _refuse_references(given.keys(), "as a key of a dict")
        if not all(isinstance(key, str) for key in given):
            _refuse_references(given.values(), "in a dict whose keys are not all text")
            return Value(given)
        entries = {key: to_argument(value) for key, value in given.items()}
        if all(_is_literal(value, entries[key]) for key, value in given.items()):
            return Value(given)
        return DictOf(entries)
    if type(given) in (set, frozenset):
        _refuse_references(given, "in a set: use a list")
    return Value(given)


def _is_literal(given: Any, argument: Argument) -> bool:
    return isinstance(argument, Value) and argument is not given


def _refuse_references(items: Iterable[Any], where: str) -> None:
    for item in items:
        found = next(references(to_argument(item)), None)
        if found is not None:
            raise ValueError(f"{found!r} can't be looked up {where}")


def split_text(text: str) -> tuple[str | StepOutput | Input, ...]:
    """Split text made by an f-string into plain text and the references that stood in it."""
    parts: list[str | StepOutput | Input] = []
    end = 0
    for match in _TOKEN.finditer(text):
        if match.start() > end:
            parts.append(text[end : match.start()])
        call = ast.parse(match[1] + match[2], mode="eval").body
        assert isinstance(call, ast.Call)
        positional = [ast.literal_eval(a) for a in call.args]
        named = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
        parts.append((StepOutput if match[1] == "StepOutput" else Input)(*positional, **named))
        end = match.end()
    if end < len(text) or not parts:
        parts.append(text[end:])
    return tuple(parts)


def references(argument: Argument) -> Iterator[Reference]:
    """Yield every reference in `argument`, in reading order."""
    match argument:
        case StepOutput() | Input():
            yield argument
        case Parts(parts):
            yield from (part for part in parts if not isinstance(part, str))
        case ListOf(items):
            for item in items:
                yield from references(item)
        case DictOf(entries):
            for entry in entries.values():
                yield from references(entry)
        case Value():
            return


def with_references(argument: Argument, change: Callable[[Reference], Reference]) -> Argument:
    """Return `argument` with each reference in it replaced by ``change(reference)``."""
    match argument:
        case StepOutput() | Input():
            return change(argument)
        case Parts(parts):
            return Parts(tuple(p if isinstance(p, str) else change(p) for p in parts))
        case ListOf(items):
            return ListOf(tuple(with_references(item, change) for item in items))
        case DictOf(entries):
            return DictOf({k: with_references(v, change) for k, v in entries.items()})
        case Value():
            return argument


def with_step_names(argument: Argument, name_of: Callable[[str | int], str]) -> Argument:
    """Return `argument` with each step reference's `step` replaced by ``name_of(step)``."""
    return with_references(
        argument,
        lambda found: (
            found if isinstance(found, Input) else replace(found, step=name_of(found.step))
        ),
    )


def show(argument: Argument) -> str:
    """Return `argument` as short text for a person: references by name, literals as they are."""
    match argument:
        case StepOutput(step, path, full):
            return f"${step}" + ("[*]" if full else "") + (f".{path}" if path else "")
        case Input(name, path):
            return f"${name.removeprefix('$')}" + (f".{path}" if path else "")
        case Parts(parts):
            return "".join(p if isinstance(p, str) else show(p) for p in parts)
        case ListOf(items):
            return "[" + ", ".join(map(show, items)) + "]"
        case DictOf(entries):
            return "{" + ", ".join(f"{key}: {show(value)}" for key, value in entries.items()) + "}"
        case Value(value):
            return value if isinstance(value, str) else describe(value)


def read_argument(data: Any) -> Argument:
    """Read an argument's JSON, or let one of the six nouns through.

    Raises:
        ValueError: `data` isn't a dict with exactly one of the six keys.
    """
    if isinstance(data, _KINDS):
        return data
    if not isinstance(data, dict):
        raise ValueError(f"an argument is a dict such as {{'value': …}}, not {data!r:.80}")
    match sorted(data):
        case ["value"]:
            return Value(data["value"])
        case ["codec", "value"] if data["codec"] is True:
            return Value(codecs.decode(data["value"]))
        case ["step"] | ["path", "step"] | ["full", "path", "step"] | ["full", "step"]:
            return StepOutput(
                _text(data["step"]), _path(data.get("path")), bool(data.get("full", False))
            )
        case ["input"] | ["input", "path"]:
            return Input(_text(data["input"]), _path(data.get("path")))
        case ["parts"]:
            return Parts(
                tuple(p if isinstance(p, str) else _reference(p) for p in _list(data["parts"]))
            )
        case ["list"]:
            return ListOf(tuple(read_argument(item) for item in _list(data["list"])))
        case ["dict"]:
            return DictOf({_text(k): read_argument(v) for k, v in _dict(data["dict"]).items()})
        case found:
            raise ValueError(
                "an argument has exactly one of value, step, input, parts, list, dict; "
                f"found {', '.join(map(repr, found)) or 'none'}"
            )


def write_argument(argument: Argument) -> dict[str, Any]:
    """Return the JSON of `argument`, as `read_argument` reads it."""
    match argument:
        case Value(value):
            encoded = codecs.encode_or_describe(value)
            # Plain JSON comes back as itself. `==` would ask the value: arrays answer item by item.
            return {"value": value} if encoded is value else {"value": encoded, "codec": True}
        case StepOutput(step, path, full):
            more = {"path": path} if path else {}
            return {"step": step, **more, **({"full": True} if full else {})}
        case Input(name, path):
            return {"input": name, **({"path": path} if path else {})}
        case Parts(parts):
            return {"parts": [p if isinstance(p, str) else write_argument(p) for p in parts]}
        case ListOf(items):
            return {"list": [write_argument(item) for item in items]}
        case DictOf(entries):
            return {"dict": {key: write_argument(value) for key, value in entries.items()}}


def _reference(data: Any) -> Reference:
    argument = read_argument(data)
    if not isinstance(argument, StepOutput | Input):
        raise ValueError(f"only text and references may stand in parts, not {data!r:.80}")
    return argument


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a name is text, not {value!r:.80}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"a list is needed here, not {value!r:.80}")
    return list(value)


def _dict(value: Any) -> dict[Any, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"a dict is needed here, not {value!r:.80}")
    return value


def _path(value: Any) -> str | None:
    return None if value is None else _text(value)


ArgumentField = Annotated[Any, BeforeValidator(read_argument), PlainSerializer(write_argument)]
"""The type of a model's field that holds an `Argument`."""
