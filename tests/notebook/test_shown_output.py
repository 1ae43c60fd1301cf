import dataclasses
import datetime as dt
import json
import time
from typing import Any

import pandas as pd
import pytest
from pydantic import BaseModel, SecretStr

from portia_nb.notebook.shown_output import OutputRoom, show_output


class City(BaseModel):
    name: str
    key: SecretStr = SecretStr("hush-hush")


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Hostile:
    def __repr__(self) -> str:
        raise SystemExit("from repr")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("text", {"text": "text"}),
        ("", {"text": ""}),
        (7, {"json": "7"}),
        (None, {"json": "null"}),
        (True, {"json": "true"}),
        ({"a": [1, "é"]}, {"json": '{\n  "a": [\n    1,\n    "é"\n  ]\n}'}),
        (dt.date(2024, 1, 31), {"text": "2024-01-31"}),
        (Point(1, 2), {"json": '{\n  "x": 1,\n  "y": 2\n}'}),
        ([], {"json": "[]"}),
        (
            [{"a": 1, "b": None}, {"a": "x", "c": [1]}],
            {"table": {"columns": ["a", "b", "c"], "rows": [["1", "", ""], ["x", "", "[1]"]]}},
        ),
        (
            pd.DataFrame({"month": ["Jan"], "price": [1.5]}),
            {"table": {"columns": ["month", "price"], "rows": [["Jan", "1.5"]]}},
        ),
    ],
)
def test_a_value_is_shown_as_text_json_or_a_table(value: Any, shown: dict[str, Any]):
    assert show_output(value) == shown


def test_a_secret_in_a_model_stays_hidden():
    assert "hush" not in json.dumps([show_output(City(name="Rome")), show_output([City(name="R")])])


def test_a_value_whose_methods_raise_is_shown_all_the_same():
    assert "repr raised SystemExit" in json.dumps(show_output({"a": Hostile()}))


def test_a_value_that_contains_itself_ends():
    loop: list[Any] = []
    loop.append(loop)
    assert "…" in show_output(loop)["json"]


@pytest.mark.parametrize(
    "value",
    [
        "x" * 50_000_000,
        [list(range(1_000))] * 50_000,
        {str(i): "y" * 1_000 for i in range(50_000)},
        [{"row": i, "text": "z" * 500} for i in range(100_000)],
        pd.DataFrame({"n": range(1_000_000)}),
    ],
    ids=["text", "lists", "dict", "records", "frame"],
)
def test_a_huge_value_is_cut_and_costs_no_more_than_a_small_one(value: Any):
    began = time.process_time()
    shown = show_output(value)
    assert time.process_time() - began < 0.5
    assert len(json.dumps(shown, ensure_ascii=False).encode()) < 2_100
    assert "cut" in shown


def test_all_outputs_together_keep_to_the_room():
    room = OutputRoom(total_bytes=10_000)
    shown = [room.show("x" * 3_000) for _ in range(20)]
    assert len(json.dumps(shown)) < 13_000
    assert shown[0]["cut"] == "1,000 more characters"
    assert "text" not in shown[-1] and "not shown" in shown[-1]["cut"]


def test_a_series_shows_its_labels_dates_without_midnight_and_few_digits():
    months = pd.to_datetime(["2004-08-01", "2004-09-01"])
    prices = pd.Series([38.1400000001, 40.86], index=pd.Index(months, name="date"), name="price")
    assert show_output(prices) == {
        "table": {
            "columns": ["date", "price"],
            "rows": [["2004-08-01", "38.14"], ["2004-09-01", "40.86"]],
        }
    }


def test_a_tables_index_never_takes_the_name_of_a_column():
    frame = pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="a"))
    assert show_output(frame)["table"]["columns"] == ["index", "a"]


def test_a_long_table_shows_its_first_rows_and_counts_the_others():
    shown = show_output(pd.DataFrame({"n": range(100)}))
    assert len(shown["table"]["rows"]) == 10
    assert shown["cut"] == "90 more rows"
    assert shown["table"]["count"] == 100
