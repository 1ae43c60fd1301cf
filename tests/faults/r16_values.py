"""R16: values that no JSON holds, or that hide something, or that can't be kept at all."""

from __future__ import annotations

import datetime as dt
import enum
import json
import math
from collections import OrderedDict, deque
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings

from portia_nb.model.codecs import Unkept
from portia_nb.model.events import StepDone
from portia_nb.storage.journal import JournalStore
from portia_nb.storage.memory import MemoryStore
from tests.storage.stories import Run, new_run

from .row import Facts, Row, Trial


class Hostile:
    """Raises at whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("unprintable")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("incomparable")

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Any:
        raise MemoryError


class Words(str):
    """A subclass of text: a value of its own may come back as its text, inside others it can't."""


class Colour(enum.StrEnum):
    """An enum that is a text, too."""

    RED = "red"


def looped(value: Any) -> Any:
    """Return a list that holds itself."""
    held: list[Any] = [value]
    held.append(held)
    return held


def deep(value: Any) -> Any:
    """Return a nesting that Python's own JSON can't write."""
    for _ in range(5_000):
        value = [value]
    return value


def frame(numbers: list[float]) -> Any:
    """Return a table with a column of each kind."""
    import pandas

    kinds = {"n": numbers, "t": [str(n) for n in numbers], "b": [n > 0 for n in numbers]}
    return pandas.DataFrame(kinds, index=[f"r{i}" for i in range(len(numbers))])


def array(numbers: list[float]) -> Any:
    import numpy

    return numpy.array(numbers)


TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.floats()
    | st.integers()
    | st.integers(min_value=10**4_300, max_value=10**4_400)
    | TEXT
    | st.binary(max_size=20)
    | st.datetimes(timezones=st.none() | st.just(dt.UTC))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.decimals()
    | st.fractions()
    | st.uuids()
    | st.complex_numbers()
    | st.sampled_from(
        ["\0", "\ud800", "\ud83d\ude00", "\x1b[31m", "\u202e", "$", "{{ x }}", "1e999", "NaN"]
    )
)
KEYS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.just("$")
NESTED = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS | st.tuples(KEYS, KEYS), inner, max_size=4)
        | st.tuples(inner, inner)
        | st.builds(deque, st.lists(inner, max_size=3))
        | st.fixed_dictionaries({"$": inner, "v": inner})
        | st.fixed_dictionaries({"$": st.sampled_from(["blob", "unkept", "dict"]), "v": inner})
    ),
    max_leaves=12,
)
NUMBERS = st.lists(st.floats(), max_size=5)
VALUES = (
    NESTED
    | st.frozensets(st.integers() | TEXT)
    | st.builds(frame, NUMBERS)
    | st.builds(array, NUMBERS)
    | st.builds(looped, NESTED)
    | st.builds(deep, SCALARS)
    | st.builds(Words, TEXT)
    | st.sampled_from([Colour.RED, [Colour.RED], {"c": Colour.RED}])
    | st.builds(lambda value: OrderedDict(a=value), NESTED)
    | st.builds(Hostile)
    | st.builds(lambda value: {"held": [value, Hostile()]}, NESTED)
    | st.sampled_from([object(), len, Path("x"), range(3), (n for n in "ab"), Ellipsis])
)


def same(one: Any, other: Any) -> bool:
    """Return whether two values are the same in type and content, not-a-number included."""
    if type(other) is Words:
        return type(one) is str and one == other
    if isinstance(other, enum.Enum):
        return one is other
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or repr(one) == repr(other)
    if isinstance(one, list | tuple | deque):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, set | frozenset):
        return one == other or repr(sorted(map(repr, one))) == repr(sorted(map(repr, other)))
    if hasattr(one, "equals"):
        return one.equals(other) and same(list(one.index), list(other.index))
    if hasattr(one, "tobytes"):
        return one.dtype == other.dtype and one.shape == other.shape and repr(one) == repr(other)
    if isinstance(one, Decimal | UUID | complex):
        return repr(one) == repr(other)
    return bool(one == other)


def is_kept_in_memory(kept: Any, value: Any) -> bool:
    """Return whether `kept` is `value` itself, or of a value that may change in place a copy."""
    if type(value) not in (list, dict, set, bytearray, tuple):
        return kept is value
    return type(kept) is type(value) and len(kept) == len(value)


CLASSES = {"Colour": Colour}


class Stores:
    """One run in each store, which gets the same values."""

    def __init__(self, folder: Path) -> None:
        self.journal, self.memory = JournalStore(folder), MemoryStore()
        self.runs: list[Run] = [new_run(store) for store in (self.journal, self.memory)]
        self.kept = self.unkept = 0

    def put(self, value: Any) -> None:
        """Let both keep `value`; each gives it back, or the journal a placeholder with its type."""
        before = self.runs[0].seq
        for run in self.runs:
            run.add(StepDone(f"s{run.seq}", 1, value)).kept()
        back, object_itself = (
            run.store.load_events(run.id, after_seq=before, classes=CLASSES)[0].event
            for run in self.runs
        )
        assert isinstance(back, StepDone)
        assert isinstance(object_itself, StepDone)
        assert is_kept_in_memory(object_itself.value, value), type(value)
        if type(back.value) is Unkept:
            assert back.value.type_name, "a placeholder says what it stands for"
            self.unkept += 1
        else:
            assert same(back.value, value), f"{value!r} came back as {back.value!r}"
            self.kept += 1

    def check(self) -> None:
        """Everything on disk is strict JSON in ASCII, and whole."""
        for line in self.journal.export_lines():
            assert line.isascii()
            json.loads(line, parse_constant=_refuse)
        assert self.journal.check().is_ok
        self.journal.close()


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def trial(trial: Trial) -> Facts:
    """Put as many values as there are cases into both stores."""
    stores = Stores(trial.folder / "store")

    @seed(trial.number)
    @settings(
        max_examples=trial.count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
    )
    @given(VALUES)
    def keep(value: Any) -> None:
        stores.put(value)

    keep()
    stores.check()
    return {"values kept": stores.kept, "placeholders": stores.unkept}


ROW = Row(
    id="R16",
    fault="values that are no JSON: not-a-number, bytes, surrogates, tables, loops, hostile ones",
    full=10_000,
    batch=500,
    sample_batch=150,
    trial=trial,
    sample=(0,),
    holds="each comes back the same, or as a placeholder with its type; all on disk strict JSON",
    trial_s=180.0,
)
