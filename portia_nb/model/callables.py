"""Functions and classes inside a plan: callable here, kept as a name and a hash of their source.

A stored plan never leads to an import: a store that someone else wrote would then run code. In a
new process the caller brings the plan, or one with the same content hash, and so its functions.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import inspect
from collections.abc import Callable
from types import CodeType
from typing import Any, get_origin

from pydantic import BaseModel, ConfigDict, PrivateAttr, PydanticUserError, TypeAdapter

from . import codecs


class FunctionRef(BaseModel):
    """A function of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source_sha256: str
    """Hash of the function's source text; of its code where no source is found. With it go the
    arguments that a `functools.partial` holds."""
    _call: Callable[..., Any] | None = PrivateAttr(default=None)

    def __eq__(self, other: object) -> bool:
        # The same function, whether or not this process has got it.
        return type(self) is type(other) and vars(self) == vars(other)

    @classmethod
    def of(cls, function: Callable[..., Any]) -> FunctionRef:
        """Refer to `function`, and keep it callable in this process."""
        name, sha256 = _name(function), source_hash(function)
        was: _Carried | None = getattr(function, _CARRIED, None)
        if isinstance(was, _Carried) and was.text_sha256 == sha256:
            name, sha256 = was.name, was.source_sha256
        made = cls(name=name, source_sha256=sha256)
        made._call = function
        return made

    @property
    def call(self) -> Callable[..., Any] | None:
        """The function itself, or None in a process that has not got it."""
        # Each step of a run comes by here, and pydantic's own way to a private attribute is slow.
        return (self.__pydantic_private__ or {}).get("_call")


class SchemaRef(BaseModel):
    """The shape that an output must have: a class in this process, its JSON schema in a store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    json_schema: dict[str, Any]
    _type: Any = PrivateAttr(default=None)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    @classmethod
    def of(cls, given: Any) -> SchemaRef:
        """Refer to `given`: a type that pydantic can check, such as a model, or a JSON schema.

        Raises:
            ValueError: pydantic can't check it, or can't say it in JSON schema.
        """
        if isinstance(given, SchemaRef):
            return given
        if isinstance(given, dict):
            return cls(name=str(given.get("title", "Output")), json_schema=given)
        if inspect.isroutine(given):
            raise ValueError(f"the function {_name(given)} is no shape of an output: give a type")
        try:
            schema = TypeAdapter(given).json_schema()
        except PydanticUserError as error:
            raise ValueError(
                f"{_name(given)} can't be the shape of an output: give a pydantic model, a "
                "dataclass, a type such as list[str], or a JSON schema "
                f"({error.message.splitlines()[0]})"
            ) from error
        made = cls(name=_name(given), json_schema=schema)
        made._type = given
        return made

    @property
    def type(self) -> Any:
        """The class itself, or None in a process that has not got it."""
        return self._type


_CARRIED = "__portia_carried__"


@dataclasses.dataclass(frozen=True, slots=True)
class _Carried:
    """What a function was called, and its source, where it was carried from."""

    name: str
    source_sha256: str
    text_sha256: str


def carried(
    function: Callable[..., Any], *, name: str, source_sha256: str, text_sha256: str
) -> Callable[..., Any]:
    """Return `function`, which a script carries from elsewhere, as the function that it was there.

    Written by `Plan.to_script`: a script's text can't be that of a notebook's cell, where a lambda
    stands amid a call, and a plan's content hash goes by the text. A function that was changed
    since is another one, as anywhere.

    Args:
        function: as the script defines it.
        name: its name where it comes from.
        source_sha256: the hash of its source there.
        text_sha256: the hash of its source in the script, as it was written.
    """
    setattr(function, _CARRIED, _Carried(name, source_sha256, text_sha256))
    return function


def _name(thing: Any) -> str:
    if isinstance(thing, functools.partial):
        return _name(thing.func)
    if get_origin(thing) is not None:  # list[str] and the like
        return str(thing)
    own = getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None)
    # The repr of an object holds its address, and names are part of a plan's content hash.
    return str(own or type(thing).__qualname__)


def source_hash(function: Callable[..., Any]) -> str:
    """Return the hash of a function's source text; of its code where no source is found."""
    plain = inspect.unwrap(function)
    if isinstance(plain, functools.partial):
        return _partial_hash(plain)
    if not inspect.isroutine(plain) and not isinstance(plain, type):
        plain = type(plain).__call__
    try:
        source = inspect.getsource(plain).encode("utf-8", "surrogatepass")
    except (OSError, TypeError):
        code = getattr(plain, "__code__", None)
        if code is not None:
            return code_hash(code)
        source = _name(plain).encode()
    return hashlib.sha256(source).hexdigest()


def _partial_hash(function: functools.partial[Any]) -> str:
    """Return the hash of what is called and of the arguments that are given already, by content."""
    inner = source_hash(function.func)
    if not function.args and not function.keywords:
        return inner
    told = [["", _by_content(value)] for value in function.args]
    told += [[name, _by_content(value)] for name, value in sorted(function.keywords.items())]
    return hashlib.sha256(f"{inner} {codecs.dumps(told)}".encode()).hexdigest()


def _by_content(value: Any) -> Any:
    told = codecs.encode_or_describe(value)
    # The description of a value that can't be kept may hold its address.
    return ["of class", told["type"]] if codecs.is_unkept(told) else told


def code_hash(code: CodeType) -> str:
    """Return the hash of compiled code: equal for equal code of one version of Python."""
    told = repr((code.co_code, code.co_names, [_told(each) for each in code.co_consts]))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def _told(constant: Any) -> str:
    match constant:
        case CodeType():
            return code_hash(constant)
        case frozenset():  # whose order is another one in each process
            return repr(sorted(map(_told, constant)))
        case _:
            return repr(constant)
