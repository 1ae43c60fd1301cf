"""N15: where two outputs differ: texts by words, numbers by how much, tables by cells; bounded."""

from __future__ import annotations

import time
from typing import Any

import pandas as pd
import pytest

from portia_nb import PlanBuilderV2
from portia_nb.session.comparison_shown import to_html
from portia_nb.session.value_difference import MAX_CHANGES, difference_of
from tests.drawing.hostile import PAYLOADS

from .stage import portia


def words(a: str, b: str) -> str:
    found = difference_of(a, b)
    assert found is not None
    marks = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
    return "".join(marks[each.how].format(each.text) for each in found.pieces)


@pytest.mark.parametrize(
    ("a", "b", "told"),
    [
        ("the red fox", "the brown fox", "the [-red-]{+brown+} fox"),
        ("the red fox", "the red fox runs", "the red fox{+ runs+}"),
        ("one two three", "two three", "[-one -]two three"),
        ("it is undone now", "it is done now", "it is [-undone-]{+done+} now"),
        ("a b c d e", "a x y d z", "a [-b c-]{+x y+} d [-e-]{+z+}"),
        ("日本 語", "日本 文", "日本 [-語-]{+文+}"),
    ],
)
def test_N15_texts_differ_by_words(a: str, b: str, told: str):
    assert words(a, b) == told


def test_N15_both_texts_can_be_read_from_the_pieces_whatever_they_are():
    for a in PAYLOADS[:40]:
        for b in ("x " + a + " y", a[::-1], a.replace("alert", "prompt")):
            found = difference_of(f"so: {a}", f"so: {b}")
            if found is not None:
                parts = found.pieces
                assert "".join(p.text for p in parts if p.how != "added") == f"so: {a}"
                assert "".join(p.text for p in parts if p.how != "removed") == f"so: {b}"


def test_N15_texts_without_a_word_in_common_are_not_told_twice():
    assert difference_of("Oslo", "Rome") is None


def places(a: Any, b: Any) -> list[tuple[str, str, Any, Any]]:
    found = difference_of(a, b)
    return [] if found is None else [(c.place, c.how, c.a, c.b) for c in found.changes]


def test_N15_rows_and_nested_data_differ_by_cell():
    a = [{"city": "Oslo", "t": 3}, {"city": "Rome", "t": 20}]
    b = [{"city": "Oslo", "t": 5}, {"city": "Rome", "t": 20, "sun": True}, {"city": "Ulm"}]
    assert places(a, b) == [
        ("[0].t", "changed", 3, 5),
        ("[1].sun", "added", None, True),
        ("[2]", "added", None, {"city": "Ulm"}),
    ]
    assert places({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}) == [("a.b[1]", "changed", 2, 3)]
    assert places({"a": float("nan")}, {"a": float("nan")}) == []
    assert places(3, 5) == [("", "changed", 3, 5)]
    assert difference_of(True, 5) is None


def test_N15_tables_differ_by_cell_row_and_column():
    a = pd.DataFrame({"t": [1.5, 2.0], "old": ["x", "y"]}, index=["Oslo", "Rome"])
    b = pd.DataFrame({"t": [1.5, 4.0], "new": [1, 2]}, index=["Oslo", "Rome"])
    assert [place[:2] for place in places(a, b)] == [
        ("row Oslo, old", "removed"),
        ("row Oslo, new", "added"),
        ("row Rome, t", "changed"),
        ("row Rome, old", "removed"),
        ("row Rome, new", "added"),
    ]
    assert places(a.loc[["Oslo"]], a)[0][:2] == ("row Rome", "added")
    assert [place[0] for place in places(pd.Series([1, 2]), pd.Series([1, 3]))] == ["row 1, Series"]
    twice = pd.DataFrame({"t": [1, 2]}, index=["x", "x"])
    assert places(twice, twice + 1)[1][0] == "row 1, t"


def test_N15_what_is_huge_or_repeats_itself_is_told_in_bounds():
    before = time.process_time()
    same = "lorem ipsum " * 500_000
    found = difference_of(f"{same}one {same}", f"{same}two {same}")
    assert found is not None
    assert [p.text for p in found.pieces if p.how != "same"] == ["one", "two"]
    few = difference_of("x " + "a b " * 5_000 + "y", "x " + "b b a " * 5_000 + "z")
    assert few is not None
    assert few.is_cut
    for one, other in (("a " * 240, "b a " * 240), ("a b c " * 80, "c b a a " * 60)):
        assert difference_of(f"so {one}", f"so {other}!") is not None
    long = difference_of(list(range(400_000)), list(range(1, 400_001)))
    assert long is not None
    assert (len(long.changes), long.is_cut) == (MAX_CHANGES, True)
    frame = pd.DataFrame({"t": range(300_000)})
    wide = difference_of(frame, frame.assign(t=frame["t"].where(frame["t"] < 299_999, -1)))
    assert wide is None or wide.is_cut
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    assert places([deep, 1], [deep, 2]) == [("[1]", "changed", 1, 2)]
    assert time.process_time() - before < 10


def test_N15_a_comparison_shows_what_differs_in_its_values():
    def say(text: str) -> str:
        return text

    def count(n: int) -> dict[str, Any]:
        return {"rows": [{"city": "Oslo", "price": n}], "sum": 2 * n}

    evil = "<script>alert(1)</script>\x1b[31m"
    p = portia()
    plan = (
        PlanBuilderV2()
        .function_step(function=say, args={"text": f"It is cold {evil} today."}, step_name="say")
        .function_step(function=count, args={"n": 10}, step_name="count")
        .build()
    )
    run = p.run_plan(plan)
    fork = p.fork(run, "say", args={"text": f"It is warm {evil} today."})
    found = p.compare(run, p.fork(fork, "count", args={"n": 12}))
    assert [each.name for each in found.details] == ["say", "count"]
    text, shown = str(found), to_html(found)
    assert "say: It is [-cold-]{+warm+} " in text
    assert "count:\n  rows[0].price: 10 → 12 (+2, +20 %)\n  sum: 20 → 24 (+4, +20 %)" in text
    assert "<del>cold</del><ins>warm</ins>" in shown
    assert "<li>rows[0].price: 10 → 12 (+2, +20 %)</li>" in shown
    assert "<script" not in shown
    assert "\x1b" not in text + shown
    assert "\n" not in shown
    assert "Differences" not in str(p.compare(run, run))
