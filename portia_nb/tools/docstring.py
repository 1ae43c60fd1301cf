"""Read what a docstring in Google's style says of a function, its arguments and its result."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field

_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns?|Yields|Raises|Examples?):[ \t]*$")
_ENTRY = re.compile(r"^(\*{0,2}\w+)[ \t]*(?:\([^)]*\))?:[ \t]*(.*)$")
_ARGUMENTS = {"Args", "Arguments", "Parameters"}
_RETURNS = {"Return", "Returns"}


@dataclass(frozen=True, slots=True)
class Docstring:
    """The parts of a docstring that a tool needs."""

    description: str = ""
    """Everything outside those sections."""
    arguments: dict[str, str] = field(default_factory=dict)
    returns: str = ""


def read_docstring(text: str | None) -> Docstring:
    """Split a docstring into description, arguments and result, without what programmers need.

    >>> read_docstring('''Add two numbers.
    ...
    ...     Args:
    ...         a: the first,
    ...             a whole number
    ...     ''').arguments
    {'a': 'the first, a whole number'}
    """
    described: list[str] = []
    sections: dict[str, list[str]] = {}
    current = described
    for line in inspect.cleandoc(text or "").splitlines():
        heading = _SECTION.match(line)
        if heading:
            current = sections.setdefault(heading[1], [])
        elif line and not line[0].isspace() and current is not described:
            # Text at the margin ends a section.
            current = described
            current.append(line)
        else:
            current.append(line)
    arguments: dict[str, str] = {}
    for heading in _ARGUMENTS & sections.keys():
        arguments.update(_entries(sections[heading]))
    returns = [line.strip() for name in _RETURNS & sections.keys() for line in sections[name]]
    description = re.sub(r"\n{3,}", "\n\n", "\n".join(described)).strip()
    return Docstring(description, arguments, " ".join(filter(None, returns)))


def _entries(lines: list[str]) -> dict[str, str]:
    """Read ``name: text`` entries; deeper lines go on with the entry before them."""
    body = inspect.cleandoc("\n" + "\n".join(lines)).splitlines()
    found: dict[str, str] = {}
    name = ""
    for line in body:
        entry = _ENTRY.match(line)
        if entry:
            name = entry[1].lstrip("*")
            found[name] = entry[2].strip()
        elif name and line.strip():
            found[name] = f"{found[name]} {line.strip()}".strip()
    return found
