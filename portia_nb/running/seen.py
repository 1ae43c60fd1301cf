"""What a function or a tool sees beside its arguments, by content: it tells equal calls, too."""

from __future__ import annotations

import ast
import contextlib
import dis
import functools
import inspect
import re
import sysconfig
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from portia_nb.model import codecs
from portia_nb.model.callables import FunctionRef, code_hash
from portia_nb.tools.base import Tool


class Look(NamedTuple):
    """How what a function sees is looked at."""

    is_close: bool = False
    """Of a function that changes some container in place. True: only of containers that its source
    says it changes the class alone counts. False: of every container, since what one part of a
    program notes another may change."""
    active: frozenset[int] = frozenset()
    """The functions that are being looked at."""

    def into(self, function: Any) -> Look:
        """Return this, in a further function."""
        return self._replace(active=self.active | {id(function)})


LOOSELY, CLOSELY = Look(), Look(is_close=True)


def seen_by(function: Callable[..., Any], look: Look = LOOSELY) -> Any:
    """Return what a function sees beside its arguments: defaults, its closure, and globals.

    Of a method also the object that it is of, and of `functools.partial` the arguments in it.
    Values count by content, functions by their source and what these see; of what can't be told by
    its content, such as a connection, and of what the function changes itself, such as a list of
    what it was called with, only the class counts.

    >>> def times(n):
    ...     return lambda x: n * x
    >>> seen_by(times(2)) == seen_by(times(2)), seen_by(times(2)) == seen_by(times(3))
    (True, False)
    """
    plain = inspect.unwrap(function)
    if id(plain) in look.active:
        return type(plain).__qualname__
    look = look.into(plain)
    match plain:
        case functools.partial():
            given = [_told(value, look) for value in plain.args]
            named = {name: _told(plain.keywords[name], look) for name in sorted(plain.keywords)}
            return [given, named, _told(plain.func, look)]
        case MethodType(__func__=FunctionType() as inner):
            return [seen_by(inner, look), _attributes(plain.__self__, inner, look)]
        case FunctionType():
            return _seen_by_function(plain, look)
        case _:
            call = inspect.getattr_static(type(plain), "__call__", None)
            if isinstance(plain, type) or not isinstance(call, FunctionType):
                return type(plain).__qualname__
            return [seen_by(call, look), _attributes(plain, call, look)]


def seen_by_tool(tool: Tool[Any], look: Look = LOOSELY) -> Any:
    """Return what a tool's code sees beside its arguments; None: nothing but plain settings."""
    own = getattr(type(tool), "function", None)  # of @tool
    run = inspect.unwrap(own or (type(tool).arun if tool.is_async else type(tool).run))
    if not isinstance(run, FunctionType):
        return None if own is None else seen_by(own, look)
    further = type(tool).model_fields.keys() - Tool.model_fields.keys()
    fields = {name: getattr(tool, name) for name in sorted(further)}
    fields = {n: v for n, v in fields.items() if not isinstance(v, str | int | float | None)}
    attributes = _told_of(fields, run, ("STORE_ATTR",), look)
    seen = seen_by(run, look) if _is_users(run) else None
    return None if seen in (None, [{}, [], {}]) and not attributes else [seen, attributes]


def _seen_by_function(plain: FunctionType, look: Look) -> list[Any]:
    named: dict[str, Any] = {}
    for name, cell in zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not set yet
            named[name] = cell.cell_contents
    for name in (name for code in _codes(plain.__code__) for name in code.co_names):
        if name in plain.__globals__:
            named.setdefault(name, plain.__globals__[name])
    defaults = [_told(value, look) for value in plain.__defaults__ or ()]
    others = {n: _told(v, look) for n, v in sorted((plain.__kwdefaults__ or {}).items())}
    told = _told_of(named, plain, ("STORE_GLOBAL", "STORE_DEREF"), look)
    seen: list[Any] = [told, defaults, others]
    return seen if _is_told_by_source(plain) else [*seen, code_hash(plain.__code__)]


def _attributes(holder: Any, code: FunctionType, look: Look) -> Any:
    """Return an object by its content, else by that of its attributes."""
    told = codecs.encode_or_describe(holder)
    if not codecs.is_unkept(told):
        return told
    attributes = getattr(holder, "__dict__", {})
    return [type(holder).__qualname__, _told_of(attributes, code, ("STORE_ATTR",), look)]


def _told_of(
    values: Mapping[str, Any],
    function: FunctionType,
    stores: Sequence[str],
    look: Look,
) -> dict[str, Any]:
    """Return values by name; of those that `function` may change itself only their classes.

    Args:
        values: what it sees.
        function: what may change them.
        stores: the instructions that set a name of this kind.
        look: how to look.
    """
    codes = list(_codes(function.__code__))
    made = (each for code in codes for each in dis.get_instructions(code))
    stored = {str(each.argval) for each in made if each.opname in stores}
    filled = _filled_by(function, codes, look)
    return {
        name: type(value).__qualname__
        if name in stored or (isinstance(value, _CONTAINERS) and (filled is None or name in filled))
        else _told(value, look)
        for name, value in sorted(values.items())
    }


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of a function and of those that are written inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _filled_by(
    function: FunctionType, codes: Sequence[CodeType], look: Look
) -> Collection[str] | None:
    """Return the names of containers that a function changes in place; None: it may be any."""
    if not any(_fills(code) for code in codes):
        return ()
    if not look.is_close:
        return None
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=base, ctx=ast.Store() | ast.Del()):
                found |= _names_in(base)
            case ast.Call(func=ast.Attribute(value=base, attr=attr)) if attr in _CHANGERS:
                found |= _names_in(base)
            case _:
                pass
    return found


def _fills(code: CodeType) -> bool:
    if not _CHANGERS.isdisjoint(code.co_names):
        return True
    return any(each.opname in _FILLERS for each in dis.get_instructions(code))


def _names_in(expression: ast.expr) -> set[str]:
    """Return the names in what is changed: ``self.seen[key]`` names self, seen and key."""
    nodes = list(ast.walk(expression))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def _told(value: Any, look: Look) -> Any:
    match value:
        case ModuleType():
            return ["module", value.__name__]
        case FunctionType():
            source = FunctionRef.of(value)
            inner = seen_by(value, look) if _is_users(value) else None
            return ["function", source.name, source.source_sha256, inner]
        case functools.partial() | MethodType():
            source = FunctionRef.of(value)
            return ["function", source.name, source.source_sha256, seen_by(value, look)]
        case type():
            return ["class", value.__qualname__]
        case re.Pattern():
            return ["pattern", codecs.encode_or_describe(value.pattern), value.flags]
        case _:
            told = codecs.encode_or_describe(value)
            return ["of class", type(value).__qualname__] if codecs.is_unkept(told) else told


def _is_told_by_source(function: FunctionType) -> bool:
    """Tell whether a function's source says which one it is: not that of several on one line."""
    if function.__name__ != "<lambda>":
        return True
    try:
        return inspect.getsource(function).count("lambda") == 1
    except (OSError, TypeError):
        return False


def _is_users(function: FunctionType) -> bool:
    """Tell whether a function is the user's own, and not of Python or of a package."""
    file = function.__code__.co_filename
    return not file.startswith((*_LIBRARIES, "<frozen")) and "-packages" not in file


_CONTAINERS = (list, dict, set, bytearray)
_CHANGERS = frozenset({"append", "appendleft", "extend", "insert", "remove", "pop", "popitem"}) | {
    *("clear", "add", "discard", "update", "setdefault", "sort", "reverse")
}
_FILLERS = ("STORE_SUBSCR", "DELETE_SUBSCR")
_LIBRARIES = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
