"""Values of the notebook as inputs of a plan: bound, never spliced into the goal's text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from portia_nb.errors import InvalidOption

from .commands.nearness import nearest

if TYPE_CHECKING:
    from portia_nb.model.plan import PlanInput

MAX_COLUMNS = 40

# Single braces stay literal, for goals that hold code or JSON.
_BINDING = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Bound:
    """A goal whose inputs are named in it, and their values."""

    goal: str
    """Says ``$name`` where it said ``{{ name }}``."""
    values: dict[str, Any] = field(default_factory=dict)

    def plan_inputs(self) -> list[PlanInput]:
        """Return the inputs as a planner sees them: names and types, no values."""
        from portia_nb.model.plan import PlanInput

        return [
            PlanInput(name=f"${name}", description=describe(value))
            for name, value in self.values.items()
        ]


def bind(goal: str, given: Mapping[str, str], shell: Any) -> Bound:
    """Return `goal` with its ``{{ name }}`` and the ``--in`` expressions bound to their values.

    Args:
        goal: the text of the cell.
        given: Python expressions by input name, evaluated as the notebook's own code.
        shell: the shell whose variables are meant.

    Raises:
        InvalidOption: a name in the goal is no variable, or an expression fails (chained).
    """
    values: dict[str, Any] = {}
    for name, expression in given.items():
        try:
            values[name] = shell.ev(expression)
        except Exception as error:
            raise InvalidOption(
                f"--in {name}={expression}: {type(error).__name__}: {error}", option="--in"
            ) from error
    for name in _BINDING.findall(goal):
        if name in values:
            continue
        if name not in shell.user_ns:
            hidden = shell.user_ns_hidden  # IPython's own, such as `open` and `exit`
            mine = [n for n in shell.user_ns if not n.startswith("_") and n not in hidden]
            near = nearest(name, mine)
            hint = near if near.startswith("did") else "define it in a cell above"
            raise InvalidOption(
                f"{{{{ {name} }}}} is no variable of this notebook: {hint}", option=name
            )
        values[name] = shell.user_ns[name]
    return Bound(_BINDING.sub(lambda found: f"${found[1]}", goal).strip(), values)


def columns_in(goal: str, rows: Any) -> tuple[str, dict[str, str]]:
    """Return a goal for each row of a table, and the columns that it is about, with their types.

    These are the columns that it names as ``{{ column }}``, which then reads ``$column``; where it
    names none, all of them.

    >>> columns_in("Where is {{ city }}? {{ more }}", [{"city": "Oslo", "size": 1}])
    ('Where is $city? {{ more }}', {'city': 'str'})
    """
    known = _columns_of(rows)
    named = {name: known[name] for name in _BINDING.findall(goal) if name in known}

    def written(found: re.Match[str]) -> str:
        return f"${found[1]}" if found[1] in named else found[0]

    return _BINDING.sub(written, goal), named or known


def _columns_of(rows: Any) -> dict[str, str]:
    columns, types = getattr(rows, "columns", None), getattr(rows, "dtypes", None)
    if columns is not None and types is not None:
        return {str(name): str(kind) for name, kind in zip(columns, types, strict=False)}
    if isinstance(rows, list | tuple) and rows and isinstance(rows[0], Mapping):
        return {str(name): type(value).__name__ for name, value in rows[0].items()}
    raise InvalidOption(
        f"--each: a DataFrame or a list of dicts is needed, not {type(rows).__name__}",
        option="--each",
    )


def describe(value: Any) -> str:
    """Say what `value` is, without what it holds.

    >>> describe([1, 2, 3])
    'list of 3 int'
    >>> describe({"a": 1})
    "dict with keys 'a'"
    """
    columns = getattr(value, "columns", None)
    types = getattr(value, "dtypes", None)
    if columns is not None and types is not None and hasattr(value, "__len__"):
        pairs = list(zip(columns, types, strict=False))[:MAX_COLUMNS]
        names = [f"{name} ({kind})" for name, kind in pairs]
        more = f" and {len(columns) - MAX_COLUMNS} more" if len(columns) > MAX_COLUMNS else ""
        return f"{type(value).__name__} of {len(value)} rows with columns {', '.join(names)}{more}"
    match value:
        case list() | tuple() | set():
            kinds = sorted({type(item).__name__ for item in value})
            return f"{type(value).__name__} of {len(value)} {' or '.join(kinds[:3]) or 'items'}"
        case dict():
            keys = ", ".join(repr(key) for key in list(value)[:MAX_COLUMNS])
            return f"dict with keys {keys}" if keys else "empty dict"
        case _:
            return type(value).__name__
