"""Completion inside ``%%portia`` and ``%portia``, in every front end.

Where the cursor stands is worked out here, from the declarations of the commands; what may stand
there is in `offered`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .commands.declared import CELL, LINES, command_named

if TYPE_CHECKING:
    from .commands.declaring import Command, Option
    from .face import Face

_LAST_WORD = re.compile(r"[^\s,]*$")
_OPEN_BINDING = re.compile(r"\{\{\s*(\w*)$")
_LINE_CALL = re.compile(r"^\s*(?:[\w.\[\]'\", ]+=\s*)?%portia(?=\s)")
_NAME_IN_FRONT = re.compile(r"^\s*\w+\s*<<(?=\s)")


class _Nothing(list[Any]):
    """No completion, but one that IPython counts, so that Python's words have no place either."""

    def __len__(self) -> int:
        return 1


def make_matcher(face: Face) -> Callable[[Any], Any]:
    """Return a matcher for ``shell.Completer.custom_matchers``."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    def portia_matcher(context: Any) -> Any:
        """Complete inside ``%%portia`` and ``%portia``; nothing anywhere else."""
        # IPython counts the cursor's place within its line.
        above = context.full_text.split("\n")[: context.cursor_line]
        before = "\n".join([*above, context.line_with_cursor[: context.cursor_position]])
        is_ours = stands_in_magic(before)
        fragment, found = complete(face, before) if is_ours else ("", [])
        matching = sorted({each for each in found if each.startswith(fragment)})
        offered = [SimpleCompletion(each, type="option") for each in matching]
        return {
            "completions": offered if offered or not is_ours else _Nothing(),
            "matched_fragment": fragment,
            "suppress": is_ours,
        }

    # Ahead of all others: one of them reads the disk, another all of Python's names.
    mark: Any = context_matcher(priority=1_000)
    return mark(portia_matcher)


def stands_in_magic(before: str) -> bool:
    r"""Tell whether a cursor stands behind ``%%portia`` or ``%portia``, where no Python stands.

    >>> stands_in_magic("%%portia\nPlan a"), stands_in_magic("x = %portia r")
    (True, True)
    >>> stands_in_magic("print('%portia ')"), stands_in_magic("%portiax ")
    (False, False)
    """
    first, has_body, _ = before.partition("\n")
    if first.startswith("%%portia"):
        return first[8:9].isspace() or (bool(has_body) and first == "%%portia")
    return _LINE_CALL.match(before.rpartition("\n")[2]) is not None


def complete(face: Face, before: str) -> tuple[str, list[str]]:
    """Return the word being typed and what it may become.

    Args:
        face: the notebook face.
        before: the cell's text up to the cursor.
    """
    first, has_body, _ = before.partition("\n")
    last = before.rpartition("\n")[2]
    if first.startswith("%%portia"):
        if not has_body:
            return _complete_options(face, CELL, _without_name(first[len("%%portia") :]))
        from .commands.offered import variables

        binding = _OPEN_BINDING.search(last)
        return (binding[1], variables(face)) if binding else ("", [])
    call = _LINE_CALL.match(last)
    return ("", []) if call is None else _complete_line(face, _without_name(last[call.end() :]))


def _without_name(text: str) -> str:
    """Return a line without the ``name <<`` in front."""
    return _NAME_IN_FRONT.sub("", text)


def _complete_line(face: Face, text: str) -> tuple[str, list[str]]:
    fragment = _fragment(text)
    words = text.split()
    if not words or (len(words) == 1 and not text[-1].isspace()):
        return fragment, list(LINES)
    command = command_named(words[0])
    if command is None:
        return "", []
    return _complete_options(face, command, text.lstrip().removeprefix(words[0]))


def _complete_options(face: Face, command: Command, text: str) -> tuple[str, list[str]]:
    """Complete what follows a command's name."""
    from .commands.offered import offer

    fragment = _fragment(text)
    words = text.split()
    typed = words[:-1] if words and not text[-1].isspace() else words
    option = _open_option(command, typed)
    given = _words_typed(command, typed)
    if option is not None:
        if option.choices:
            return fragment, list(option.choices)
        name, equals, rest = fragment.partition("=")
        kind = str(option.value)
        if equals and kind.endswith("=EXPR"):
            return rest, offer(face, "VALUE", given)
        if "=" in kind:
            found = offer(face, "INPUT" if option.field == "in" else kind, given)
            return name, [f"{each}=" for each in found]
        return fragment, offer(face, "ANSWERS" if option.field == "answers" else kind, given)
    kind = _kind_of_word(command, given)
    if fragment.startswith("-") or kind is None:
        used = {word for word in typed if word.startswith("-")}
        fresh = [o for o in command.options if o.many or not used & set(o.flags)]
        return fragment, [flag for o in fresh for flag in o.flags if flag.startswith("--")]
    return fragment, offer(face, kind, given)


def _open_option(command: Command, typed: Sequence[str]) -> Option | None:
    """Return the option whose value is being typed."""
    before = typed[-1] if typed else ""
    option = next((o for o in command.options if before in o.flags), None)
    return option if option is not None and option.value is not None else None


def _kind_of_word(command: Command, given: Sequence[str]) -> str | None:
    """Return what the argument being typed stands for, None where no more is taken."""
    if command.takes_all:
        return None
    return next(iter([command.word, command.second][len(given) :]), None)


def _words_typed(command: Command, typed: Iterable[str]) -> list[str]:
    """Return the arguments among the words after a command: neither options nor their values."""
    taking = {flag for o in command.options if o.value is not None for flag in o.flags}
    words = list(typed)
    return [
        word
        for before, word in zip(["", *words], words, strict=False)
        if not word.startswith("-") and before not in taking
    ]


def _fragment(text: str) -> str:
    found = _LAST_WORD.search(text)
    return found[0] if found else ""
