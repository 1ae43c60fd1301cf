"""Tables for pandas, which is imported only where somebody asks for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


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
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            "a DataFrame needs pandas, which isn't installed here; this installs it: "
            "pip install pandas",
            name="pandas",
        ) from error
    data = {name: [row.get(name) for row in rows] for name in columns if name != index}
    labels = None
    if index is not None:
        labels = pandas.Index([row[index] for row in rows], name=index, dtype=object)
    # Values of steps are objects, whatever they look like: a list isn't a column.
    series = {name: _series(pandas, values, labels) for name, values in data.items()}
    return pandas.DataFrame(series, columns=list(data), index=labels)


def _series(pandas: Any, values: list[Any], labels: Any) -> Any:
    is_plain = all(v is None or isinstance(v, bool | int | float | str) for v in values)
    if is_plain or all(hasattr(v, "tzinfo") or v is None for v in values):
        return pandas.Series(values, index=labels)
    made = pandas.Series([None] * len(values), index=labels, dtype=object)
    for place, value in enumerate(values):
        made.iat[place] = value
    return made
