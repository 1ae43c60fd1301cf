"""Functions and classes inside a plan: callable here, kept as a name and a hash of their source.

A stored plan never leads to an import: a store that someone else wrote would then run code. In a new
process the caller brings the plan, or one with the same content hash, and with it the functions.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr, TypeAdapter


class FunctionRef(BaseModel):
    """A function of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source_sha256: str
    """Hash of the function's source text; of its code where no source is found."""
    _call: Callable[..., Any] | None = PrivateAttr(default=None)

    @classmethod
    def of(cls, function: Callable[..., Any]) -> FunctionRef:
        """Refer to `function`, and keep it callable in this process."""
        made = cls(name=_name(function), source_sha256=_source_hash(function))
        made._call = function
        return made

    @property
    def call(self) -> Callable[..., Any] | None:
        """The function itself, or None in a process that has not got it."""
        return self._call


class SchemaRef(BaseModel):
    """The shape that a step's or a plan's output must have: a class here, its JSON schema in a store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    json_schema: dict[str, Any]
    _type: Any = PrivateAttr(default=None)

    @classmethod
    def of(cls, given: Any) -> SchemaRef:
        """Refer to `given`: a pydantic model, a dataclass, any type that pydantic can check, or a JSON schema."""
        if isinstance(given, SchemaRef):
            return given
        if isinstance(given, dict):
            return cls(name=str(given.get("title", "Output")), json_schema=given)
        made = cls(name=_name(given), json_schema=TypeAdapter(given).json_schema())
        made._type = given
        return made

    @property
    def type(self) -> Any:
        """The class itself, or None in a process that has not got it."""
        return self._type


def _name(thing: Any) -> str:
    return str(getattr(thing, "__qualname__", None) or getattr(thing, "__name__", None) or thing)


def _source_hash(function: Callable[..., Any]) -> str:
    plain = inspect.unwrap(function)
    plain = getattr(plain, "func", plain)  # functools.partial
    try:
        source = inspect.getsource(plain).encode("utf-8", "surrogatepass")
    except (OSError, TypeError):
        code = getattr(plain, "__code__", None)
        source = repr((code.co_code, code.co_names)).encode() if code else _name(plain).encode()
    return hashlib.sha256(source).hexdigest()
