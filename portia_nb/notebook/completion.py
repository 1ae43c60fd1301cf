"""Completion of options, tools, subcommands, plans and runs, in every front end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .commands.declared import CELL, LINES
from .commands.declaring import Command

if TYPE_CHECKING:
    from .face import Face

_LAST_WORD = re.compile(r"[^\s,]*$")
_OPEN_BINDING = re.compile(r"\{\{\s*(\w*)$")


def make_matcher(face: Face) -> Callable[[Any], Any]:
    """Return a matcher for ``shell.Completer.custom_matchers``."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    def portia_matcher(context: Any) -> Any:
        """Complete inside ``%%portia`` and ``%portia``; nothing anywhere else."""
        before = context.full_text[: context.cursor_position]
        fragment, found = complete(face, before)
        matching = sorted({each for each in found if each.startswith(fragment)})
        return {
            "completions": [SimpleCompletion(each, type="option") for each in matching],
            "matched_fragment": fragment,
            # The words of Python have no place among options.
            "suppress": bool(matching),
        }

    mark: Any = context_matcher()
    return mark(portia_matcher)


def complete(face: Face, before: str) -> tuple[str, list[str]]:
    """Return the word being typed and what it may become.

    Args:
        face: the notebook face.
        before: the cell's text up to the cursor.
    """
    first, has_body, _ = before.partition("\n")
    last = before.rpartition("\n")[2]
    if first.startswith("%%portia") and (first[8:9].isspace() or has_body):
        if not has_body:
            return _complete_options(face, CELL, first[len("%%portia") :])
        binding = _OPEN_BINDING.search(last)
        return (binding[1], _variables(face)) if binding else ("", [])
    call = last.rpartition("%portia ")
    # Only at the start of a line or on the right side of an assignment is it a magic.
    if not call[1] or call[0].strip().rstrip("=").strip().count(" ") or call[0].endswith("%"):
        return "", []
    return _complete_line(face, call[2])


def _complete_line(face: Face, text: str) -> tuple[str, list[str]]:
    fragment = _fragment(text)
    words = text.split()
    if not words or (len(words) == 1 and not text[-1].isspace()):
        return fragment, list(LINES)
    command = LINES.get(words[0])
    return ("", []) if command is None else _complete_options(face, command, text)


def _complete_options(face: Face, command: Command, text: str) -> tuple[str, list[str]]:
    fragment = _fragment(text)
    words = text.split()
    typed = words[:-1] if words and not text[-1].isspace() else words
    before = typed[-1] if typed else ""
    option = next((o for o in command.options if before in o.flags), None)
    if option is not None and option.value is not None:
        return fragment, list(_values(face, option.field))
    if fragment.startswith("-") or command.word is None:
        used = {word for word in typed if word.startswith("-")}
        fresh = [o for o in command.options if o.many or not used & set(o.flags)]
        return fragment, [flag for o in fresh for flag in o.flags if flag.startswith("--")]
    words_typed = _words_typed(command, typed[1:]) if command is not CELL else []
    if command.second == "STEP" and words_typed:
        return fragment, list(_steps(face, words_typed[0]))
    return fragment, list(_subjects(face, command))


def _words_typed(command: Command, typed: list[str]) -> list[str]:
    """Return the arguments among the words after a subcommand: neither options nor their values."""
    taking = {flag for o in command.options if o.value is not None for flag in o.flags}
    return [
        word
        for before, word in zip(["", *typed], typed, strict=False)
        if not word.startswith("-") and before not in taking
    ]


def _steps(face: Face, run: str) -> Iterable[str]:
    """Return the places of the steps of a run, where this kernel knows its plan."""
    value = face.shell.user_ns.get(run)
    attended = face.runs.get(str(getattr(value, "id", run)))
    plan = attended.live.plan if attended else face.plans.get(str(getattr(value, "plan_id", "")))
    if plan is None:
        return ()
    return ("/".join(s.name for s in (*p.around, p.step)) for p in plan.names.places)


def _values(face: Face, name: str) -> Iterable[str]:
    match name:
        case "tools":
            return (tool.id for tool in face.portia().tools)
        case "record" | "replay" | "answers":
            return sorted(path.name for path in Path().glob("*.json"))
        case "output" | "in" | "plan":
            return _variables(face)
        case _:
            return ()


def _subjects(face: Face, command: Command) -> Iterable[str]:
    """Return what the argument of a subcommand may be: plans, runs, or variables."""
    if command.word == "RUN":
        runs = [n for n in _variables(face) if type(face.shell.user_ns[n]).__name__ == "PlanRun"]
        return [*face.runs, *runs]
    return _variables(face)


def _variables(face: Face) -> list[str]:
    return [
        name
        for name, value in face.shell.user_ns.items()
        if not name.startswith("_") and name not in face.shell.user_ns_hidden and value is not None
    ]


def _fragment(text: str) -> str:
    found = _LAST_WORD.search(text)
    return found[0] if found else ""
