"""Codecs of numpy arrays and pandas tables. See `codecs`.

Writing looks both libraries up among the loaded modules: no value of theirs exists without them.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping
from typing import Any

from .codecs_scalars import from_base64, to_base64

Inner = Callable[[Any], Any]

_MASKED = frozenset(
    [
        "boolean",
        "string",
        "str",
        "Float32",
        "Float64",
        "Int8",
        "Int16",
        "Int32",
        "Int64",
        "UInt8",
        "UInt16",
        "UInt32",
        "UInt64",
    ]
)
"""Columns with their own missing value, kept as lists; pandas makes each again from its name."""


def write(value: Any, inner: Inner) -> dict[str, Any] | None:
    """Return `value` as a tagged dict, or None where it is none of these."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None and hasattr(numpy, "ndarray"):
        if type(value) is numpy.ndarray:
            return _write_array(value, inner)
        if isinstance(value, numpy.generic):
            return {"$": "npscalar", "v": _save(numpy.asarray(value))}
    if pandas is not None and hasattr(pandas, "DataFrame"):
        return _write_pandas(pandas, value, inner)
    return None


def _write_array(value: Any, inner: Inner) -> dict[str, Any]:
    if value.dtype.hasobject:
        return {"$": "objects", "shape": list(value.shape), "v": inner(value.ravel().tolist())}
    return {"$": "ndarray", "v": _save(value)}


def _save(array: Any) -> str:
    import numpy

    file = io.BytesIO()
    numpy.save(file, array, allow_pickle=False)
    return to_base64(file.getbuffer())  # type: ignore[arg-type]


def _load(text: str) -> Any:
    import numpy

    return numpy.load(io.BytesIO(from_base64(text)), allow_pickle=False)


def _write_pandas(pandas: Any, value: Any, inner: Inner) -> dict[str, Any] | None:
    if value is pandas.NA or value is pandas.NaT:
        return {"$": "pdmissing", "v": "NA" if value is pandas.NA else "NaT"}
    kind = type(value)
    if kind is pandas.Timestamp:
        zone = str(value.tz) if value.tz is not None else None
        return {"$": "timestamp", "v": int(value.value), "unit": value.unit, "zone": zone}
    if kind is pandas.Timedelta:
        return {"$": "pdtimedelta", "v": int(value.value), "unit": value.unit}
    if kind is pandas.DataFrame:
        columns = [_write_column(value.iloc[:, i].array, inner) for i in range(value.shape[1])]
        return {
            "$": "frame",
            "columns": _write_index(pandas, value.columns, inner),
            "index": _write_index(pandas, value.index, inner),
            "v": columns,
        }
    if kind is pandas.Series:
        return {
            "$": "series",
            "name": inner(value.name),
            "index": _write_index(pandas, value.index, inner),
            "v": _write_column(value.array, inner),
        }
    return _write_index(pandas, value, inner) if isinstance(value, pandas.Index) else None


def _write_index(pandas: Any, index: Any, inner: Inner) -> dict[str, Any]:
    names = [inner(name) for name in index.names]
    if type(index) is pandas.RangeIndex:
        return {"$": "rangeindex", "names": names, "v": [index.start, index.stop, index.step]}
    if type(index) is pandas.MultiIndex:
        levels = [index.get_level_values(i).array for i in range(index.nlevels)]
        return {"$": "multiindex", "names": names, "v": [_write_column(a, inner) for a in levels]}
    freq = getattr(index, "freqstr", None) if type(index) is not pandas.PeriodIndex else None
    return {"$": "index", "names": names, "freq": freq, "v": _write_column(index.array, inner)}


def _write_column(array: Any, inner: Inner) -> dict[str, Any]:
    """Return one column; its kind decides how, its dtype is kept by name."""
    import numpy
    import pandas

    dtype = array.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        categories = _write_column(dtype.categories.array, inner)
        codes = _save(numpy.asarray(array.codes))
        return {"k": "category", "v": codes, "categories": categories, "ordered": dtype.ordered}
    if isinstance(dtype, pandas.DatetimeTZDtype):
        moments = numpy.asarray(array.astype("int64"))
        return {"k": "zoned", "v": _save(moments), "unit": dtype.unit, "zone": str(dtype.tz)}
    if isinstance(dtype, pandas.PeriodDtype):
        return {"k": "period", "v": _save(numpy.asarray(array.asi8)), "freq": str(dtype)[7:-1]}
    if str(dtype) in _MASKED:
        items = array.astype(object)
        items[array.isna()] = None
        return {"k": "masked", "v": inner(items.tolist()), "dtype": str(dtype)}
    is_numpy = isinstance(array, pandas.arrays.NumpyExtensionArray) or isinstance(
        dtype, numpy.dtype
    )
    if not is_numpy:
        raise ValueError(f"a column of dtype {dtype} has no codec")
    values = numpy.asarray(array)
    if values.dtype.hasobject:
        return {"k": "objects", "v": inner(values.tolist())}
    return {"k": "array", "v": _save(values)}


def _read_column(data: Any, inner: Inner) -> Any:
    import pandas

    match data["k"]:
        case "array":
            return _load(data["v"])
        case "objects":
            return _object_array(inner(data["v"]))
        case "masked":
            if data["dtype"] not in _MASKED:
                raise ValueError(f"kept data has an unknown dtype {data['dtype']!r:.40}")
            return pandas.array(inner(data["v"]), dtype=data["dtype"])
        case "category":
            categories = pandas.Index(_read_column(data["categories"], inner), copy=False)
            dtype = pandas.CategoricalDtype(categories, ordered=data["ordered"])
            return pandas.Categorical.from_codes(_load(data["v"]), dtype=dtype)
        case "zoned":
            moments = _load(data["v"]).astype(f"M8[{_unit(data['unit'])}]")
            return pandas.DatetimeIndex(moments).tz_localize("UTC").tz_convert(data["zone"]).array
        case "period":
            return pandas.PeriodIndex.from_ordinals(_load(data["v"]), freq=data["freq"]).array
        case kind:
            raise ValueError(f"kept data has an unknown kind of column {kind!r:.40}")


def _object_array(items: list[Any]) -> Any:
    import numpy

    array = numpy.empty(len(items), dtype=object)
    # One by one: numpy would take lists of equal length as further dimensions.
    for at, item in enumerate(items):
        array[at] = item
    return array


def _unit(unit: Any) -> Any:
    if unit not in ("s", "ms", "us", "ns"):
        raise ValueError(f"kept data has an unknown unit {unit!r:.40}")
    return unit


def _as_index(values: Any, name: Any = None) -> Any:
    import pandas

    return pandas.Index(values, dtype=_forced_dtype(values), name=name, copy=False)


def _forced_dtype(values: Any) -> Any:
    """Return ``object`` for an array of objects, so that pandas doesn't guess a closer dtype."""
    return object if getattr(values.dtype, "hasobject", False) else None


def _read_index(data: Any, inner: Inner) -> Any:
    index = _as_index(_read_column(data["v"], inner), inner(data["names"][0]))
    if data["freq"] is not None:
        index.freq = data["freq"]
    return index


def _read_multiindex(data: Any, inner: Inner) -> Any:
    import pandas

    levels = [_as_index(_read_column(level, inner)) for level in data["v"]]
    return pandas.MultiIndex.from_arrays(levels, names=[inner(name) for name in data["names"]])


def _read_rangeindex(data: Any, inner: Inner) -> Any:
    import pandas

    return pandas.RangeIndex(*data["v"], name=inner(data["names"][0]))


def _read_series(data: Any, inner: Inner) -> Any:
    import pandas

    values = _read_column(data["v"], inner)
    index, name = inner(data["index"]), inner(data["name"])
    return pandas.Series(values, index=index, name=name, dtype=_forced_dtype(values), copy=False)


def _read_frame(data: Any, inner: Inner) -> Any:
    import pandas

    index = inner(data["index"])
    series = [
        _read_series({"v": column, "index": data["index"], "name": None}, inner)
        for column in data["v"]
    ]
    # By position, then the labels: they may repeat.
    frame = pandas.DataFrame(dict(enumerate(series)), index=index)
    frame.columns = inner(data["columns"])
    return frame


def _read_objects(data: Any, inner: Inner) -> Any:
    return _object_array(inner(data["v"])).reshape(data["shape"])


def _read_missing(data: Any, inner: Inner) -> Any:
    import pandas

    return {"NA": pandas.NA, "NaT": pandas.NaT}[data["v"]]


def _read_timestamp(data: Any, inner: Inner) -> Any:
    import pandas

    moment = pandas.Timestamp(data["v"], unit="ns").as_unit(_unit(data["unit"]))
    return moment if data["zone"] is None else moment.tz_localize("UTC").tz_convert(data["zone"])


def _read_timedelta(data: Any, inner: Inner) -> Any:
    import pandas

    return pandas.Timedelta(data["v"], unit="ns").as_unit(_unit(data["unit"]))


READERS: Mapping[str, Callable[[Any, Inner], Any]] = {
    "ndarray": lambda data, inner: _load(data["v"]),
    "npscalar": lambda data, inner: _load(data["v"])[()],
    "objects": _read_objects,
    "pdmissing": _read_missing,
    "timestamp": _read_timestamp,
    "pdtimedelta": _read_timedelta,
    "frame": _read_frame,
    "series": _read_series,
    "index": _read_index,
    "multiindex": _read_multiindex,
    "rangeindex": _read_rangeindex,
}
"""Each takes the tagged dict and the function that decodes a part of it."""
