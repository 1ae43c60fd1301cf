"""N27: tables as people have them: empty, doubled, without names, with holes, as one reads them."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import pandas
import pytest

from portia_nb import Config, Input, Plan, PlanBuilderV2, Portia
from portia_nb.errors import InvalidOption
from portia_nb.session.map_row import RowState


def keeping(name: str = "value") -> Plan:
    """Return a plan that puts out what it is given."""
    return (
        PlanBuilderV2("keep")
        .input(name=name)
        .function_step(function=lambda value: value, args={"value": Input(name)}, step_name="keep")
        .build()
    )


@pytest.fixture
def portia(tmp_path: Path) -> Portia:
    return Portia(Config(store=str(tmp_path / "store")), tools=[])


@pytest.mark.parametrize(
    "rows", [[], iter(()), pandas.DataFrame(), pandas.DataFrame({"value": []})]
)
def test_an_empty_table_is_done_at_once_and_says_so(portia: Portia, tmp_path: Path, rows: Any):
    found = portia.map(keeping(), rows)
    assert (len(found), found.state, found.is_complete) == (0, "done", True)
    assert "no rows" in str(found) and "<table>" in found._repr_html_()
    assert list(found.to_frame()["output"]) == []
    assert portia.export(found, tmp_path / "m.csv").is_written
    assert portia.get_map(found.id).state == "done"


def test_a_column_that_is_there_twice_is_refused_where_the_plan_needs_it(portia: Portia):
    table = pandas.DataFrame([[1, 2, 3]], columns=["value", "value", "other"])
    with pytest.raises(InvalidOption, match=r"2 columns.*'value'"):
        portia.map(keeping(), table)
    assert portia.map(keeping("other"), table).outputs == [3]


def test_columns_need_no_names_and_may_have_several(portia: Portia):
    numbered = pandas.DataFrame([[1, 2], [3, 4]])
    found = portia.map(keeping(), numbered, inputs={"value": 1})
    assert found.outputs == [2, 4]
    assert list(found.to_frame().columns)[:2] == [0, 1]
    with pytest.raises(InvalidOption, match=r"no column 7.*they have 0, 1"):
        portia.map(keeping(), numbered, inputs={"value": 7})
    levels = pandas.DataFrame({("a", "x"): [5], ("a", "y"): [6]})
    assert portia.map(keeping(), levels, inputs={"value": ("a", "y")}).outputs == [6]


def test_holes_stay_holes_and_equal_ones_run_once(portia: Portia, tmp_path: Path):
    numbers = portia.map(keeping(), pandas.DataFrame({"value": [1.5, math.nan, math.nan]}))
    assert numbers.outputs[0] == 1.5 and math.isnan(numbers.outputs[1])
    assert [row.reused for row in numbers.rows] == ["", "", "same row"]
    assert portia.map(keeping(), pandas.DataFrame({"value": [math.nan]})).rows[0].reused
    texts = portia.map(keeping(), pandas.DataFrame({"value": ["a", None, math.nan]}))
    assert texts.outputs == ["a", None, None]
    for made in (numbers, texts):
        document = json.loads(portia.export(made, tmp_path / f"{made.id}.json").path.read_text())
        assert len(document["rows"]) == 3


def test_rows_are_named_by_the_index_and_a_name_that_many_have_is_refused(portia: Portia):
    day = dt.datetime(2026, 1, 31)
    table = pandas.DataFrame({"value": [1, 2, 3]}, index=["a", "b", "a"])
    found = portia.map(keeping(), table)
    assert found.row("b").value == 2
    with pytest.raises(InvalidOption, match=r"2 rows.*'a'.*rows\[0\]"):
        found.row("a")
    assert found.row(found.rows[2]).value == 3
    dated = portia.map(keeping(), pandas.DataFrame({"value": [4]}, index=pandas.to_datetime([day])))
    assert dated.row(day).value == 4
    again = portia.get_map(dated.id)
    assert again.outputs == [4]
    assert again.to_frame()["output"].tolist() == [4]


def test_a_polars_frame_is_read_as_it_is(portia: Portia):
    class Series:
        def __init__(self, values: list[Any]) -> None:
            self._values = values

        def to_list(self) -> list[Any]:
            return self._values

    class Frame:
        """What of a polars DataFrame a map uses."""

        def __init__(self, data: dict[str, list[Any]]) -> None:
            self._data = data
            self.columns = list(data)

        def __len__(self) -> int:
            return len(self._data["value"])

        def __getitem__(self, name: str) -> Series:
            return Series(self._data[name])

        def head(self, count: int) -> Frame:
            return Frame({name: values[:count] for name, values in self._data.items()})

        def to_dicts(self) -> list[dict[str, Any]]:
            return [{"value": value} for value in self._data["value"]]

    found = portia.map(keeping(), Frame({"value": [1, None, 3]}), limit=2)
    assert (found.outputs, found.total) == ([1, None], 3)
    assert list(found.to_frame()["value"].isna()) == [False, True]


def test_cells_are_data_and_never_templates_or_references(portia: Portia):
    nasty = ["{{ city }}", "$keep", "{value}", "%portia run x", {"step": "keep"}, {"$": "unkept"}]
    found = portia.map(keeping(), [{"value": value} for value in nasty])
    assert found.outputs == nasty
    assert portia.get_map(found.id).outputs == nasty


def test_a_generator_is_read_once_and_goes_on_from_what_it_gave(portia: Portia):
    bad = {"2"}

    def refuse(value: str) -> str:
        if value in bad:
            raise ValueError("not now")
        return value

    plan = (
        PlanBuilderV2("refuse")
        .input(name="value")
        .function_step(function=refuse, args={"value": Input("value")}, step_name="refuse")
        .build()
    )
    found = portia.map(plan, ({"value": str(number)} for number in range(4)))
    assert [row.state for row in found.failed] == [RowState.FAILED]
    bad.clear()
    assert found.retry().outputs == ["0", "1", "2", "3"]
    assert found.to_frame()["value"].tolist() == ["0", "1", "2", "3"]


def test_a_large_table_shows_little_and_is_found_again_quickly():
    portia = Portia(Config(store="memory"), tools=[])
    rows = [{"value": f"row {number} " + "x" * 200} for number in range(600)]
    found = portia.map(keeping(), rows, max_parallel=64)
    assert found.is_complete
    assert len(found._repr_html_()) < 5_000 and len(str(found)) < 2_000
    assert len(repr(portia.runs())) < 1_000
    again = portia.map(keeping(), rows)
    assert again.outputs == found.outputs


class Unkept:
    """Of no kind that a store keeps."""


def test_rows_that_no_store_can_keep_are_shown_but_change_nothing_outside_unasked(portia: Portia):
    rows = [{"value": 1}, {"value": Unkept()}]
    calls: list[Any] = []

    def send(value: Any) -> str:
        calls.append(value)
        return "sent"

    def sending(effect: bool) -> Plan:
        given = {"value": Input("value")}
        return (
            PlanBuilderV2("send")
            .input(name="value")
            .function_step(function=send, args=given, step_name="send", side_effect=effect)
            .build()
        )

    kept = portia.get_map(portia.map(sending(False), rows).id)
    assert kept.outputs == ["sent", "sent"] and "2 done" in str(kept)
    calls.clear()
    with pytest.raises(InvalidOption, match=r"'value' of row 1 is a Unkept.*reuse=False"):
        portia.map(sending(True), rows)
    assert calls == []
    assert portia.map(sending(True), rows, reuse=False).is_complete


def test_without_a_cache_a_stopped_map_goes_on_and_side_effects_are_not_repeated(tmp_path: Path):
    bad, calls = {2}, list[int]()

    def send(value: int) -> int:
        calls.append(value)
        if value in bad:
            raise ValueError("not now")
        return value

    plan = (
        PlanBuilderV2("send")
        .input(name="value")
        .function_step(function=send, args={"value": Input("value")}, side_effect=True)
        .build()
    )
    rows = [{"value": 1}, {"value": 2}]
    portia = Portia(Config(store=str(tmp_path), cache=False), tools=[])
    portia.map(plan, rows)
    bad.clear()
    assert portia.map(plan, rows).is_complete
    assert calls == [1, 2, 2]
    with pytest.raises(InvalidOption, match="2 of these 2 rows were done before"):
        portia.map(plan, rows)
