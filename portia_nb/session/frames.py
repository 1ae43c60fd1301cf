"""Tables for pandas, which is imported only where somebody asks for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel


def frame(
    rows: Sequence[Mapping[str, Any]], *, columns: Sequence[str], index: str | None = None
) -> Any:
    """Return rows as a pandas `DataFrame`.

    Args:
        rows: a dict each, by column.
        columns: names, in order; they are there without any rows, too.
        index: the column whose values are the rows' labels; None: they are counted.

    Raises:
        ImportError: pandas isn't installed; the message says how to install it.
    """
    pandas = _pandas()
    data = {name: [row.get(name) for row in rows] for name in columns if name != index}
    labels = None
    if index is not None:
        labels = pandas.Index([row[index] for row in rows], name=index, dtype=object)
    # Values of steps are objects, whatever they look like: a list isn't a column.
    series = {name: _series(pandas, values, labels) for name, values in data.items()}
    return pandas.DataFrame(series, columns=list(data), index=labels)


def table(value: Any) -> Any:
    """Return a value that is a table as a pandas `DataFrame`; see `Output.to_frame`.

    Raises:
        TypeError: it is none.
        ImportError: pandas isn't installed.
    """
    pandas = _pandas()
    if isinstance(value, pandas.DataFrame):
        return value.copy()
    if isinstance(value, pandas.Series):
        return value.to_frame("value" if value.name is None else value.name)
    if isinstance(value, list | tuple) and value:
        rows = [dict(each) if isinstance(each, BaseModel) else each for each in value]
        if all(isinstance(each, Mapping) for each in rows):
            return pandas.DataFrame([dict(each) for each in rows])
    if isinstance(value, Mapping) and value:
        columns = list(value.values())
        are_lists = all(isinstance(each, list | tuple) for each in columns)
        if are_lists and len({len(each) for each in columns}) == 1:
            return pandas.DataFrame({key: list(each) for key, each in value.items()})
    raise TypeError(
        f"this output is no table but {type(value).__name__}: a table is a DataFrame, a list of "
        "dicts, or a dict of lists of one length"
    )


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "a DataFrame needs pandas, which isn't installed here; this installs it: "
            "pip install pandas",
            name="pandas",
        ) from error
    return pandas


def _series(pandas: Any, values: list[Any], labels: Any) -> Any:
    is_plain = all(v is None or isinstance(v, bool | int | float | str) for v in values)
    if is_plain or all(hasattr(v, "tzinfo") or v is None for v in values):
        return pandas.Series(values, index=labels)
    made = pandas.Series([None] * len(values), index=labels, dtype=object)
    for place, value in enumerate(values):
        made.iat[place] = value
    return made
