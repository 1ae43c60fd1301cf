"""Functions and classes of a plan as source: imported where they can be, else carried along."""

from __future__ import annotations

import ast
import builtins
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from portia_nb.model.callables import FunctionRef, SchemaRef

from .literals import call, literal

RESERVED = frozenset(
    {"plan", "builder", "carried", "decode"}
    | {"PlanBuilderV2", "PlanContext", "PlanInput", "PlanUUID", "Plan", "SchemaRef", "FunctionRef"}
    | {"StepOutput", "Input", "Value", "Parts", "ListOf", "DictOf", "Variable", "Branch"}
    | {"Condition", "Portia"}
)
"""Names that the script itself uses."""
_PLAIN = (bool, int, float, str, bytes, type(None))
_MAX_CONSTANT = 2_000
_BUILT_IN = (str, int, float, bool, list, dict, bytes, tuple)


@dataclass
class Luggage:
    """What a script brings along: imports, and definitions in an order in which they run."""

    imports: set[str] = field(default_factory=set[str])
    definitions: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    """What the script has not got, a sentence each."""
    _names: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(RESERVED))
    """What each top-level name of the script means."""
    _known: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    # -- functions -------------------------------------------------------------------------------

    def function(self, ref: FunctionRef) -> str:
        """Return the name under which the script has the function `ref`."""
        key = (ref.name, ref.source_sha256)
        if key not in self._known:
            self._known[key] = self._function(ref)
        return self._known[key]

    def _function(self, ref: FunctionRef) -> str:
        function = ref.call
        if function is None:
            return self._placeholder(ref, "its source was not in the process that wrote this")
        if (where := _importable(function)) is not None:
            return self._import(*where)
        plain = inspect.unwrap(function)
        if not inspect.isfunction(plain):
            why = "it is no plain function, so that its source says too little"
            return self._placeholder(ref, why)
        found = _source(plain)
        if found is None:
            return self._placeholder(ref, "its source can't be found")
        own, text, used = found
        self._bring(used, plain)
        if not own:
            name = self._free("function")
            text = f"{name} = {text}\n"
            self.definitions.append(text)
        elif own not in self._names:
            name = own
            self.definitions.append(text)
        else:
            name = self._free("function")
            # Something else goes by this name already, and keeps it.
            before = self._free("before") if own not in RESERVED else ""
            kept = f"{before} = {own}\n" if before else ""
            self.definitions.append(kept + text + f"\n\n{name} = {own}\n")
            if before:
                self._names[before] = None
                self.definitions.append(f"{own} = {before}\n")
        self._names[name] = plain
        self._mark(ref, own or name, text, name)
        return name

    def _mark(self, ref: FunctionRef, own: str, text: str, name: str) -> None:
        """Let the script's function count as the one that it was, for as long as it is the same."""
        text_sha256 = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        if (ref.name, ref.source_sha256) == (own, text_sha256):
            return
        self.imports.add("from portia_nb.model.callables import carried")
        words = {"name": ref.name, "source_sha256": ref.source_sha256, "text_sha256": text_sha256}
        shown = {word: literal(value) for word, value in words.items()}
        self.definitions.append(f"{call('carried', shown, first=[name])}\n")

    def _placeholder(self, ref: FunctionRef, why: str) -> str:
        name = self._free("function")
        self._names[name] = ref
        said = f"the function {ref.name} is missing here: {why}. Write it in its place"
        text = f"def {name}(*args, **kwargs):\n    raise NotImplementedError({literal(said)})\n"
        self.definitions.append(text)
        self._mark(ref, name, text, name)
        self.notes.append(said)
        return name

    # -- shapes of outputs -----------------------------------------------------------------------

    def schema(self, ref: SchemaRef) -> str:
        """Return an expression for the shape of an output."""
        if ref.type is not None and (code := self._type(ref.type)) is not None:
            return code
        self.imports.add("from portia_nb.model.callables import SchemaRef")
        return call(
            "SchemaRef", {"name": literal(ref.name), "json_schema": literal(ref.json_schema)}
        )

    def _type(self, kind: Any) -> str | None:
        if kind in _BUILT_IN:
            return kind.__name__
        origin, inner = getattr(kind, "__origin__", None), getattr(kind, "__args__", ())
        if origin in (list, dict, tuple) and not isinstance(kind, type):
            parts = ["..." if each is ... else self._type(each) for each in inner]
            return None if None in parts else f"{origin.__name__}[{', '.join(map(str, parts))}]"
        if isinstance(kind, type) and (where := _importable(kind)) is not None:
            return self._import(*where)
        return None

    # -- what they use ---------------------------------------------------------------------------

    def _bring(self, used: Iterator[str], function: Callable[..., Any]) -> None:
        """Bring what the source of `function` refers to."""
        known = _around(function)
        for name in used:
            if name not in known:
                continue
            if name in self._names:
                if self._names[name] is not known[name]:
                    self.notes.append(f"{name} means more than one thing; the first is here")
                continue
            self._names[name] = known[name]
            self._bring_value(name, known[name])

    def _bring_value(self, name: str, value: Any) -> None:
        if isinstance(value, ModuleType):
            self._import_module(name, value)
        elif (where := _importable(value)) is not None:
            self._import(*where, under=name)
        elif (
            isinstance(value, _PLAIN) and type(value) in _PLAIN and len(repr(value)) < _MAX_CONSTANT
        ):
            self.definitions.append(f"{name} = {literal(value)}\n")
        elif inspect.isfunction(value) and (found := _source(value)) is not None and found[0]:
            self._bring(found[2], value)
            self.definitions.append(found[1])
            if found[0] != name:
                self.definitions.append(f"{name} = {found[0]}\n")
        elif isinstance(value, type) and (text := _text_of(value)) is not None:
            self._bring(_names_in(text), value)
            self.definitions.append(text)
        else:
            kind = type(value).__name__
            said = f"{name}, of the type {kind}, is missing here: a function uses it"
            self.definitions.append(f"# {ascii(said)[1:-1]}\n")
            self.notes.append(said)

    def _import_module(self, name: str, module: ModuleType) -> None:
        parts = module.__name__.split(".")
        if all(part.isidentifier() for part in parts):
            alias = "" if module.__name__ == name else f" as {name}"
            self.imports.add(f"import {module.__name__}{alias}")

    def _import(self, module: str, name: str, *, under: str | None = None) -> str:
        wanted = under or name
        if wanted in self._names and under is None:
            known = self._names[wanted]
            if known is not getattr(sys.modules[module], name):
                wanted = self._free(name)
        self._names[wanted] = getattr(sys.modules[module], name)
        alias = "" if wanted == name else f" as {wanted}"
        self.imports.add(f"from {module} import {name}{alias}")
        return wanted

    def _free(self, stem: str) -> str:
        number = 1
        while f"{stem}_{number}" in self._names:
            number += 1
        return f"{stem}_{number}"


def _importable(thing: Any) -> tuple[str, str] | None:
    """Return module and name from which anybody can import `thing`, None where nobody can."""
    module, name = getattr(thing, "__module__", None), getattr(thing, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or not name.isidentifier():
        return None
    loaded = sys.modules.get(module)
    if module == "__main__" or getattr(loaded, "__spec__", None) is None:
        return None
    is_there = all(part.isidentifier() for part in module.split("."))
    return (module, name) if is_there and getattr(loaded, name, None) is thing else None


def _source(function: Any) -> tuple[str, str, Iterator[str]] | None:
    """Return a function's name (``""``: a lambda), its source, and the names that it uses."""
    text = _text_of(function)
    if text is not None:
        found = _parsed(text)
        if found is not None and isinstance(
            node := found.body[0], ast.FunctionDef | ast.AsyncFunctionDef
        ):
            return node.name, text, _names_in(text)
    try:
        lines = inspect.getsource(function)
    except (OSError, TypeError):
        return None
    code = _lambda_in(lines)
    return None if code is None else ("", code, _names_in(code))


def _text_of(thing: Any) -> str | None:
    """Return the source of a definition, at the left margin and ending with its line."""
    try:
        text = textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError):
        return None
    return text if text.endswith("\n") else text + "\n"


def _parsed(text: str) -> ast.Module | None:
    try:
        found = ast.parse(text)
    except SyntaxError:
        return None
    return found if len(found.body) == 1 else None


def _lambda_in(lines: str) -> str | None:
    """Return the one lambda in some lines of source, which needn't be whole statements."""
    start = lines.find("lambda")
    if start < 0 or lines.find("lambda", start + 6) >= 0:
        return None  # which of several is meant, their lines don't say
    rest = lines[start:].rstrip()
    for end in range(len(rest), len("lambda:"), -1):
        try:
            found = ast.parse(rest[:end], mode="eval").body
        except (SyntaxError, ValueError):
            continue
        if isinstance(found, ast.Lambda):
            return ast.unparse(found)
        if isinstance(found, ast.Tuple) and isinstance(found.elts[0], ast.Lambda):
            return ast.unparse(found.elts[0])
    return None


def _names_in(text: str) -> Iterator[str]:
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not hasattr(builtins, node.id):
            yield node.id


def _around(function: Any) -> Mapping[str, Any]:
    """Return what names mean where a function or a class was defined."""
    if isinstance(function, type):
        return vars(sys.modules.get(function.__module__, builtins))
    found = dict(getattr(function, "__globals__", {}))
    code = getattr(function, "__code__", None)
    for name, cell in zip(
        getattr(code, "co_freevars", ()), function.__closure__ or (), strict=False
    ):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue  # not filled in yet
    return found
