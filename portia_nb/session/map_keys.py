"""What tells one row of a map from another: everything that its outcome can depend on, by content.

A key holds the plan, with the source of its functions and what these see beside their arguments;
the tools with their source and settings; which models are asked; the settings that change what
models are told; for whom it runs; and the value of each input, not its place in the table.
"""

from __future__ import annotations

import contextlib
import dis
import hashlib
import inspect
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from portia_nb.model import codecs
from portia_nb.model.callables import FunctionRef
from portia_nb.model.composite import each_step, functions_of
from portia_nb.model.plan import InvokeToolStep, Plan, ReActAgentStep, SingleToolAgentStep
from portia_nb.running.cached import tool_identity
from portia_nb.tools.registry import ToolRegistry

from .launch import tool_of, tools_of

if TYPE_CHECKING:
    from .parts import Parts

_FORMAT = "1"
"""Changes with what a key is made of."""


def plan_key(parts: Parts, plan: Plan, registry: ToolRegistry, end_user: Any) -> str:
    """Return what the outcome of every row depends on, as a hash.

    Args:
        parts: the parts of a `Portia`.
        plan: what is run for each row.
        registry: the tools that it runs with.
        end_user: for whom it runs.
    """
    from .budgets import models_of_plan

    config = parts.config
    tools: dict[str, Any] = {}
    seen: list[Any] = []
    for step in each_step(plan.steps):
        if isinstance(step, InvokeToolStep | SingleToolAgentStep):
            tool = tool_of(step, registry)
            tools[tool.id] = tool_identity(tool)
        elif isinstance(step, ReActAgentStep):
            tools |= {tool.id: tool_identity(tool) for tool in tools_of(step, registry)}
        calls = [function.call for function in functions_of(step)]
        seen += [_seen_by(call) for call in calls if call is not None]
    told = [
        _FORMAT,
        plan.content_hash(),
        sorted(tools.items()),
        seen,
        sorted(models_of_plan(parts, plan)) if config.replay is None else "replay",
        [config.argument_clarifications_enabled, config.large_output_threshold_tokens],
        str(config.file_root),
        end_user.model_dump(mode="json"),
    ]
    return _hash(told)


def row_key(of_plan: str, inputs: Mapping[str, Any]) -> str | None:
    """Return what tells a row, as a hash; None: an input of it can't be told by its content."""
    told = codecs.encode_or_describe({name: inputs[name] for name in sorted(inputs)})
    return None if codecs.is_unkept(told) else _hash([of_plan, told])


def map_key(of_plan: str, keys: list[str | None]) -> str | None:
    """Return what tells a whole map; None: a row of it can't be told."""
    return None if None in keys else _hash([of_plan, "map", keys])


def begun_key(key: str) -> str:
    """Return under which key the run of a row is found that was begun, whatever became of it."""
    return _hash([key, "begun"])


def _hash(told: Any) -> str:
    return hashlib.sha256(codecs.dumps(told).encode()).hexdigest()


def _seen_by(function: Callable[..., Any], active: frozenset[int] = frozenset()) -> Any:
    """Return what a function sees beside its arguments: defaults, its closure, and globals.

    Values count by content, functions by their source and what these see; of what can't be told by
    its content, such as a connection, and of what the function changes itself, such as a list of
    what it was called with, only the class counts.
    """
    plain = inspect.unwrap(function)
    plain = plain.__func__ if isinstance(plain, MethodType) else plain
    if not isinstance(plain, FunctionType) or id(plain) in active:
        return type(plain).__qualname__
    active |= {id(plain)}
    named: dict[str, Any] = {}
    for name, cell in zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # not set yet
            named[name] = cell.cell_contents
    codes = list(_codes(plain.__code__))
    for name in (name for code in codes for name in code.co_names):
        if name in plain.__globals__:
            named.setdefault(name, plain.__globals__[name])
    stored, changes = _changed(codes)
    told = {
        name: type(value).__qualname__
        if name in stored or (changes and isinstance(value, _CONTAINERS))
        else _told(value, active)
        for name, value in sorted(named.items())
    }
    defaults = [_told(value, active) for value in plain.__defaults__ or ()]
    others = {n: _told(v, active) for n, v in sorted((plain.__kwdefaults__ or {}).items())}
    return [told, defaults, others]


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of a function and of those that are written inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _changed(codes: list[CodeType]) -> tuple[set[str], bool]:
    """Return the outer names that code sets, and whether it changes containers in place."""
    stored: set[str] = set()
    changes = False
    for code in codes:
        changes = changes or not _CHANGERS.isdisjoint(code.co_names)
        for made in dis.get_instructions(code):
            if made.opname in ("STORE_GLOBAL", "STORE_DEREF"):
                stored.add(str(made.argval))
            changes = changes or made.opname in ("STORE_SUBSCR", "DELETE_SUBSCR")
    return stored, changes


def _told(value: Any, active: frozenset[int]) -> Any:
    if isinstance(value, ModuleType):
        return ["module", value.__name__]
    if isinstance(value, FunctionType):
        source = FunctionRef.of(value)
        inner = _seen_by(value, active) if _is_users(value) else None
        return ["function", source.name, source.source_sha256, inner]
    if isinstance(value, type):
        return ["class", value.__qualname__]
    told = codecs.encode_or_describe(value)
    return ["of class", type(value).__qualname__] if codecs.is_unkept(told) else told


def _is_users(function: FunctionType) -> bool:
    """Tell whether a function is the user's own, and not of Python or of a package."""
    file = function.__code__.co_filename
    return not file.startswith((*_LIBRARIES, "<frozen")) and "-packages" not in file


_CONTAINERS = (list, dict, set, bytearray)
_CHANGERS = frozenset({"append", "appendleft", "extend", "insert", "remove", "pop", "popitem"}) | {
    *("clear", "add", "discard", "update", "setdefault", "sort", "reverse")
}
_LIBRARIES = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
