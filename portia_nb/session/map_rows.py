"""Rows for a map: a table, in whichever form it comes, as the inputs of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from typing import Any

from portia_nb.errors import InputsMissing, InvalidOption
from portia_nb.model.plan import Plan


@dataclass(frozen=True, slots=True)
class Rows:
    """What each run of a map is given.

    Only columns that the plan takes are held, each as a list; a row is put together when it is
    needed.
    """

    index: Sequence[Any]
    """The label of each row: a frame's index, else 0, 1, 2, …"""
    values: Mapping[str, Sequence[Any]]
    """A value for each row, by the input's name."""
    constants: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Values that are the same for all, by the input's name."""
    source: Any = None
    """The rows that were given, cut to those that count, for the table that comes back."""
    total: int = 0
    """How many rows were given."""

    def __len__(self) -> int:
        """How many rows count."""
        return len(self.index)

    def inputs(self, number: int) -> dict[str, Any]:
        """Return the inputs of the row with this number, by name."""
        return {**self.constants, **{name: column[number] for name, column in self.values.items()}}


def read_rows(
    rows: Any,
    plan: Plan,
    *,
    inputs: Mapping[str, str] | None = None,
    constants: Mapping[str, Any] | None = None,
    limit: int | None = None,
) -> Rows:
    """Return `rows` as inputs of `plan`.

    Args:
        rows: a pandas or polars DataFrame, or mappings such as dicts, in any iterable.
        plan: what will be run for each; its inputs say which columns are needed.
        inputs: the column of an input, by the input's name, where the two are called otherwise.
        constants: inputs that are the same for every row.
        limit: only so many rows, from the first.

    Raises:
        InvalidOption: `rows` is no table, `inputs` names an input or a column that isn't there, or
            `limit` isn't 1 or more.
        InputsMissing: an input has neither a column nor a constant nor a default.

    >>> from portia_nb import PlanInput
    >>> plan = Plan(plan_inputs=[PlanInput(name="city")])
    >>> found = read_rows([{"city": "Oslo", "size": 1}, {"city": "Rome", "size": 2}], plan)
    >>> len(found), found.inputs(1)
    (2, {'city': 'Rome'})
    """
    if limit is not None and (type(limit) is not int or limit < 1):
        raise InvalidOption(f"limit={limit!r}: it is the number of rows, 1 or more", option="limit")
    table = _table(rows, limit)
    chosen = _columns_of_inputs(plan, table, dict(inputs or {}), dict(constants or {}))
    plain = {_plain(name): value for name, value in (constants or {}).items()}
    return Rows(
        table.index,
        {name: table.column(column, name) for name, column in chosen.items()},
        plain,
        table.source,
        table.total,
    )


class _Table:
    """One form of a table."""

    def __init__(
        self, columns: Sequence[Any], index: Sequence[Any], source: Any, total: int
    ) -> None:
        self.columns = columns
        self.index = index
        self.source = source
        self.total = total

    def column(self, name: Any, needed_by: str) -> Sequence[Any]:
        """Return the values of a column, one for each row."""
        raise NotImplementedError


class _Pandas(_Table):
    def column(self, name: Any, needed_by: str) -> Sequence[Any]:
        # Python's own numbers and texts, as if typed: those of numpy would be other inputs.
        column = self.source[name]
        if hasattr(column, "columns"):
            raise InvalidOption(
                f"the rows have {len(column.columns)} columns that are called {name!r}, and the "
                f"plan needs one as {needed_by!r}: give each its own name",
                option="rows",
            )
        is_number = getattr(column.dtype, "kind", "O") in "biufc"
        return [value if is_number else _cell(value) for value in column.tolist()]


class _Polars(_Table):
    def column(self, name: Any, needed_by: str) -> Sequence[Any]:
        return self.source[name].to_list()


class _Mappings(_Table):
    def column(self, name: Any, needed_by: str) -> Sequence[Any]:
        for number, row in enumerate(self.source):
            if name not in row:
                raise InputsMissing(
                    f"row {number} has no {name!r}, which the plan needs"
                    + ("" if name == needed_by else f" as {needed_by!r}")
                    + f"; it has {_listed(row)}",
                    missing=(needed_by,),
                    row=number,
                )
        return [row[name] for row in self.source]


def _cell(value: Any) -> Any:
    """Return a cell of pandas that holds no plain number: None where it is missing."""
    if type(value).__name__ in ("NAType", "NaTType") or (type(value) is float and value != value):
        return None
    return value


def _table(rows: Any, limit: int | None) -> _Table:
    if hasattr(rows, "iloc") and hasattr(rows, "columns"):
        cut = rows if limit is None else rows.iloc[:limit]
        return _Pandas(list(rows.columns), cut.index.tolist(), cut, len(rows))
    if hasattr(rows, "to_dicts") and hasattr(rows, "columns"):
        cut = rows if limit is None else rows.head(limit)
        return _Polars(list(rows.columns), range(len(cut)), cut, len(rows))
    if isinstance(rows, str | bytes | Mapping) or not isinstance(rows, Iterable):
        raise InvalidOption(
            f"the rows of a map are a DataFrame or dicts in a list, not {type(rows).__name__} "
            f"{rows!r:.80}",
            option="rows",
        )
    given: list[Any] = list(islice(rows, limit))
    for number, row in enumerate(given):
        if not isinstance(row, Mapping):
            raise InvalidOption(
                f"row {number} is {type(row).__name__} {row!r:.80}: each row is a dict of values "
                "by column",
                option="rows",
            )
    columns = list(dict.fromkeys(name for row in given for name in row))
    total = len(rows) if isinstance(rows, Sequence) else len(given)
    return _Mappings(columns, range(len(given)), given, total)


def _columns_of_inputs(
    plan: Plan, table: _Table, given: dict[str, str], constants: dict[str, Any]
) -> dict[str, Any]:
    """Return the column of each input that comes from one."""
    declared = {_plain(known.name): known for known in plan.plan_inputs}
    for what, names in (("inputs", given), ("plan_run_inputs", constants)):
        for name in names:
            if _plain(name) not in declared:
                raise InvalidOption(
                    f"{what}: the plan has no input {name!r}{_near(_plain(name), declared)}; it "
                    f"takes {_listed(declared)}",
                    option=what,
                )
    chosen: dict[str, Any] = {}
    fixed = {_plain(name) for name in constants}
    for name, column in given.items():
        if column not in table.columns:
            raise InvalidOption(
                f"inputs={{{name!r}: {column!r}}}: the rows have no column {column!r}"
                f"{_near(column, table.columns)}; they have {_listed(table.columns)}",
                option="inputs",
            )
        chosen[_plain(name)] = column
    missing: list[str] = []
    for name, known in declared.items():
        if name in chosen or name in fixed:
            continue
        if name in table.columns:
            chosen[name] = name
        elif known.value is None:
            missing.append(name)
    if missing and len(table.index):
        near = _near(missing[0], table.columns)
        raise InputsMissing(
            f"the plan needs {_listed(missing)}, and the rows have {_listed(table.columns)}{near}: "
            f"name the column, inputs={{{missing[0]!r}: …}}, or give one value for all rows, "
            f"plan_run_inputs={{{missing[0]!r}: …}}",
            missing=tuple(missing),
            columns=tuple(map(str, table.columns)),
            plan_id=plan.id,
        )
    if not chosen and len(table.index):
        raise InvalidOption(
            f"no column of the rows ({_listed(table.columns)}) is an input of the plan "
            f"({_listed(declared)}): every row would run the same. Give the plan an input, or name "
            "the column, inputs={'input': 'column'}",
            option="inputs",
        )
    return chosen


def _plain(name: str) -> str:
    return name.removeprefix("$")


def _near(name: Any, known: Iterable[Any]) -> str:
    found = get_close_matches(str(name), [str(each) for each in known], n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def _listed(names: Iterable[Any]) -> str:
    found = [repr(name) for name in islice(names, 21)]
    return ", ".join(found[:20]) + (", …" if len(found) > 20 else "") or "none"
