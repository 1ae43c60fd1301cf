"""Codecs of what users write: pydantic models, dataclasses, named tuples, enums. See `codecs`.

What is kept is the class's qualified name and the fields. The name only finds a class among those
that the reader was given.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any

import pydantic
from pydantic import BaseModel, RootModel

Inner = Callable[[Any], Any]
FindClass = Callable[[str], "type | None"]


# By name, as pydantic's versions differ in which of them are classes. Addresses of databases are
# left out on purpose: they hold passwords.
_URLS: Mapping[str, Any] = {
    name: kind
    for name in ("AnyUrl", "AnyHttpUrl", "HttpUrl", "FileUrl", "FtpUrl", "WebsocketUrl")
    if isinstance(kind := getattr(pydantic, name, None), type)
}


def write(value: Any, inner: Inner) -> dict[str, Any] | None:
    """Return `value` as a tagged dict, or None where it is none of these."""
    kind = type(value)
    if isinstance(value, BaseModel):
        fields = {**value.__dict__, **(value.__pydantic_extra__ or {})}
        names = type(value).model_fields.keys() | (value.__pydantic_extra__ or {}).keys()
        kept = {name: item for name, item in fields.items() if name in names}
        return _written("model", kind, inner(kept))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, list | dict | tuple | set | str | bytes | int | float):
            return None  # It has content beyond its fields.
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _written("dataclass", kind, inner(fields))
    if isinstance(value, tuple) and isinstance(getattr(kind, "_fields", None), tuple):
        if kind.__base__ is not tuple and kind.__base__ is not typing.NamedTuple:
            return None
        names = typing.cast("tuple[str, ...]", kind._fields)  # type: ignore[attr-defined]
        return _written("namedtuple", kind, inner(dict(zip(names, value, strict=True))))
    if isinstance(value, Enum):
        return _written("enum", kind, inner(value.value))
    name = next((name for name, url in _URLS.items() if url is kind), None)
    return None if name is None else {"$": "url", "class": name, "v": str(value)}


def _written(tag: str, kind: type, fields: Any) -> dict[str, Any]:
    return {"$": tag, "class": kind.__qualname__, "v": fields}


def _read_model(data: Any, inner: Inner, find: FindClass) -> Any:
    fields, kind = inner(data["v"]), find(data["class"])
    if kind is None or not issubclass(kind, BaseModel):
        return fields
    if issubclass(kind, RootModel):
        return _made(lambda: kind.model_validate(fields["root"]), fields)
    by_alias = {_input_name(kind, name): item for name, item in fields.items()}
    return _made(lambda: kind.model_validate(by_alias), fields)


def _input_name(kind: type[BaseModel], name: str) -> str:
    """Return the key under which `kind` takes field `name`."""
    field = kind.model_fields.get(name)
    if field is None or kind.model_config.get("populate_by_name"):
        return name
    alias = field.validation_alias
    for choice in (*getattr(alias, "choices", ()), alias):
        if isinstance(choice, str):
            return choice
    return name


def _read_dataclass(data: Any, inner: Inner, find: FindClass) -> Any:
    fields, kind = inner(data["v"]), find(data["class"])
    if kind is None or not dataclasses.is_dataclass(kind):
        return fields
    known = {field.name: field for field in dataclasses.fields(kind)}

    def make() -> Any:
        made = kind(**{name: item for name, item in fields.items() if known[name].init})
        for name, item in fields.items():
            if not known[name].init:
                object.__setattr__(made, name, item)
        return made

    return _made(make, fields)


def _read_namedtuple(data: Any, inner: Inner, find: FindClass) -> Any:
    fields, kind = inner(data["v"]), find(data["class"])
    if kind is None or not issubclass(kind, tuple):
        return fields
    return _made(lambda: kind(**fields), fields)


def _read_enum(data: Any, inner: Inner, find: FindClass) -> Any:
    value, kind = inner(data["v"]), find(data["class"])
    return value if kind is None else _made(lambda: kind(value), value)


def _made(make: Callable[[], Any], plain: Any) -> Any:
    """Return what `make` returns, or `plain` where the class no longer takes what it once held."""
    try:
        return make()
    except Exception:
        return plain


READERS: Mapping[str, Callable[[Any, Inner, FindClass], Any]] = {
    "model": _read_model,
    "dataclass": _read_dataclass,
    "namedtuple": _read_namedtuple,
    "enum": _read_enum,
    "url": lambda data, inner, find: _URLS[data["class"]](data["v"]),
}
"""Each takes the tagged dict, the function that decodes a part, and the one that finds a class."""


def reachable(given: Mapping[str, Any]) -> dict[str, type]:
    """Return the classes in `given` and those of their fields, by qualified name."""
    found: dict[str, type] = {}
    waiting: list[Any] = list(given.values())
    while waiting:
        hint = waiting.pop()
        if isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
            if found.get(hint.__qualname__) is hint or not _is_ours(hint):
                continue
            found.setdefault(hint.__qualname__, hint)
            waiting.extend(_field_types(hint))
        else:
            waiting.extend(typing.get_args(hint))
    # A name that the caller gave stands above one that was merely found.
    return {**found, **{name: hint for name, hint in given.items() if isinstance(hint, type)}}


def _is_ours(kind: type) -> bool:
    return (
        issubclass(kind, BaseModel | Enum)
        or dataclasses.is_dataclass(kind)
        or (issubclass(kind, tuple) and hasattr(kind, "_fields"))
    )


def _field_types(kind: type) -> Iterator[Any]:
    if issubclass(kind, Enum):
        return
    if issubclass(kind, BaseModel):
        yield from (field.annotation for field in kind.model_fields.values())
        return
    try:
        yield from typing.get_type_hints(kind).values()
    except Exception:
        return  # A hint that names nothing: the field then comes back as plain data.
