"""Every value comes back equal and of its type, or is refused by name; see RELIABILITY R15, R16."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import math
import subprocess
import sys
import threading
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import BaseModel, Field, HttpUrl, RootModel

from portia_nb.model import codecs, plain


class Colour(enum.Enum):
    RED = "red"
    BLUE = (0, 0, 255)


class Place(BaseModel):
    name: str
    at: tuple[float, float] = (0.0, 0.0)


class Trip(BaseModel):
    stops: list[Place]
    when: dt.date
    fee: Decimal = Field(default=Decimal(0), alias="theFee")
    colour: Colour = Colour.RED


class Page(BaseModel):
    home: HttpUrl


class Names(RootModel[list[str]]):
    pass


@dataclasses.dataclass
class Box:
    content: Any
    place: Place
    weight: float = dataclasses.field(default=1.0, init=False)


class Pair(NamedTuple):
    left: Any
    right: Place


CLASSES = {"Trip": Trip, "Box": Box, "Pair": Pair, "Colour": Colour, "Names": Names, "Page": Page}


def through_text(value: Any, classes: Any = None) -> Any:
    text = codecs.dumps(codecs.encode(value))
    assert text.isascii()
    return codecs.decode(codecs.loads(text), classes)


def same(a: Any, b: Any) -> bool:
    """Equal, of one type all the way down; not-a-number counts as equal to itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return (a == b and math.copysign(1, a) == math.copysign(1, b)) or (a != a and b != b)
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, Decimal):
        return a.as_tuple() == b.as_tuple()
    if isinstance(a, list | tuple | deque):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return len(a) == len(b) and all(
            same(k, j) and same(v, w) for (k, v), (j, w) in zip(a.items(), b.items(), strict=True)
        )
    return a == b


JSON = [None, True, 0, -1, 1.5, -0.0, 1e308, "", "a\0b", "é🎉\u202e", [], {}, {"a": [1, {"b": []}]}]
OTHERS = [
    float("nan"), float("inf"), -float("inf"), 10**5_000, -(10**5_000), "\ud800", "\ud800\udc00",
    "a\udfffb", {"\udc00": 1}, b"", b"\0\xff", bytearray(b"x"), (), (1, (2,)), [(1,)], {1: 2},
    {None: 1}, {(1, 2): {3.5: b"x"}}, {True: 1}, {"$": "bytes", "v": "eA=="},
    {"$": {"$": "unkept", "type": "a", "text": "b"}}, {"$": 1, 2: 3}, {1, "a", None},
    frozenset({(1, 2)}), 1j, complex(-0.0, float("inf")), range(1, 10, 3), Decimal("1.10"),
    Decimal("NaN"), Decimal("-Infinity"), Decimal("1E+999"), Fraction(1, 3),
    UUID(int=7), Path("a/b"), Path(), PureWindowsPath("C:/x"), dt.date(1, 1, 1),
    dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-3, minutes=-30, seconds=7))),
    dt.datetime.max, dt.time(23, 59, 59, 999_999), dt.time(1, fold=1),
    dt.timedelta(days=-1, microseconds=1), OrderedDict(b=1, a=2), Counter("abca"),
    defaultdict(list, a=[1]), defaultdict(None), deque([1, 2], maxlen=2),
]  # fmt: skip


@pytest.mark.parametrize("value", JSON, ids=repr)
def test_plain_json_is_its_own_encoding(value: Any):
    assert codecs.encode(value) is value
    assert same(through_text(value), value)


@pytest.mark.parametrize("value", OTHERS, ids=lambda value: ascii(type(value).__name__))
def test_what_json_has_not_got_comes_back_equal_and_of_its_type(value: Any):
    assert same(through_text(value), value)
    assert same(through_text({"in": [value]}), {"in": [value]})


def test_a_daylight_saving_zone_comes_back_as_that_zone():
    value = dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    again = through_text(value)
    assert again.tzinfo is value.tzinfo
    assert (again.fold, again.utcoffset()) == (1, dt.timedelta(hours=1))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=2**15_000, max_value=2**15_100)
    | st.floats()
    | st.text(alphabet=st.characters(exclude_categories=()))
    | st.binary()
    | st.decimals()
    | st.fractions()
    | st.uuids()
    | st.dates()
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.times()
    | st.timedeltas()
    | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.sampled_from(["$", "v", "a", "\ud800"]), inner)
        | st.dictionaries(st.integers() | st.text() | st.dates(), inner, max_size=4)
        | st.lists(inner, max_size=3).map(deque)
    ),
    max_leaves=12,
)


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(anything)
def test_any_value_on_the_list_comes_back(value: Any):
    assert same(through_text(value), value)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(anything)
def test_any_value_is_readable_as_strict_json(value: Any):
    shown = codecs.to_plain_json(value)
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    json.dumps(shown, ensure_ascii=False).encode("utf-8")
    codecs.to_text(value).encode("utf-8")


def test_models_and_dataclasses_come_back_through_the_classes_that_are_given():
    trip = Trip(stops=[Place(name="a", at=(1, 2))], when=dt.date(2024, 1, 1), theFee=Decimal("1.0"))
    box = Box(content=b"x", place=Place(name="b"))
    box.weight = 2.5
    page = Page(home="https://example.org/a?b=c")
    values = [trip, page, page.home, box, Pair(1, Place(name="c")), Colour.BLUE, Names(["x"])]
    for value in (*values, values, {"b": box}):
        again = through_text(value, CLASSES)
        assert again == value
        assert type(again) is type(value)
    assert type(through_text(trip, CLASSES).stops[0]) is Place
    assert type(through_text(box, {"out": list[Box]}).place) is Place


def test_without_its_class_a_model_comes_back_as_the_data_in_it():
    trip = Trip(stops=[Place(name="a")], when=dt.date(2024, 1, 1))
    assert through_text(trip) == {
        "stops": [{"name": "a", "at": (0.0, 0.0)}],
        "when": dt.date(2024, 1, 1),
        "fee": Decimal(0),
        "colour": "red",
    }


def test_data_that_its_changed_class_no_longer_takes_comes_back_as_data():
    class Place(BaseModel):
        name: int

    data = codecs.encode(globals()["Place"](name="a"))
    assert codecs.decode(data, {"Place": Place}) == {"name": "a", "at": (0.0, 0.0)}


def test_a_class_named_in_the_data_is_never_imported():
    hostile = {"$": "model", "class": "os.system", "v": {"command": "true"}}
    assert codecs.decode(hostile) == {"command": "true"}
    assert codecs.decode({**hostile, "$": "enum"}, CLASSES) == {"command": "true"}


FRAMES = [
    pd.DataFrame(),
    pd.DataFrame({"a": []}),
    pd.DataFrame([[1, 2], [3, 4]], columns=["twin", "twin"]),
    pd.DataFrame(
        {
            "int": [1, 2], "text": ["x", None], "float": [1.5, float("nan")],
            "moment": pd.to_datetime(["2020-01-01", None]).tz_localize("Europe/Berlin"),
            "bare": pd.to_datetime(["2020-01-01", "2021-01-01"]),
            "kind": pd.Categorical(["u", None], categories=["v", "u"], ordered=True),
            "maybe": pd.array([1, None], dtype="Int64"), "flag": pd.array([True, None]),
            "thing": pd.Series([{1}, (1, 2)], dtype=object),
            "month": pd.period_range("2020", periods=2, freq="M"),
            "wait": pd.to_timedelta([1, 2], unit="s"), 7: [np.int64(1), np.int64(2)],
        }
    ),
    pd.DataFrame({"x": [1.0, 2.0]}, index=pd.date_range("2020", periods=2, freq="D", name="day")),
    pd.DataFrame(
        {("a", 1): [1, 2]}, index=pd.MultiIndex.from_tuples([("p", 1), ("q", 2)], names=["n", None])
    ),
    pd.DataFrame({"x": ["a", "b"]}, index=["r1", "r2"]),
    pd.DataFrame({"x": np.arange(3, dtype="uint8")}, index=range(5, 11, 2)),
]  # fmt: skip


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: str(frame.shape))
def test_a_table_comes_back_with_its_columns_dtypes_and_index(frame: pd.DataFrame):
    again = through_text(frame)
    pd.testing.assert_frame_equal(again, frame, check_freq=True)
    for column in range(frame.shape[1]):
        pd.testing.assert_series_equal(through_text(frame.iloc[:, column]), frame.iloc[:, column])
    pd.testing.assert_index_equal(through_text(frame.index), frame.index)


ARRAYS = [
    np.arange(6).reshape(2, 3), np.array([]), np.array(5), np.array(["a", "bc"]),
    np.array([[1, None], [(), {}]], dtype=object), np.zeros(2, dtype=[("x", "f4"), ("y", "U3")]),
    np.array(["2020-01-01", "NaT"], dtype="M8[D]"), np.asfortranarray(np.eye(3)),
]  # fmt: skip


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.dtype))
def test_an_array_comes_back_with_its_dtype_and_shape(array: Any):
    again = through_text(array)
    assert (again.dtype, again.shape) == (array.dtype, array.shape)
    np.testing.assert_array_equal(again, array)


SCALARS = [
    np.float64(1.5), np.int8(-1), np.str_("x"), np.datetime64("2020-01-01"), np.bool_(True),
    pd.Timestamp("2020-01-01", tz="Europe/Berlin"), pd.Timestamp(1), pd.Timedelta("1s"),
    pd.NaT, pd.NA,
]  # fmt: skip


@pytest.mark.parametrize("value", SCALARS, ids=lambda value: type(value).__name__)
def test_scalars_of_numpy_and_pandas_come_back(value: Any):
    again = through_text(value)
    assert type(again) is type(value)
    assert again is value or again == value


def test_an_array_that_holds_a_pickle_is_refused():
    array = np.array([threading.Lock()], dtype=object)
    with pytest.raises(codecs.Unkeepable, match=r"_thread\.lock"):
        codecs.encode(array)


class Hostile:
    def __repr__(self) -> str:
        raise SystemExit("no")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")

    __hash__ = None  # type: ignore[assignment]


class Liar(BaseModel):
    model_config = {"arbitrary_types_allowed": True}
    inner: Any


def loop() -> list[Any]:
    value: list[Any] = []
    value += [value, value]
    return value


def deep(depth: int = 10_000) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


REFUSED = {
    "a lock": (threading.Lock(), "_thread.lock"),
    "a class": (Place, "pydantic._internal._model_construction.ModelMetaclass"),
    "a function": (len, "builtin_function_or_method"),
    "a generator": ((i for i in ()), "generator"),
    "hostile": (Hostile(), f"{__name__}.Hostile"),
    "inside a model": (Liar(inner=Hostile()), f"{__name__}.Hostile"),
    "a subclass of str": (type("Shout", (str,), {"__module__": "x"})("a"), "x.Shout"),
    "a loop": (loop(), "list"),
    "deep": (deep(), "list"),
    "a defaultdict's own factory": (defaultdict(Hostile), "collections.defaultdict"),
    "an odd named tuple": (type("T", (namedtuple("T", "a"),), {})(1), f"{__name__}.T"),
}


@pytest.mark.parametrize(("value", "name"), REFUSED.values(), ids=REFUSED)
def test_anything_else_is_refused_by_the_name_of_its_type(value: Any, name: str):
    with pytest.raises(codecs.Unkeepable) as caught:
        codecs.encode({"a": [value]})
    assert caught.value.type_name == name
    described = codecs.encode_or_describe(value)
    assert codecs.is_unkept(described)
    unkept = codecs.decode(codecs.loads(codecs.dumps(described)))
    assert (type(unkept), unkept.type_name) == (codecs.Unkept, name)
    # What was not kept once is not kept when it is passed on.
    assert codecs.is_unkept(codecs.encode_or_describe([unkept]))


@pytest.mark.parametrize(("value", "name"), REFUSED.values(), ids=REFUSED)
def test_a_refused_value_is_still_shown(value: Any, name: str):
    text = codecs.to_text({"a": value})
    json.loads(text)
    assert len(text) < 5_000


def test_shared_lists_that_stand_for_more_than_any_memory_are_refused_soon(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(codecs, "MAX_ITEMS", 500_000)
    monkeypatch.setattr(plain, "_MAX_CONTAINERS", 20_000)
    value: Any = [1]
    for _ in range(60):
        value = [value, value]
    assert codecs.is_unkept(codecs.encode_or_describe(value))
    assert len(codecs.to_text(value)) < 1_000_000


def test_bytes_are_shown_by_their_number_and_how_they_begin():
    png = b"\x89PNG\r\n\x1a\n" + bytes(1_000)
    assert codecs.to_plain_json(png).startswith("1,008 bytes: \\x89PNG\\r\\n\\x1a\\n\\x00")
    assert codecs.to_plain_json(png).endswith("…")
    assert codecs.to_plain_json([b"", bytearray(b"x"), memoryview(b"it's")]) == [
        "0 bytes", "1 byte: x", "4 bytes: it's"
    ]  # fmt: skip


def test_a_secret_is_shown_as_stars_and_never_kept():
    from pydantic import SecretStr

    class Login(BaseModel):
        password: SecretStr

    login = Login(password=SecretStr("hunter2"))
    for shown in (codecs.encode_or_describe(login), codecs.to_plain_json(login)):
        assert "hunter2" not in json.dumps(shown)


def test_a_persons_view_of_a_value_is_plain():
    shown = codecs.to_plain_json(
        {
            "when": dt.datetime(2024, 1, 2, 3), "price": Decimal("1.10"), "n": float("nan"),
            "trip": Trip(stops=[Place(name="a")], when=dt.date(2024, 1, 1)), 1: b"abc",
            "frame": pd.DataFrame({"a": [1, 2]}), "box": Box(1, Place(name="b")),
            "\ud800": Path("x"),
            "colour": Colour.RED, "array": np.arange(2),
        }
    )  # fmt: skip
    assert shown == {
        "when": "2024-01-02T03:00:00", "price": "1.10", "n": None,
        "trip": {"stops": [{"name": "a", "at": [0.0, 0.0]}], "when": "2024-01-01", "fee": "0",
                 "colour": "red"},
        "1": "3 bytes: abc", "frame": [{"a": 1}, {"a": 2}],
        "box": {"content": 1, "place": {"name": "b", "at": [0.0, 0.0]}, "weight": 1.0},
        "\ufffd": "x", "colour": "red", "array": [0, 1],
    }  # fmt: skip


def test_text_is_itself_and_other_values_are_compact_json():
    assert codecs.to_text("é {x}") == "é {x}"
    assert codecs.to_text({"é": (1, None)}) == '{"é": [1, null]}'


def test_encoding_imports_neither_numpy_nor_pandas():
    code = (
        "import sys; from portia_nb.model import codecs;"
        "codecs.decode(codecs.encode([(1,), {2: 3}]));"
        "codecs.to_text({'a': object()}); assert not {'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


MALFORMED = [
    {"$": "no such codec"}, {"$": None}, {"$": []}, {"$": "bytes"}, {"$": "bytes", "v": "?"},
    {"$": "tuple", "v": 5}, {"$": "dict", "v": [[1]]}, {"$": "dict", "v": [[[], 1]]},
    {"$": "decimal", "v": "x"}, {"$": "ndarray", "v": "gASVBQAAAAAAAABLAS4="},
    {"$": "frame", "columns": 1, "index": 2, "v": []}, {"$": "range", "v": [1, 2, 0]},
    {"$": "datetime", "v": "x"}, {"$": "datetime", "v": "2020-01-01", "zone": "../../etc/passwd"},
    {"$": "defaultdict", "v": [], "default": "eval"}, {"$": "index", "v": {"k": "masked", "v": [],
     "dtype": "x"}, "names": [None], "freq": None}, {"$": "url", "class": "HttpUrl", "v": "nope"},
    {"$": "url", "class": "eval", "v": "1"},
    {"$": "int", "v": "z"},
]  # fmt: skip


@pytest.mark.parametrize("data", MALFORMED, ids=str)
def test_malformed_data_is_a_value_error(data: Any):
    with pytest.raises(ValueError):
        codecs.decode(data)


def test_text_that_is_not_strict_json_is_a_value_error():
    for text in ("NaN", "[Infinity]", "{", "[" * 100_000):
        with pytest.raises(ValueError):
            codecs.loads(text)
    for value in (float("nan"), object(), b"x", [float("inf")]):
        with pytest.raises(ValueError):
            codecs.dumps(value)
