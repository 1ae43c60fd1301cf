"""Check arguments by a pydantic model, and say what is wrong in words that help to mend it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from portia_nb.errors import ToolSoftError

_SHOWN_CHARS = 80


def check_arguments(
    schema: type[BaseModel], raw: Mapping[str, Any], *, unknown: frozenset[str] = frozenset()
) -> tuple[list[str], dict[str, Any] | None]:
    """Return what is wrong, one sentence each, and where nothing is, the arguments by name.

    Args:
        schema: its fields are the arguments; others are refused unless it allows extra fields.
        raw: the arguments that are known.
        unknown: names of arguments whose values aren't known yet: only the name is checked.
    """
    names = {field.alias or name: name for name, field in schema.model_fields.items()}
    problems: list[str] = []
    if schema.model_config.get("extra") != "allow":
        taken = {*names, *names.values()}
        given = [*map(str, raw), *sorted(unknown - raw.keys())]
        problems = [_not_an_argument(name, names) for name in given if name not in taken]
    try:
        parsed = schema.model_validate(dict(raw))
    except ValidationError as error:
        problems += [
            _problem(found)
            for found in error.errors(include_url=False, include_context=False)
            if found["type"] != "extra_forbidden"
            and not (found["loc"] and str(found["loc"][0]) in unknown)
        ]
        return problems, None
    if problems:
        return problems, None
    # Not getattr: a field may be called like a method of its model.
    return [], {**parsed.__dict__, **(parsed.__pydantic_extra__ or {})}


def refused(tool_id: str, problems: Collection[str]) -> ToolSoftError:
    """Return the error of a tool that can't be called with its arguments; it says why, each."""
    return ToolSoftError(
        f"tool {tool_id!r} can't be called with these arguments: " + "; ".join(problems),
        tool_id=tool_id,
        problems=tuple(problems),
    )


def listed(names: Collection[str]) -> str:
    """Return `names` as text for a message.

    >>> listed(["b", "a"]), listed([])
    ('a, b', 'no arguments')
    """
    return ", ".join(sorted(names)) or "no arguments"


def _problem(found: Any) -> str:
    name = ".".join(str(part) for part in found["loc"]) or "the arguments"
    if found["type"] == "missing":
        return f"argument {name!r} is missing"
    try:
        shown = repr(found["input"])
    except Exception:
        # Anything may be bound to an argument, also an object whose repr raises.
        shown = f"a {type(found['input']).__name__}"
    shown = shown if len(shown) <= _SHOWN_CHARS else shown[: _SHOWN_CHARS - 1] + "…"
    rule = str(found["msg"])
    return f"argument {name!r} is {shown}: {rule[:1].lower()}{rule[1:]}"


def _not_an_argument(name: str, known: Collection[str]) -> str:
    # With one argument there is nothing else that can have been meant.
    near = list(known) if len(known) == 1 else get_close_matches(name, list(known), n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"it takes {listed(known)}"
    return f"{name!r:.80} is not an argument: {hint}"
